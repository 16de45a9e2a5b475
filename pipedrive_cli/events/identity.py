"""An event's identity, by which copies are recognised: its messageId, or a hash of its content. Pure."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

import msgspec

from pipedrive_cli.events.refusal import KEY_LIMIT, EventRefused, refusal
from pipedrive_cli.model import Complaint, Event

_NOT_HASHED: Final = frozenset(
    {"sentAt", "receivedAt", "request_ip", "rudderId", "_pipedrive_cli"}
)  # differ between copies

_decode_any: Final = msgspec.json.Decoder().decode
_encode_said: Final = msgspec.msgpack.Encoder(order="deterministic", enc_hook=repr).encode
_encode_sorted: Final = msgspec.json.Encoder(order="sorted").encode


def message_identity(message_id: Any) -> str | None:
    """The trimmed messageId; None where there is none or it is unfit, and the event is hashed instead."""
    if type(message_id) is str:
        text = message_id.strip()
    elif isinstance(message_id, int | float) and not isinstance(message_id, bool):
        text = str(message_id) if abs(message_id) < 1e300 else ""
    else:
        return None
    return text if 0 < len(text) <= KEY_LIMIT else None


def digest(identity: str) -> bytes:
    """The 128-bit key under which an event is remembered."""
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).digest()


OTHER_CONTENT: Final = Complaint(
    "same_id_other_content", "another event with this message id came before, and this one was taken for its copy"
)


def content_of(event: Event) -> int:
    """A checksum of what an event says, never 0: two events of one id that differ in it are no copies.

    What servers add, and what the layouts of files write differently, is left out.
    """
    said = (
        event.type,
        event.user_id,
        event.anonymous_id,
        event.group_id,
        event.previous_id,
        event.name,
        event.traits,
        event.properties,
    )
    try:
        return crc32(_encode_said(said)) or 1
    except (OverflowError, UnicodeEncodeError):  # a number of more than 64 bits, half a surrogate pair
        return crc32(repr(said).encode("utf-8", "backslashreplace")) or 1


def hashed_identity(raw: bytes) -> str:
    """The identity of an event without a messageId: 128 bits of BLAKE2b in hex, over all keys that are the same in
    every copy of the event, sorted. Raises `EventRefused` for bytes that cannot be decoded.
    """
    try:
        return hashed_content(_decode_any(raw))
    except (ValueError, RecursionError):
        return _hashed_leniently(raw)


def hashed_content(event: Any) -> str:
    """The same of an event as a value, which must be an object."""
    return blake2b(_encode_sorted(_same_in_copies(event)), digest_size=16).hexdigest()


def _hashed_leniently(raw: bytes) -> str:
    try:
        event = _same_in_copies(json.loads(raw, parse_int=str))
        text = json.dumps(event, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise EventRefused(refusal("bad_json", f"the event cannot be read: {error}")) from error
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _same_in_copies(event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise EventRefused(refusal("not_an_object", "an event must be a JSON object", None, event))
    if _NOT_HASHED.isdisjoint(event):
        return event
    return {name: value for name, value in event.items() if name not in _NOT_HASHED}
