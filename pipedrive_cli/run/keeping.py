"""What becomes of the bytes of events that end unfinished: the rejects file, and the journal for `retry`."""

from __future__ import annotations

from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.report.rejects import Note, RejectsWriter
from pipedrive_cli.run.spool import Spool

_UNFINISHED = frozenset({Outcome.REJECTED, Outcome.FAILED, Outcome.PENDING})


def keep(case: Case, spool: Spool, rejects: RejectsWriter | None, journal: Journal | None, run: int) -> None:
    """Called with every event that has ended, within the transaction that records it. `journal` None: it has them."""
    if case.outcome not in _UNFINISHED:
        return
    origin = case.origin
    if origin.body is None:
        return
    raw, place = spool.get(origin.body), origin.place
    if journal is not None and case.digest and case.outcome is not Outcome.REJECTED:
        journal.keep_unfinished(run, [(case.digest, place.file, place.line, place.index, origin.message_id, raw)])
    if rejects is None or case.outcome is Outcome.PENDING:
        return
    reason = next((c for c in case.complaints if c.outcome is case.outcome), None) or Complaint("failed", "it failed")
    note = Note(
        file=place.file,
        line=place.line,
        index=place.index,
        identity=origin.message_id or None,
        time=origin.time,
        outcome=case.outcome,
        code=reason.code,
        message=reason.message,
        field=reason.field,
    )
    rejects.add(raw, note, cut=origin.cut)
