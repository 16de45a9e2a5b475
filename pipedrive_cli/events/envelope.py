"""Finds the events in one line: one event, a batch of events in one of several layouts, or none. Pure.

The layouts (each line is recognised by itself, one file may mix them):

- a bare event (RudderStack's object storage, Segment's archive);
- ``{"batch": [event, ...], "context"?, "integrations"?, "sentAt"?}``: the body of an HTTP batch call;
- ``{"userId", "payload": {"batch": [...], "receivedAt"}}``: RudderStack's gateway backup. The outer userId is a
  routing key and names nobody;
- ``{"UserID", "EventPayload": event or batch}``: an old RudderStack job dump, the payload an object or JSON text; from
  2020 to May 2024 in small letters (``user_id``, ``event_payload``, ``created_at``);
- in each of these, JSON that stands in a text where an object or a list is meant;
- ``[event, ...]``, events back to back, and lines of a list that is written one event a line;
- an object of another program, which `foreign` knows by its keys: refused as what it is;
- ``{"_pipedrive_cli", "raw" or "raw_base64"}``: a line of our own rejects file that was no JSON. Its text (base64 is
  decoded first) is read again; bytes that still are no UTF-8 are refused again, unchanged.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from pipedrive_cli.events.decode import Defaults, Own, Wire
from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.identity import hashed_identity, message_identity
from pipedrive_cli.events.lenient import loads, structured
from pipedrive_cli.events.lines import EVENT_LIMIT, KEPT
from pipedrive_cli.events.makers import maker_in
from pipedrive_cli.events.refusal import EventRefused, nested_too_deep, refusal
from pipedrive_cli.events.splitting import begun, items_of, members_of, outermost
from pipedrive_cli.model import BrokenText, Complaint

_ABSENT: Final = msgspec.Raw(b"null")  # a missing key and a null value mean the same


class Head(
    msgspec.Struct,
    rename={
        "message_id": "messageId",
        "own": "_pipedrive_cli",
        "event_payload": "EventPayload",
        "job_payload": "event_payload",
    },
):
    """The keys by which a line's layout is recognised. The other keys are skipped, but their syntax is checked."""

    message_id: Any = None
    type: Any = None
    own: msgspec.Raw = _ABSENT
    batch: msgspec.Raw = _ABSENT
    payload: msgspec.Raw = _ABSENT
    event_payload: msgspec.Raw = _ABSENT
    job_payload: msgspec.Raw = _ABSENT
    data: msgspec.Raw = _ABSENT
    raw: msgspec.Raw = _ABSENT
    raw_base64: msgspec.Raw = _ABSENT


class Whole(Wire, rename=dict(zip(Head.__struct_fields__, Head.__struct_encode_fields__, strict=True))):
    """The keys of `Head` together with those of `Wire`, so that a line that is one event is decoded only once."""

    message_id: Any = None
    own: msgspec.Raw = _ABSENT
    batch: msgspec.Raw = _ABSENT
    payload: msgspec.Raw = _ABSENT
    event_payload: msgspec.Raw = _ABSENT
    job_payload: msgspec.Raw = _ABSENT
    data: msgspec.Raw = _ABSENT
    raw: msgspec.Raw = _ABSENT
    raw_base64: msgspec.Raw = _ABSENT


class _Job(msgspec.Struct):
    """When a job was made, as RudderStack's versions have written it."""

    created_at: Any = None
    CreatedAt: Any = None
    createdAt: Any = None  # noqa: N815 - the key in the file


_HEAD_KEYS: Final = dict(zip(Head.__struct_fields__, Head.__struct_encode_fields__, strict=True))
_HOLDERS: Final = ("batch", "payload", "EventPayload", "event_payload")

decode_head: Final = msgspec.json.Decoder(Head).decode
_decode_whole: Final = msgspec.json.Decoder(Whole).decode


def decode_whole(raw: bytes | str) -> Head | Whole:
    """The line as `Whole`, or as `Head` where a value has a wrong type. Raises as `decode_head` does."""
    try:
        return _decode_whole(raw)
    except msgspec.ValidationError:
        return decode_head(raw)


