"""group: an organization, and the event's person linked to it."""

from __future__ import annotations

from typing import Any

from pipedrive_cli.model import OWN, Change, Complaint, Event, Outcome, RecordName, Transformed
from pipedrive_cli.transform.mapping import Notes
from pipedrive_cli.transform.persons import context_change, person_of, read_add_time, read_name, read_visible_to
from pipedrive_cli.transform.rules import MappingRules

NO_GROUP = Complaint("missing_group_id", "the group event names no group", "groupId", outcome=Outcome.REJECTED)


def group(event: Event, rules: MappingRules) -> Transformed:
    """A change of the organization; with a user also one that links the person, and one for `context.traits`."""
    pipedrive_id = event.ids.get("pipedriveGroupId") if event.ids else None
    if event.group_id is None and pipedrive_id is None:
        return Transformed(complaints=(NO_GROUP,))
    notes = rules.notes()
    organization = RecordName("organizations", event.group_id, pipedrive_id)
    changes = [_organization_change(event, organization, rules, notes)]
    person = person_of(event, rules)
    if person is not None:
        may_create = rules.creating == "all"
        context = context_change(event, person, rules, notes, may_create=may_create)
        # The link is a value of its own, with the event's time; values from `context.traits` only fill blanks.
        changes.append(
            Change(
                person,
                event.time,
                OWN,
                {"organization": organization},
                on_creation=context.on_creation,
                may_create=may_create,
            )
        )
        if context.fields or context.emails or context.phones:
            changes.append(context)
    return Transformed(tuple(changes), None, tuple(notes.complaints), tuple(notes.dropped))


def _organization_change(event: Event, organization: RecordName, rules: MappingRules, notes: Notes) -> Change:
    traits = rules.organizations.wanted(event.traits)
    fields: dict[str, Any] = {}
    rules.organizations.read(traits, "traits.", fields, notes, event)
    read_name(traits, "name", "traits.", "name", fields, notes)
    read_visible_to(traits, "traits.", fields, notes)
    creation = read_add_time(traits, "traits.", rules, notes)
    return Change(organization, event.time, OWN, fields, on_creation=creation, mended=event.mended)
