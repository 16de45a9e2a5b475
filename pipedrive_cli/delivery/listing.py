"""How far the records of one kind have been listed, and whether another page is worth its tokens.

A listing covers all records or, once it was complete, those changed since. It goes on while its pages have cost no more
than exact look-ups of all wanted keys would have; nobody tells the total beforehand. Beside it: the records that are
read together because the next jobs of a window will probably need them (`ReadAhead`), and the leads that an account
has already, which can only be listed (`KnownLeads`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from pipedrive_cli.delivery.journal import GroupCommits, Journal, SeenRecord
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.retry import Failure
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.bodies import id_of, rows_of, values_of
from pipedrive_cli.pipedrive.catalog import FACTS, MAX_LISTED_IDS, MAX_PAGE, SKEW, Call, list_leads, listing
from pipedrive_cli.pipedrive.pages import Pages
from pipedrive_cli.timestamps import shown_moment

CLOSE = FACTS["persons"].list.tokens // FACTS["persons"].get.tokens  # records read one by one for the price of a page


@dataclass(slots=True)
class ReadAhead:
    """The records of one window, in the order in which they are delivered. `ids` is called when it is needed."""

    ids: Callable[[], Sequence[int]]
    _order: Sequence[int] | None = None
    _places: dict[int, int] = field(default_factory=dict)
    _alone: deque[int] = field(default_factory=lambda: deque(maxlen=CLOSE + 1))  # records that were read one by one
    _end: int | None = None  # where the last page ended

    def page(self, record: int) -> Sequence[int]:
        """This record and those after it, if they are to be read together; empty: it is to be read alone."""
        self._alone.append(record)
        if len(self._alone) <= CLOSE:
            return ()
        if self._order is None:
            self._order = self.ids()
            self._places = {each: place for place, each in enumerate(self._order)}
        here, first = self._places.get(record), self._places.get(self._alone[0])
        if here is None:
            return ()
        dense = first is not None and 0 <= here - first <= MAX_LISTED_IDS
        going_on = self._end is not None and 0 <= here - self._end <= CLOSE
        if not dense and not going_on:
            return ()
        self._end = here + MAX_LISTED_IDS
        return self._order[here : self._end]


REFRESH_AFTER = 600.0  # seconds after which others may well have made records that a long run does not know


class Listing(msgspec.Struct):
    """How far a kind has been listed. `stamp`: RFC 3339; once it is complete, later changes are listed from then on.

    `since`: only records changed since then are listed; None: all are. While it is not complete, the next run goes on
    at `cursor`, with the tokens `spent` so far and the `credit` of what look-ups would have cost.
    """

    complete: bool = False
    stamp: str | None = None
    fields: tuple[str, ...] = ()
    cursor: str | None = None
    credit: int = 0  # tokens that looking up all keys and emails asked for so far would have cost
    spent: int = 0
    since: str | None = None


@dataclass(slots=True)
class Progress:
    """One kind's listing in this run."""

    kind: Kind
    listing: Listing
    resumed: bool = False  # its first pages were listed by an earlier run
    began: float | None = None  # loop seconds of its first page
    fresh_at: float | None = None  # loop seconds at which all that was listed was true
    ahead: ReadAhead = field(default_factory=lambda: ReadAhead(tuple))
    waiting: int = 0  # unknown keys of this window that are not located yet
    listed: dict[int, float] = field(default_factory=dict)  # id -> loop seconds of the page that listed it
    read: dict[int, float] = field(default_factory=dict)  # id -> loop seconds of its own reading
    pages: Pages = field(default_factory=Pages)
    broken: tuple[float, Failure] | None = None  # when the list was found not to move on (loop seconds), and why
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one job at a time gets pages

    def stale(self, now: float) -> bool:
        """Whether a complete listing is of an earlier run, or of long ago in this one."""
        return self.listing.complete and (self.fresh_at is None or now - self.fresh_at >= REFRESH_AFTER)

    def true_at(self, record: int) -> float | None:
        """Loop seconds when the known values of a record were last true; None: not in this run."""
        times = (self.shown_at(record), self.fresh_at)
        return max((time for time in times if time is not None), default=None)

    def shown_at(self, record: int) -> float | None:
        """Loop seconds when Pipedrive last showed the record itself; None: not in this run, and it may be gone.

        A list of changed records does not tell which were deleted.
        """
        times = (self.read.get(record), self.listed.get(record))
        return max((time for time in times if time is not None), default=None)

    def unread(self, found: Iterable[int], named: Iterable[int]) -> list[int]:
        """Records to read: of those found by their keys, the ones not known in this run; of those named by id, the ones
        that Pipedrive has not shown yet.
        """
        ids = {record: None for record in found if self.true_at(record) is None}
        return list(ids | {record: None for record in named if self.shown_at(record) is None})

    def note_read(self, ids: Iterable[int], at: float) -> None:
        """A page requested at `at` has shown these records. A reading that is later stays the newer one."""
        for record in ids:
            self.read[record] = max(at, self.read.get(record, at))

    def credit(self, tokens: int, now: float) -> None:
        """Adds what look-ups would cost. A listing that is stale begins again, with the records changed since."""
        if self.stale(now):
            credit = max(tokens, self.listing.credit)
            self.listing = Listing(fields=self.listing.fields, since=self.listing.stamp, credit=credit)
            self.resumed, self.began, self.pages = False, None, Pages()
        elif not self.listing.complete:
            self.listing.credit += tokens

    def worth_a_page(self) -> bool:
        """Whether one more page costs no more than looking up would."""
        return not self.listing.complete and self.listing.spent + FACTS[self.kind].list.tokens <= self.listing.credit

    def next_page(self, fields: tuple[str, ...], now: float) -> Call:
        """The call for the next page. `fields`: keys of the custom fields that it is to show."""
        if self.began is None:
            self.began = now
        since = self.listing.since
        moment = None if since is None else datetime.fromisoformat(since) - SKEW
        return listing(self.kind, self.listing.cursor, custom_fields=fields, updated_since=moment)

    def begin_again(self) -> None:
        """Begins again: Pipedrive does not know the cursor of an earlier run any more."""
        now = self.listing
        self.resumed, self.pages = False, Pages()
        self.listing = Listing(fields=now.fields, since=now.since, credit=now.credit)

    def listing_after(self, answer: Answer, cursor: str | None, ours: float = math.inf) -> Listing:
        """The listing once this page is kept; `cursor` is the next page's, `ours` this machine's time."""
        now = self.listing
        spent, stamp = now.spent + FACTS[self.kind].list.tokens, now.stamp or stamp_of(answer, ours)
        if cursor is None:
            # What an earlier run began is as old as its stamp: changes since then follow, with the credit that is left.
            return Listing(True, stamp, now.fields, credit=max(0, now.credit - spent) if self.resumed else 0)
        return Listing(False, stamp, now.fields, cursor, now.credit, spent, now.since)

    def note_page(self, listed: Listing, ids: list[int], at: float) -> None:
        """Notes a page that was kept: its records, requested at `at`, and how far the listing is now."""
        if not listed.complete:
            listed.credit = self.listing.credit  # it may have grown while the page was under way
        self.listing = listed
        # Only these are certainly there: what earlier runs have seen may be deleted, though the journal has it.
        self.listed.update(dict.fromkeys(ids, at))
        if listed.complete:
            self.fresh_at = None if self.resumed else self.began