_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_defaults: Final = msgspec.json.Decoder(Defaults).decode
_decode_job: Final = msgspec.json.Decoder(_Job).decode
_decode_own: Final = msgspec.json.Decoder(Own).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


def entries(raw: bytes, head: Head | Whole, file: str, line: int) -> Iterator[Entry]:
    """The entries of the line `raw`, at least one. `head` is `decode_head(raw)`."""
    own = _own(head)
    if head.type not in (None, "batch"):
        yield _event(raw, head, file, line)
    elif own is not None and (_present(head.raw) or _present(head.raw_base64)):
        yield from _reread(head, own, file, line)
    elif _present(head.batch):
        yield from _batch(raw, bytes(head.batch), _defaults(raw), file, line)
    elif _present(head.event_payload):
        yield from _payload(raw, bytes(head.event_payload), file, line)
    elif _present(head.job_payload):
        yield from _payload(raw, bytes(head.job_payload), file, line)
    elif _present(head.payload):
        yield from _payload(raw, bytes(head.payload), file, line)
    elif head.type is None and (kind := maker_in(raw)) is not None:
        yield Entry(file, line, raw, refusal=kind.refusal())
    else:
        yield _event(raw, head, file, line)


class Salvaged(NamedTuple):
    """What could be had of a line that is no JSON object: its entries, and the part of it that has no end."""

    entries: Iterator[Entry]
    torn: bytes | None


def salvaged(raw: bytes, file: str, line: int) -> Salvaged:
    """Reads a line that `decode_head` cannot read: several values, a list, an object with something in it that is not
    quite JSON; or else one refused entry that says why.
    """
    if too_deep(raw):
        return Salvaged(iter([unreadable(raw, file, line)]), None)
    text = begun(raw)
    if not text:
        return Salvaged(iter(()), None)  # the first or last line of a list
    if (items := items_of(text)) is not None:
        several = any(item.startswith(b"{") for item in items)
        return Salvaged(several_values(items, file, line) if several else iter([unreadable(raw, file, line)]), None)
    values, rest = outermost(text)
    if not values or (rest and not rest.startswith(b"{")):
        return Salvaged(iter([unreadable(raw, file, line)]), None)
    if len(values) == 1 and not rest:
        return Salvaged(_one_value(values[0], file, line), None)
    return Salvaged(several_values(values, file, line), rest or None)


def several_values(values: Iterable[bytes], file: str, line: int, before: int = 0) -> Iterator[Entry]:
    """The entries of values that stand on one line, numbered through; `before` is how many came before them."""
    for value in values:
        for entry in _one_value(value, file, line):
            entry.index = before
            before += 1
            yield entry


def _one_value(raw: bytes, file: str, line: int) -> Iterator[Entry]:
    head = head_of(raw)
    if head is None:
        yield unreadable(raw, file, line)
    else:
        yield from entries(raw, head, file, line)


def head_of(raw: bytes) -> Head | Whole | None:
    """The head of an object, which may be not quite JSON; None where it is none."""
    try:
        return decode_whole(raw if raw.isascii() else raw.decode())  # it would skip bytes that are no UTF-8
    except (ValueError, RecursionError):
        pass
    try:
        members = None if too_deep(raw) else members_of(raw)
        if members is None:
            return None
        if not any(name in members for name in _HOLDERS):
            loads(raw)  # an event: the members of a batch are looked at one by one
        known = {name: members[key] for name, key in _HEAD_KEYS.items() if key in members}
        plain = {name: _scalar(known.pop(name)) for name in ("message_id", "type") if name in known}
        return Head(**plain, **{name: msgspec.Raw(value) for name, value in known.items()})
    except (ValueError, RecursionError):
        return None


def _scalar(raw: bytes) -> Any:
    value = loads(raw)
    return value if isinstance(value, str | int | float) else None


def may_hold_events(text: bytes) -> bool:
    """Whether a long line that begins so may be a batch of many events."""
    return any(b'"%s"' % name.encode() in text for name in _HOLDERS)


def unreadable(raw: bytes, file: str, line: int) -> Entry:
    """The entry of a line that nobody can read, with a refusal that says why."""
    return Entry(file, line, raw, refusal=_diagnosis(raw))


