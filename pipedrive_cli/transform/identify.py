"""identify: the values of the event's own person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.model import OWN, Change, Event, Transformed
from pipedrive_cli.pipedrive.values import says_nothing
from pipedrive_cli.transform.company import NOT_LINKED, USUAL, company_changes
from pipedrive_cli.transform.persons import person_of, read_traits, without_person
from pipedrive_cli.transform.rules import MappingRules


def identify(event: Event, rules: MappingRules) -> Transformed:
    """A change of the person."""
    person = person_of(event, rules)
    if person is None:
        return without_person(event)
    notes = rules.notes()
    traits = _all_traits(event, rules) if event.context_traits else event.traits
    fields, emails, phones, creation = read_traits(traits, "traits.", event, rules, notes)
    change = Change(
        person,
        event.time,
        OWN,
        fields,
        emails,
        phones,
        creation,
        may_create=rules.creating != "none",
        mended=event.mended,
    )
    changes: tuple[Change, ...] = (change,)
    if rules.company is not None:
        organization = company_changes(event, person, traits, rules.company, notes, may_create=change.may_create)
        # The organization first, so that it is there for the link.
        changes = (*organization[:1], change, *organization[1:])
    elif rules.tells_company and (named := traits.get(USUAL)) is not None and not says_nothing(named):
        notes.add(NOT_LINKED)
    return Transformed(changes, None, tuple(notes.complaints), tuple(notes.dropped))


def _all_traits(event: Event, rules: MappingRules) -> Mapping[str, Any]:
    """`traits`, completed from `context.traits` where a trait is missing or says nothing."""
    traits, context = event.traits, event.context_traits
    if context is traits or context == traits:
        return traits
    words = rules.nothing
    more = {
        name: value
        for name, value in context.items()
        if says_nothing(traits.get(name), words) and not says_nothing(value, words)
    }
    return {**traits, **more} if more else traits
