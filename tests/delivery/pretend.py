"""A Pipedrive and a journal made of dicts: a desk for the real courier, and short words to say events with.

It is a model, not the sandbox: it knows no HTTP, no limits and no errors but the refusals that a test asks for. What
is kept between runs goes through the journal's own encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.effects import (
    Commit,
    DeliverySettings,
    Find,
    Forget,
    RecordId,
    Refusal,
    Snapshot,
    Write,
    name_key,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.journal.rows import Recalled
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.precedence import PrecedenceRules, RecordState
from pipedrive_cli.delivery.run_log import LiveFigures, RunLog
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import (
    KINDS,
    Alias,
    Change,
    Complaint,
    Contact,
    Kind,
    Outcome,
    Place,
    Rank,
    RecordName,
    Transformed,
)
from pipedrive_cli.pipedrive.bodies import values_of
from pipedrive_cli.pipedrive.contacts import email_form, phone_form

USER = "custom_fields." + "a" * 40
GROUP = "custom_fields." + "b" * 40
ROLE = "custom_fields." + "c" * 40
PLAN = "custom_fields." + "d" * 40
RATING = "custom_fields." + "e" * 40
KEY_ADDRESS: Mapping[Kind, str | None] = {
    "persons": USER,
    "organizations": GROUP,
    "products": "code",
    "leads": "origin_id",
}


# --- What events ask for ----------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """One event as the transform would hand it on."""

    identity: str
    asks: Transformed
    time: int | None = None


def person(key: str | None, pipedrive_id: int | None = None) -> RecordName:
    """A person's name among records."""
    return RecordName("persons", key, pipedrive_id)


def _contacts(values: Iterable[str | Contact]) -> tuple[Contact, ...]:
    return tuple(value if isinstance(value, Contact) else Contact(value) for value in values)


def identify(
    identity: str,
    key: str | None,
    time: int | None,
    *,
    emails: Iterable[str | Contact] = (),
    phones: Iterable[str | Contact] = (),
    pipedrive_id: int | None = None,
    **fields: Any,
) -> Said:
    """An identify call. `fields`: name, first_name, last_name, role, plan, or addresses."""
    change = Change(
        person(key, pipedrive_id),
        time,
        Rank.OWN,
        addressed(fields),
        _contacts(emails),
        _contacts(phones),
    )
    return Said(identity, Transformed((change,)), time)


def group(
    identity: str,
    key: str | None,
    organization: str,
    time: int | None,
    *,
    said: Mapping[str, Any] | None = None,
    emails: Iterable[str] = (),
    may_create: bool = True,
    **fields: Any,
) -> Said:
    """A group call; `said` is what its context.traits say of the person, `fields` what it says of the organization."""
    named = RecordName("organizations", organization)
    changes = [Change(named, time, Rank.OWN, addressed(fields))]
    if key is not None:
        link = {"organization": named}
        changes.append(
            Change(person(key), time, Rank.OWN, link, may_create=may_create),
        )
        if said or emails:
            context = addressed(said or {})
            changes.append(
                Change(person(key), time, Rank.CONTEXT, context, _contacts(emails), may_create=may_create),
            )
    return Said(identity, Transformed(tuple(changes)), time)


def alias(
    identity: str,
    previous: str | int,
    current: str | int,
    time: int | None,
    *,
    said: Mapping[str, Any] | None = None,
) -> Said:
    """An alias call, by user ids (text) or Pipedrive's ids (numbers); `said` describes the current person."""
    before, now = (person(None, k) if isinstance(k, int) else person(k) for k in (previous, current))
    changes = (Change(now, time, Rank.CONTEXT, addressed(said), may_create=False),) if said else ()
    return Said(identity, Transformed(changes, Alias(before, now, time)), time)


def product(
    identity: str,
    code: str | None,
    time: int | None,
    *,
    unit: str | None = None,
    prices: Mapping[str, float] | None = None,
    **fields: Any,
) -> Said:
    """One product seen."""
    values = dict(fields)
    for currency, amount in (prices or {}).items():
        values[f"prices.{currency}"] = {"price": amount, "currency": currency}
    change = Change(
        RecordName("products", code, None, fields.get("name") if code is None else None),
        time,
        Rank.OWN,
        values,
        oldest={} if unit is None else {"unit": unit},
        fallback_name=None if "name" in fields else code,
    )
    return Said(identity, Transformed((change,)), time)


