"""Writes the file of `--results`: one line of JSON for every event, as soon as the event has its outcome.

The journal is the truth: after a crash the file may end a little before or after what the journal has.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipedrive_cli.delivery.pending_event import EventRecord, PendingEvent
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import Outcome, Place
from pipedrive_cli.report.json_line import json_line
from pipedrive_cli.report.written_file import place_of


class EventResult(msgspec.Struct, frozen=True):
    """One line: where the event stands, what became of it, and which records of Pipedrive it has reached."""

    file: str
    line: int
    index: int | None  # in a batch line
    message_id: str
    outcome: Outcome
    codes: tuple[str, ...] = ()
    records: tuple[dict[str, str | int], ...] = ()  # {kind, id, action}; action as in the summary's `records`


class ResultsWriter:
    """Writes results as they come. The file is the run's own: what an earlier run has written there is replaced.

    Events are personal data, so that only its owner can read the file.
    """

    def __init__(self, path: Path) -> None:
        """Raises `UserMistake` when `path` cannot be written."""
        place = place_of("--results", path)
        self.path = path
        self.lost: OSError | None = None  # why the file ends before the run
        self._file: BinaryIO
        try:
            self._file = os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        except OSError as error:
            raise UserMistake(f"--results {path}: {error.strerror or error}", code="usage") from error

    def add_event(self, event: PendingEvent) -> None:
        """Adds an event that has its outcome."""
        codes = tuple(dict.fromkeys(complaint.code for complaint in event.complaints))
        origin = event.origin
        place, records = origin.place, tuple(map(_record, event.records))
        self._write(EventResult(place.file, place.line, place.index, origin.message_id, event.outcome, codes, records))

    def add_known_event(self, place: Place, message_id: str) -> None:
        """Adds an event that an earlier run has handled."""
        self._write(EventResult(place.file, place.line, place.index, message_id, Outcome.DUPLICATE))

    def close(self) -> None:
        """Writes what is left. Nothing is raised: see `lost`."""
        try:
            self._file.close()
        except OSError as error:
            self.lost = self.lost or error

    def _write(self, result: EventResult) -> None:
        if self.lost is not None:
            return
        try:
            self._file.write(json_line(result))
        except OSError as error:
            self.lost = error


def _record(record: EventRecord) -> dict[str, str | int]:
    return {"kind": record.kind, "id": record.id, "action": record.action}
