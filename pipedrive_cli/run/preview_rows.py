"""One request that a replay would send, as data: what would be sent, to which record, and which events ask for it.

Ids that nobody knows yet are negative numbers while plans are driven; here they become words: `{person of user u1}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.effects import DeliverySettings, RecordId, Write
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Kind, Value, Values
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.report.redact import Redactor

Action: TypeAlias = Literal["create", "update", "create or update", "merge", "look up"]

# The keys of a body that hold another record's id, and whose.
_LINKS: Mapping[str, Kind] = {
    "org_id": "organizations",
    "organization_id": "organizations",
    "person_id": "persons",
    "merge_with_id": "persons",
}
_LINKING = frozenset({"organization", "person"})  # addresses of links
_WHOSE = {"persons": "person of user", "organizations": "organization of group", "leads": "lead of event"}


class FieldChange(msgspec.Struct, frozen=True):
    """One field of a write. `old` only counts where `known`: then the present value was read.

    `labels` are those of the field's options, by id; `overwrites`: `old` is what others wrote.
    """

    name: str
    new: Value
    old: Value = None
    known: bool = False
    labels: Mapping[str, str] = {}
    overwrites: bool = False


class PlannedRequest(msgspec.Struct, frozen=True):
    """One request. `call` has words where ids are unknown; `record` names the record for people, "" for look-ups."""

    call: Call
    action: Action
    record: str = ""
    events: tuple[PendingEvent, ...] = ()
    note: str | None = None
    described: Callable[[], tuple[FieldChange, ...]] = tuple  # makes `fields`, which not every format shows
    irreversible: bool = False  # it may merge two persons, which cannot be undone

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        return self.described()

    @property
    def method(self) -> str:
        return self.call.method

    @property
    def target(self) -> str:
        return self.call.target

    @property
    def body(self) -> Values | None:
        return self.call.body

    @property
    def tokens(self) -> int:
        return self.call.tokens

    @property
    def path(self) -> str:
        """The path as people read it: an unknown id stands there in words, not percent-encoded."""
        call = self.call
        return call.target if call.id is None else call.endpoint.path.replace("{id}", str(call.id))


@dataclass(slots=True)
class RequestLog:
    """The requests that a run would send: counted in `live_figures`, and given to `show` one by one.

    `plan` gets them too, and names the writes. `counts` False: whoever sends them counts them already. `names` are the
    names of custom fields, by key, as soon as they are known.
    """

    live_figures: LiveFigures
    show: Callable[[PlannedRequest], None] | None = None
    counts: bool = True
    names: dict[str, str] = field(default_factory=dict)
    plan: Callable[[PlannedRequest], None] | None = None

    def count(self, call: Call) -> None:
        """Counts a request that a run would send."""
        if self.counts:
            figures, tokens, name = self.live_figures, call.endpoint.tokens, call.endpoint.label
            figures.tokens_spent += tokens
            figures.tokens[name] += tokens
            figures.requests[name] += 1

    def look(self, call: Call) -> None:
        """Notes a look-up that a run would send."""
        self.count(call)
        if self.show is not None:
            self.show(PlannedRequest(call, "look up"))


def redacted_request(request: PlannedRequest, redactor: Redactor) -> PlannedRequest:
    """The request without people: method, path, keys and cost stay, names and values become short hashes."""
    call = request.call
    number = redactor.text(call.id) if isinstance(call.id, str) else call.id
    query = {key: redactor.hash(value) if key == "term" else value for key, value in call.query.items()}
    body = None if call.body is None else redactor.value(call.body)
    events = tuple(
        PendingEvent(b"", EventOrigin(redactor.hash(event.message_id), event.place)) for event in request.events
    )
    fields = tuple(
        msgspec.structs.replace(each, new=redactor.value(each.new), old=redactor.value(each.old), labels={})
        for each in request.fields
    )
    return msgspec.structs.replace(
        request,
        call=msgspec.structs.replace(call, id=number, query=query, body=body),
        record=redactor.text(request.record),
        events=events,
        note=None if request.note is None else redactor.text(request.note),
        described=lambda: fields,
    )


def label(kind: Kind, key: str | None, name: str | None = None) -> str:
    """What a record is called as long as its id is unknown."""
    if kind == "products":
        return f"product {key}" if key is not None else f"product named {name}"
    if kind == "organizations" and key is None:
        return f"organization named {name}"
    return f"{_WHOSE[kind]} {key}"


@dataclass(slots=True)
class Labels:
    """The words for ids that are not known yet; such ids are negative. Those of one window are kept."""

    _words: dict[tuple[Kind, int], str] = field(default_factory=dict)
    _last: int = 0

    def mint(self, kind: Kind, words: str) -> int:
        """An id for a record that has none yet."""
        self._last -= 1
        self._words[kind, self._last] = words
        return self._last

    def learn(self, kind: Kind, ids: Iterable[RecordId], words: str) -> None:
        """Notes words for unknown ids that a look-up found."""
        for record in ids:
            if isinstance(record, int) and record < 0:
                self._words.setdefault((kind, record), words)

    def words(self, kind: Kind, record: RecordId) -> RecordId:
        """The id itself, or where it is not known its words in braces."""
        if isinstance(record, str) or record >= 0:
            return record
        return f"{{{self._words.get((kind, record), 'record made before')}}}"

    def forget(self) -> None:
        """A window is over: records get their words again when they are found."""
        self._words.clear()

    def put(self, call: Call, kind: Kind) -> tuple[Call, bool]:
        """The call with words for ids that are not known, and whether there are any."""
        changed: dict[str, Value] = {}
        body = call.body or {}
        for key, linked in _LINKS.items():
            if isinstance(value := body.get(key), int) and value < 0:
                changed[key] = self.words(linked, value)
        record = call.id
        if isinstance(record, int) and record < 0:
            record = self.words(kind, record)
        elif not changed:
            return call, False
        return Call(call.endpoint, record, call.query, None if call.body is None else {**body, **changed}), True


def planned_request(
    write: Write,
    job: Job,
    before: Values | None,
    labels: Labels,
    settings: DeliverySettings | None,
    *,
    certain: bool,
) -> PlannedRequest:
    """The row of a write. `certain`: the account was asked, so that what is not there is to be created.

    `before` are the record's values as last seen, None where nobody has; `settings` have the names of fields.
    """
    call, unknown = labels.put(write.call, write.kind)
    action: Action = write.action
    note = None
    if write.action == "create" and not certain:
        action = "create or update"
        known = "an earlier run made it" if job.kind == "leads" else "Pipedrive has it already"
        note = f"a PATCH of what differs, if {known}"
        if job.pending_aliases:
            former = ", ".join(str(pending_alias.previous) for pending_alias in job.pending_aliases)
            note += f"; a merge that cannot be undone, if it has the person of user {former} too"
    elif write.action == "merge":
        note = "a merge cannot be undone"
        if not certain:
            note += "; only if both are in Pipedrive, else the one that is there gets the new id"
    elif unknown:
        note = "needs an id that an earlier request brings"
    events = dict.fromkeys(pending.event for pending in job.changes)
    events.update(dict.fromkeys(pending_alias.event for pending_alias in job.pending_aliases))
    return PlannedRequest(
        call=call,
        action=action,
        record=label(job.kind, job.key, job.name) if job.key or job.name else f"{job.kind} {write.call.id}",
        events=tuple(sorted(events, key=_place) if len(events) > 1 else events),
        note=note,
        described=partial(_fields, write, before, labels, settings),
        irreversible=write.action == "merge" or (action == "create or update" and bool(job.pending_aliases)),
    )


def _fields(
    write: Write, before: Values | None, labels: Labels, settings: DeliverySettings | None
) -> tuple[FieldChange, ...]:
    if write.action == "merge":
        return ()
    update = write.action == "update"
    names = {} if settings is None else settings.names
    options = {} if settings is None else settings.labels
    rows = []
    for address, value in write.fields.items():
        kind: Kind = "organizations" if address == "organization" else "persons"
        linked = address in _LINKING
        name = names.get(address) or address.removeprefix("custom_fields.")
        rows.append(
            FieldChange(
                name,
                labels.words(kind, value) if linked else value,
                old=before.get(address) if update and before is not None else None,
                known=update and before is not None,
                labels=options.get((write.kind, address), {}),
                overwrites=address in write.overwrites,
            )
        )
    return tuple(rows)


def _place(event: PendingEvent) -> tuple[str, int, int]:
    place = event.place
    return (place.file, place.line, place.index or 0)
