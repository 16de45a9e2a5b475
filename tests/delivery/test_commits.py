"""Grouped commits: in order, durable before anybody is told, and nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from pipedrive_cli import virtual_time
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.commits import OPEN_IN_MEMORY
from pipedrive_cli.delivery.journal.journal import IN_MEMORY
from pipedrive_cli.errors import StopRun


def fact(name: str, journal: Journal) -> None:
    journal.set_fact(name, 1)


def test_what_was_recorded_is_durable_before_its_recorder_goes_on(tmp_path: Path) -> None:
    """When `record` returns, another connection reads it."""
    path = tmp_path / "j"

    async def main() -> None:
        journal = Journal.open(path)
        commits = GroupCommits(journal)

        async def one(number: int) -> None:
            await commits.record(lambda j: j.set_fact(f"fact {number}", number))
            other = sqlite3.connect(path)
            assert other.execute("SELECT count(*) FROM facts WHERE name = ?", (f"fact {number}",)).fetchone() == (1,)
            other.close()

        await asyncio.gather(*(one(n) for n in range(50)))
        journal.close()

    asyncio.run(main())


def test_records_are_kept_in_the_order_in_which_they_were_told() -> None:
    """A later record sees what an earlier one wrote, within a group and from group to group."""

    async def main() -> list[int]:
        journal = Journal.open()
        commits = GroupCommits(journal)
        seen: list[int] = []

        async def one(number: int) -> None:
            def what(j: Journal) -> None:
                seen.append(j.fact("last", int) or 0)
                j.set_fact("last", number)

            await commits.record(what)

        for base in (0, 100):
            await asyncio.gather(*(one(base + n) for n in range(1, 40)))
        journal.close()
        return seen

    numbers = [0, *range(1, 40), *range(101, 140)]
    assert virtual_time.run(main()) == numbers[:-1]


@pytest.mark.parametrize(("path", "expected"), [(Path("j"), 3), (IN_MEMORY, 1)])
def test_what_is_told_together_costs_one_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: Path, expected: int
) -> None:
    """A thousand records at once are a handful of waits for the disk, not a thousand; in memory there is no disk."""
    begun: list[Journal] = []
    real = Journal.transaction

    def transaction(journal: Journal) -> AbstractContextManager[None]:
        begun.append(journal)
        return real(journal)

    monkeypatch.setattr(Journal, "transaction", transaction)

    async def main() -> None:
        journal = Journal.open(path if path == IN_MEMORY else tmp_path / path)
        commits = GroupCommits(journal)
        for _ in range(3):
            await asyncio.gather(*(commits.record(partial(fact, f"fact {n}")) for n in range(1_000)))
        journal.close()

    virtual_time.run(main())
    assert len(begun) == expected


def test_an_error_in_one_record_is_told_to_its_group_and_nothing_of_it_is_kept() -> None:
    """Nobody believes in something that was rolled back; the next group is committed again."""

    async def main() -> None:
        journal = Journal.open()
        commits = GroupCommits(journal)

        def bad(j: Journal) -> None:
            fact("bad", j)
            raise ValueError("no")

        results = await asyncio.gather(
            commits.record(partial(fact, "before")),
            commits.record(bad),
            commits.record(partial(fact, "after")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [ValueError, ValueError, type(None)]
        assert [journal.fact(name, int) for name in ("before", "bad", "after")] == [None, None, 1]
        journal.close()

    virtual_time.run(main())


def test_a_recorder_that_was_cancelled_does_not_take_its_record_along() -> None:
    """What was told is committed, though whoever told it has gone."""

    async def main() -> None:
        journal = Journal.open()
        commits = GroupCommits(journal)
        task = asyncio.create_task(commits.record(partial(fact, "told")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(1)
        assert journal.fact("told", int) == 1
        journal.close()

    virtual_time.run(main())


def test_flush_commits_at_once_what_waits() -> None:
    """At the end of a window nothing waits for a timer, and a flush of nothing is nothing."""

    async def main() -> None:
        journal = Journal.open()
        commits = GroupCommits(journal)
        await commits.record(partial(fact, "first"))
        waiting = asyncio.create_task(commits.record(partial(fact, "second")))
        await asyncio.sleep(0)
        commits.flush()
        assert journal.fact("second", int) == 1
        await waiting
        commits.flush()
        journal.close()

    virtual_time.run(main())


def test_a_note_goes_along_with_the_next_record(tmp_path: Path) -> None:
    """It is read at once, waits for nobody, and is durable when the record after it is: one commit for both."""
    path = tmp_path / "j"

    async def main() -> tuple[int | None, int]:
        journal = Journal.open(path)
        commits = GroupCommits(journal)
        commits.at_end = partial(fact, "the end of its group")
        commits.note(partial(fact, "noted"))
        read = journal.fact("noted", int)
        await commits.record(partial(fact, "recorded"))
        with contextlib.closing(sqlite3.connect(path)) as other:
            (durable,) = other.execute("SELECT count(*) FROM facts").fetchone()
        journal.close()
        return read, durable

    assert virtual_time.run(main()) == (1, 3)


def test_a_note_that_is_lost_stops_the_run(tmp_path: Path) -> None:
    """Nobody waits for it: the run stops before anybody goes on, and the next one to come hears of it, once."""

    async def main() -> list[StopRun]:
        journal, told = Journal.open(tmp_path / "j"), list[StopRun]()
        commits = GroupCommits(journal, stop=told.append)

        def full(_: Journal) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        commits.at_end = full
        commits.note(partial(fact, "lost"))
        assert not told
        await asyncio.sleep(1)
        commits.at_end = None
        with pytest.raises(StopRun) as heard:
            commits.flush()
        assert told == [heard.value]
        assert commits.failed
        await commits.record(partial(fact, "next"))
        assert [journal.fact(name, int) for name in ("lost", "next")] == [None, 1]
        journal.close()
        return told

    assert [stop.code for stop in virtual_time.run(main())] == ["journal"]


def test_another_transaction_comes_after_what_was_noted() -> None:
    """Whoever has a transaction of their own commits what waits first, in order."""

    async def main() -> int | None:
        journal = Journal.open()
        commits = GroupCommits(journal)
        commits.note(partial(fact, "noted"))
        with pytest.raises(ValueError, match="no"), journal.transaction():
            raise ValueError("no")
        noted = journal.fact("noted", int)
        journal.close()
        return noted

    assert virtual_time.run(main()) == 1


@pytest.mark.parametrize("path", [Path("j"), IN_MEMORY])
def test_commits_keep_a_distance(tmp_path: Path, path: Path) -> None:
    """Records that come one by one share commits: at most one every `pause` seconds, also where none is needed."""

    async def main() -> float:
        journal = Journal.open(path if path == IN_MEMORY else tmp_path / path)
        commits = GroupCommits(journal, pause=0.5)
        for n in range(5):
            await commits.record(partial(fact, f"fact {n}"))
        journal.close()
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == pytest.approx(2.0)


def test_a_transaction_in_memory_stays_open_for_seconds_alone() -> None:
    """What is counted with each transaction is in the journal before long, and after a flush at once."""

    async def main() -> list[int | None]:
        journal = Journal.open()
        commits = GroupCommits(journal)
        commits.at_end = partial(fact, "the end of its group")
        told = []
        for pause in (0.0, OPEN_IN_MEMORY / 2, OPEN_IN_MEMORY / 2):
            await asyncio.sleep(pause)
            await commits.record(partial(fact, "recorded"))
            told.append(journal.fact("the end of its group", int))
        commits.flush()
        journal.close()
        return told

    assert virtual_time.run(main()) == [None, None, 1]


def test_a_group_of_its_own_waits_for_no_pause() -> None:
    """Whoever brings much at once is kept by the disk alone; what waited goes along, in order."""

    async def main() -> tuple[float, int | None]:
        journal = Journal.open()
        commits = GroupCommits(journal, pause=60.0)
        await commits.record(partial(fact, "first"))
        waiting = asyncio.ensure_future(commits.record(partial(fact, "second")))
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await commits.record(partial(fact, "third"), at_once=True)
        took, second = asyncio.get_running_loop().time() - began, journal.fact("second", int)
        await waiting
        journal.close()
        return took, second

    took, second = virtual_time.run(main())
    assert took < 1.0
    assert second == 1
