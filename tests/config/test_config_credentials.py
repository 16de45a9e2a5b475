"""The key to the account is found where the config says, and its absence tells the user where to find one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipedrive_cli.config import Config, base_address, credentials, load, notes
from pipedrive_cli.config.model import Pipedrive
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.secret import Secret

CANARY = "canary42canary42"


def with_(**pipedrive: object) -> Config:
    return Config(pipedrive=Pipedrive(**pipedrive))  # type: ignore[arg-type]  # each test names real fields


def test_an_api_token_has_its_own_header() -> None:
    """Personal API tokens go into x-api-token as they are."""
    assert credentials(with_(api_token=Secret(CANARY))) == ("x-api-token", Secret(CANARY))


def test_an_oauth_token_is_a_bearer_token() -> None:
    """OAuth access tokens go into Authorization."""
    assert credentials(with_(oauth_token=Secret(CANARY))) == ("Authorization", Secret(f"Bearer {CANARY}"))


def test_a_file_is_trimmed_and_read_when_it_is_needed(tmp_path: Path) -> None:
    """Loading does not need the file, contacting the account does; a newline at its end is no part of the token."""
    config_file, file = tmp_path / "config.yaml", tmp_path / "key"
    config_file.write_text("pipedrive: {api_token_file: key}")
    config = load(config_file, {})
    file.write_text(f"\ufeff{CANARY}\n")
    assert credentials(config) == ("x-api-token", Secret(CANARY))


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"two words canary", b"\xff\xfe", b"canary\ncanary", b"c" * 9_000]
)
def test_a_file_without_a_token_is_a_mistake_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, binary, huge or with several lines: the message names the file and never what it holds."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserMistake) as mistake:
        credentials(with_(api_token_file=file))
    assert str(file) in mistake.value.message
    assert "canary" not in mistake.value.message + (mistake.value.hint or "")
    assert mistake.value.exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_a_file_that_all_can_read_deserves_a_note(tmp_path: Path) -> None:
    """Said once as a note, not as a mistake; a private or missing file has none."""
    file = tmp_path / "key"
    config = with_(api_token_file=file)
    assert notes(config) == ()
    file.write_text(CANARY)
    file.chmod(0o644)
    assert "chmod 600" in notes(config)[0]
    file.chmod(0o600)
    assert notes(config) == ()
    assert notes(Config()) == ()


def test_the_keyring_is_asked_for_the_named_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry is looked up under our own service name."""
    entries = {("pipedrive-cli", "acme"): CANARY}
    fake = SimpleNamespace(get_password=lambda service, entry: entries.get((service, entry)))
    monkeypatch.setitem(sys.modules, "keyring", fake)
    assert credentials(with_(keyring="acme")) == ("x-api-token", Secret(CANARY))
    with pytest.raises(UserMistake, match="is not there") as mistake:
        credentials(with_(keyring="other"))
    assert mistake.value.hint == "keyring set pipedrive-cli other"


def test_a_keyring_that_is_locked_or_not_installed_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package names the extra; a backend's error is told without its text, which may quote the secret."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(UserMistake, match="not installed") as mistake:
        credentials(with_(keyring="acme"))
    assert "pipedrive-cli[keyring]" in (mistake.value.hint or "")

    def locked(service: str, entry: str) -> str:
        raise RuntimeError(CANARY)

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked))
    with pytest.raises(UserMistake, match="does not answer") as mistake:
        credentials(with_(keyring="acme"))
    assert CANARY not in mistake.value.message


def test_without_any_the_user_learns_where_to_find_one() -> None:
    """The hint names the variable, the place in Pipedrive, and the way without."""
    with pytest.raises(UserMistake) as mistake:
        credentials(Config())
    hint = mistake.value.hint or ""
    assert "PIPEDRIVE_API_TOKEN" in hint
    assert "Personal preferences > API" in hint
    assert "--sandbox" in hint


@pytest.mark.parametrize(
    ("config", "url"),
    [
        (with_(company_domain="acme"), "https://acme.pipedrive.com"),
        (with_(base_url="http://127.0.0.1:8080"), "http://127.0.0.1:8080"),
    ],
)
def test_the_address_comes_from_the_domain_or_the_url(config: Config, url: str) -> None:
    """A company's name stands for its address at Pipedrive."""
    assert base_address(config) == url


def test_without_an_address_the_user_learns_which_line_to_write() -> None:
    """Only whoever contacts an account needs one."""
    with pytest.raises(UserMistake) as mistake:
        base_address(Config())
    assert "company_domain" in (mistake.value.hint or "")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://Acme.Pipedrive.com/", "https://acme.pipedrive.com"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_base_urls_are_normalized(tmp_path: Path, written: str, url: str) -> None:
    """Case and a slash at the end make no difference; http is fine to this machine."""
    file = tmp_path / "config.yaml"
    file.write_text(f"pipedrive: {{base_url: '{written}'}}")
    assert load(file, {}).pipedrive.base_url == url


def test_a_config_never_shows_its_token() -> None:
    """Not in its repr, which lands in logs and in pytest's own reports."""
    assert CANARY not in repr(with_(api_token=Secret(CANARY), oauth_token=Secret(CANARY)))