def lead(
    identity: str,
    key: str,
    time: int | None,
    *,
    said: Mapping[str, Any] | None = None,
    may_create: bool = True,
    **fields: Any,
) -> Said:
    """One track call: the person in passing, and the lead."""
    values = {"title": "Demo", **addressed(fields)}
    return Said(
        identity,
        Transformed(
            (
                Change(person(key), time, Rank.CONTEXT, addressed(said or {}), may_create=may_create),
                Change(RecordName("leads", identity), time, fields=values, person=person(key)),
            )
        ),
        time,
    )


_SHORT = {"role": ROLE, "plan": PLAN, "rating": RATING}


def addressed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by their addresses."""
    return {_SHORT.get(name, name): value for name, value in fields.items()}


# What Pipedrive puts into a new record that was made without it.
_FILLED_IN: Mapping[Kind, Mapping[str, Any]] = {
    "persons": {"visible_to": 3},
    "organizations": {"visible_to": 3},
    "products": {"visible_to": 3, "tax": 0},
    "leads": {},
}


# --- The account and the journal --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Pretend:
    """An account and a journal, as a desk (`delivery.desk`).

    `merging`: which emails and phones Pipedrive's merge leaves (nobody knows for sure). `listed`: everything that is
    there was listed in the run, as opposed to records that the journal knows of and nobody has looked at yet.
    `refuse` is asked before every write. `shows` is how an answer shows a value: Pipedrive formats some.
    """

    terms: DeliverySettings = field(default_factory=lambda: DeliverySettings(PrecedenceRules(), KEY_ADDRESS))
    merging: Literal["survivor", "union", "nothing"] = "union"
    listed: bool = True
    refuse: Callable[[Write], Refusal | None] = lambda _: None
    shows: Callable[[str, Any], Any] = lambda _, value: value
    records: dict[Kind, dict[RecordId, dict[str, Any]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    names: dict[tuple[Kind, str], RecordId] = field(default_factory=dict)
    states: dict[tuple[Kind, RecordId], bytes] = field(default_factory=dict)
    aliases: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)  # previous ids of aliases that were rejected as unknown
    numbers: dict[str, int] = field(default_factory=dict)  # of events, in the order in which they were first read
    complaints: dict[str, list[str]] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    looks: int = 0
    silent: bool = False  # updates are answered without the record
    fresh: set[tuple[Kind, RecordId]] = field(default_factory=set)
    newest_id: int = 100
    stopped: StopRun | None = None
    gone: dict[tuple[Kind, str], RecordState | None] = field(default_factory=dict)  # key -> what to make it anew with

    # -- before a run

    def put(self, kind: Kind, record: int | None = None, /, **values: Any) -> int:
        """A record that somebody else made; its id."""
        if record is None:
            self.newest_id += 1
            record = self.newest_id
        filled = {"name": "somebody", **_FILLED_IN[kind], **addressed(values)}
        for name in ("emails", "phones"):
            if name in filled:
                filled[name] = [{"value": v, "primary": i == 0} for i, v in enumerate(filled[name])]
        self.records[kind][record] = filled
        return record

    # -- a run

    def run(self, *events: Said, lookahead: int = 1_000) -> Pretend:
        """One run over `events`, in windows of `lookahead`."""
        asyncio.run(self._run(events, lookahead))
        return self

    async def _run(self, events: Iterable[Said], lookahead: int) -> None:
        self.fresh.clear()
        backlog = Backlog(dict(self.aliases), unknown=self.unknown)
        courier = Courier(self, RunLog(0, LiveFigures()), backlog, self.terms)
        open_cases: list[PendingEvent] = []
        waiting = 0
        for event in events:
            if self.outcomes.get(event.identity) in {Outcome.DELIVERED, Outcome.UNCHANGED}:
                continue
            case = PendingEvent(b"", EventOrigin(event.identity, Place("pretend", 1)))
            case.number = self.numbers.setdefault(event.identity, len(self.numbers) + 1)
            open_cases.append(case)
            refused = backlog.add(event.asks, case)
            if refused is not None:
                case.complain(refused)
                case.add(refused.outcome or Outcome.REJECTED)
            waiting += 1
            if waiting >= lookahead:
                await courier.deliver(Window(backlog), workers=1)
                waiting = 0
        backlog.wake()
        await courier.deliver(Window(backlog), workers=1)
        courier.input_over = True
        backlog.wake()
        while backlog:
            await courier.deliver(Window(backlog), workers=1)
        for case in open_cases:
            assert case.open == 0, f"{case.message_id} never ended ({case.open} parts are open)"
            self.outcomes[case.message_id] = case.outcome
            self.complaints[case.message_id] = [complaint.code for complaint in case.complaints]

    # -- a desk

    def stop(self, why: StopRun) -> None:
        raise why  # nothing in this world stops a run

    def equip(
        self, terms: DeliverySettings, addresses: Mapping[Kind, frozenset[str]], names: Mapping[str, str]
    ) -> None:
        raise AssertionError("the terms are given")

    async def prepare(self, window: Window) -> None:
        pass

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        raise AssertionError("`run` knows which events were handled")

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        raise AssertionError("`run` knows what events said")

    def last_number(self) -> int:
        return len(self.numbers)

    def kinds_in_doubt(self) -> frozenset[Kind]:
        return frozenset()

    async def settle_doubts(self) -> None:
        pass

    async def settle_earlier(self, job: Job) -> None:
        pass

    def window_over(self) -> None:
        pass

    def input_over(self) -> None:
        pass

    async def look_once_more(self) -> None:
        pass

    async def end_events(self, cases: Sequence[PendingEvent]) -> None:
        raise AssertionError("every record is taken up")

    async def find(self, ask: Find) -> tuple[RecordId, ...]:
        if ask.email is not None:
            wanted = email_form(ask.email)
            return self._found(
                ask.kind, lambda v: any(email_form(item["value"]) == wanted for item in v.get("emails", ()))
            )
        address = KEY_ADDRESS[ask.kind] or ""
        key = ask.key if ask.key is not None else name_key(ask.name)
        own = self.names.get((ask.kind, key))
        if own is not None and own != ask.denied:
            return (own,)
        if ask.key is None:
            return self._found(ask.kind, lambda v: v.get("name") == ask.name and not v.get(address))
        return self._found(ask.kind, lambda v: v.get(address) == ask.key)

    def _found(self, kind: Kind, test: Callable[[Mapping[str, Any]], bool]) -> tuple[RecordId, ...]:
        found = tuple(record for record, values in self.records[kind].items() if test(values))
        self.fresh.update((kind, record) for record in found)
        return found

    def cached(self, kind: Kind, record: RecordId) -> Snapshot:
        stored = self.states.get((kind, record))
        state = None if stored is None else msgspec.msgpack.decode(stored, type=RecordState)
        values = self.records[kind].get(record)
        if values is None or not (self.listed or (kind, record) in self.fresh):
            return Snapshot(state)
        return Snapshot(state, self._shown(values), 0.0, values.get("updated"), shown=True)

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Mapping[str, Any] | None:
        del mapped  # a look shows everything
        self.looks += 1
        values = self.records[kind].get(record)
        if values is None:
            return None
        self.fresh.add((kind, record))
        return self._shown(values)

    def _shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {address: self.shows(address, value) for address, value in values.items()}

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        return self.gone.get((kind, key))

    async def send(self, ask: Write, written: Written) -> Mapping[str, Any]:
        if (refusal := self.refuse(ask)) is not None:
            raise refusal
        kind, body = ask.kind, dict(ask.call.body or {})
        there = self.records[kind]
        if ask.action == "merge":
            self.writes.append(ask)
            return self._merge(ask.call.id, body["merge_with_id"])
        if ask.action == "update" and ask.call.id not in there:
            raise Refusal("gone", "Record not found", gone=True)
        self.writes.append(ask)
        assert body, "a write without any content was sent"
        self.newest_id += 1
        record = f"lead-{self.newest_id}" if kind == "leads" else self.newest_id
        if ask.call.id is not None:
            record = ask.call.id
        values = there.setdefault(record, {})
        if "prices" in body:
            for address in [a for a in values if a.startswith("prices.")]:
                del values[address]
        values.update(values_of(kind, body))
        if kind == "products" and not any(address.startswith("prices.") for address in values):
            values["prices.EUR"] = {"price": 0, "currency": "EUR"}  # as Pipedrive does
        if ask.action == "create":
            values.update({**_FILLED_IN[kind], **values})
        self.fresh.add((kind, record))
        if self.silent and ask.action == "update":
            return {}
        return {**self._shown(values), "id": record}

    def _merge(self, loser: Any, survivor: Any) -> Mapping[str, Any]:
        persons = self.records["persons"]
        gone, left = persons.pop(loser), persons[survivor]
        if self.merging != "nothing":
            for address, value in gone.items():
                if address not in {"emails", "phones"} and left.get(address) in {None, ""}:
                    left[address] = value
        if self.merging == "union":
            for name, form in (("emails", email_form), ("phones", phone_form)):
                there = {form(item["value"]) for item in left.get(name, ())}
                more = [item | {"primary": False} for item in gone.get(name, ()) if form(item["value"]) not in there]
                left[name] = [*left.get(name, ()), *more]
        return {}

    async def commit(self, save: Commit, written: Written, ended: Sequence[PendingEvent]) -> None:
        if save.merged is not None and save.id is not None:
            for name, record in self.names.items():
                if record == save.merged:
                    self.names[name] = save.id
            self.states.pop((save.kind, save.merged), None)
        if save.id is not None and save.state is not None:
            self.states[save.kind, save.id] = msgspec.msgpack.encode(save.state)
            for key in save.keys:
                self.names[save.kind, key] = save.id
                if save.action == "created":
                    self.gone.pop((save.kind, key), None)
        for pending_alias in (*save.aliases, *save.unknown_aliases):
            if pending_alias.previous is not None:
                (self.unknown.add if pending_alias in save.unknown_aliases else self.unknown.discard)(
                    pending_alias.previous
                )
            if pending_alias.previous is not None and pending_alias.current is not None:
                self.aliases.setdefault(pending_alias.previous, (pending_alias.current, pending_alias.alias.time))
        for case in [
            *(pending.event for pending, _ in save.changes),
            *(pending_alias.event for pending_alias, _ in save.pending_aliases),
        ]:
            assert case.open >= 0, f"a part of {case.message_id} ended twice"

    async def forget(self, gone: Forget) -> None:
        self.names = {name: r for name, r in self.names.items() if (name[0], r) != (gone.kind, gone.id)}
        self.states.pop((gone.kind, gone.id), None)
        if gone.key is not None:
            self.gone[gone.kind, gone.key] = gone.state

    # -- afterwards

    def alone(self, kind: Kind = "persons") -> dict[str, Any]:
        """The one record there is."""
        (values,) = self.records[kind].values()
        return values

    def with_key(self, key: str, kind: Kind = "persons") -> dict[str, Any]:
        """The one record that bears `key`."""
        (values,) = [v for v in self.records[kind].values() if v.get(KEY_ADDRESS[kind] or "") == key]
        return values

    def emails(self, values: Mapping[str, Any] | None = None) -> list[str]:
        """The addresses of one person, in their order."""
        return [item["value"] for item in (values if values is not None else self.alone()).get("emails", ())]

    def picture(self) -> list[tuple[Any, ...]]:
        """All records without what the design leaves open: ids, creation times, order and primary flag of contacts."""
        groups = {record: values.get(GROUP) for record, values in self.records["organizations"].items()}
        keys = {record: values.get(USER) for record, values in self.records["persons"].items()}
        told: list[tuple[Any, ...]] = []
        for kind, records in self.records.items():
            for values in records.values():
                fields = {a: v for a, v in values.items() if a not in {"add_time", "updated", "emails", "phones"}}
                if "organization" in fields:
                    fields["organization"] = groups[fields["organization"]]
                if "person" in fields:
                    fields["person"] = keys[fields["person"]]
                for name, form in (("emails", email_form), ("phones", phone_form)):
                    if values.get(name):
                        fields[name] = sorted(form(item["value"]) for item in values[name])
                told.append((kind, *sorted((a, _text(v)) for a, v in fields.items())))
        return sorted(told)


def _text(value: Any) -> str:
    return str(sorted(value.items())) if isinstance(value, Mapping) else str(value)


def terms(
    *,
    existing: Literal["overwrite", "fill", "newest"] = "overwrite",
    contacts: Literal["add", "replace"] = "add",
    name_fallback: tuple[str, ...] = ("email", "user_id"),
    **more: Any,
) -> DeliverySettings:
    """Terms with some choices other than the config's own."""
    return DeliverySettings(
        PrecedenceRules(existing=existing, contacts=contacts, name_fallback=name_fallback), KEY_ADDRESS, **more
    )


def codes(complaints: Iterable[Complaint]) -> list[str]:
    """The codes of what was complained of."""
    return [complaint.code for complaint in complaints]


def jobs_of(*events: Said, aliases: Mapping[str, tuple[str, int | None]] | None = None) -> list[Job]:
    """The jobs of one window."""
    backlog = Backlog(dict(aliases or {}))
    for event in events:
        backlog.add(event.asks, PendingEvent(b"", EventOrigin(event.identity, Place("pretend", 1))))
    return everything(backlog)[0]


def everything(backlog: Backlog) -> tuple[list[Job], list[PendingChange]]:
    """All that waits, as jobs for records and as leads, in the order of reading."""
    groups, leads = backlog.hand_over()
    unique = {id(group): group for group in groups.values()}
    return [backlog.job(group) for group in unique.values()], backlog.load_changes(leads)
