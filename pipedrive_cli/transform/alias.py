"""alias: two persons become one."""

from __future__ import annotations

from pipedrive_cli.model import Alias, Complaint, Event, Outcome, RecordName, Transformed
from pipedrive_cli.transform.persons import context_change, without_person
from pipedrive_cli.transform.rules import MappingRules

OFF = Complaint("alias_off", "the config skips alias events (identity.alias)", outcome=Outcome.SKIPPED)
NO_PREVIOUS = Complaint(
    "missing_previous_id", "the alias event names no previous id", "previousId", outcome=Outcome.REJECTED
)
VISITOR = Complaint(
    "anonymous_only", "the previous id is the event's own anonymous id", "previousId", outcome=Outcome.SKIPPED
)
SAME = Complaint("alias_same", "previous and current id are the same", "previousId", outcome=Outcome.SKIPPED)


def alias(event: Event, rules: MappingRules) -> Transformed:
    """The alias, and a change for `context.traits`, which describe the current person. That change never creates the
    person: otherwise the previous person would be merged into it instead of getting the current user id."""
    if rules.alias_off:
        return Transformed(complaints=(OFF,))
    ids = event.ids
    key = event.anonymous_id if event.user_id is None and rules.use_anonymous else event.user_id
    current = RecordName("persons", key, ids.get("pipedriveCurrentId", ids.get("pipedrivePersonId")))
    previous = RecordName("persons", event.previous_id, ids.get("pipedrivePreviousId"))
    if current.key is None and current.pipedrive_id is None:
        return without_person(event)
    if previous.key is None and previous.pipedrive_id is None:
        return Transformed(complaints=(NO_PREVIOUS,))
    if previous.pipedrive_id is None and previous.key == event.anonymous_id and not rules.use_anonymous:
        return Transformed(complaints=(VISITOR,))
    if previous == current or (previous.key == current.key and previous.key is not None):
        return Transformed(complaints=(SAME,))
    notes = rules.notes()
    context = context_change(event, current, rules, notes, may_create=False)
    changes = (context,) if context.fields or context.emails or context.phones else ()
    link = Alias(previous, current, event.time)
    return Transformed(changes, link, tuple(notes.complaints), tuple(notes.dropped))
