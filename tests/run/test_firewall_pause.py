"""Pipedrive's firewall: whoever was shut out does not knock again for a quarter of an hour, run after run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipedrive_cli.delivery import doubts
from pipedrive_cli.run.connection import QUIET, firewall_pause, pause_file, remember_firewall
from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.sandbox import faults as sandbox_faults
from tests.cli.desk_for_commands import CANARY, Ended, account, event_file, pipedrive_cli, served, written_config

NOW = 1_800_000_000.0
EVENT = {"type": "identify", "messageId": "m-1", "userId": "u1", "traits": {"name": "Ann"}}


def test_the_door_is_left_alone_for_fifteen_minutes(tmp_path: Path) -> None:
    """And the time to come back is told."""
    path = tmp_path / "a folder" / "that is new" / "firewall"
    assert firewall_pause(path, NOW) is None
    remember_firewall(path, NOW)
    stop = firewall_pause(path, NOW + 60)
    assert stop is not None
    assert (stop.code, stop.exit_code, stop.resume_in) == ("firewall", 4, 840)
    assert firewall_pause(path, NOW + QUIET - 1) is not None
    assert firewall_pause(path, NOW + QUIET + 1) is None


@pytest.mark.parametrize("part", [0.0, 0.4, 0.5, 0.6, 0.999])
def test_a_run_that_follows_at_once_does_not_knock(tmp_path: Path, part: float) -> None:
    """Whatever part of a second it was that the door was shut in."""
    remember_firewall(tmp_path / "firewall", NOW + part)
    assert firewall_pause(tmp_path / "firewall", NOW + part) is not None


def test_a_clock_that_was_set_back_does_not_lock_anybody_out(tmp_path: Path) -> None:
    """A time further ahead than the firewall's quarter of an hour is not believed."""
    remember_firewall(tmp_path / "firewall", NOW)
    assert firewall_pause(tmp_path / "firewall", NOW - 3600) is None


@pytest.mark.parametrize("content", [b"", b"soon", b"\xff\xfe", b"nan", b"inf", b"-inf", b"1e999", b"9" * 5000])
def test_a_broken_memory_is_no_memory(tmp_path: Path, content: bytes) -> None:
    """A file that says nothing sensible costs one knock, and is written anew."""
    path = tmp_path / "firewall"
    path.write_bytes(content)
    assert firewall_pause(path, NOW) is None
    remember_firewall(path, NOW)
    assert firewall_pause(path, NOW) is not None


def test_a_place_that_cannot_be_written_costs_the_memory_alone(tmp_path: Path) -> None:
    """The run has its result to tell, and tells it."""
    path = tmp_path / "firewall"
    path.mkdir()
    remember_firewall(path, NOW)
    assert firewall_pause(path, NOW) is None


def test_each_account_has_a_door_of_its_own(tmp_path: Path) -> None:
    """Beside the journal where that has a place, else in the user's state folder; the address is not in the name."""
    acme, other = (pause_file(f"https://{name}.pipedrive.com", tmp_path / "j.sqlite") for name in ("acme", "other"))
    assert acme != other
    assert acme.parent == tmp_path
    assert "acme" not in str(acme.name)
    assert pause_file("https://acme.pipedrive.com", None).parent != tmp_path


class Door:
    """An account that the command line reaches over loopback, with a journal of its own."""

    def __init__(self, folder: Path, url: str, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.state = folder / "journal.sqlite"
        text = "identity: {user_id_field: User id}\ndelivery: {settle: 0s, timeout: 1s}\n"
        self.config = written_config(folder, account(url) + text)
        self.file = event_file(folder, EVENT)

    def replay(self, *more: str | Path) -> Ended:
        return pipedrive_cli("replay", self.file, "-c", self.config, "--state", self.state, *more)

    @property
    def memory(self) -> Path:
        (path,) = self.folder.glob("firewall-*")
        return path


def shut_out_account() -> Sandbox:
    sandbox = Sandbox(SandboxOptions(plan="unlimited", search_lag=0.0, api_token=CANARY, faults="html403"))
    sandbox.add_field("persons", name="User id")
    return sandbox


def test_the_next_run_does_not_knock_and_a_later_one_does(tmp_path: Path) -> None:
    """With --state: one request, then none and exit code 4 at once, then everything arrives."""
    sandbox = shut_out_account()
    with served(sandbox) as url:
        door = Door(tmp_path, url, sandbox)
        first = door.replay("--json")
        assert (first.code, first.json["reason"], len(sandbox.requests)) == (4, "firewall", 1)
        sandbox.faults = []
        rejects = tmp_path / "out.rejects.ndjson"
        second = door.replay("--json", "--rejects", rejects)
        assert (second.code, second.json["reason"], second.json["requests"]["total"]) == (4, "firewall", 0)
        assert len(sandbox.requests) == 1
        assert not rejects.exists()
        assert "minutes" in door.replay().out
        door.memory.write_text(str(time.time() - 1))  # the quarter of an hour is over
        assert door.replay().code == 0
        assert len(sandbox.contents()["persons"]) == 1


@pytest.mark.slow
def test_a_firewall_in_the_middle_of_a_run_is_remembered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by `retry`; the memory holds nothing but a time."""
    monkeypatch.setattr(doubts, "LEAST_PATIENCE", 0.0)  # real seconds, over loopback, for the write in doubt
    sandbox = shut_out_account()
    sandbox.faults = sandbox_faults.parse("html403@POST /api/v2/persons,html403@GET /api/v2/persons#2-9", 0)
    with served(sandbox) as url:
        door = Door(tmp_path, url, sandbox)
        ended = door.replay("--json")
        assert (ended.code, ended.json["reason"], ended.json["events"]["pending"]) == (4, "firewall", 1)
        assert abs(float(door.memory.read_text()) - time.time() - QUIET) < 60
        knocked = len(sandbox.requests)
        again = pipedrive_cli("retry", "-c", door.config, "--state", door.state)
        assert (again.code, len(sandbox.requests)) == (4, knocked)
        sandbox.faults = []
        door.memory.unlink()
        assert pipedrive_cli("retry", "-c", door.config, "--state", door.state, "--quiet") == Ended(0, "", "")
        assert len(sandbox.contents()["persons"]) == 1


def test_the_embedded_sandbox_has_no_door(tmp_path: Path) -> None:
    """Whoever is shut out can still rehearse."""
    sandbox = shut_out_account()
    with served(sandbox) as url:
        door = Door(tmp_path, url, sandbox)
        assert door.replay().code == 4
        assert door.replay("--sandbox").code == 0