def look_up_cost(kind: Kind, keys: int, records: int) -> int:
    """Tokens for looking up so many keys by search, and reading so many records whose ids are known."""
    return keys * FACTS[kind].search.tokens + reading_cost(kind, records)


def reading_cost(kind: Kind, records: int) -> int:
    """Tokens for the present values of so many records: one by one, or a hundred a page where that is less."""
    pages = math.ceil(records / MAX_LISTED_IDS)
    return min(records * FACTS[kind].get.tokens, pages * FACTS[kind].list.tokens)


def stamp_of(answer: Answer, ours: float = math.inf) -> str:
    """When a listing was true: by Pipedrive's own clock, or by this machine's where that says an earlier time.

    `ours` is the latter in seconds since 1970. A stamp that is too late would hide what others make meanwhile.
    """
    if answer.date is not None and (math.isinf(ours) or answer.date.timestamp() <= ours):
        return answer.date.isoformat()
    return (datetime.now(UTC) if math.isinf(ours) else datetime.fromtimestamp(ours, UTC)).isoformat()


SHOWN = "leads show their origin_id"
PAGES_PAST = 2  # pages of leads that are read beyond the time in question, whatever clocks say
OVERLAP = 10  # leads that two pages share
MOST_SLIPS = 20  # times that a list is found to have moved by more than that between two pages
ASK_AGAIN = 60.0  # seconds before what could not be listed is asked for again


