"""The complaints that reject an event which cannot be read. Pure; knows nothing of what a good event means."""

from __future__ import annotations

import reprlib
from typing import Any, Final

from pipedrive_cli.events.depth import DEPTH_LIMIT
from pipedrive_cli.model import Complaint, ComplaintCode, Outcome

KEY_LIMIT: Final = 255  # characters: as many as a text field in Pipedrive holds


class EventRefused(Exception):
    """The event cannot be used; `complaint` says why."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.code)
        self.complaint = complaint


def refusal(code: ComplaintCode, message: str, field: str | None = None, value: Any = None) -> Complaint:
    """A complaint that rejects its event."""
    return Complaint(code, message, field, None if value is None else reprlib.repr(value), Outcome.REJECTED)


def nested_too_deep() -> Complaint:
    return refusal("too_deep", f"objects and lists stand inside each other, more than {DEPTH_LIMIT} deep")
