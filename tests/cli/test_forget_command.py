"""The command `forget`: what it shows, asks and returns."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipedrive_cli.sandbox import Sandbox

from .desk_for_commands import Ended, account, event_file, pipedrive_cli, served, written_config
from .test_check import furnished

JANE = {"type": "identify", "messageId": "m-1", "userId": "jane", "traits": {"email": "jane@acme.test", "name": "Jane"}}
DEMO = {"type": "track", "messageId": "m-2", "userId": "jane", "event": "Demo"}
KEYS = [
    "version", "status", "exit_code", "reason", "message", "dry_run", "known_by", "found", "deleted", "kept", "journal",
    "not_touched", "requests", "tokens",
]  # fmt: skip


def replayed(folder: Path, url: str) -> list[str | Path]:
    """A run over Jane's events; the options that name its config and journal."""
    config = written_config(folder, account(url) + "identity: {user_id_field: Our id}\n")
    where: list[str | Path] = ["-c", config, "--state", folder / "journal.sqlite"]
    assert pipedrive_cli("replay", event_file(folder, JANE, DEMO), *where).code == 0
    return where


@pytest.fixture
def sandbox() -> Sandbox:
    return furnished(search_lag=0.0)


@pytest.mark.slow
def test_somebody_at_the_terminal_sees_what_goes_and_is_asked(tmp_path: Path, sandbox: Sandbox) -> None:
    """Persons and leads, what is not touched; `no` does nothing, `yes` does it."""
    with served(sandbox) as url:
        where = replayed(tmp_path, url)
        refused = pipedrive_cli("forget", "jane", *where, stdin=b"n\n", keyboard=True)
        assert refused.code == 0
        assert "nothing was done" in refused.err
        assert [row["name"] for row in sandbox.contents()["persons"]] == ["Jane"]
        done = pipedrive_cli("forget", "JANE@acme.test", *where, stdin=b"y\n", keyboard=True)
    assert done.code == 0, done.err
    assert "nobody is known" not in done.err
    for part in ("persons to delete", "leads to delete", "1 user id, 1 email", "events.ndjson", "1 person, 1 lead"):
        assert part in done.err, part
    assert sandbox.contents()["persons"] == sandbox.contents()["leads"] == []


@pytest.mark.slow
def test_a_script_must_agree_beforehand(tmp_path: Path, sandbox: Sandbox) -> None:
    """Without a terminal, `--yes` or `--dry-run`; nothing is asked of anybody before."""
    with served(sandbox) as url:
        where = replayed(tmp_path, url)
        before = len(sandbox.requests)
        ended = pipedrive_cli("forget", "jane", *where)
        assert (ended.code, len(sandbox.requests)) == (2, before)
        assert "--yes" in ended.err
        assert pipedrive_cli("forget", *where, "--yes").code == 2
        assert "nobody is known by these" in pipedrive_cli("forget", "jan", *where, "--yes").err
        looked = pipedrive_cli("forget", "jane", *where, "--dry-run")
        assert "persons to delete" in looked.out
        assert [row["name"] for row in sandbox.contents()["persons"]] == ["Jane"]
        done = pipedrive_cli("forget", "jane", *where, "--yes", "--json")
    assert list(done.json) == KEYS
    assert done.json["deleted"] == {"persons": 1, "leads": 1}
    assert (done.json["exit_code"], done.json["status"], done.json["kept"]) == (0, "complete", [])
    assert done.json["tokens"]["spent"] > 0


def test_a_brake_is_an_object_too(tmp_path: Path, sandbox: Sandbox) -> None:
    """Exit code 4, with the reason."""
    with served(sandbox) as url:
        where = replayed(tmp_path, url)
        ended: Ended = pipedrive_cli("forget", "jane", *where, "--yes", "--json", "--max-deleted", "1")
    assert (ended.code, ended.json["reason"]) == (4, "brake")
    assert [row["name"] for row in sandbox.contents()["persons"]] == ["Jane"]


def test_whoever_is_shown_no_more_after_a_command(tmp_path: Path, sandbox: Sandbox) -> None:
    """`runs show` in every form, and the records that the run made."""
    with served(sandbox) as url:
        where = replayed(tmp_path, url)
        assert pipedrive_cli("forget", "jane", *where, "--yes").code == 0
    state = tmp_path / "journal.sqlite"
    for form in ([], ["--json"], ["--records"], ["--html", str(tmp_path / "run.html")], ["--verbose"]):
        told = pipedrive_cli("runs", "show", "--state", str(state), *form)
        assert told.code == 0
        assert "jane" not in (told.out + told.err).lower()
    assert "jane" not in (tmp_path / "run.html").read_text().lower()
