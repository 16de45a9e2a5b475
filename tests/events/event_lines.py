"""Lines of events for the tests of the reading room, and the shortest way from bytes to entries and events."""

from __future__ import annotations

import io
import json
from typing import Any

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.whole import whole_event
from pipedrive_cli.model import Complaint, Event

NOW = 1_800_000_000_000_000  # microseconds: January 2027, later than every event here
MARCH = "2026-03-01T12:00:00.000Z"
MARCH_MICROS = 1_772_366_400_000_000


def reading(data: bytes, *, named: bool = True) -> Reading:
    """A reading of `data` as if it stood in a file called x."""
    return read_source(Source("x", named, len(data), stream=io.BytesIO(data)))


def entries(data: bytes, *, named: bool = True) -> list[Entry]:
    return list(reading(data, named=named))


def left_code(found: Reading) -> str | None:
    """Why a reading that is over did not come to its end; None if it did."""
    return None if found.left is None or found.left.refusal is None else found.left.refusal.code


def line(**members: Any) -> bytes:
    """An identify of u1 as one line, changed by `members`; a member that is `...` is left out."""
    event = {"type": "identify", "messageId": "m1", "userId": "u1", "timestamp": MARCH} | members
    return json.dumps({name: value for name, value in event.items() if value is not ...}).encode()


def content(event: Event | Complaint) -> tuple[Event | Complaint, Any]:
    """The event and its whole object; a complaint as it is."""
    return event, None if isinstance(event, Complaint) else whole_event(event)


def decoded(**members: Any) -> Event | Complaint:
    """What becomes of `line(**members)`."""
    (entry,) = entries(line(**members))
    return entry.event(NOW)


def event(**members: Any) -> Event:
    result = decoded(**members)
    assert isinstance(result, Event), result
    return result


def complaint(**members: Any) -> Complaint:
    result = decoded(**members)
    assert isinstance(result, Complaint), result
    return result