def is_plain(head: Head | Whole) -> bool:
    """Whether the line is one bare event, without any key of another layout."""
    return (
        head.batch is _ABSENT
        and head.payload is _ABSENT
        and head.own is _ABSENT
        and head.event_payload is _ABSENT
        and head.job_payload is _ABSENT
        and head.data is _ABSENT
    )


def _present(value: msgspec.Raw) -> bool:
    return value is not _ABSENT and bytes(value) != b"null"


def _is_object(value: msgspec.Raw) -> bool:
    return bytes(value).startswith(b"{")


# -- one event


def _event(
    raw: bytes, head: Head | Whole, file: str, line: int, index: int | None = None, defaults: Defaults | None = None
) -> Entry:
    if len(raw) > EVENT_LIMIT:
        return too_long(raw, file, line, index, EVENT_LIMIT)
    own = _own(head)
    identity = message_identity(own.identity) if own is not None else None
    if identity is None:
        identity = message_identity(head.message_id)
    if identity is None:
        if too_deep(raw):
            return Entry(file, line, raw, index, refusal=nested_too_deep())
        try:
            identity = hashed_identity(raw)
        except EventRefused as refused:
            return Entry(file, line, raw, index, refusal=refused.complaint)
    wire = head if type(head) is Whole else None
    return Entry(file, line, raw, index, identity, None, False, defaults, own, wire)


def too_long(raw: bytes, file: str, line: int, index: int | None, limit: int) -> Entry:
    """The entry of an event that is over the limit, or of a line: its start is kept."""
    what = "line" if index is None else "event"
    message = f"the {what} is longer than {limit >> 20} MiB; its first {KEPT} bytes are kept"
    return Entry(file, line, raw[:KEPT], index, refusal=refusal("line_too_long", message), cut=True)


def _own(head: Head | Whole) -> Own | None:
    if not _is_object(head.own):
        return None  # not ours: somebody else uses the same key
    try:
        return _decode_own(head.own)
    except (ValueError, RecursionError):
        return None


# -- several events


def _batch(whole: bytes, items: bytes, defaults: Defaults, file: str, line: int) -> Iterator[Entry]:
    """The events of the JSON array `items`, which may stand in a text, as each of its events may. A bad event is
    refused, the others are kept.
    """
    if items.startswith(b'"'):
        items = _text_in(items)
    try:
        events: Sequence[msgspec.Raw | bytes] | None = _decode_items(items)
    except (ValueError, RecursionError):
        events = _items_leniently(items)
    if events is None:
        yield Entry(file, line, whole, refusal=refusal("bad_batch", "the batch is no list of events", "batch"))
        return
    if not events:
        yield Entry(file, line, whole, refusal=refusal("empty_batch", "the batch holds no events", "batch"))
    for index, item in enumerate(events):
        raw = bytes(item)
        head = head_of(raw)
        if head is None and raw.startswith(b'"{'):
            raw = _text_in(raw)
            head = head_of(raw)
        if head is None:
            yield Entry(file, line, raw, index, refusal=_diagnosis(raw))
        elif head.type is None and (kind := maker_in(raw)) is not None:
            yield Entry(file, line, raw, index, refusal=kind.refusal())
        else:
            yield _event(raw, head, file, line, index, defaults)


def _items_leniently(text: bytes) -> list[bytes] | None:
    """The items of a list that is not quite JSON, or that PHP wrote as an object of digits."""
    if (items := items_of(text)) is not None:
        return items
    members = members_of(text)
    numbered = bool(members) and all(name.isascii() and name.isdecimal() for name in members or ())
    return None if members is None or not numbered else [members[name] for name in sorted(members, key=int)]


def _payload(whole: bytes, payload: bytes, file: str, line: int) -> Iterator[Entry]:
    """The payload of a RudderStack job: a batch, a bare list, or one event; each possibly as JSON text."""
    if payload.startswith(b'"'):
        payload = _text_in(payload)
    received = _job_time(whole)
    if payload.startswith(b"["):
        yield from _batch(whole, payload, Defaults(received_at=received), file, line)
        return
    if (head := head_of(payload)) is None:
        complaint = refusal("bad_batch", "the payload holds neither an event nor a batch of them", "payload")
        yield Entry(file, line, whole, refusal=complaint)
        return
    if _present(head.batch) and head.type in (None, "batch"):
        defaults = _defaults(payload)
        if defaults.received_at is None:
            defaults.received_at = received
        yield from _batch(whole, bytes(head.batch), defaults, file, line)
    elif head.type is None and (kind := maker_in(payload)) is not None:
        yield Entry(file, line, whole, refusal=kind.refusal())
    else:
        yield _event(payload, head, file, line, None, None if received is None else Defaults(received_at=received))


