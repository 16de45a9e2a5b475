"""The outcomes of the changes in a plan, and the complaints that say why.

Pure. Nothing here yields effects, or knows more of Pipedrive than what a refusal names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipedrive_cli.delivery.effects import Commit, DeliverySettings, Refusal, Target
from pipedrive_cli.delivery.fold import NAME_INPUTS, Difference, PendingChange
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.waiting import Job, PendingAlias
from pipedrive_cli.model import Complaint, Kind, Outcome, ProblemCode

_DELIVERED, _UNCHANGED = Outcome.DELIVERED, Outcome.UNCHANGED  # looking up a member costs as much as a call


def end_all(
    kind: Kind,
    changes: Sequence[PendingChange],
    pending_aliases: Sequence[PendingAlias],
    outcome: Outcome,
    complaint: Complaint | None,
    complaints: Sequence[tuple[PendingEvent, Complaint]] = (),
) -> Commit:
    """Ends changes and aliases with one outcome. Each of their events gets `complaint` once, after `complaints`."""
    events = dict.fromkeys([*(pending.event for pending in changes), *(alias.event for alias in pending_aliases)])
    shared = () if complaint is None else tuple((event, complaint) for event in events)
    return Commit(
        kind,
        None,
        changes=tuple((pending, outcome) for pending in changes),
        pending_aliases=tuple((alias, outcome) for alias in pending_aliases),
        complaints=(*complaints, *shared),
    )


def reject_all(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    code: ProblemCode,
    message: str,
    complaints: Sequence[tuple[PendingEvent, Complaint]] = (),
) -> Commit:
    """Rejects `changes`, and the aliases that depend on them, for one reason."""
    complaint = Complaint(code, message, outcome=Outcome.REJECTED)
    return _end_target(job, target, changes, Outcome.REJECTED, complaint, complaints)


def _end_target(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    outcome: Outcome,
    complaint: Complaint | None,
    complaints: Sequence[tuple[PendingEvent, Complaint]] = (),
) -> Commit:
    """Ends changes of a target, and the aliases that wait for it, as `end_all` does."""
    pending_aliases, target.unsaved_aliases = target.unsaved_aliases, []
    return end_all(job.kind, changes, pending_aliases, outcome, complaint, complaints)


def end_unknown(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    settings: DeliverySettings,
    complaints: Sequence[tuple[PendingEvent, Complaint]] = (),
) -> Commit:
    """Ends changes of a person whom nobody knows and who is not to be created: rejected, or skipped by the config."""
    nobody = "nobody in Pipedrive or in the input bears this user id"
    if not settings.skip_unknown:
        return reject_all(job, target, changes, "person_not_found", nobody, complaints)
    unknown = Complaint("person_unknown", nobody, outcome=Outcome.SKIPPED)
    return _end_target(job, target, changes, Outcome.SKIPPED, unknown, complaints)


def reject_aliases(pending_aliases: Sequence[PendingAlias], code: ProblemCode, message: str) -> Commit:
    """Rejects aliases for one reason. An unknown one keeps its link, for changes of its previous id that come later."""
    told = tuple(
        (alias.event, Complaint(code, message, field="previousId", value=alias.previous, outcome=Outcome.REJECTED))
        for alias in pending_aliases
    )
    kept = tuple(pending_aliases) if code == "alias_unknown" else ()
    return Commit(
        "persons",
        None,
        unknown_aliases=kept,
        refused_aliases=() if kept else tuple(pending_aliases),
        pending_aliases=tuple((alias, Outcome.REJECTED) for alias in pending_aliases),
        complaints=told,
    )


def skip_visitors(pending_aliases: Sequence[PendingAlias]) -> Commit:
    """Skips aliases whose previous id is a visitor's: as the visitor's events were skipped, so are these."""
    words = "the previous id is that of a visitor whose events were skipped"
    complaint = Complaint("anonymous_only", words, field="previousId", outcome=Outcome.SKIPPED)
    return Commit(
        "persons",
        None,
        refused_aliases=tuple(pending_aliases),
        pending_aliases=tuple((alias, Outcome.SKIPPED) for alias in pending_aliases),
        complaints=tuple((alias.event, complaint) for alias in pending_aliases),
    )


def in_one(commits: Sequence[Commit]) -> Commit:
    """Outcomes of aliases as one commit: ten thousand aliases of one person must not wait ten thousand times."""
    return Commit(
        commits[0].kind,
        None,
        aliases=tuple(alias for commit in commits for alias in commit.aliases),
        unknown_aliases=tuple(alias for commit in commits for alias in commit.unknown_aliases),
        refused_aliases=tuple(alias for commit in commits for alias in commit.refused_aliases),
        pending_aliases=tuple(ended for commit in commits for ended in commit.pending_aliases),
        complaints=tuple(told for commit in commits for told in commit.complaints),
    )


def left_as_it_is(job: Job, target: Target, changes: Sequence[PendingChange]) -> Commit:
    """Ends changes of events that come again for a record that is gone, or that somebody is done with: so it stays."""
    return _end_target(job, target, changes, Outcome.UNCHANGED, None)


def kept_by_people(difference: Difference, settings: DeliverySettings) -> Iterator[tuple[PendingEvent, Complaint]]:
    """The notices about values that somebody has changed since, and that events which come again leave alone."""
    for address, asked in difference.kept.items():
        name = settings.names.get(address, address)
        complaint = Complaint("changed_by_hand", "somebody has changed it in Pipedrive since: it stays", field=name)
        yield from ((pending.event, complaint) for pending in asked)


def outcomes_of(
    changes: Sequence[PendingChange],
    difference: Difference | None,
    refused: Mapping[int, Outcome],
    *,
    unchanged: bool = False,
) -> tuple[tuple[PendingChange, Outcome], ...]:
    """Each change's outcome: delivered if the write has a value of its own, unchanged if it was superseded."""
    written = _UNCHANGED if unchanged else _DELIVERED
    if difference is None:
        ended = [(pending, written) for pending in changes]
    else:
        written_for = {id(p) for a in difference.body for p in difference.asked_by.get(a, ())}
        ended = [(p, written if id(p) in written_for else _UNCHANGED) for p in changes]
    if refused:
        ended = [(pending, refused.get(id(pending), outcome)) for pending, outcome in ended]
    return tuple(ended)


