"""The kinds of key, each from where it lies to the header that Pipedrive sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked

from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from tests.harness import CANARY, identify

from .desk_for_commands import Ended, event_file, pipedrive_cli, served, written_config

IDENTITY = "identity: {user_id_field: User id}\n"
OAUTH = SandboxOptions(plan="growth", seats=10, search_lag=0.0, api_token="another", oauth_token=CANARY)


class InMemory(KeyringBackend):
    """A keyring of the test's own; `locked` refuses as the system's does."""

    priority = 1
    locked = False
    entries: ClassVar[dict[tuple[str, str], str]] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(CANARY)
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def ring() -> Iterator[InMemory]:
    """The keyring that the library then uses."""
    before, ours = keyring.get_keyring(), InMemory()  # type: ignore[no-untyped-call]  # the library is not wholly typed
    ours.entries.clear()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


def sandbox(options: SandboxOptions) -> Sandbox:
    """An account with the field that the config names."""
    made = Sandbox(options)
    made.add_field("persons", name="User id")
    return made


def config(folder: Path, url: str, key: str) -> Path:
    return written_config(folder, f"pipedrive: {{base_url: '{url}', {key}, plan: growth}}\n{IDENTITY}")


def replay(folder: Path, file: Path) -> Ended:
    """One person, with a journal of the test's own."""
    events = event_file(folder, identify("u1", name="A"))
    return pipedrive_cli("replay", events, "-c", file, "--state", folder / "journal.sqlite", "--json")


def test_an_oauth_token_brings_events_into_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Bearer token, from a variable, with the limits that OAuth has."""
    monkeypatch.setenv("PIPEDRIVE_OAUTH", CANARY)
    with served(account := sandbox(OAUTH)) as url:
        file = config(tmp_path, url, "oauth_token: '${PIPEDRIVE_OAUTH}'")
        told = replay(tmp_path, file)
        seen = pipedrive_cli("check", "-c", file)
    assert (told.code, told.json["records"]["persons"]["created"]) == (0, 1)
    assert len(account.contents()["persons"]) == 1
    assert "160 requests in 2 s" in seen.out
    assert "the config's plan has" not in seen.out


def test_an_oauth_token_that_has_run_out_says_so(tmp_path: Path) -> None:
    """Exit code 3; they last an hour."""
    with served(sandbox(OAUTH)) as url:
        file = config(tmp_path, url, "oauth_token: old")
        told = replay(tmp_path, file)
    assert told.code == 3
    assert "good for an hour" in told.json["problems"][0]["hint"]


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("curl", 'Authorization: Bearer $PIPEDRIVE_API_TOKEN"'),
        ("http", "Authorization: Bearer {{PIPEDRIVE_API_TOKEN}}"),
    ],
)
def test_a_preview_shows_the_header_of_the_key_that_is_configured(tmp_path: Path, form: str, header: str) -> None:
    """Offline, without the variable that holds it; the key itself is never shown."""
    file = config(tmp_path, "http://127.0.0.1:1", "oauth_token: '${NOT_SET_HERE}'")
    told = pipedrive_cli("preview", event_file(tmp_path, identify("u1")), "-c", file, "--format", form)
    assert header in told.out
    assert "x-api-token" not in told.out


def test_a_rehearsal_keeps_the_limits_of_the_key(tmp_path: Path) -> None:
    """OAuth allows four times as many requests."""
    events = event_file(tmp_path, *(identify(f"u{n}", name=f"N{n}") for n in range(400)))
    seconds = [
        pipedrive_cli("rehearse", events, "-c", config(tmp_path, "http://127.0.0.1:1", key), "--json").json["seconds"]
        for key in ("api_token: abc", "oauth_token: abc")
    ]
    assert seconds[0] > 2 * seconds[1]


def test_the_systems_keyring_opens_the_account(tmp_path: Path, ring: InMemory) -> None:
    """What `keyring set pipedrive-cli acme` has put there, through the real library."""
    keyring.set_password("pipedrive-cli", "acme", CANARY)
    with served(sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))) as url:
        file = config(tmp_path, url, "keyring: acme")
        told = replay(tmp_path, file)
        assert (told.code, told.json["events"]["delivered"]) == (0, 1)
        missing = pipedrive_cli("check", "-c", config(tmp_path, url, "keyring: other"))
        ring.locked = True
        locked = pipedrive_cli("check", "-c", file)
    assert (missing.code, locked.code) == (2, 2)
    assert "the entry 'other' is not there" in missing.out
    assert "keyring set pipedrive-cli other" in missing.out
    assert "does not answer (KeyringLocked)" in locked.out


@pytest.mark.usefixtures("ring")
def test_a_machine_without_a_keyring_is_told_what_to_use(tmp_path: Path) -> None:
    """As cron and containers have none."""
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # as above
    told = pipedrive_cli("check", "-c", config(tmp_path, "http://127.0.0.1:1", "keyring: acme"))
    assert told.code == 2
    assert "does not answer (NoKeyringError)" in told.out
    assert "api_token_file" in told.out


def test_a_file_holds_the_key_for_cron(tmp_path: Path) -> None:
    """Beside the config, with a newline at its end."""
    (tmp_path / "token").write_text(f"{CANARY}\n")
    (tmp_path / "token").chmod(0o600)
    with served(sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))) as url:
        told = pipedrive_cli("check", "-c", config(tmp_path, url, "api_token_file: token"))
    assert (told.code, told.err) == (0, "")