def _text_in(raw: bytes) -> bytes:
    """The content of a JSON text, which holds JSON itself."""
    try:
        return _decode_text(raw).strip().encode()
    except ValueError:
        text = loads(raw)  # half a character in it stays one: it is written as an escape within the text
        return (text.shown if isinstance(text, BrokenText) else str(text)).strip().encode()


def _job_time(whole: bytes) -> Any:
    """When a job was made, which is when its events were received."""
    try:
        job = _decode_job(whole)
    except (ValueError, RecursionError):
        return None
    return job.created_at or job.CreatedAt or job.createdAt


def _defaults(raw: bytes) -> Defaults:
    try:
        defaults = _decode_defaults(raw)
    except (ValueError, RecursionError):
        return _without_texts(_lenient_defaults(raw))
    return Defaults() if too_deep(msgspec.json.encode(defaults)) else _without_texts(defaults)


def _without_texts(defaults: Defaults) -> Defaults:
    """The same, with the objects that stand in texts."""
    defaults.context, defaults.integrations = structured(defaults.context), structured(defaults.integrations)
    return defaults


def _lenient_defaults(raw: bytes) -> Defaults:
    """The values that a batch which is not quite JSON gives its events; those that can be read."""
    members = members_of(raw) or {}
    defaults = Defaults()
    for name, key in zip(Defaults.__struct_fields__, Defaults.__struct_encode_fields__, strict=True):
        with contextlib.suppress(ValueError, RecursionError):
            if key in members and not too_deep(members[key]):
                setattr(defaults, name, loads(members[key]))
    return defaults


# -- lines of our own rejects file


def _reread(head: Head | Whole, own: Own, file: str, line: int) -> Iterator[Entry]:
    """Reads the line that a rejects file keeps as text as if it were the line itself. Not recursive."""
    text = _kept_text(head)
    if text is None:
        complaint = refusal("bad_json", "the text kept under `raw` or `raw_base64` cannot be had back", "raw")
        yield Entry(file, line, b"", refusal=complaint)
        return
    if own.code == "line_too_long":
        complaint = refusal("line_too_long", "of this line only the start was kept; mend it in the file it came from")
        yield Entry(file, line, text, refusal=complaint, cut=True)
        return
    if (inner := head_of(text)) is None:
        yield unreadable(text, file, line)
        return
    if _own(inner) is not None:
        yield _event(text, inner, file, line)
        return
    for entry in entries(text, inner, file, line):
        if entry.index is None and entry.refusal is None:
            entry.own = own
            entry.identity = message_identity(own.identity) or entry.identity
        yield entry


def _kept_text(head: Head | Whole) -> bytes | None:
    try:
        if _present(head.raw):
            return _decode_text(head.raw).encode()
        return base64.b64decode(_decode_text(head.raw_base64), validate=True)
    except ValueError:
        return None


# -- what is wrong with a line


def _diagnosis(raw: bytes) -> Complaint:
    """Why the bytes are no event; the message helps to find the bad place."""
    if too_deep(raw):
        return nested_too_deep()
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return refusal(
            "not_utf8", f"byte {error.start + 1} of the line is no UTF-8", None, raw[error.start : error.end]
        )
    try:
        value = json.loads(text, parse_int=float)
    except json.JSONDecodeError as error:
        return refusal("bad_json", f"no JSON: {error.msg} (character {error.pos + 1} of the line)")
    except ValueError as error:
        return refusal("bad_json", f"no JSON: {error}")
    if not isinstance(value, dict):
        return refusal("not_an_object", f"an event must be a JSON object; this is {_KIND[type(value)]}")
    return refusal("bad_json", "no JSON that can be read")


_KIND: Final[dict[type, str]] = {
    list: "a list",
    str: "text",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
