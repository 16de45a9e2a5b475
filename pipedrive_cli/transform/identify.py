"""identify: what an event says of the person it is about."""

from __future__ import annotations

from pipedrive_cli.events.event import Event
from pipedrive_cli.transform.changes import Change, Rank, Transformed
from pipedrive_cli.transform.mapping import Notes
from pipedrive_cli.transform.persons import NAME_INPUTS, nobody, person_of, read_traits
from pipedrive_cli.transform.rules import Rules


def identify(event: Event, rules: Rules) -> Transformed:
    """A person change. `context.traits` tell what `traits` do not."""
    person = person_of(event, rules)
    if person is None:
        return nobody(event)
    notes = Notes()
    traits, context = event.traits, event.context_traits
    fields, emails, phones, creation = read_traits(event, traits, "traits.", rules, notes)
    if context and context is not traits and context != traits:
        more, more_emails, more_phones, more_creation = read_traits(event, context, "context.traits.", rules, notes)
        if any(address in fields for address, _ in NAME_INPUTS):
            # A part of the name that only the context holds may belong to a former name.
            more = {address: value for address, value in more.items() if address not in _NAMES}
        fields = more | fields
        emails, phones = emails or more_emails, phones or more_phones
        if traits.get("add_time") is None:
            creation = more_creation
    change = Change(person, event.time, Rank.OWN, fields, emails, phones, creation)
    return Transformed((change,), None, tuple(notes.complaints), tuple(notes.dropped))


_NAMES = frozenset(address for address, _ in NAME_INPUTS)
