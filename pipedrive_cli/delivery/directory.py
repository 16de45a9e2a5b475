"""The directory: record key -> Pipedrive id, and the values last seen there. Never a fuzzy search, never a guess.

Our own writes count first: the search index lags, our journal does not. The rest is listed or looked up, whichever is
cheaper. Nobody tells the number of records beforehand, so pages are listed until they have cost as much as looking up
every waiting key; what is left is looked up. That costs at most twice the better choice. The next run continues a
listing that was not finished. *Not found* is an answer; whatever prevents a look is raised, and nothing is created.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from pipedrive_cli.delivery.effects import Find, Refusal, Snapshot, name_key
from pipedrive_cli.delivery.journal import GroupCommits, Journal, SeenRecord
from pipedrive_cli.delivery.listing import ASK_AGAIN, KnownLeads, Listing, Progress, ReadAhead, look_up_cost
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.retry import Failure
from pipedrive_cli.model import JsonObject, Kind, Values
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.bodies import id_of, rows_of, values_of
from pipedrive_cli.pipedrive.catalog import (
    FACTS,
    MAX_LISTED_FIELDS,
    MAX_LISTED_IDS,
    MAX_PAGE,
    Call,
    find_exact,
    get,
    listing,
)
from pipedrive_cli.pipedrive.contacts import email_form
from pipedrive_cli.pipedrive.pages import Pages
from pipedrive_cli.text_forms import caseless_form
from pipedrive_cli.timestamps import shown_moment

# What is kept of a record's standard fields beside those that the config maps.
_STANDARD = frozenset({"name", "emails", "phones", "organization", "visible_to", "code", "unit", "tax"})


NAMED: Final[frozenset[Kind]] = frozenset({"organizations", "products"})  # known by name where they have no key


class WantedFields:
    """What to read of records: `keys` are the addresses of record keys, `addresses` those the config maps, per kind."""

    def __init__(self, keys: Mapping[Kind, str | None], addresses: Mapping[Kind, frozenset[str]]) -> None:
        self._keys = keys
        self._addresses = {kind: mapped | _STANDARD for kind, mapped in addresses.items()}

    def custom_fields(self, kind: Kind) -> tuple[str, ...]:
        """Keys of the custom fields that a listing must show; if it names none, it shows all."""
        keys = [
            a.removeprefix("custom_fields.") for a in self._addresses.get(kind, ()) if a.startswith("custom_fields.")
        ]
        address = self._keys.get(kind)
        if address is not None and address.startswith("custom_fields."):
            keys.append(address.removeprefix("custom_fields."))
        unique = sorted(set(keys))
        return tuple(unique) if len(unique) <= MAX_LISTED_FIELDS else ()

    def row(self, kind: Kind, data: JsonObject, values: Values) -> SeenRecord:
        """What to keep of a record as an answer shows it; `values` are those in it, by address."""
        address = self._keys.get(kind)
        wanted = self._addresses.get(kind, _STANDARD)
        kept = {a: v for a, v in values.items() if a in wanted or a == address or a.startswith("prices.")}
        return SeenRecord(int(data["id"]), self.key_of(kind, values), values.get("update_time"), kept)

    def key_of(self, kind: Kind, values: Values) -> str | None:
        """The record key among a record's values; a product without a code, or an organization without a group id, is
        known by its name."""
        address = self._keys.get(kind)
        key = None if address is None else values.get(address)
        if kind in NAMED and (key is None or key == "") and values.get("name"):
            name = values["name"]
            key = name_key(caseless_form(str(name)) if kind == "organizations" else name)
        return str(key) if isinstance(key, str | int | float) else None


def _rising(now: Callable[[], float]) -> Callable[[], float]:
    """The same clock, but never twice the same time: of two moments it is told which came first, even where no time
    passes while code runs.
    """
    last = -math.inf

    def moment() -> float:
        nonlocal last
        last = max(now(), math.nextafter(last, math.inf))
        return last

    return moment


LONGEST_TERM = 100  # characters; Pipedrive has refused longer search terms


class Directory:
    """What we know of the account's persons, organizations and products.

    `send` sends a call, repeats it where needed, and raises where there is no reliable answer. `now` is the loop's
    time in seconds. `wanted` are the addresses that the config maps, per kind. `ours` is this machine's time, in
    seconds since 1970.
    """

    def __init__(
        self,
        commits: GroupCommits,
        send: Callable[[Call], Awaitable[Answer]],
        *,
        key_address: Mapping[Kind, str | None],
        wanted: Mapping[Kind, frozenset[str]],
        now: Callable[[], float],
        warn: Callable[[Kind, str, Sequence[int]], None],
        ours: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._commits = commits
        self._ours = ours
        self._journal: Journal = commits.journal
        self._raw_send = send
        self.want(key_address, wanted)
        self._now = now
        self._moment = _rising(now)
        self._warn = warn
        self._kinds: dict[Kind, Progress] = {}
        self._absent: set[tuple[Kind, str]] = set()
        self.leads = KnownLeads(commits, self._send, now)

    def want(self, key_address: Mapping[Kind, str | None], wanted: Mapping[Kind, frozenset[str]]) -> None:
        """Sets what to read of records: where their keys are, and the addresses that the config maps."""
        self._wanted = WantedFields(key_address, wanted)

    async def _send(self, call: Call) -> Answer:
        """Sends a look-up. A refused look-up counts as failed: it says nothing about what is there."""
        try:
            return await self._raw_send(call)
        except Refusal as refusal:
            if refusal.gone:
                raise
            raise Failure("look_up_failed", f"{call.label} was refused: {refusal.message}") from refusal

    async def prepare(self, kind: Kind, keys: Sequence[str], ids: Sequence[int] = ()) -> None:
        """Prepares `locate` of these keys, and `cached` of the records that they name or that are named by `ids`."""
        known, seen = self._journal.find_keys(kind, keys)
        progress = self._progress(kind)
        unknown = [key for key in keys if key not in known and key not in seen]
        found = [seen[key] for key in keys if key in seen]
        progress.waiting, progress.ahead = len(unknown), ReadAhead(partial(self._ids_of, kind, keys, ids))
        unread = progress.unread(found, ids)
        if not unknown and not unread:
            return
        cost = look_up_cost(kind, len(unknown), len(unread))
        whole = any(len(key) > LONGEST_TERM for key in unknown)
        await self._list_while_cheaper(progress, cost, cost, whole=whole)
        await self._read(progress, progress.unread(found, ids))

    async def _list_while_cheaper(
        self, progress: Progress, cost: int, cost_if_stale: int, *, whole: bool = False
    ) -> None:
        """Lists pages until they have cost as much as look-ups would; with `whole`, to the end.

        `cost` is what look-ups would cost more than was credited before; `cost_if_stale`, for all that still waits.
        """
        async with progress.turn:
            while True:
                stale = progress.stale(self._now())
                progress.credit(cost_if_stale if stale else cost, self._now())
                while progress.worth_a_page() or (whole and not progress.listing.complete):
                    await self._list_page(progress)
                if not progress.stale(self._now()):
                    return

    async def _read(self, progress: Progress, ids: Sequence[int]) -> None:
        """Reads records by their ids, a page at a time, where that is cheaper than one by one."""
        kind = progress.kind
        for some in (ids[start : start + MAX_LISTED_IDS] for start in range(0, len(ids), MAX_LISTED_IDS)):
            if len(some) * FACTS[kind].get.tokens > FACTS[kind].list.tokens:
                at = self._moment()
                answer = await self._send(listing(kind, ids=some, custom_fields=self._wanted.custom_fields(kind)))
                progress.note_read(await self._keep_page(kind, answer), at)

    async def locate(self, effect: Find) -> tuple[int, ...]:
        """Ids of the living records with this key, name or email, oldest first."""
        if effect.email is not None and effect.unasked:
            return tuple(self._journal.free_by_email(effect.email))
        if effect.email is not None:
            return await self._by_email(effect.email)
        key = effect.key if effect.key is not None else name_key(effect.name)
        if effect.unasked:
            return tuple(self._journal.seen_ids(effect.kind, key))
        ids: list[int] = []
        if not self._journal.is_absent(effect.kind, key):
            own = self._journal.named(effect.kind, key)
            if own is not None and own != effect.denied:
                return (int(own),)
            ids = await self._confirmed(effect.kind, partial(self._journal.seen_ids, effect.kind, key))
        if not ids:
            ids = await self._find(effect, key)
        if len(ids) > 1 and (effect.key is not None or effect.kind != "organizations"):
            self._warn(effect.kind, key, ids)  # of one name there may well be several
        return tuple(record for record in ids if record != effect.denied)

    async def _confirmed(self, kind: Kind, seen: Callable[[], list[int]]) -> list[int]:
        """What `seen` finds, once this run has confirmed the first two records; nobody needs more.

        Somebody may have deleted a record since it was seen, or given it another key.
        """
        progress, ids = self._progress(kind), seen()
        while unsure := [record for record in ids[:2] if progress.true_at(record) is None]:
            await self.fetch(kind, unsure[0], mapped=True)
            ids = seen()
        return ids

    async def _find(self, effect: Find, key: str) -> list[int]:
        """Finds a key that was not seen yet: lists more pages, or looks the key up."""
        kind, progress = effect.kind, self._progress(effect.kind)
        found: list[int] = []  # nothing has been seen so far
        if not progress.listing.complete or progress.stale(self._now()):
            if not progress.listing.complete and (kind, key) in self._absent:
                return []
            # `prepare` has counted the keys of this window; another one (its record was deleted) comes on top.
            one = look_up_cost(kind, 1, 0)
            cost, waiting = (0 if progress.waiting else one), max(1, progress.waiting)
            await self._list_while_cheaper(progress, cost, waiting * one, whole=len(key) > LONGEST_TERM)
            found = self._journal.seen_ids(kind, key)
        progress.waiting = max(0, progress.waiting - 1)
        return found if found or progress.listing.complete else await self._look_up(effect, key)

    def warn_of_twins(self, kind: Kind, key: str) -> None:
        """Warns where several records bear this key, as far as they have been seen."""
        ids = self._journal.seen_ids(kind, key)
        if len(ids) > 1:
            self._warn(kind, key, ids)

    def cached(self, kind: Kind, record: int | str) -> Snapshot:
        """What is known of a record without a request."""
        state = self._journal.state(kind, record)
        if kind == "leads":
            seen = self._journal.seen(kind, record) if state is None or not state.fields else None
            return Snapshot(state, None if seen is None else seen.values)
        assert isinstance(record, int)  # noqa: S101 - leads alone have other ids
        progress = self._progress(kind)
        at = progress.true_at(record)
        seen = None if at is None else self._journal.seen(kind, record)
        if at is None or seen is None:
            return Snapshot(self._with_contacts(kind, record, state))
        shown = progress.shown_at(record) is not None
        return Snapshot(state, seen.values, self._now() - at, _microseconds(seen.updated), shown)

    def _with_contacts(self, kind: Kind, record: int, state: RecordState | None) -> RecordState | None:
        """The state with emails and phones as they were last seen, where the journal of an older version has none."""
        if state is None or state.contacts or not state.added or (seen := self._journal.seen(kind, record)) is None:
            return state
        return msgspec.structs.replace(state, contacts={name: seen.values.get(name) or [] for name in state.added})

    def _ids_of(self, kind: Kind, keys: Sequence[str], named: Sequence[int]) -> list[int]:
        """Ids of the records that these keys name, then of those named by id, in their order."""
        known, seen = self._journal.find_keys(kind, keys)
        found = (known.get(key, seen.get(key)) for key in keys)
        return [*(int(record) for record in found if record is not None), *named]

    async def _read_ahead(self, kind: Kind, record: int) -> Values | None:
        """Reads a record with those that follow it in this window. None: it has to be read alone."""
        progress, asked = self._progress(kind), self._moment()
        async with progress.turn:
            if progress.read.get(record, -1.0) < asked:  # nobody else has read it while we waited for our turn
                await self._read(progress, progress.ahead.page(record))
        seen = self._journal.seen(kind, record) if progress.read.get(record, -1.0) >= asked else None
        return None if seen is None else seen.values

    async def fetch(self, kind: Kind, record: int | str, *, mapped: bool = False) -> Values | None:
        """Reads a record now; `mapped`: the values that the config maps are enough. None: it is gone."""
        if mapped and isinstance(record, int) and (values := await self._read_ahead(kind, record)) is not None:
            return values
        try:
            answer = await self._send(get(kind, record))
        except Refusal as refusal:
            if not refusal.gone:
                raise
            self._commits.note(lambda journal: journal.unsee(kind, [record]))
            return None
        data = answer.data
        if not isinstance(data, Mapping):
            self._commits.note(lambda journal: journal.unsee(kind, [record]))
            return None
        values = values_of(kind, data)
        if kind != "leads":
            self._commits.note(lambda journal: journal.see(kind, [self._wanted.row(kind, data, values)]))
            self._progress(kind).read[int(data["id"])] = self._moment()
        return values

    def shown(self, kind: Kind, data: JsonObject, values: Values) -> SeenRecord:
        """The row to keep of a record, from the answer to our write and the `values` in it. The caller records it."""
        self._progress(kind).read[int(data["id"])] = self._moment()
        return self._wanted.row(kind, data, values)

    def forget(self, kind: Kind, record: int | str) -> None:
        """The record is gone; the caller records it."""
        if isinstance(record, int):
            self._progress(kind).read.pop(record, None)

    async def newest(self, kind: Kind, floor: float, *, whole: bool) -> None:
        """Reads the newest records first, so that a write without an answer can be seen: down to the id `floor`, or,
        not `whole`, the first page.
        """
        pages, cursor = Pages(), None
        while True:
            call = listing(kind, cursor, custom_fields=self._wanted.custom_fields(kind), newest_first=True)
            at = self._now()
            answer = await self._send(call)
            ids = await self._keep_page(kind, answer)
            self._progress(kind).note_read(ids, at)
            reached = bool(ids) and ids[-1] <= floor and ids == sorted(ids, reverse=True)
            if not whole or reached:
                return
            cursor = await self._following(call, answer, pages)
            if cursor is None:
                return

    async def _following(self, call: Call, answer: Answer, pages: Pages) -> str | None:
        """The cursor of the page that follows. Raises Failure where the list does not move on.

        A full page that says nothing of a next one is asked for once more: it may have lost that on its way.
        """
        rows = answer.rows or []
        if not answer.names_next and len(rows) >= int(call.query["limit"]):
            answer = await self._send(call)
            if not answer.names_next and len(answer.rows or []) >= int(call.query["limit"]):
                raise Failure("look_up_failed", f"{call.label} was answered with a full page that names no next one")
        following = answer.next_cursor
        if pages.stuck(following, (id_of(call.endpoint.kind or "persons", row) for row in rows)):
            raise Failure("look_up_failed", f"{call.label} does not move on: its pages repeat themselves")
        return following

    def by_key(self, kind: Kind, key: str) -> SeenRecord | None:
        """The oldest record seen with this key."""
        ids = self._journal.seen_ids(kind, key)
        return self._journal.seen(kind, ids[0]) if ids else None

    def _progress(self, kind: Kind) -> Progress:
        if kind not in self._kinds:
            stored = self._journal.fact(f"listing {kind}", Listing)
            fields = tuple(sorted(self._wanted.custom_fields(kind)))
            if stored is None or stored.fields != fields:
                stored = Listing(fields=fields)
            self._kinds[kind] = Progress(kind, stored, resumed=stored.cursor is not None)
        return self._kinds[kind]

    async def _list_page(self, progress: Progress) -> None:
        at, fields = self._now(), self._wanted.custom_fields(progress.kind)
        call = progress.next_page(fields, at)
        if progress.broken is not None and at - progress.broken[0] < ASK_AGAIN:
            raise progress.broken[1]
        try:
            answer = await self._send(call)
            try:
                following = await self._following(call, answer, progress.pages)
            except Failure as failure:
                progress.broken = at, failure
                raise
        except Failure:
            if not progress.resumed:
                raise
            progress.begin_again()
            await self._list_page(progress)
            return
        listed = progress.listing_after(answer, following, self._ours())
        progress.note_page(listed, await self._keep_page(progress.kind, answer, listed), at)

    async def _keep_page(self, kind: Kind, answer: Answer, listed: Listing | None = None) -> list[int]:
        """Keeps what a page shows; returns the ids of its living records."""
        if answer.rows is None:
            raise Failure("look_up_failed", f"Pipedrive's list of {kind} is no list")
        shown = rows_of(kind, answer.rows)
        if any(id_of(kind, row) is None and self._wanted.key_of(kind, values_of(kind, row)) for row in answer.rows):
            raise Failure("look_up_failed", f"Pipedrive's list of {kind} shows a record of ours without an id")
        # A write of ours may have been answered after the page was made: then the write's answer is newer.
        newer = self._progress(kind).read
        rows = [
            self._wanted.row(kind, item, values_of(kind, item))
            for item in shown
            if not item.get("is_deleted") and newer.get(item["id"], -1.0) < answer.sent_at
        ]
        gone = [item["id"] for item in shown if item.get("is_deleted")]

        def record(journal: Journal) -> None:
            journal.see(kind, rows)
            journal.unsee(kind, gone)
            if listed is not None:
                journal.set_fact(f"listing {kind}", listed)

        self._commits.note(record)
        return [item["id"] for item in shown if not item.get("is_deleted")]

    async def _look_up(self, effect: Find, key: str) -> list[int]:
        """Looks up by exact search. A GET verifies each hit, which may be in any custom field and in any case."""
        by = "name" if effect.key is None and effect.kind in NAMED else None
        term = effect.key if effect.key is not None else str(effect.name)
        async for item in self._hits(effect.kind, term, by):
            await self._verify(effect.kind, item)
        found = self._journal.seen_ids(effect.kind, key)
        if not found:
            self._absent.add((effect.kind, key))
        return found

    async def _hits(self, kind: Kind, term: str, by: str | None) -> AsyncIterator[JsonObject]:
        """What an exact search finds. A page of it may be short or empty, and not be the last."""
        pages, cursor = Pages(), None
        while True:
            call = find_exact(kind, term, by, cursor)
            answer = await self._send(call)
            hits = _items(kind, answer)
            for item in hits:
                yield item
            cursor = answer.next_cursor
            if cursor is None and not answer.names_next and len(hits) >= MAX_PAGE:
                raise Failure("look_up_failed", f"{call.label} was answered with a full page that names no next one")
            if pages.stuck(cursor, (item["id"] for item in hits)):
                raise Failure("look_up_failed", f"{call.label} does not move on: its pages repeat themselves")
            if cursor is None:
                return

    async def _verify(self, kind: Kind, hit: JsonObject) -> None:
        """Reads a search hit. That is part of the cost of a look-up."""
        await self.fetch(kind, int(hit["id"]))
        progress = self._progress(kind)
        if not progress.listing.complete:
            progress.listing.credit += FACTS[kind].get.tokens

    async def _by_email(self, email: str) -> tuple[int, ...]:
        progress = self._progress("persons")
        if not progress.listing.complete or progress.stale(self._now()):
            one = look_up_cost("persons", 1, 0)
            await self._list_while_cheaper(progress, one, max(one, look_up_cost("persons", progress.waiting, 0)))
        if progress.listing.complete:
            return tuple(self._journal.free_by_email(email))
        if len(email) > LONGEST_TERM:
            return ()
        wanted = email_form(email)
        async for item in self._hits("persons", email, "email"):
            emails = item.get("emails")
            if wanted in {email_form(str(e)) for e in (emails if isinstance(emails, list) else ())}:
                await self._verify("persons", item)
        return tuple(await self._confirmed("persons", partial(self._journal.free_by_email, email)))


def _items(kind: Kind, answer: Answer) -> list[JsonObject]:
    data = answer.data
    if not isinstance(data, Mapping) or not isinstance(data.get("items", ""), list | None):
        raise Failure("look_up_failed", "Pipedrive's search answered without a list of items")
    hits = [hit["item"] for hit in data["items"] or () if isinstance(hit, Mapping) and hit.get("item")]
    if any(id_of(kind, hit) is None for hit in hits):
        raise Failure("look_up_failed", "Pipedrive's search found a record that it shows without an id")
    return rows_of(kind, hits)


def _microseconds(text: str | None) -> int | None:
    moment = shown_moment(text)
    return None if moment is None else int(moment.timestamp() * 1_000_000)
