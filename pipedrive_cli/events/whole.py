"""The whole of an event as an object, for the paths that a mapping names. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from pipedrive_cli.events.lenient import loads, object_in, unsaid
from pipedrive_cli.model import Event, JsonObject

_decode_strictly = msgspec.json.Decoder().decode
_OBJECTS = ("context", "traits", "properties")


def whole_event(event: Event) -> JsonObject:
    """The event's object as it was read, completed by what its batch gives all its events. Read once for each event.

    Objects that stand in texts are read as an event's are.
    """
    text = event.text
    if text is None:
        return {}
    if text.whole is None:
        text.whole = with_shared(_decode(text.raw), text.shared)
    return text.whole


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        found = _decode_strictly(raw)
    except (ValueError, RecursionError):
        found = _decode_leniently(raw)
    if not isinstance(found, dict):
        return {}
    for name in _OBJECTS:
        if isinstance(found.get(name), str):
            found[name] = object_in(found[name])
    return found


def _decode_leniently(raw: bytes) -> Any:
    try:
        return loads(raw)
    except (ValueError, RecursionError):
        return None


def with_shared(event: dict[str, Any], shared: JsonObject | None) -> dict[str, Any]:
    """`event` with the values of its batch where it says nothing itself; of `context` each part for itself."""
    for name, value in (shared or {}).items():
        if value is None:
            continue
        if unsaid(event.get(name)):
            event[name] = value
        elif name == "context" and isinstance(value, dict) and isinstance(event[name], dict):
            event[name] = value | {part: inner for part, inner in event[name].items() if not unsaid(inner)}
    return event
