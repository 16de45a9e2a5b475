"""identify: what an event says of the person it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.model import Change, Event, Rank, Transformed
from pipedrive_cli.pipedrive.values import says_nothing
from pipedrive_cli.transform.mapping import Notes
from pipedrive_cli.transform.persons import nobody, person_of, read_traits
from pipedrive_cli.transform.rules import MappingRules


def identify(event: Event, rules: MappingRules) -> Transformed:
    """A person change."""
    person = person_of(event, rules)
    if person is None:
        return nobody(event)
    notes = Notes()
    fields, emails, phones, creation = read_traits(_all_traits(event), "traits.", rules, notes)
    change = Change(person, event.time, Rank.OWN, fields, emails, phones, creation)
    return Transformed((change,), None, tuple(notes.complaints), tuple(notes.dropped))


def _all_traits(event: Event) -> Mapping[str, Any]:
    """`traits`, and from `context.traits` what they do not tell: a null or a blank there hides nothing."""
    traits, context = event.traits, event.context_traits
    if not context or context is traits:
        return traits
    more = {
        name: value for name, value in context.items() if not says_nothing(value) and says_nothing(traits.get(name))
    }
    return {**traits, **more} if more else traits
