"""The directory: what looking costs, what it brings, and that it never guesses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from pipedrive_cli import virtual_time
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.effects import Find, Refusal
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.listing import Listing
from pipedrive_cli.delivery.retry import Failure
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call

KEY = "a" * 40
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.fixture
def journal() -> Iterator[Journal]:
    """A journal over several runs."""
    kept = Journal.open()
    yield kept
    kept.close()


class Account:
    """A fake Pipedrive of persons with record keys, that counts tokens."""

    def __init__(self, keys: Sequence[str | None]) -> None:
        self.persons = [self.person(number, key) for number, key in enumerate(keys, start=1)]
        self.by_id = {person["id"]: person for person in self.persons}
        self.by_key: dict[str, list[dict[str, Any]]] = {}
        for person in self.persons:
            self.by_key.setdefault(str(person["custom_fields"][KEY]).casefold(), []).append(person)
        self.tokens = 0
        self.calls: list[Call] = []
        self.fail_from: int | None = None

    @staticmethod
    def person(number: int, key: str | None) -> dict[str, Any]:
        return {"id": number, "name": f"N{number}", "custom_fields": {KEY: key}, "update_time": "2026-01-01T00:00:00Z"}

    async def send(self, call: Call) -> Answer:
        self.tokens += call.tokens
        self.calls.append(call)
        await asyncio.sleep(0.01)
        if self.fail_from is not None and len(self.calls) >= self.fail_from:
            raise Failure("gave_up", "no answer")
        data: Any
        cursor = None
        if call.endpoint.search:
            found = self.by_key.get(call.query["term"].casefold(), [])
            data = {"items": [{"item": {"id": person["id"]}} for person in found]}
        elif call.id is not None:
            data = self.by_id.get(int(call.id))
            if data is None:
                raise Refusal("gone", "gone", gone=True)
        elif "ids" in call.query:
            data = [self.by_id[int(record)] for record in call.query["ids"].split(",") if int(record) in self.by_id]
        else:
            since = "updated_since" in call.query
            listed = [person for person in self.persons if person.get("changed")] if since else self.persons
            start = int(call.query.get("cursor", 0))
            data = listed[start : start + 500]
            cursor = str(start + 500) if start + 500 < len(listed) else None
        body = {"success": True, "data": data, "additional_data": {"next_cursor": cursor}}
        return Answer(200, {"date": DATE}, body)


def directory_of(account: Account, journal: Journal, warned: list[Sequence[int]] | None = None) -> Directory:
    def warn(kind: Kind, key: str, ids: Sequence[int]) -> None:
        if warned is not None:
            warned.append(ids)

    return Directory(
        GroupCommits(journal, pause=0.0),
        account.send,
        key_address={"persons": f"custom_fields.{KEY}"},
        wanted={"persons": frozenset()},
        now=asyncio.get_running_loop().time,
        warn=warn,
    )


async def located(account: Account, keys: Sequence[str], journal: Journal | None = None) -> list[tuple[int, ...]]:
    """Prepares and locates all keys, as a window of a run does."""
    kept = journal or Journal.open()
    directory = directory_of(account, kept)
    await directory.prepare("persons", keys)
    found = [await directory.locate(Find("persons", key=key)) for key in keys]
    directory._commits.flush()
    if journal is None:
        kept.close()
    return found


@pytest.mark.parametrize("known", [0, 1], ids=["nobody known", "all known"])
@pytest.mark.parametrize("asked", [1, 10, 100, 1_000])
@pytest.mark.parametrize("size", [0, 600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_looking_costs_at_most_twice_the_better_way(size: int, asked: int, known: int) -> None:
    """Whatever the account's size and the number of keys; a total is not to be had beforehand."""
    account = Account([f"u{n}" for n in range(size)])
    keys = [f"u{n}" for n in range(asked)] if known else [f"new{n}" for n in range(asked)]
    found = virtual_time.run(located(account, keys))
    present = min(size, asked) if known else 0
    assert sum(map(len, found)) == present
    by_listing = 10 * max(1, -(-size // 500))
    by_look_up = asked * 20 + present
    assert account.tokens <= 2 * min(by_listing, by_look_up) + 10


def test_a_hit_in_another_field_is_not_taken() -> None:
    """A search finds the term in any custom field and in any case: only the exact key in its own field counts."""
    account = Account([f"u{n}" for n in range(20_000)])
    stranger = account.persons[0]
    stranger["custom_fields"] = {KEY: "U-9", "b" * 40: "u-9"}
    account.by_key["u-9"] = [stranger]
    assert virtual_time.run(located(account, ["u-9"])) == [()]


def test_the_oldest_of_two_is_first_and_the_user_is_told() -> None:
    """Two living records with one key: both ids, the lowest first, and a warning with both."""
    account = Account(["twin", "x", "twin"])

    async def main() -> None:
        journal = Journal.open()
        warned: list[Sequence[int]] = []
        directory = directory_of(account, journal, warned)
        await directory.prepare("persons", ["twin"])
        assert await directory.locate(Find("persons", key="twin")) == (1, 3)
        assert [list(ids) for ids in warned] == [[1, 3]]
        journal.close()

    virtual_time.run(main())


def test_the_next_run_asks_only_what_has_changed() -> None:
    """A complete listing is kept; later runs refresh it from its date minus two minutes, once."""
    account = Account([f"u{n}" for n in range(1_200)])

    async def main() -> None:
        journal = Journal.open()
        await located(account, [f"u{n}" for n in range(1_200)], journal)
        account.persons.append({**Account.person(1_201, "late"), "changed": True})
        account.calls.clear()
        assert await located(account, ["late", "nobody", "u7"], journal) == [(1_201,), (), (8,)]
        (call,) = account.calls
        assert call.query["updated_since"] == "2026-11-23T11:58:00Z"
        journal.close()

    virtual_time.run(main())


def test_a_listing_that_breaks_off_is_not_believed() -> None:
    """After a failed page nobody counts as absent, and the next run lists on."""
    account = Account([f"u{n}" for n in range(1_200)])

    async def main() -> None:
        journal = Journal.open()
        account.fail_from = 3
        directory = directory_of(account, journal)
        with pytest.raises(Failure):
            await directory.prepare("persons", [f"u{n}" for n in range(1_200)])
        with pytest.raises(Failure):
            await directory.locate(Find("persons", key="u1100"))
        kept = journal.fact("listing persons", Listing)
        assert kept is None or not kept.complete
        account.fail_from = None
        assert await located(account, ["u1100", "nobody"], journal) == [(1_101,), ()]
        journal.close()

    virtual_time.run(main())


def test_a_refresh_that_breaks_off_is_asked_for_again_from_the_same_moment() -> None:
    """The new moment holds only once every page is in."""
    account = Account(["u1"])

    async def main() -> None:
        journal = Journal.open()
        await located(account, [f"u{n}" for n in range(9)], journal)
        before = journal.fact("listing persons", Listing)
        account.calls.clear()
        account.fail_from = 1
        directory = directory_of(account, journal)
        for _ in range(2):
            with pytest.raises(Failure):
                await directory.locate(Find("persons", key="nobody"))
        assert len({call.query["updated_since"] for call in account.calls}) == 1
        assert journal.fact("listing persons", Listing) == before
        journal.close()

    virtual_time.run(main())


def test_what_an_earlier_run_saw_is_known_but_not_fresh() -> None:
    """While a listing is under way, only the records of its pages count as just seen."""
    account = Account([f"u{n}" for n in range(1_200)])

    async def main() -> None:
        journal = Journal.open()
        with journal.transaction():
            first = directory_of(account, journal)
            journal.see("persons", [first.shown("persons", *[account.persons[1_100]] * 2)])
        directory = directory_of(account, journal)
        await directory.prepare("persons", ["u1"])  # worth two pages, not all three
        assert directory.cached("persons", 2).values is not None
        assert directory.cached("persons", 1_101).values is None
        journal.close()

    virtual_time.run(main())


def test_a_record_that_is_gone_is_not_seen_any_more() -> None:
    """A look that finds nobody forgets what was seen there."""
    account = Account(["u1"])

    async def main() -> None:
        journal = Journal.open()
        directory = directory_of(account, journal)
        await directory.prepare("persons", ["u1"])
        del account.by_id[1]
        assert await directory.fetch("persons", 1) is None
        assert journal.seen_ids("persons", "u1") == []
        journal.close()

    virtual_time.run(main())


def test_a_record_that_was_read_before_somebody_asks_is_read_again() -> None:
    """Also where no time has passed, as in a rehearsal: it counts the requests that a run sends."""
    account = Account([f"u{n}" for n in range(3)])

    async def main() -> list[int]:
        directory = directory_of(account, Journal.open())
        await directory.prepare("persons", ["u0", "u1", "u2"])
        spent = []
        for _ in range(2):
            before = account.tokens
            await directory.fetch("persons", 1, mapped=True)
            spent.append(account.tokens - before)
        return spent

    assert virtual_time.run(main()) == [1, 1]


def _changed(account: Account, number: int) -> None:
    for person in account.persons[:number]:
        person["changed"] = True


def test_what_has_changed_is_listed_only_while_that_is_cheaper(journal: Journal) -> None:
    """A backfill, or somebody's mass edit, must not make three new keys pay for every page of it."""
    account = Account([f"u{n}" for n in range(10_000)])

    async def main() -> None:
        await located(account, [f"u{n}" for n in range(10_000)], journal)
        _changed(account, 10_000)
        before = account.tokens
        assert await located(account, ["u7", "new1", "new2", "new3"], journal) == [(8,), (), (), ()]
        assert account.tokens - before <= 2 * 3 * 20

    virtual_time.run(main())


def test_a_refresh_is_gone_on_with_by_the_next_run_and_counts_from_its_first_page(journal: Journal) -> None:
    """No page of it is listed twice, and what changed while it was under way is asked for after it."""
    account = Account([f"u{n}" for n in range(2_500)])

    async def main() -> None:
        await located(account, [f"u{n}" for n in range(2_500)], journal)
        _changed(account, 2_500)  # five pages
        account.calls.clear()
        for run in range(3):
            assert await located(account, [f"new{run}"], journal) == [()]
        pages = [call.query.get("cursor") for call in account.calls if "updated_since" in call.query]
        assert pages[:5] == [None, "500", "1000", "1500", "2000"]
        assert pages[5] is None

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("number", "tokens"),
    [
        (5, 0),
        pytest.param(100, 10, marks=pytest.mark.slow),
        pytest.param(250, 30, marks=pytest.mark.slow),
    ],
)
def test_found_records_are_read_a_hundred_at_a_time(journal: Journal, number: int, tokens: int) -> None:
    """What an earlier run found is read anew by ids where that is cheaper than one by one."""
    account = Account([f"u{n}" for n in range(10_000)])

    async def main() -> None:
        await located(account, [f"u{n}" for n in range(10_000)], journal)
        _changed(account, 10_000)  # so that the few pages it is worth do not show them all
        before = account.tokens
        directory = directory_of(account, journal)
        ids = [7_001 + n for n in range(number)]
        await directory.prepare("persons", [f"u{n}" for n in range(7_000, 7_000 + number)])
        assert account.tokens - before <= 2 * tokens
        fresh = [directory.cached("persons", record).values is not None for record in ids]
        assert fresh == [tokens > 0] * number

    virtual_time.run(main())


def test_records_named_by_id_are_listed_or_read_together(journal: Journal) -> None:
    """Thousands of ids cost a page of the listing for five hundred, and not a request each."""
    account = Account([f"u{n}" for n in range(5_000)])

    async def main() -> None:
        directory = directory_of(account, journal)
        await directory.prepare("persons", [], [n + 1 for n in range(0, 5_000, 2)])
        assert account.tokens <= 2 * 100
        assert directory.cached("persons", 4_999).values is not None

    virtual_time.run(main())
