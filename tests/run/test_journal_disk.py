"""A journal that cannot be written or read: nothing more is sent, and a person is told what to do."""

from __future__ import annotations

import contextlib
import gc
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import PipedriveCliError, StopRun
from tests.examples import every
from tests.harness import Event, Scene, group, identify, options, track, with_delivery
from tests.run.events_of_all_kinds import ALL, comparable

FULL = "database or disk is full"


@contextmanager
def full_from(write: int, *, only: bool = False) -> Iterator[list[int]]:
    """The disk is full from the journal's transaction number `write` on, or then `only`.

    Yields a list of how many were begun.
    """
    begun = [0]
    real = Journal.transaction

    @contextmanager
    def transaction(journal: Journal) -> Iterator[None]:
        begun[0] += 1
        with real(journal):
            yield
            if begun[0] == write or (begun[0] > write and not only):
                # As it comes from the middle of a transaction: `real` makes of it what it makes of the disk's.
                raise sqlite3.OperationalError(FULL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "transaction", transaction)
        yield begun


def crowd(number: int) -> list[Event]:
    made = ([identify(f"u{n}", 2 * n, name=f"N{n}"), track(f"u{n}", f"Lead {n}", 2 * n + 1)] for n in range(number))
    return [each for pair in made for each in pair]


@pytest.mark.campaign
@pytest.mark.parametrize("lookahead", [100_000, pytest.param(4, marks=pytest.mark.slow)])
def test_a_full_disk_ends_the_run_and_a_later_one_completes_it(
    tmp_path: Path, lookahead: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever transaction is the first that fails: exit code 4, one clear sentence, nothing lost, nothing doubled."""
    caplog.set_level(logging.WARNING)
    (tmp_path / "calm").mkdir()
    calm = Scene(tmp_path / "calm")
    calm.run(ALL)
    for write in range(1, 200, every(6)):
        (tmp_path / str(write)).mkdir()
        scene = Scene(tmp_path / str(write), options(latency=0.1), with_delivery(lookahead=lookahead))
        try:
            with full_from(write) as begun:
                summary = scene.run(ALL)
        except StopRun as stop:
            assert (stop.code, stop.exit_code) == ("journal", 4)
            assert FULL in stop.message
            assert "make room" in (stop.hint or "")
        else:
            if begun[0] < write:
                assert write > 10
                break
            assert (summary.exit_code, summary.reason) == (4, "journal")
        assert scene.run(ALL).exit_code == 0, f"full from transaction {write}"
        assert comparable(scene.contents()) == comparable(calm.contents()), f"full from transaction {write}"
    gc.collect()
    assert caplog.text == ""  # asyncio would tell there of an error that nobody took


@pytest.mark.campaign
@pytest.mark.parametrize(
    "write", [pytest.param(write, marks=pytest.mark.slow if write % 5 else ()) for write in range(1, 30, every(4))]
)
def test_a_disk_that_was_full_for_a_moment_leaves_no_file_that_counts_as_read(tmp_path: Path, write: int) -> None:
    """What could not be recorded then has no outcome: its file is read again, and every event is accounted for."""
    scene = Scene(tmp_path, options(latency=0.1), with_delivery(lookahead=20))
    folder = tmp_path / "events"
    folder.mkdir()
    scene.write("events/a.ndjson", crowd(40))
    with contextlib.suppress(StopRun), full_from(write, only=True):
        summary = scene.run(folder)
        assert (summary.exit_code, summary.reason) == (4, "journal")
    assert scene.run(folder).exit_code == 0
    assert len(scene.contents()["persons"]) == 40
    assert len(scene.contents()["leads"]) == 40


def test_a_write_waits_for_the_disk_once(tmp_path: Path) -> None:
    """One transaction for each write: the outcome of the one before goes along with what is noted of the next."""
    begun: list[int] = []
    for number in (5, 25):
        (tmp_path / str(number)).mkdir()
        scene = Scene(tmp_path / str(number), options(latency=0.1), with_delivery(concurrency=1))
        with full_from(10_000) as transactions:
            assert scene.run(crowd(number)).exit_code == 0
        begun.append(transactions[0])
    assert begun[1] - begun[0] == 2 * 20  # a person and a lead of each


def test_nothing_is_sent_once_the_disk_is_full(tmp_path: Path) -> None:
    """What was in flight is finished; no creation begins that could not be remembered."""
    scene = Scene(tmp_path, options(latency=1.0), with_delivery(concurrency=4))
    with full_from(8), pytest.raises(StopRun):
        scene.run(crowd(40))
    assert len(scene.writes) <= 12


def test_a_broken_journal_is_no_traceback(tmp_path: Path) -> None:
    """Its file was damaged: the message names it, and what can be done."""
    scene = Scene(tmp_path)
    scene.run([*crowd(400), group(None, "g1", name="Acme")])
    content = bytearray(scene.state.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    scene.state.write_bytes(content)
    with pytest.raises(PipedriveCliError) as refused:
        scene.run(crowd(400))
    assert refused.value.code == "journal"
    assert str(scene.state) in refused.value.message
    assert scene.writes == []


@pytest.mark.parametrize(
    ("where", "name"), [(Journal, "recall"), (Directory, "cached")], ids=["reading events", "in a job"]
)
def test_a_disk_that_fails_at_a_look_is_no_traceback(tmp_path: Path, where: type, name: str) -> None:
    """Wherever in a run it happens: exit code 4, and the journal's path in the message."""
    scene = Scene(tmp_path)
    scene.run(crowd(3))

    def broken(*_: object) -> None:
        raise sqlite3.DatabaseError("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, broken)
        with pytest.raises(StopRun) as stopped:
            scene.run([identify(f"u{n}", 100 + n, role="new") for n in range(3)])
    assert (stopped.value.code, stopped.value.exit_code) == ("journal", 4)
    assert f"{scene.state} cannot be read: disk I/O error" in stopped.value.message
    assert scene.writes == []