def skip_deleted(job: Job, target: Target, changes: Sequence[PendingChange]) -> Commit:
    """Skips `changes`, and the aliases that depend on them, because somebody deleted the record."""
    gone = Complaint("deleted_in_pipedrive", "the record was deleted in Pipedrive", outcome=Outcome.SKIPPED)
    return _end_target(job, target, changes, Outcome.SKIPPED, gone)


def waits_for_input() -> Complaint:
    """The complaint about an event that waits for input that was not read."""
    words = "somebody it names is not known yet, and may be in what was not read"
    return Complaint("waits_for_input", words, outcome=Outcome.PENDING)


def depends_on(outcome: Outcome, what: str) -> Complaint:
    """Says that `what` ("its organization") ended with `outcome`, and so this event did, too."""
    how = {Outcome.REJECTED: "was rejected", Outcome.SKIPPED: "was deleted in Pipedrive"}
    ended = how.get(outcome, "is not in Pipedrive yet")
    return Complaint("depends_on", f"{what} {ended}", outcome=outcome)


def blame(
    kind: Kind,
    address: str,
    difference: Difference,
    refusal: Refusal,
    settings: DeliverySettings,
    refused: dict[int, Outcome],
    complaints: list[tuple[PendingEvent, Complaint]],
) -> None:
    """Notes in `refused` and `complaints` which changes gave the value that Pipedrive refused at `address`.

    A value of the config's own costs no change anything: it is noted in `settings`, and told by the config's key.
    """
    constant = settings.constants.get(kind, {}).get(address)
    if constant is not None and difference.body[address] == constant.value:
        asked = difference.asked_by.get(address, ())
        blame_constant(kind, address, refusal, settings, asked[0].event if asked else None, complaints)
        return
    field_name = settings.names.get(address, address)
    value = repr(difference.body[address])[:80]
    complaint = Complaint("refused_value", refusal.message, field=field_name, value=value, outcome=Outcome.REJECTED)
    for pending in difference.asked_by.get(address, ()):
        refused[id(pending)] = Outcome.REJECTED
        complaints.append((pending.event, complaint))


def blame_constant(
    kind: Kind,
    address: str,
    refusal: Refusal,
    settings: DeliverySettings,
    event: PendingEvent | None,
    complaints: list[tuple[PendingEvent, Complaint]],
) -> None:
    """Notes that Pipedrive refuses what the config gives at `address`; `event` is the first that has met it."""
    settings.refused_constants.add((kind, address))
    constant = settings.constants.get(kind, {}).get(address)
    if constant is not None and event is not None:
        words = f"Pipedrive refuses `{constant.key}` of the config: {refusal.message}"
        notice = Complaint("refused_setting", words, field=constant.key, value=repr(constant.value)[:80])
        complaints.append((event, notice))


def refused_addresses(fields: Sequence[str], difference: Difference, key_address: str | None) -> list[str]:
    """The addresses in the body that a refusal names; `prices` names all prices. The record key is never left out.

    So does a price that the record has and that only goes back with the others, as all of them must.
    """
    if any(name.startswith("prices.") and name not in difference.body for name in fields):
        fields = [*fields, "prices"]
    found = []
    for address in difference.body:
        if address == key_address:
            continue
        if any(address == name or address.startswith(f"{name}.") or name.startswith(f"{address}.") for name in fields):
            found.append(address)
    return found


def inputs_of(kind: Kind, address: str) -> tuple[str, ...]:
    """The addresses of the values that make up `address`: a person's name is made of three."""
    return NAME_INPUTS if kind == "persons" and address == "name" else (address,)
