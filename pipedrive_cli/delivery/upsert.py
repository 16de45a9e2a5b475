"""Plans: the conversation that brings one record's folded change into Pipedrive. Look, decide, write. Without I/O.

A plan is a generator. It yields what it wants done (`effects`) and is sent the answer; who drives it (the courier, a
preview, a test) decides where answers come from. `Refusal` is thrown in where Pipedrive says no to this record; every
other trouble ends the plan from outside, and its open parts with it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.effects import (
    Cached,
    Commit,
    DeliverySettings,
    Effect,
    Fetch,
    Find,
    Forget,
    Plan,
    Refusal,
    ResolveLink,
    Snapshot,
    Target,
    Wait,
    Write,
    name_key,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import (
    Candidates,
    Difference,
    PendingChange,
    collect_candidates,
    compute_difference,
    needs_look,
    settled_state,
    without,
)
from pipedrive_cli.delivery.outcomes import (
    blame,
    depends_on,
    inputs_of,
    outcomes_of,
    refused_addresses,
    reject_all,
    skip_deleted,
)
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import FieldState, RecordState, blank
from pipedrive_cli.model import Complaint, Outcome, RecordName
from pipedrive_cli.pipedrive.bodies import body_of, price_row
from pipedrive_cli.pipedrive.catalog import create, update

REPLACED_WHOLE = frozenset({"emails", "phones"})  # and prices


def upsert(
    job: Job,
    home: Target,
    parts: Sequence[PendingChange],
    terms: DeliverySettings,
    links: Mapping[str, Any] | None = None,
    mend: Callable[[], Generator[Effect, Any, bool]] | None = None,
) -> Plan:
    """Writes what `parts` ask of the record at `home`, as one write where Pipedrive accepts it.

    A value that Pipedrive refuses by name is left out, for the next best one if there is one, and the rest written; a
    refusal without names takes the fold apart, oldest change first, so that only the guilty event is rejected. `links`
    go into a creation by their ids. `mend` is tried once after a refusal, and says whether it has changed anything.
    """
    complaints: list[tuple[PendingEvent, Complaint]] = []
    refused: dict[int, Outcome] = {}  # id(part) -> outcome of parts that lost a value
    without: set[tuple[int, str]] = set()  # values that were refused: id(part), address
    dropped: set[str] = set()  # addresses that nobody's event asked for, refused all the same
    lost_once = False
    while True:
        wanted = collect_candidates(job.kind, parts, terms.rules, without)
        if "organization" in wanted.fields:
            yield from _resolve_link(job, wanted, refused, complaints)
        if home.id is not None and not (yield from _looked(job, home, parts, wanted, terms, dropped)):
            return None
        decision = _decision(job, home, parts, wanted, terms, dropped)
        if home.id is None and (yield from _missing(job, home, parts, decision, complaints)):
            return None
        if home.id is not None and not decision.body:
            yield _saved(job, home, decision, None, "unchanged", parts, refused, complaints)
            return home.id
        try:
            action, shown = yield from _send(job, home, wanted, decision, links or {})
        except Refusal as refusal:
            if refusal.gone and home.id is not None and not lost_once:
                lost_once = True
                if not (yield from handle_deleted(job, home, parts, terms)):
                    return None
                continue
            if mend is not None and (yield from mend()):
                mend = None
                continue
            named = refused_addresses(refusal.fields, decision, terms.key_address.get(job.kind))
            if named:
                for address in named:
                    blame(address, decision, refusal, terms, refused, complaints)
                    asked = decision.asked_by.get(address, ())
                    without.update((id(part), value) for part in asked for value in inputs_of(job.kind, address))
                    dropped.update(() if asked else (address,))
                continue
            if len({id(part.case) for part in parts}) > 1:
                return (yield from _take_apart(job, home, parts, terms))
            yield reject_all(job, home, parts, refusal.code, refusal.message, complaints)
            return home.id
        yield _saved(job, home, decision, shown, action, parts, refused, complaints)
        return home.id


def _looked(
    job: Job,
    home: Target,
    parts: Sequence[PendingChange],
    wanted: Candidates,
    terms: DeliverySettings,
    dropped: set[str],
) -> Generator[Effect, Any, bool]:
    """Reads the record where its present values decide. False: it is gone, and is not to be created anew."""
    assert home.id is not None  # noqa: S101 - only a record that is there can be read
    if home.values is None and home.found:
        # A record that we never wrote: reading it costs a fifth of writing what it holds already.
        if not _decision(job, home, parts, wanted, terms, dropped).body:
            return True
    elif not needs_look(job.kind, home.state, wanted, terms.rules, _known_as(job)):
        return True
    elif home.values is not None:
        # What a listing brought is good enough to see that nothing is to be written, however long a run takes.
        body = () if home.age <= terms.look_after else _decision(job, home, parts, wanted, terms, dropped).body
        if not any(address in REPLACED_WHOLE or address.startswith("prices.") for address in body):
            return True
    values = yield Fetch(job.kind, home.id, mapped=True)
    if values is None:
        return (yield from handle_deleted(job, home, parts, terms))
    note_values(home, values, terms.key_address.get(job.kind))
    return True


def _decision(
    job: Job,
    home: Target,
    parts: Sequence[PendingChange],
    wanted: Candidates,
    terms: DeliverySettings,
    dropped: set[str],
) -> Difference:
    """What to write, with the record key where the record does not bear it yet."""
    if terms.keep_products and job.kind == "products" and home.id is not None and home.found:
        return Difference()
    seen = home.values if home.id is not None else {}
    decision = compute_difference(job.kind, home.state, seen, wanted, terms.rules, key=_known_as(job))
    decision = without(decision, dropped) if dropped else decision
    address = terms.key_address.get(job.kind)
    if address is not None and job.key is not None and home.state.key != job.key:
        decision.body[address] = job.key
        named = (part for part in parts if part.change.record.key == job.key)
        decision.asked_by[address] = () if home.unsaved_aliases else tuple(named)
    return decision


def _known_as(job: Job) -> str | None:
    """What the record is called when nothing better is known."""
    return job.key if job.key is not None else job.name


def _resolve_link(
    job: Job, wanted: Candidates, refused: dict[int, Outcome], complaints: list[tuple[PendingEvent, Complaint]]
) -> Generator[Effect, Any, None]:
    """Puts Pipedrive's id where a person's organization is named. A link that fails holds back the link alone."""
    link = wanted.fields["organization"]
    if not isinstance(link.value, RecordName):
        return
    found = yield ResolveLink(link.value)
    if isinstance(found, int):
        wanted.fields["organization"] = link._replace(value=found)
        return
    del wanted.fields["organization"]
    outcome = found if isinstance(found, Outcome) else Outcome.PENDING
    for part in link.parts:
        refused[id(part)] = outcome
        complaints.append((part.case, depends_on(outcome, "its organization")))


def _missing(
    job: Job,
    home: Target,
    parts: Sequence[PendingChange],
    decision: Difference,
    complaints: list[tuple[PendingEvent, Complaint]],
) -> Generator[Effect, Any, bool]:
    """Whether the record must not or cannot be created; then its parts are ended or wait."""
    if not home.was_lost and not any(part.change.may_create for part in parts):
        if (yield Wait(job, tuple(parts), tuple(home.unsaved_aliases))):
            nobody = "nobody in Pipedrive or in the input bears this user id"
            yield reject_all(job, home, parts, "person_not_found", nobody, complaints)
        return True
    if job.kind != "leads" and "name" not in decision.body:
        nameless = f"a new record in {job.kind} needs a name, and the event has none"
        yield reject_all(job, home, parts, "missing_name", nameless, complaints)
        return True
    return False


def _send(
    job: Job, home: Target, wanted: Candidates, decision: Difference, links: Mapping[str, Any]
) -> Generator[Effect, Any, tuple[Literal["created", "updated"], Mapping[str, Any]]]:
    fields = dict(decision.body)
    if job.kind == "products":
        _whole_prices(home, fields, {*home.state.fields, *decision.settled})
    if home.id is None:
        fields = {**wanted.on_creation, **fields, **links}
        call = create(job.kind, body_of(job.kind, fields))
        before = home.state

        def picture() -> dict[str, Any]:
            """Should we die before the answer, these values are still known to be ours, and when they were said."""
            return {
                "state": msgspec.msgpack.encode(with_key(settled_state(before, decision, None, created=True), job.key))
            }

        shown = yield Write(call, job.kind, "create", job, key=job.key, fields=fields, picture=picture)
        home.id = shown["id"]
        return "created", shown
    call = update(job.kind, home.id, body_of(job.kind, fields))
    shown = yield Write(call, job.kind, "update", job, key=job.key, fields=fields, before=home.values)
    return "updated", shown


def _whole_prices(home: Target, fields: dict[str, Any], given: set[str]) -> None:
    """Prices are replaced whole: every row goes back with the cost and the notes that people gave it.

    Rows of other currencies go along. A zero that no event has given does not.
    """
    if home.values is None or not any(address.startswith("prices.") for address in fields):
        return
    for address, row in home.values.items():
        if not address.startswith("prices."):
            continue
        if (new := fields.get(address)) is not None:
            fields[address] = {**price_row(row), **new}
            continue
        placeholder = not row.get("price") and not row.get("cost") and not row.get("direct_cost")
        if placeholder and address not in given:
            continue
        fields[address] = price_row(row)


def _saved(
    job: Job,
    home: Target,
    decision: Difference,
    shown: Mapping[str, Any] | None,
    action: Literal["created", "updated", "unchanged"],
    parts: Sequence[PendingChange],
    refused: Mapping[int, Outcome],
    complaints: Sequence[tuple[PendingEvent, Complaint]],
) -> Commit:
    """The record as it is now; `home` is brought up to date for whatever follows."""
    home.state = settled_state(home.state, decision, shown, created=action == "created")
    if shown is not None:
        home.values, home.age = shown, 0.0
        home.state.key = job.key if job.key is not None else home.state.key
    saved_aliases, home.unsaved_aliases = tuple(home.unsaved_aliases), []
    named = job.key if job.key is not None else (name_key(job.name) if job.name is not None else None)
    keys = home.former_keys if named is None else [named, *home.former_keys]
    quiet = action == "unchanged" and not home.merged
    alias_outcome = Outcome.UNCHANGED if quiet else Outcome.DELIVERED
    return Commit(
        job.kind,
        home.id,
        keys=tuple(sorted(set(keys))),
        state=home.state,
        action=action,
        aliases=saved_aliases,
        parts=outcomes_of(parts, None if action == "created" else decision, refused, unchanged=action == "unchanged"),
        pending_aliases=tuple((pending_alias, alias_outcome) for pending_alias in saved_aliases),
        complaints=tuple(complaints),
    )


def _take_apart(job: Job, home: Target, parts: Sequence[PendingChange], terms: DeliverySettings) -> Plan:
    """One write per event, oldest first, each with its own outcome."""
    by_case: dict[int, list[PendingChange]] = {}
    for part in parts:
        by_case.setdefault(id(part.case), []).append(part)
    # One guilty event must not take the aliases along: they are recorded when the others have been brought.
    aside, home.unsaved_aliases = home.unsaved_aliases, []
    for own in by_case.values():
        yield from upsert(job, home, own, terms)
    home.unsaved_aliases = aside
    if aside and home.id is not None:
        home.merged = True  # what the aliases ask for has been written with the others' values
        yield from upsert(job, home, (), terms)
    elif aside:
        yield reject_all(job, home, (), "depends_on", "every event of the previous id was rejected")
    return home.id


def handle_deleted(
    job: Job, home: Target, parts: Sequence[PendingChange], terms: DeliverySettings
) -> Generator[Effect, Any, bool]:
    """The record is gone: forget it, look once by key; not there either means that it is created anew.

    Created anew it gets what we had written before, so that a late event does not become its only content. Returns
    whether to go on.
    """
    assert home.id is not None  # noqa: S101 - only a record that was there can be lost
    carried_over = {a: FieldState(h.rank, h.time, h.sent) for a, h in home.state.fields.items() if not blank(h.sent)}
    contacts = {name: [{"value": form} for form in forms] for name, forms in home.state.added.items()}
    if home.values is not None:
        contacts = {name: list(home.values.get(name) or ()) for name in ("emails", "phones")}
    anew = RecordState(
        inputs=home.state.inputs,
        carried_over=home.state.carried_over | carried_over,
        carried_contacts=home.state.carried_contacts | contacts,
    )
    yield Forget(job.kind, home.id, job.key, anew)
    found = (yield Find(job.kind, key=job.key)) if job.key is not None else ()
    if found:
        knowledge: Snapshot = yield Cached(job.kind, found[0], job.key)
        home.id, home.values, home.age = found[0], knowledge.values, knowledge.age
        home.state = with_key(state_of(knowledge), job.key)
        return True
    if terms.deleted == "skip":
        yield skip_deleted(job, home, parts)
        return False
    home.id, home.values, home.age = None, None, 0.0
    home.state, home.was_lost = anew, True
    return True


def note_values(home: Target, values: Mapping[str, Any], key_address: str | None) -> None:
    """The record was just read: what it shows, and the record key it bears, is what we know now."""
    home.values, home.age = values, 0.0
    if key_address is not None:
        borne = values.get(key_address)
        home.state = with_key(home.state, None if blank(borne) else str(borne))
