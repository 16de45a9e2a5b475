"""How far the records of one kind have been listed, and whether another page is worth its tokens.

No I/O. A listing is of all records or, once that has been done, of those changed since. Both are gone on with while
they have cost no more than exact look-ups of all that was asked for would have; a total is not to be had beforehand.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from pipedrive_cli.delivery.ahead import Ahead
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import FACTS, MAX_LISTED_IDS, Call, listing
from pipedrive_cli.transform.changes import Kind

SKEW = timedelta(minutes=2)  # between two of Pipedrive's own clocks
REFRESH_AFTER = 600.0  # seconds after which others may well have made records that a long run does not know


class Listing(msgspec.Struct):
    """How far a kind has been listed. `stamp`: RFC 3339, from when on changes have to be asked for once it is complete.

    `since`: it is of the records changed since then; None: of all. While it is not complete, the next run goes on at
    `cursor`; what it has cost so far, and what looking up would have cost, count on as well.
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
    fresh_at: float | None = None  # loop seconds from when on what is seen is true of this run
    ahead: Ahead = field(default_factory=lambda: Ahead(tuple))
    waiting: int = 0  # keys of this window that nobody knows, and that have not been located yet
    named: frozenset[int] = frozenset()  # records of this window that its events name by Pipedrive's id
    listed: dict[int, float] = field(default_factory=dict)  # id -> loop seconds, while the listing is not complete
    read: dict[int, float] = field(default_factory=dict)  # id -> loop seconds of a look of its own
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one at a time turns the pages

    def stale(self, now: float) -> bool:
        """Whether what was listed to its end is of an earlier run, or of long ago in this one."""
        return self.listing.complete and (self.fresh_at is None or now - self.fresh_at >= REFRESH_AFTER)

    def true_at(self, record: int) -> float | None:
        """Loop seconds when what is known of a record was last seen to be so; None: not in this run."""
        times = (self.shown_at(record), self.fresh_at)
        return max((time for time in times if time is not None), default=None)

    def shown_at(self, record: int) -> float | None:
        """Loop seconds when Pipedrive last showed the record itself; None: not in this run, and it may be gone.

        Lists of what has changed say nothing of what was deleted.
        """
        times = (self.read.get(record), self.listed.get(record))
        return max((time for time in times if time is not None), default=None)

    def unread(self, found: Iterable[int], named: Iterable[int]) -> list[int]:
        """Of records that were found by their keys, those nobody knows anything of in this run, and of those that are
        named by id, whom Pipedrive has not shown yet.
        """
        ids = {record: None for record in found if self.true_at(record) is None}
        return list(ids | {record: None for record in named if self.shown_at(record) is None})

    def were_read(self, ids: Iterable[int], at: float) -> None:
        """A page that was asked for at `at` has shown these. What a later look has shown stays as new as it is."""
        for record in ids:
            self.read[record] = max(at, self.read.get(record, at))

    def credit(self, tokens: int, now: float) -> None:
        """Looking up would cost so many more tokens. A listing that is stale begins again with what has changed."""
        if self.stale(now):
            credit = max(tokens, self.listing.credit)
            self.listing = Listing(fields=self.listing.fields, since=self.listing.stamp, credit=credit)
            self.resumed, self.began = False, None
        elif not self.listing.complete:
            self.listing.credit += tokens

    def worth_a_page(self) -> bool:
        """Whether one more page costs no more than looking up would."""
        return not self.listing.complete and self.listing.spent + FACTS[self.kind].list.tokens <= self.listing.credit

    def next_page(self, fields: tuple[str, ...], now: float) -> Call:
        """What brings the next page. `fields`: keys of the custom fields that it is to show."""
        if self.began is None:
            self.began = now
        since = self.listing.since
        moment = None if since is None else datetime.fromisoformat(since) - SKEW
        return listing(self.kind, self.listing.cursor, custom_fields=fields, updated_since=moment)

    def begin_anew(self) -> None:
        """Pipedrive does not know any more where an earlier run stopped."""
        now = self.listing
        self.resumed, self.listing = False, Listing(fields=now.fields, since=now.since, credit=now.credit)

    def after(self, answer: Answer) -> Listing:
        """What the listing is once this page is kept."""
        now, cursor = self.listing, answer.next_cursor
        spent, stamp = now.spent + FACTS[self.kind].list.tokens, now.stamp or stamp_of(answer)
        if cursor is None:
            # What an earlier run began is as old as its stamp: what has changed since has to follow, on what is left.
            return Listing(True, stamp, now.fields, credit=max(0, now.credit - spent) if self.resumed else 0)
        return Listing(False, stamp, now.fields, cursor, now.credit, spent, now.since)

    def turned(self, listed: Listing, ids: list[int], at: float) -> None:
        """A page is kept: its records, asked for at `at`, and how far the listing is now."""
        if not listed.complete:
            listed.credit = self.listing.credit  # it may have grown while the page was under way
        self.listing = listed
        self.were_read(self.named.intersection(ids), at)
        if listed.complete:
            self.fresh_at = None if self.resumed else self.began
            self.listed.clear()
        else:
            # What earlier runs have seen is not fresh for being in the journal: only these are.
            self.listed.update(dict.fromkeys(ids, at))


def look_up_cost(kind: Kind, keys: int, records: int) -> int:
    """Tokens for looking up so many keys by search, and reading so many records whose ids are known."""
    return keys * FACTS[kind].search.tokens + reading_cost(kind, records)


def reading_cost(kind: Kind, records: int) -> int:
    """Tokens for the present values of so many records: one by one, or a hundred a page where that is less."""
    pages = math.ceil(records / MAX_LISTED_IDS)
    return min(records * FACTS[kind].get.tokens, pages * FACTS[kind].list.tokens)


def stamp_of(answer: Answer) -> str:
    """When a listing was true, by Pipedrive's own clock."""
    return (answer.date or datetime.now(UTC)).isoformat()
