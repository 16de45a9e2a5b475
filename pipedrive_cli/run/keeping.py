"""What becomes of the bytes of events that end unfinished: the rejects file, and the journal for `retry`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import StopRun
from pipedrive_cli.outcomes import UNSETTLED, Complaint, Outcome
from pipedrive_cli.report.rejects import Note, RejectsWriter
from pipedrive_cli.run.spool import Spool


@dataclass(slots=True)
class Keeping:
    """One run's. `journal` None: it has the bytes already. `stop` is told when the rejects file cannot be written."""

    spool: Spool
    rejects: RejectsWriter | None
    journal: Journal | None
    run: int
    stop: Callable[[StopRun], None]
    lost: StopRun | None = None  # why there is no rejects file, though one was asked for

    def keep(self, case: Case) -> None:
        """Called with every event that has ended, within the transaction that records it."""
        if case.outcome not in UNSETTLED:
            return
        origin = case.origin
        if origin.body is None:
            return
        raw, place = self.spool.get(origin.body), origin.place
        if self.journal is not None and case.digest and case.outcome is not Outcome.REJECTED:
            row = (case.digest, place.file, place.line, place.index, origin.message_id, raw)
            self.journal.keep_unfinished(self.run, [row])
        if self.rejects is None or case.outcome is Outcome.PENDING:
            return
        reason = next((c for c in case.complaints if c.outcome is case.outcome), None)
        reason = reason or Complaint("failed", "it failed")
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
        try:
            self.rejects.add(raw, note, cut=origin.cut)
        except OSError as error:
            self._lose(self.rejects, error)

    def close(self) -> Path | None:
        """Brings the rejects file to its place; None: there is none."""
        if self.rejects is None:
            return None
        try:
            return self.rejects.close()
        except OSError as error:
            self._lose(self.rejects, error)
            return None

    def _lose(self, rejects: RejectsWriter, error: OSError) -> None:
        rejects.discard()
        self.rejects = None
        self.lost = StopRun(
            f"the rejects file {rejects.path} cannot be written: {error.strerror or error}",
            code="rejects_file",
            hint="make room there or name another place, then run again: what was rejected is read again",
        )
        self.stop(self.lost)
