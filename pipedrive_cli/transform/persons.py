"""The person of an event: its record name, and the values of its traits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipedrive_cli.config.paths import is_path
from pipedrive_cli.events.lenient import as_list, structured
from pipedrive_cli.model import CONTEXT, NOTHING, Change, Complaint, Contact, Event, Outcome, RecordName, Transformed
from pipedrive_cli.pipedrive.moments import moment
from pipedrive_cli.pipedrive.values import Unfit, boolean, plain, says_nothing, visible_to
from pipedrive_cli.text_forms import visible
from pipedrive_cli.transform.mapping import Notes, split_path, trait_at, value_at
from pipedrive_cli.transform.rules import EMAILS, ContactForm, MappingRules

# Traits that hold a part of a person's name -> that part. The first trait of a part that is not blank counts.
NAME_PARTS: Final = {
    "firstName": "first_name",
    "firstname": "first_name",
    "first_name": "first_name",
    "lastName": "last_name",
    "lastname": "last_name",
    "last_name": "last_name",
}
_ANY_PART: Final = frozenset(NAME_PARTS)
LONGEST_CONTACT = LONGEST_NAME = 255
ONLY_ON_CREATION: Final = "Pipedrive takes it when a record is created, and not later"
NOBODY = Complaint(
    "missing_user_id", "the event names neither a user nor an anonymous id", "userId", outcome=Outcome.REJECTED
)
ANONYMOUS = Complaint("anonymous_only", "the event has only an anonymous id", "userId", outcome=Outcome.SKIPPED)


def person_of(event: Event, rules: MappingRules) -> RecordName | None:
    """The record name of the event's user: by user id, by Pipedrive's id, or by both."""
    key = event.user_id
    if key is None and rules.use_anonymous:
        key = event.anonymous_id
    pipedrive_id = event.ids.get("pipedrivePersonId") if event.ids else None
    return None if key is None and pipedrive_id is None else RecordName("persons", key, pipedrive_id)


def without_person(event: Event) -> Transformed:
    """The result for an event that needs a person and names none: rejected, or skipped with an anonymous id."""
    return Transformed(complaints=(NOBODY if event.anonymous_id is None else ANONYMOUS,))


def context_change(event: Event, person: RecordName, rules: MappingRules, notes: Notes, *, may_create: bool) -> Change:
    """The change of an event's person by its `context.traits`, which only fill blanks."""
    if not event.context_traits and not rules.persons.of_event and not rules.phone_lines:
        return Change(person, event.time, CONTEXT, may_create=may_create)
    fields, emails, phones, creation = read_traits(event.context_traits, "context.traits.", event, rules, notes)
    return Change(person, event.time, CONTEXT, fields, emails, phones, creation, may_create=may_create)


def read_traits(
    traits: Mapping[str, Any], where: str, event: Event, rules: MappingRules, notes: Notes
) -> tuple[dict[str, Any], tuple[Contact, ...], tuple[Contact, ...], Mapping[str, Any]]:
    """Fields, emails, phones, and the fields that are only sent on creation."""
    fields: dict[str, Any] = {}
    persons = rules.persons
    if not traits and not persons.of_event and not rules.phone_lines:
        return fields, (), (), NOTHING
    traits = persons.wanted(traits)
    persons.read(traits, where, fields, notes, event)
    read_name(traits, "name", where, "name", fields, notes)
    if not _ANY_PART.isdisjoint(traits):
        for trait, address in NAME_PARTS.items():
            if trait in traits:
                read_name(traits, trait, where, address, fields, notes)
    if "visible_to" in traits:
        read_visible_to(traits, where, fields, notes)
    emails = contacts(traits["email"], "email", where, EMAILS, notes) if "email" in traits else ()
    phones = contacts(traits["phone"], "phone", where, rules.phones, notes) if "phone" in traits else ()
    for line in rules.phone_lines:
        phones = _with_others(phones, line, traits, where, event, rules, notes)
    creation = read_add_time(traits, where, rules, notes) if "add_time" in traits else NOTHING
    return fields, emails, phones, creation


def _with_others(
    phones: tuple[Contact, ...],
    line: str,
    traits: Mapping[str, Any],
    where: str,
    event: Event,
    rules: MappingRules,
    notes: Notes,
) -> tuple[Contact, ...]:
    """The phones, and those that a line of the mapping finds."""
    path = is_path(line)
    value = value_at(event, *split_path(line)) if path else trait_at(traits, line)
    if value is None:
        return phones
    known = {rules.phones.compare(phone.value) for phone in phones}
    others = contacts(value, line, "" if path else where, rules.phones, notes)
    return (*phones, *(other for other in others if rules.phones.compare(other.value) not in known))


