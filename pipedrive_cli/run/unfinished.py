"""Events that end unfinished: what is kept of them for `retry` and the rejects file, and how `retry` reads them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.rows import UnfinishedEvent
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import entries, head_of
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source, printable_name
from pipedrive_cli.model import UNFINISHED, UNSETTLED, Complaint, Outcome
from pipedrive_cli.report.rejects import Note, Problem, RejectsWriter
from pipedrive_cli.report.standing_rejects import Since
from pipedrive_cli.run.known_files import KnownFiles
from pipedrive_cli.run.past import name_meant
from pipedrive_cli.run.spool import Spool


@dataclass(slots=True)
class UnfinishedEvents:
    """The unfinished events of one run. `files` None: no file of this run can become known.

    `journal` None: it has their bytes already. `sender` is stopped when the rejects file cannot be written, and after
    `max_failures` failed events.
    """

    spool: Spool
    sender: Sender
    live_figures: LiveFigures
    run: int
    journal: Journal | None
    rejects: RejectsWriter | None
    files: KnownFiles | None
    max_failures: int | None = None
    lost: StopRun | None = None  # why there is no rejects file, though one was asked for

    def note_ended(self, event: PendingEvent) -> None:
        """Called with every event that has ended, within the transaction that records it."""
        if event.outcome not in UNSETTLED:
            return
        self._keep(event)
        if event.outcome in UNFINISHED:
            self._note_unfinished(event)

    def _note_unfinished(self, event: PendingEvent) -> None:
        """The event's file must be read again, and too many failures end the run."""
        if self.files is not None:
            self.files.unfinished(event.place.file)
        failures = self.live_figures.outcomes[Outcome.FAILED]
        if self.max_failures is not None and failures >= self.max_failures:
            self.sender.stop(
                StopRun(
                    f"{failures} events have failed, as many as --max-failures allows",
                    code="max_failures",
                    hint="the failed events of this report say why; run again to continue",
                )
            )

    def _keep(self, event: PendingEvent) -> None:
        origin = event.origin
        if origin.body is None:
            return
        raw, place = self.spool.get(origin.body), origin.place
        if self.journal is not None and event.digest and event.outcome is not Outcome.REJECTED:
            row = (event.digest, place.file, place.line, place.index, origin.message_id, raw)
            self.journal.keep_unfinished(self.run, [row])
        if self.rejects is None or event.outcome is Outcome.PENDING:
            return
        reason = next((c for c in event.complaints if c.outcome is event.outcome), None)
        reason = reason or Complaint("failed", "it failed")
        problems = tuple(
            Problem(complaint.code, complaint.message, complaint.field)
            for complaint in event.complaints
            if complaint.outcome in UNSETTLED
        )
        note = Note(
            file=place.file,
            line=place.line,
            index=place.index,
            identity=origin.message_id or None,
            time=origin.time,
            outcome=event.outcome,
            code=reason.code,
            message=reason.message,
            field=reason.field,
            problems=problems or (Problem(reason.code, reason.message, reason.field),),
        )
        try:
            self.rejects.add(raw, note, cut=origin.cut)
        except OSError as error:
            self._lose(self.rejects, error)

    def close(self, since: Since | None) -> Path | None:
        """Brings the rejects file to its place; None: this run had no rejects. `since` as for `RejectsWriter.close`."""
        if self.rejects is None:
            return None
        try:
            return self.rejects.close(since)
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
        self.sender.stop(self.lost)


class UnfinishedReading(Reading):
    """Reads unfinished events out of the journal, each at its old place and under its old identity."""

    def __init__(self, journal: Journal, events: list[UnfinishedEvent]) -> None:
        super().__init__(Source("journal", named=True, size=len(events)))
        self._journal = journal
        self._events = events
        self._done = 0

    @property
    def bytes_read(self) -> int:
        return self._done

    def batches(self) -> Iterator[list[Entry]]:
        for event in self._events:
            self._done += 1
            raw = self._journal.unfinished_body(event.digest)
            if raw is None:
                continue  # it was delivered in the meantime, as the copy of another one
            head = head_of(raw)
            assert head is not None  # noqa: S101 - it was read before it was kept
            yield [
                msgspec.structs.replace(entry, index=event.place, identity=event.identity)
                for entry in entries(raw, head, event.file, event.line)
            ]
        self.complete = True


def chosen_run(journal: Journal, wanted: str | None) -> int | None:
    """The number of the run that the user means, None for all. Raises UserMistake for one that there is not.

    Events stay those of the run that read them from a file, so a run that was a retry itself stands for all.
    """
    if wanted is None:
        return None
    numbers = {name: number for number, name, _, _ in journal.runs()}
    number = numbers[name_meant(list(numbers), wanted)]
    return number if journal.sources_of(number) else None


def input_left(journal: Journal, run: int | None) -> StopRun | None:
    """What to report when the run (or the newest one) had not read all its input: only its `replay` can do that."""
    for number, name, _, summary in journal.runs():
        if run is not None and number != run:
            continue
        sources = journal.sources_of(number)
        if not sources:
            continue  # itself a retry
        if summary is not None and msgspec.json.decode(summary).get("input_complete", True):
            return None
        return StopRun(
            f"the run {name} had not read all its input, and a retry does not read files",
            code="input_left",
            hint=f"repeat it: pipedrive-cli replay {sources}",
        )
    return None


def sources_as_typed(sources: tuple[str, ...]) -> str:
    """SOURCE arguments as one would type them; bytes that are no UTF-8 as `Source.name` shows them."""
    return shlex.join(map(printable_name, sources))