class KnownLeads:
    """What the journal knows of the account's leads, by their origin_id.

    `send` raises Failure for a look that was refused; `now` is the loop's time in seconds.
    """

    def __init__(
        self, commits: GroupCommits, send: Callable[[Call], Awaitable[Answer]], now: Callable[[], float]
    ) -> None:
        self._commits = commits
        self._send = send
        self._now = now
        self._turn = asyncio.Lock()
        self._known = commits.journal.fact("leads taken over", bool) is True
        self._shows: bool | None = commits.journal.fact(SHOWN, bool)  # whether leads show it; None: who knows
        self._told = False
        self._nameless: set[object] = set()  # persons of leads that were listed without an origin_id by the last look
        self._unlisted: tuple[float, Failure] | None = None  # when, in loop seconds, and why

    async def take_over(self) -> None:
        """Lists the account's leads, once per journal, to know their origin_ids.

        Before that nobody can know that a lead is not there. Raises whatever prevents it, and for a minute raises the
        same again.
        """
        async with self._turn:
            if self._known:
                return
            if self._unlisted is not None and self._now() - self._unlisted[0] < ASK_AGAIN:
                raise self._unlisted[1]
            try:
                await self._read()
            except Failure as failure:
                self._unlisted = (self._now(), failure)
                raise
            self._commits.note(lambda journal: journal.set_fact("leads taken over", True))
            self._known = True

    async def newest(self, since: float, *, whole: bool) -> None:
        """Reads the newest leads first, archived ones too, down to two pages past `since` (seconds since 1970).

        Not `whole`: one page of those that are not archived, where a new lead stands if it is there.
        """
        self._nameless.clear()
        async for rows in self._pages(archived=False, newest_first=True, since=since):
            self._nameless.update(row.get("person_id") for row in rows if not _origin_id(row))
            if not whole:
                return
        async for rows in self._pages(archived=True, newest_first=True, since=since):
            self._nameless.update(row.get("person_id") for row in rows if not _origin_id(row))

    def must_show(self, key: str | None, person: object) -> None:
        """A lead was not found by its origin_id. Raises Failure where that does not mean that it is not there.

        Where no lead has shown an origin_id yet, it is not there if the last look has found no nameless lead of its
        `person`.
        """
        if self._shows or (self._shows is None and person not in self._nameless):
            return
        raise Failure(
            "in_doubt",
            f"nobody can see whether the lead {key} was made: its answer was lost, and this account does not show the "
            "origin_id of leads; if it is missing in Pipedrive, give the event another messageId and replay it",
        )

    def note_answer(self, key: str | None, shown: object) -> bool:
        """Notes which origin_id the answer to a creation has shown. Returns whether to tell that it is not shown."""
        self._note_shown(shown == key)
        untold, self._told = not self._shows and not self._told, self._told or not self._shows
        return untold

    def _note_shown(self, shown: bool) -> None:
        if shown is not self._shows:
            self._shows = shown
            with self._commits.journal.transaction():
                self._commits.journal.set_fact(SHOWN, shown)

    async def _read(self) -> None:
        """Reads all leads that have an origin_id, by which we know our own."""
        for archived in (False, True):
            async for _ in self._pages(archived=archived):
                pass

    async def _pages(
        self, *, archived: bool, newest_first: bool = False, since: float = -math.inf
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        """The pages of one shelf, kept; newest first, down to two past `since`.

        Pages are counted, so whoever archives or deletes a lead meanwhile moves all that follow to the front: each page
        begins with some rows of the one before, and where these are not there, rows may have slipped by.
        """
        pages, start, past, slips = Pages(), 0, 0, 0
        last: set[object] = set()  # the ids at the end of the page before
        while True:
            answer = await self._send(list_leads(start, archived, newest_first=newest_first))
            if answer.rows is None:
                raise Failure("look_up_failed", "Pipedrive's list of leads is no list")
            rows = rows_of("leads", answer.rows)
            if any(id_of("leads", row) is None and _origin_id(row) for row in answer.rows):
                raise Failure("look_up_failed", "Pipedrive's list of leads shows a lead of ours without an id")
            if last and last.isdisjoint(row["id"] for row in rows):
                slips += 1
                if slips > MOST_SLIPS:
                    raise Failure("look_up_failed", "Pipedrive's list of leads changes faster than it can be read")
                pages, start, last = Pages(), max(0, start - MAX_PAGE), set()
                continue
            named = [
                SeenRecord(item["id"], key, _text(item.get("update_time")), values_of("leads", item))
                for item in rows
                if (key := _origin_id(item)) is not None
            ]
            self._commits.note(partial(_keep, rows=named))
            if named and self._shows is None:
                self._note_shown(True)
            yield rows
            following = answer.next_start
            if following is None and not answer.names_next_start and len(answer.rows) >= MAX_PAGE:
                following = start + MAX_PAGE  # a full page that says nothing of a next one: that one tells
            if pages.stuck(following, (item["id"] for item in rows)):
                raise Failure("look_up_failed", "Pipedrive's list of leads does not move on: its pages repeat")
            past += bool(rows) and all(_added(item) < since for item in rows)
            if following is None or (newest_first and past > PAGES_PAST):
                return
            last = {row["id"] for row in rows[-OVERLAP:]} if len(rows) > OVERLAP else set()
            start = max(start + 1, following - OVERLAP) if last else following


def _origin_id(lead: Mapping[str, Any]) -> str | None:
    shown = lead.get("origin_id")
    return shown if isinstance(shown, str) and shown else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _added(lead: Mapping[str, Any]) -> float:
    """When a lead was added, in seconds since 1970; in the far future where that cannot be read."""
    moment = shown_moment(lead.get("add_time"))
    try:
        return math.inf if moment is None else moment.timestamp()
    except OverflowError:
        return math.inf


def _keep(journal: Journal, rows: Sequence[SeenRecord]) -> None:
    journal.see("leads", rows)
    known = journal.known("leads", [str(row.key) for row in rows])
    for row in rows:
        if row.key is not None and row.key not in known:
            journal.save_record("leads", row.id, [row.key], RecordState(key=row.key))
