"""track: a lead for the event's person, unless the event is about products or not wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.config.known_traits import AMOUNTS
from pipedrive_cli.model import OWN, Change, Complaint, Event, Outcome, RecordName, Transformed
from pipedrive_cli.pipedrive.values import Converter, Unfit, visible_to
from pipedrive_cli.transform.mapping import Notes
from pipedrive_cli.transform.money import money
from pipedrive_cli.transform.persons import context_change, person_of, without_person
from pipedrive_cli.transform.products import order_completed, product_viewed
from pipedrive_cli.transform.rules import MappingRules

NO_NAME = Complaint("missing_event_name", "the track event has no name", "event", outcome=Outcome.REJECTED)
EXCLUDED = Complaint("event_excluded", "the config excludes this event (events.exclude)", outcome=Outcome.SKIPPED)
NOT_INCLUDED = Complaint(
    "event_not_included", "the config does not include this event (events.include)", outcome=Outcome.SKIPPED
)


def track(event: Event, rules: MappingRules) -> Transformed:
    """Products for the two product events, for other events a lead."""
    name = event.name
    if name is None:
        return Transformed(complaints=(NO_NAME,))
    route = rules.routes.route(name)
    if route == "lead":
        return _lead(event, name, rules)
    if route == "product viewed":
        return product_viewed(event, rules)
    if route == "order completed":
        return order_completed(event, rules)
    return Transformed(complaints=(EXCLUDED if route == "excluded" else NOT_INCLUDED,))


def _lead(event: Event, name: str, rules: MappingRules) -> Transformed:
    person = person_of(event, rules)
    if person is None:
        return without_person(event)
    notes = rules.notes()
    properties = rules.leads.wanted(event.properties)
    fields: dict[str, Any] = {}
    rules.leads.read(properties, "properties.", fields, notes, event)
    if "title" not in fields:
        fields["title"] = rules.title.fill(event, name, event.properties, rules.nothing)
    # The first amount that is not blank (0 counts).
    code = properties.get("currency")
    if (found := money(rules.leads, properties, AMOUNTS, "properties.", "value", code, rules, notes)) is not None:
        fields["value"] = {"amount": found[0], "currency": found[1]}
    if "expected_close_date" in properties:
        _convert(properties, "expected_close_date", rules.day, fields, notes)
    if "visible_to" in properties:
        _convert(properties, "visible_to", _visible_to_text, fields, notes)
    if "label_ids" in properties:
        _convert(properties, "label_ids", rules.labels, fields, notes)
    for address, constant in rules.lead_constants.items():
        fields.setdefault(address, constant)
    context = context_change(event, person, rules, notes, may_create=rules.creating == "all")
    lead = Change(RecordName("leads", event.identity), event.time, OWN, fields, person=person)
    return Transformed((context, lead), None, tuple(notes.complaints), tuple(notes.dropped))


def _visible_to_text(value: Any) -> str:
    """The number as text, as API v1, which leads use, expects it."""
    return str(visible_to(value))


def _convert(
    properties: Mapping[str, Any], name: str, convert: Converter, fields: dict[str, Any], notes: Notes
) -> None:
    value = properties[name]
    where = f"properties.{name}"
    if name in fields or notes.says_nothing(value, where):
        return
    try:
        found = convert(value)
    except Unfit as reason:
        notes.reject_value(where, value, name, reason)
        return
    if found is None:
        notes.note_nothing(where, value)
    else:
        fields[name] = found