def read_name(
    traits: Mapping[str, Any], trait: str, where: str, address: str, fields: dict[str, Any], notes: Notes
) -> None:
    """Sets a name or a part of one, trimmed, unless it is set already or the trait is blank."""
    value = traits.get(trait)
    if value is None or address in fields:
        return
    if notes.says_nothing(value, where, trait):
        return
    name = plain(value)
    if name is None or len(name := name.strip()) > LONGEST_NAME:
        notes.reject_value(where + trait, value, address, Unfit("takes text of at most 255 characters"))
    else:
        fields[address] = name


def read_visible_to(traits: Mapping[str, Any], where: str, fields: dict[str, Any], notes: Notes) -> None:
    value = traits.get("visible_to")
    if value is None or "visible_to" in fields or notes.says_nothing(value, where, "visible_to"):
        return
    try:
        fields["visible_to"] = visible_to(value)
    except Unfit as reason:
        notes.reject_value(where + "visible_to", value, "visible_to", reason)


def read_add_time(traits: Mapping[str, Any], where: str, rules: MappingRules, notes: Notes) -> Mapping[str, Any]:
    """The trait `add_time`, if it is a time. Otherwise nothing, and the event's time is used."""
    value = traits.get("add_time")
    if value is None or notes.says_nothing(value, where, "add_time"):
        return NOTHING
    try:
        found = moment(value, rules.reading.dates)
    except Unfit as reason:
        notes.reject_value(where + "add_time", value, "add_time", Unfit(f"{reason}; {ONLY_ON_CREATION}"))
        return NOTHING
    if found is None:
        notes.note_nothing(where + "add_time", value)
        return NOTHING
    return {"add_time": found}


def contacts(value: Any, trait: str, where: str, form: ContactForm, notes: Notes) -> tuple[Contact, ...]:
    """Emails or phones from text, an object, or a list of either; each once, in order."""
    # A quick way for nearly all of them: one text that says something.
    value = structured(value)
    if type(value) is str and 0 < len(bare := visible(value)) <= LONGEST_CONTACT and bare not in notes.nothing:
        try:
            return (Contact(form.read(bare)),)
        except Unfit as reason:
            notes.reject_value(where + trait, value, trait, reason)
            return ()
    found: dict[str, Contact] = {}
    items = as_list(value)
    for index, item in enumerate([value] if items is None else items):
        try:
            if type(item) is str and len(item) <= LONGEST_CONTACT and visible(item) not in notes.nothing:
                contact: Contact | None = Contact(form.read(item))  # as most are
            elif says_nothing(item):
                continue
            else:
                contact = _contact(item, _place(where + trait, items, index), form, notes)
        except Unfit as reason:
            notes.reject_value(_place(where + trait, items, index), item, trait, reason)
            continue
        if contact is not None:
            key = form.compare(contact.value)
            found[key] = contact if (same := found.get(key)) is None else _joined(same, contact)
    return tuple(found.values())


def _place(where: str, items: list[Any] | None, index: int) -> str:
    """Where an item stands; `items` None: it is the only one."""
    return where if items is None else f"{where}[{index}]"


def _contact(item: Any, where: str, form: ContactForm, notes: Notes) -> Contact | None:
    given = item if isinstance(item, dict) else {"value": item}
    value = given.get("value")
    if notes.says_nothing(value, where):
        return None
    written = None if isinstance(value, bool) else plain(value)
    if written is None or len(written) > LONGEST_CONTACT:
        raise Unfit("takes text, a list of texts, or a list of {value, label, primary}, of at most 255 characters each")
    label, primary = given.get("label"), given.get("primary")
    label = None if says_nothing(label, notes.nothing) else plain(label)
    return Contact(
        form.read(written),
        label and label.strip(),
        None if says_nothing(primary, notes.nothing) else boolean(primary),
    )


def _joined(first: Contact, again: Contact) -> Contact:
    """One contact of two spellings: the first one's, with label and primary flag of whichever has them."""
    label = first.label if first.label is not None else again.label
    return Contact(first.value, label, first.primary if first.primary is not None else again.primary)
