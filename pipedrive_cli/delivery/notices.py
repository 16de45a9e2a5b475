"""What a write is told with: values of others that go with it, and what comes too late to be sent. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipedrive_cli.delivery.effects import DeliverySettings, Target
from pipedrive_cli.delivery.fold import Candidates, Difference, PendingChange
from pipedrive_cli.delivery.outcomes import kept_by_people
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import blank, is_placeholder_price, ours
from pipedrive_cli.model import Complaint, Kind, Outcome, Value, Values
from pipedrive_cli.text_forms import label_form


def overwritten(target: Target, difference: Difference, kind: Kind, settings: DeliverySettings) -> tuple[str, ...]:
    """The addresses of a difference at which the record shows a value that is not ours, and that goes.

    Emails and phones are added to, and the record key is nobody's to write. Of a text that differs in its blanks alone
    nothing goes.
    """
    shown, state = target.values, target.state
    if shown is None:
        return ()
    found = []
    kept = {"emails", "phones", settings.key_address.get(kind)}
    for address, asked in difference.asked_by.items():
        current = shown.get(address)
        if not asked or address not in difference.body or address in kept:
            continue
        if blank(current) or is_placeholder_price(address, current) or _alike(current, difference.body[address]):
            continue
        field_state = state.fields.get(address)
        if field_state is None or not ours(kind, address, field_state, current, settings.rules):
            found.append(address)
    return tuple(found)


def _alike(current: Value, written: Value) -> bool:
    return isinstance(current, str) and isinstance(written, str) and label_form(current) == label_form(written)


def tell_values(
    target: Target,
    difference: Difference,
    candidates: Candidates,
    changes: Sequence[PendingChange],
    replaced: Sequence[str],
    settings: DeliverySettings,
) -> list[tuple[PendingEvent, Complaint]]:
    """What the report says of values that stay, and of those of others that go, in a record that is there."""
    told = [*kept_by_people(difference, settings)]
    if replaced:
        told += _tell_overwritten(replaced, target.values, difference, settings)
    if target.state.fields:
        told += _tell_unsaid(changes, target, candidates, settings)
    return told


def _tell_overwritten(
    addresses: Sequence[str], shown: Values | None, difference: Difference, settings: DeliverySettings
) -> list[tuple[PendingEvent, Complaint]]:
    """What the report says of values that others had written, for the events whose values replaced them."""
    told: list[tuple[PendingEvent, Complaint]] = []
    for address in addresses:
        name = settings.names.get(address, address)
        value = repr((shown or {}).get(address))[:80]
        complaint = Complaint("overwritten", f"{name} had a value that others had written", name, value)
        told += [(pending.event, complaint) for pending in difference.asked_by[address]]
    return told


def _tell_unsaid(
    changes: Sequence[PendingChange], target: Target, candidates: Candidates, settings: DeliverySettings
) -> list[tuple[PendingEvent, Complaint]]:
    """What the report says of values that events which come again had set, and of which they say nothing any more.

    A refill takes nothing away: such a value stays.
    """
    again = {pending.event.number: pending.event for pending in changes if pending.event.again and pending.event.number}
    told: list[tuple[PendingEvent, Complaint]] = []
    for address, field_state in target.state.fields.items() if again else ():
        event = again.get(field_state.number)
        if event is None or address == "name" or address in candidates.fields or blank(field_state.sent):
            continue
        name = settings.names.get(address, address)
        told.append((event, Complaint("unsaid", "the mapping reads nothing of it there any more: it stays", name)))
    return told


def tell_too_late(
    ended: Sequence[tuple[PendingChange, Outcome]],
) -> tuple[tuple[tuple[PendingChange, Outcome], ...], list[tuple[PendingEvent, Complaint]]]:
    """The outcomes of changes of a record that was there, with those that came too late for its time of creation.

    Who has mended that time in a rejects file learns that it arrives no more: skipped, if nothing else was new.
    """
    outcomes: list[tuple[PendingChange, Outcome]] = []
    told: list[tuple[PendingEvent, Complaint]] = []
    for pending, outcome in ended:
        late = pending.change.mended and "add_time" in pending.change.on_creation
        alone = late and outcome is Outcome.UNCHANGED
        outcomes.append((pending, Outcome.SKIPPED if alone else outcome))
        if late:
            words = "the record is there already, and Pipedrive takes its add_time on creation alone"
            found = str(pending.change.on_creation["add_time"])
            told.append(
                (pending.event, Complaint("too_late", words, "add_time", found, Outcome.SKIPPED if alone else None))
            )
    return tuple(outcomes), told
