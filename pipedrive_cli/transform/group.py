"""group: an organization, and the link of the event's person to it."""

from __future__ import annotations

from typing import Any

from pipedrive_cli.model import Change, Complaint, Event, Outcome, Rank, RecordName, Transformed
from pipedrive_cli.transform.mapping import Notes
from pipedrive_cli.transform.persons import context_change, person_of, read_add_time, read_name, read_visible_to
from pipedrive_cli.transform.rules import MappingRules

NO_GROUP = Complaint("missing_group_id", "the group event names no group", "groupId", outcome=Outcome.REJECTED)


def group(event: Event, rules: MappingRules) -> Transformed:
    """An organization change; with a user also the person's link, and what the context says of the person."""
    known = event.ids.get("pipedriveGroupId") if event.ids else None
    if event.group_id is None and known is None:
        return Transformed(complaints=(NO_GROUP,))
    notes = Notes()
    organization = RecordName("organizations", event.group_id, known)
    changes = [_organization_change(event, organization, rules, notes)]
    person = person_of(event, rules)
    if person is not None:
        may_create = rules.create_persons
        said = context_change(event, person, rules, notes, may_create=may_create)
        # The link is the event's own word and is timed; what the context says only fills blanks.
        changes.append(
            Change(
                person,
                event.time,
                Rank.OWN,
                {"organization": organization},
                on_creation=said.on_creation,
                may_create=may_create,
            )
        )
        if said.fields or said.emails or said.phones:
            changes.append(said)
    return Transformed(tuple(changes), None, tuple(notes.complaints), tuple(notes.dropped))


def _organization_change(event: Event, organization: RecordName, rules: MappingRules, notes: Notes) -> Change:
    traits = event.traits
    fields: dict[str, Any] = {}
    rules.organizations.read(traits, "traits.", fields, notes)
    read_name(traits, "name", "traits.", "name", fields, notes)
    read_visible_to(traits, "traits.", fields, notes)
    creation = read_add_time(traits, "traits.", notes)
    return Change(organization, event.time, Rank.OWN, fields, on_creation=creation)
