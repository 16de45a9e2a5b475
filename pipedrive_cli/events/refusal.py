"""The complaints that reject an event which cannot be read. Pure; knows nothing of what a good event means."""

from __future__ import annotations

import reprlib
from typing import Any, Final

import msgspec

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


def undecodable(raw: bytes, error: Exception) -> Complaint:
    """Why an event cannot be decoded, although its line is JSON. `error` is the decoder's."""
    if isinstance(error, RecursionError):
        return nested_too_deep()
    try:
        event = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return refusal("bad_json", f"the event cannot be read: {error}")
    if not isinstance(event, dict):
        return refusal("not_an_object", "an event must be a JSON object", None, event)
    context = event.get("context")
    suspects: list[tuple[str, ComplaintCode, Any]] = [
        ("traits", "bad_traits", event.get("traits")),
        ("properties", "bad_properties", event.get("properties")),
        ("context", "bad_context", context),
        ("context.traits", "bad_traits", context.get("traits") if isinstance(context, dict) else None),
    ]
    for field, code, value in suspects:
        if value is not None and not isinstance(value, dict):
            return refusal(code, f"{field} must be an object", field, value)
    return refusal("bad_json", f"the event cannot be read: {error}")


def nested_too_deep() -> Complaint:
    return refusal("too_deep", f"objects and lists stand inside each other, more than {DEPTH_LIMIT} deep")
