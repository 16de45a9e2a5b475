"""What becomes of the events whose changes a plan carries: their outcomes, and the complaints that say why.

Pure. It asks for nothing and knows nothing of Pipedrive but what a refusal names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipedrive_cli.delivery.backlog import Job, PendingAlias
from pipedrive_cli.delivery.effects import Commit, DeliverySettings, Refusal, Target
from pipedrive_cli.delivery.fold import NAME_INPUTS, Difference, PendingChange
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.model import Complaint, Kind, Outcome, ProblemCode


def reject_all(
    job: Job,
    home: Target,
    parts: Sequence[PendingChange],
    code: ProblemCode,
    message: str,
    complaints: Sequence[tuple[PendingEvent, Complaint]] = (),
) -> Commit:
    """Ends `parts`, and the aliases that hang on them, as rejected for one reason."""
    complaint = Complaint(code, message, outcome=Outcome.REJECTED)
    pending_aliases, home.unsaved_aliases = home.unsaved_aliases, []
    entries = dict.fromkeys(
        [*(part.case for part in parts), *(pending_alias.case for pending_alias in pending_aliases)]
    )
    return Commit(
        job.kind,
        None,
        parts=tuple((part, Outcome.REJECTED) for part in parts),
        pending_aliases=tuple((pending_alias, Outcome.REJECTED) for pending_alias in pending_aliases),
        complaints=(*complaints, *((case, complaint) for case in entries)),
    )


def reject_alias(pending_alias: PendingAlias, code: ProblemCode, message: str) -> Commit:
    """Rejects an alias. Its link is kept all the same where it is only unknown: for whoever comes late."""
    complaint = Complaint(code, message, field="previousId", value=pending_alias.previous, outcome=Outcome.REJECTED)
    return Commit(
        "persons",
        None,
        aliases=(pending_alias,) if code == "alias_unknown" else (),
        apart=() if code == "alias_unknown" else (pending_alias,),
        pending_aliases=((pending_alias, Outcome.REJECTED),),
        complaints=((pending_alias.case, complaint),),
    )


def outcomes_of(
    parts: Sequence[PendingChange],
    decision: Difference | None,
    refused: Mapping[int, Outcome],
    *,
    unchanged: bool = False,
) -> tuple[tuple[PendingChange, Outcome], ...]:
    """Each part's outcome: delivered if the write carries a wish of its own, unchanged if it was superseded."""
    wished = None if decision is None else {id(part) for a in decision.body for part in decision.asked_by.get(a, ())}
    result = []
    for part in parts:
        outcome = Outcome.UNCHANGED if unchanged else Outcome.DELIVERED
        if wished is not None and id(part) not in wished:
            outcome = Outcome.UNCHANGED
        result.append((part, refused.get(id(part), outcome)))
    return tuple(result)


def skip_deleted(job: Job, home: Target, parts: Sequence[PendingChange]) -> Commit:
    """Ends `parts`, and the aliases that hang on them, because somebody wanted the record away."""
    gone = Complaint("deleted_in_pipedrive", "the record was deleted in Pipedrive", outcome=Outcome.SKIPPED)
    pending_aliases, home.unsaved_aliases = home.unsaved_aliases, []
    cases = dict.fromkeys([*(part.case for part in parts), *(pending_alias.case for pending_alias in pending_aliases)])
    return Commit(
        job.kind,
        None,
        parts=tuple((part, Outcome.SKIPPED) for part in parts),
        pending_aliases=tuple((pending_alias, Outcome.SKIPPED) for pending_alias in pending_aliases),
        complaints=tuple((case, gone) for case in cases),
    )


def waits_for_input() -> Complaint:
    """About what is left undone because the input was not read to its end."""
    words = "somebody it names is not known yet, and may be in what was not read"
    return Complaint("waits_for_input", words, outcome=Outcome.PENDING)


def depends_on(outcome: Outcome, what: str) -> Complaint:
    """Says that `what` ("its organization") ended with `outcome`, and so this event did, too."""
    how = {Outcome.REJECTED: "was rejected", Outcome.SKIPPED: "was deleted in Pipedrive"}
    ended = how.get(outcome, "is not in Pipedrive yet")
    return Complaint("depends_on", f"{what} {ended}", outcome=outcome)


def blame(
    address: str,
    decision: Difference,
    refusal: Refusal,
    terms: DeliverySettings,
    refused: dict[int, Outcome],
    complaints: list[tuple[PendingEvent, Complaint]],
) -> None:
    """Notes in `refused` and `complaints` whose value it was that Pipedrive refused at `address`."""
    field_name = terms.names.get(address, address)
    value = repr(decision.body[address])[:80]
    complaint = Complaint("refused_value", refusal.message, field=field_name, value=value, outcome=Outcome.REJECTED)
    for part in decision.asked_by.get(address, ()):
        refused[id(part)] = Outcome.REJECTED
        complaints.append((part.case, complaint))


def refused_addresses(fields: Sequence[str], decision: Difference, key_address: str | None) -> list[str]:
    """The addresses in the body that a refusal names; `prices` names all prices. Without its key nothing is written."""
    found = []
    for address in decision.body:
        if address == key_address:
            continue
        if any(address == name or address.startswith(f"{name}.") or name.startswith(f"{address}.") for name in fields):
            found.append(address)
    return found


def inputs_of(kind: Kind, address: str) -> tuple[str, ...]:
    """The addresses at which events say what stands at `address`: a person's name is made of three."""
    return NAME_INPUTS if kind == "persons" and address == "name" else (address,)
