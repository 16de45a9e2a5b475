"""Processes of their own against a sandbox over loopback: killed, interrupted, and two at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from _pytest.monkeypatch import derive_importpath

from pipedrive_cli.cli import command_line, interrupts
from pipedrive_cli.cli.output import Output
from pipedrive_cli.delivery.doubts import Doubts
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import PipedriveCliError
from pipedrive_cli.events.parts import WORTH, cores
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.run.intake import Intake
from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.sandbox.faults import parse
from tests.cli.desk_for_commands import (
    CANARY,
    PATIENCE,
    Ended,
    account,
    event_file,
    pipedrive_cli,
    served,
    written_config,
)
from tests.harness import Event, identify, lines, ordered, track
from tests.run.events_of_all_kinds import Contents, comparable

ALL_WELL = Ended(0, "", "")  # what --quiet shows of it
IDENTITY = "identity: {user_id_field: User id}\nfields: {persons: {role: Role}}\n"


def crowd(number: int) -> list[Event]:
    """So many events: persons, each with a lead and a later change."""
    events: list[Event] = []
    for n in range(number // 3):
        events += [
            identify(f"u{n}", 3 * n, name=f"N{n}", role="first"),
            track(f"u{n}", f"Lead {n}", 3 * n + 1, message_id=f"lead-{n}"),
            identify(f"u{n}", 3 * n + 2, role=f"r{n}"),
        ]
    return events


class Job:
    """One account, one file of events, and the command line that brings it there."""

    def __init__(self, folder: Path, sandbox: Sandbox, url: str, events: list[Event], delivery: str) -> None:
        self.sandbox = sandbox
        self.state = folder / "journal.sqlite"
        self.file = folder / "events.ndjson"
        self.file.write_bytes(lines(events))
        self.config = written_config(folder, account(url) + IDENTITY + f"delivery: {{settle: 0s, {delivery}}}\n")
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *more: str, source: str | None = None) -> subprocess.Popen[bytes]:
        """A process of its own; `source` `-` is a pipe that stays open."""
        command = [sys.executable, "-m", "pipedrive_cli", "replay", source or str(self.file), "-c", str(self.config)]
        pipe = subprocess.PIPE
        process = subprocess.Popen([*command, "--state", str(self.state), *more], stdin=pipe, stdout=pipe, stderr=pipe)
        self.started.append(process)
        return process

    def run(self, *more: str) -> Ended:
        """The same in this process, which takes less time to begin."""
        return pipedrive_cli("replay", self.file, "-c", self.config, "--state", self.state, *more)

    def kill_at(self, writes: int) -> None:
        """A process that is killed as soon as the sandbox has seen so many writes in all."""
        process = self.start()
        wait_until(lambda: self.writes() >= writes, process)
        process.kill()
        process.communicate(timeout=PATIENCE)

    def hurry(self) -> None:
        """From here on the sandbox answers at once."""
        self.sandbox.faults = []
        self.sandbox.options = SandboxOptions(plan="unlimited", api_token=CANARY)

    def writes(self) -> int:
        return sum(request.method != "GET" for request in list(self.sandbox.requests))


def ended(process: subprocess.Popen[bytes]) -> Ended:
    """How a process ended; the API token is in nothing that it showed."""
    process.wait(PATIENCE)
    out, err = process.communicate()
    assert CANARY.encode() not in out + err
    return Ended(process.returncode, out.decode(), err.decode())


def wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Until a process has come so far."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, f"it ended before: {ended(process)}"
        assert time.monotonic() < end, "it never came so far"
        time.sleep(0.002)


@contextmanager
def job(folder: Path, events: list[Event], *, latency: float = 0.0, delivery: str = "") -> Iterator[Job]:
    """A sandbox that is served, and the job to do there; processes that are left are ended."""
    folder.mkdir(exist_ok=True)
    sandbox = Sandbox(SandboxOptions(plan="unlimited", search_lag=0.0, api_token=CANARY, latency=latency))
    for name in ("User id", "Role"):
        sandbox.add_field("persons", name=name)
    with served(sandbox) as url:
        made = Job(folder, sandbox, url, events, delivery)
        try:
            yield made
        finally:
            made.hurry()
            for process in made.started:
                process.kill()
                process.communicate()


def all_is_there(made: Job) -> bool:
    """Whether the records of `crowd(6)` are there, with their last values."""
    records = made.sandbox.contents()
    roles = {person["custom_fields"].get("Role") for person in records["persons"]}
    return roles == {"r0", "r1"} and len(records["leads"]) == 2


def contents(made: Job) -> Contents:
    return comparable(made.sandbox.contents())


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again_the_contents_are_those_of_an_undisturbed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """150 events, kill -9 twice at moments of chance: nothing lost, nothing doubled."""
    events = crowd(150)
    with job(tmp_path / "calm", events) as calm:
        assert calm.run("--quiet") == ALL_WELL
        wanted = contents(calm)
    with job(tmp_path / "killed", events, latency=0.005, delivery="lookahead: 100, concurrency: 8") as killed:
        dice = random.Random(7)  # the moments are by chance anyway; by then some events have their outcome
        for _ in range(2):
            killed.kill_at(killed.writes() + dice.randrange(20, 40))
        monkeypatch.setattr(Doubts, "_left_to_wait", lambda *_: 0.0)  # half a minute: all that has left is there by now
        last = killed.run("--json")
        assert (last.code, last.json["events"]["read"]) == (0, 150)
        assert last.json["events"]["duplicate"] > 0
        assert contents(killed) == wanted


@pytest.mark.slow
def test_an_interrupted_run_finishes_what_is_in_flight_and_says_what_is_left(tmp_path: Path) -> None:
    """The JSON summary stands on stdout, pending is counted, no write is open, and a later run does the rest."""
    with job(tmp_path, crowd(90), latency=0.1, delivery="concurrency: 4") as made:
        process = made.start("--json")
        wait_until(lambda: made.writes() >= 8, process)
        process.send_signal(signal.SIGINT)
        told = ended(process)
        summary = told.json
        assert (told.code, summary["exit_code"], summary["status"]) == (130, 130, "stopped")
        assert summary["reason"] == "interrupted"
        events = summary["events"]
        assert events["read"] == 90 == sum(n for name, n in events.items() if name != "read")
        assert events["delivered"] > 0
        assert events["pending"] > 10
        journal = Journal.open(made.state)
        assert journal.open_writes() == []
        assert len(journal.unfinished()) == events["pending"]
        journal.close()
        made.hurry()
        assert made.run("--quiet") == ALL_WELL
        assert len(made.sandbox.contents()["leads"]) == 30


def test_a_second_signal_leaves_at_once_and_loses_nothing(tmp_path: Path) -> None:
    """Creations that hang are not waited for; the next run looks what became of them."""
    with job(tmp_path, crowd(6), delivery="concurrency: 2, timeout: 120s") as made:
        made.sandbox.faults = parse("slow=100@POST *", 0)
        process = made.start("--json")
        wait_until(lambda: made.writes() >= 1, process)
        began = time.monotonic()
        while process.poll() is None:  # two signals that come at once are one
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        told = ended(process)
        assert (told.code, told.out) == (130, "")
        assert time.monotonic() - began < 60
        made.hurry()
        assert made.run("--quiet") == ALL_WELL
        assert [len(made.sandbox.contents()[kind]) for kind in ("persons", "leads")] == [2, 2]


def test_a_second_signal_does_not_wait_for_a_busy_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large window is read in one go: whoever presses Ctrl-C twice does not wait for its end."""
    ends: list[int] = []
    monkeypatch.setattr(os, "_exit", ends.append)

    async def busy(send: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        assert ends == []
        signal.raise_signal(signal.SIGINT)
        assert ends == [130]
        return await read_me(send)

    monkeypatch.setattr("pipedrive_cli.run.replay.read_me", busy)
    config = written_config(tmp_path, "identity: {user_id_field: User id}\n")
    ended = pipedrive_cli("replay", event_file(tmp_path, identify("u1")), "-c", config, "--sandbox", "--json")
    assert (ends, ended.code) == ([130], 130)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_whoever_presses_ctrl_c_twice_in_a_preview_sees_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """The second one comes while the first is being told."""

    shown = command_line._show

    def pressed_again(error: PipedriveCliError) -> None:
        signal.raise_signal(signal.SIGINT)
        shown(error)

    async def pressed(self: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipedrive_cli.run.preview.Preview.run", pressed)
    monkeypatch.setattr(command_line, "_show", pressed_again)
    config = written_config(tmp_path, "pipedrive: {company_domain: acme}\nidentity: {user_id_field: User id}\n")
    ended = pipedrive_cli("preview", event_file(tmp_path, identify("u1")), "-c", config, *more)
    assert (ended.code, "Traceback" in ended.err) == (130, False)


def test_an_interrupted_compaction_says_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends nothing in any case, and what is folded so far is kept."""

    def pressed(self: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipedrive_cli.run.compact.Compact.run", pressed)
    config = written_config(tmp_path, "identity: {user_id_field: User id}\n")
    words = ("compact", event_file(tmp_path, identify("u1")), "-c", config, "--sandbox", "-o", tmp_path / "o.ndjson")
    ended = pipedrive_cli(*words, "--json")
    assert (ended.code, ended.json["reason"]) == (130, "interrupted") and "goes on from here" in str(ended.json)


def test_a_signal_before_anything_was_read_is_an_interruption_too(tmp_path: Path) -> None:
    """While the account is greeted: exit code 143, and one JSON object."""
    with job(tmp_path, crowd(30), latency=1.0) as made:
        process = made.start("--json")
        wait_until(lambda: len(made.sandbox.requests) >= 1, process)
        process.send_signal(signal.SIGTERM)
        told = ended(process)
        assert (told.code, told.json["reason"], made.writes()) == (143, "interrupted", 0)


@pytest.mark.slow
def test_a_second_run_at_once_is_turned_away(tmp_path: Path) -> None:
    """Exit code 5, with what to do; the first one ends as if nothing had happened."""
    with job(tmp_path, crowd(45), delivery="concurrency: 2") as made:
        made.sandbox.faults = parse("slow=2@POST *", 0)
        first = made.start("--quiet")
        wait_until(lambda: made.writes() >= 2, first)
        second = made.run()
        assert (second.code, second.out) == (5, "")
        assert "another run" in second.err
        assert "wait for it to end" in second.err
        made.hurry()
        assert ended(first) == ALL_WELL
        assert len(made.sandbox.contents()["leads"]) == 15


@pytest.mark.slow
def test_a_lock_that_a_killed_run_left_behind_holds_nobody_up(tmp_path: Path) -> None:
    """The lock is the process's, not the file's."""
    with job(tmp_path, crowd(30), latency=0.05, delivery="concurrency: 2") as made:
        made.kill_at(2)
        assert Path(f"{made.state}.lock").exists()
        made.hurry()
        assert made.run("--quiet") == ALL_WELL


@pytest.mark.slow
def test_quiet_says_nothing_of_a_run_that_went_well_and_tells_one_that_did_not(tmp_path: Path) -> None:
    """As cron wants it: mail comes when there is something to do."""
    with job(tmp_path, crowd(6)) as made:
        assert ended(made.start("--quiet")) == ALL_WELL
        assert made.run("--quiet") == ALL_WELL
        made.file.write_bytes(made.file.read_bytes() + b"{broken\n")
        told = made.run("--quiet")
        assert (told.code, told.out) == (1, "")
        assert "events.ndjson:7" in told.err.replace("\n", "")


def test_a_pipe_that_stays_open_does_not_keep_an_interrupted_run(tmp_path: Path) -> None:
    """What came through it is delivered while it is silent, and a signal ends the run as it should."""
    with job(tmp_path, []) as made:
        process = made.start("--json", source="-")
        assert process.stdin is not None
        process.stdin.write(lines(crowd(6)))
        process.stdin.flush()
        wait_until(lambda: all_is_there(made), process)  # in however many windows it was cut
        process.send_signal(signal.SIGTERM)
        told = ended(process)
        assert (told.code, told.err, told.json["exit_code"]) == (143, "", 143)
        assert told.json["events"]["delivered"] + told.json["events"]["unchanged"] == 6


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
@pytest.mark.skipif(cores() < 2, reason="one core has no processes")
@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGKILL, -9)]
)
def test_however_a_preview_ends_its_helpers_end_too(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Interrupted or killed: no process that it has started goes on."""
    events = tmp_path / "events.ndjson"
    products = [{"product_id": f"p{n}", "name": "Chair", "price": 1} for n in range(200)]
    some = lines(ordered("u1", products, n, currency="EUR") for n in range(50))
    events.write_bytes(some * (3 * WORTH // 2 // len(some)))
    config = written_config(tmp_path, "pipedrive: {company_domain: acme}\n")
    command = [sys.executable, "-m", "pipedrive_cli", "preview", "--summary", str(events), "-c", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: bool(listed.read_text().split()), process)
    children = [Path("/proc") / child for child in listed.read_text().split()]
    process.send_signal(number)
    assert ended(process).code == code
    end = time.monotonic() + PATIENCE
    while any(_lives(child) for child in children):
        assert time.monotonic() < end, "a process goes on"
        time.sleep(0.01)


def _lives(process: Path) -> bool:
    """Whether a process still runs; one that nobody has asked how it ended does not."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


MOMENTS = {
    "while it is loaded": None,
    "while the commands are read": "typer.core.TyperGroup.make_context",
    "while a command's options are read": "typer.core.TyperCommand.make_context",
    "while the config is read": "pipedrive_cli.cli.{module}.load",
    "while events are decoded": "pipedrive_cli.run.intake.Intake._add_entries",
    "while sources are resolved": "pipedrive_cli.{sources}.resolve_sources",
}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("command", "module", "sources"),
    [
        ("replay FILE --sandbox", "replay_command", "run.replay"),
        ("preview FILE", "preview_command", "run.preview"),
        ("rehearse FILE", "rehearse_command", "run.replay"),
        ("check FILE --sandbox", "check_command", "run.check"),
    ],
)
def test_a_signal_is_heard_at_every_moment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    module: str,
    sources: str,
    moment: str,
    number: signal.Signals,
    code: int,
) -> None:
    """Exit code 130 or 143, one JSON object that says so, a sentence, and no traceback."""
    place = (MOMENTS[moment] or "").format(module=module, sources=sources)
    if not place:
        raise_signals = interrupts.raise_signals

        def noted_before() -> None:
            interrupts.note_signals()
            signal.raise_signal(number)
            raise_signals()

        monkeypatch.setattr(command_line, "raise_signals", noted_before)
    else:
        if "intake" in place and "check" in command:
            place = "pipedrive_cli.run.sample.Sample.read"
        name, target = derive_importpath(place, raising=True)
        real = getattr(target, name)

        def signalled(*given: Any, **named: Any) -> Any:
            signal.raise_signal(number)
            return real(*given, **named)

        monkeypatch.setattr(place, signalled)
    config = written_config(tmp_path, "pipedrive: {company_domain: acme}\nidentity: {user_id_field: User id}\n")
    words = command.replace("FILE", str(event_file(tmp_path, identify("u1")))).split()
    told = pipedrive_cli(*words, "-c", config, "--json")
    assert told.code == code
    assert told.json["problems"][0]["code"] == "interrupted"
    assert told.json.get("exit_code", code) == code
    assert "Traceback" not in told.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_end_is_told_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The run is over, and its report comes whole; whoever is not read gets away with a second signal."""
    ends: list[int] = []
    monkeypatch.setattr(os, "_exit", ends.append)
    printed = Output.show_result

    def signalled(*given: Any, **named: Any) -> None:
        signal.raise_signal(number)
        printed(*given, **named)
        assert ends == []
        signal.raise_signal(number)

    monkeypatch.setattr(Output, "show_result", signalled)
    config = written_config(tmp_path, "identity: {user_id_field: User id}\n")
    told = pipedrive_cli("replay", event_file(tmp_path, identify("u1")), "-c", config, "--sandbox", "--json")
    assert (told.code, told.json["exit_code"], ends) == (0, 0, [128 + number])


@pytest.mark.skipif(not interrupts.HANGUPS, reason="Windows has no SIGHUP")
@pytest.mark.parametrize(("nohup", "code"), [(False, 143), (True, 0)])
def test_a_closed_terminal_ends_a_run_in_order_unless_it_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nohup: bool, code: int
) -> None:
    """Shells say it twice, which must not end the process at once; its summary comes all the same."""
    real, before = Intake._add_entries, signal.getsignal(signal.SIGHUP)

    def closed(*given: Any) -> Any:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        return real(*given)

    monkeypatch.setattr(Intake, "_add_entries", closed)
    config = written_config(tmp_path, "identity: {user_id_field: User id}\n")
    try:
        if nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        told = pipedrive_cli("replay", event_file(tmp_path, identify("u1")), "-c", config, "--sandbox", "--json")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (told.code, told.json["exit_code"]) == (code, code)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["preview", "replay"])
def test_sigterm_in_the_first_half_second_has_its_object(tmp_path: Path, command: str) -> None:
    """Wherever the command is by then, it is told, or it had done its work before."""
    config = written_config(tmp_path, "pipedrive: {company_domain: acme}\nidentity: {user_id_field: User id}\n")
    file = event_file(tmp_path, *(identify(f"u{n}") for n in range(3000)))
    more = ["--sandbox"] if command in {"replay", "check"} else []
    for wait in (0.1, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-m", "pipedrive_cli", command, str(file), "-c", str(config), "--json", *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait)
        process.send_signal(signal.SIGTERM)
        told = ended(process)
        assert told.code in {143, 0, 2, -15}, told
        if told.code != -15:  # Python itself was not up by then
            assert told.json["version"] == 1
