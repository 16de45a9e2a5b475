"""Decodes one event's bytes into an Event, or a complaint that says why not. Pure; knows nothing of files.

The rules are those of the event spec, with these additions:

- A key (user, group, previous, anonymous id) is text, or a whole number as digits. An empty key counts as missing, and
  so does what programs write where they know nobody (`null`, `undefined`, zeros, unfilled templates); that is noticed.
- An event without user id, anonymous id and Pipedrive id of a person is refused, except a group that names an
  organization (the organization alone is written) and pages and screens (they are skipped anyway).
- An event without `timestamp` has the time of its `originalTimestamp`; the spec's formula for servers is not applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipedrive_cli.events.consent import consent_of
from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.events.lenient import external_ids, loads, object_in, structured, unsaid
from pipedrive_cli.events.makers import EVENT_TYPES, maker_in
from pipedrive_cli.events.refusal import KEY_LIMIT, EventRefused, nested_too_deep, refusal
from pipedrive_cli.model import BrokenText, Complaint, ComplaintCode, Event, EventText, EventType, Outcome
from pipedrive_cli.text_forms import is_usual_key, key_text, names_nobody, pipedrive_id
from pipedrive_cli.timestamps import read_time

_TYPES: Final[dict[str, EventType]] = {
    "identify": "identify",
    "group": "group",
    "alias": "alias",
    "track": "track",
    "page": "page",
    "screen": "screen",
}
# Whose properties nobody reads.
_WITHOUT_PROPERTIES: Final = frozenset({"identify", "group", "alias"})
# Types of RudderStack (record, merge, audiencelist) and Segment (delete) that are no calls about a person or a group.
_NOT_FOR_US: Final = EVENT_TYPES - _TYPES.keys()
# By the problem: the key that is missed, perhaps for its spelling.
_MISSED: Final[dict[str, str]] = {"missing_type": "type", "missing_user_id": "userId"}
_decode_keys: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_FOREIGN_TYPES: Final = frozenset({"unknown_type", "type_not_supported"})  # problems of what others may have written
_PIPEDRIVE_IDS: Final = frozenset(
    {"pipedrivePersonId", "pipedriveGroupId", "pipedrivePreviousId", "pipedriveCurrentId"}
)
_NONE: Final[Mapping[str, Any]] = {}


class Context(msgspec.Struct, rename="camel"):
    """The keys of an event's `context` that we read."""

    traits: dict[str, Any] | None = None
    external_id: Any = None
    group_id: Any = None
    consent_management: Any = None  # RudderStack's
    consent: Any = None  # Segment's


class Own(msgspec.Struct):
    """The keys below `_pipedrive_cli`, in lines of our own rejects files, that we read."""

    identity: Any = None
    time: Any = None
    code: Any = None


class Defaults(msgspec.Struct, rename="camel"):
    """The values that a batch gives all of its events; an event's own value takes precedence."""

    received_at: Any = None
    sent_at: Any = None
    integrations: Any = None
    context: Any = None

    def shared(self) -> dict[str, Any]:
        """The same by the keys of an event."""
        return {
            "receivedAt": self.received_at,
            "sentAt": self.sent_at,
            "integrations": self.integrations,
            "context": self.context,
        }


class Wire(msgspec.Struct, rename="camel"):
    """The keys of an event that we read. The decoder skips all others."""

    type: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    group_id: Any = None
    previous_id: Any = None
    event: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    received_at: Any = None
    integrations: Any = None
    context: Context | None = None
    traits: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


_decode_wire: Final = msgspec.json.Decoder(Wire).decode


def decode_event(
    raw: bytes,
    *,
    identity: str,
    now: int,
    defaults: Defaults | None = None,
    own: Own | None = None,
    wire: Wire | None = None,
) -> Event | Complaint:
    """The event in `raw` (one JSON object, UTF-8), or the complaint that rejects it.

    `now` is in microseconds since 1970 UTC; later event times are cut back to it. `own` is what a rejects file noted
    about a mended event. `wire` is `raw` decoded, if that is done already.
    """
    if too_deep(raw):
        return nested_too_deep()
    if wire is None:
        try:
            wire = _decode_wire(raw)
        except (ValueError, RecursionError):
            wire = None
    try:
        if wire is None:
            wire = _lenient_wire(raw)
        if defaults is not None:
            _apply_defaults(defaults, wire)
        text = EventText(raw) if defaults is None else EventText(raw, defaults.shared())
        return _event(wire, identity, now, own, text)
    except EventRefused as refused:
        if refused.complaint.code in _FOREIGN_TYPES and (kind := maker_in(raw)) is not None:
            return kind.refusal()
        return _respelled(raw, refused.complaint)


def _respelled(raw: bytes, complaint: Complaint) -> Complaint:
    """The complaint; where the missing key is there in another spelling (`user_id`, `UserID`), it says so."""
    wanted = _MISSED.get(complaint.code)
    if wanted is None or complaint.value is not None:
        return complaint
    try:
        there = _decode_keys(raw)
    except (ValueError, RecursionError):
        return complaint
    for key in there:
        if key != wanted and key.replace("_", "").lower() == wanted.lower():
            message = f"{complaint.message}; it has `{key}`, and the key must be `{wanted}`"
            return msgspec.structs.replace(complaint, message=message)
    return complaint


def _lenient_wire(raw: bytes) -> Wire:
    """The event of bytes that are not quite JSON, or whose objects are not quite objects."""
    try:
        event = loads(raw)
    except (ValueError, RecursionError) as error:
        raise EventRefused(refusal("bad_json", f"the event cannot be read: {error}")) from error
    if not isinstance(event, dict):
        raise EventRefused(refusal("not_an_object", "an event must be a JSON object", None, event))
    return Wire(
        type=event.get("type"),
        user_id=event.get("userId"),
        anonymous_id=event.get("anonymousId"),
        group_id=event.get("groupId"),
        previous_id=event.get("previousId"),
        event=event.get("event"),
        timestamp=event.get("timestamp"),
        original_timestamp=event.get("originalTimestamp"),
        received_at=event.get("receivedAt"),
        integrations=event.get("integrations"),
        context=_context(event.get("context")),
        traits=_object(event.get("traits"), "traits", "bad_traits"),
        properties=_properties(event),
    )


def _properties(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The properties of a track event; those of others nobody reads, so that nothing is wrong with them."""
    value, kind = event.get("properties"), event.get("type")
    if isinstance(kind, str) and kind.strip().lower() in _WITHOUT_PROPERTIES:
        return value if isinstance(value, dict) else None
    return _object(value, "properties", "bad_properties")


def _context(value: Any) -> Context | None:
    context = _object(value, "context", "bad_context")
    if context is None:
        return None
    return Context(
        traits=_object(context.get("traits"), "context.traits", "bad_traits"),
        external_id=context.get("externalId"),
        group_id=context.get("groupId"),
        consent_management=context.get("consentManagement"),
        consent=context.get("consent"),
    )


def _object(value: Any, field: str, code: ComplaintCode) -> dict[str, Any] | None:
    """An object, which may stand in a text; None where nothing is said, which PHP writes as an empty list."""
    if unsaid(value):
        return None
    value = object_in(value)
    if not isinstance(value, dict):
        raise EventRefused(refusal(code, f"{field} must be an object", field, value))
    return value


def _event(wire: Wire, identity: str, now: int, own: Own | None, text: EventText) -> Event:
    kind = _TYPES.get(wire.type) if type(wire.type) is str else None
    if kind is None:
        kind = _type(wire.type)
    context = wire.context
    context_traits = (context.traits if context is not None else None) or _NONE
    traits: Mapping[str, Any] = wire.traits or _NONE
    if kind == "identify" and context_traits:
        # Most programs write the same traits in both places.
        traits = {**context_traits, **traits} if traits and traits != context_traits else context_traits
    name = group_id = previous_id = None
    nobody: list[tuple[str, str]] = []
    if kind == "track":
        name = wire.event.strip() if type(wire.event) is str else ""
        if not name:
            raise _nameless(wire.event)
    elif kind == "group":
        group_id = _group_id(wire, traits, nobody)
    elif kind == "alias":
        previous_id = _first_key(
            "bad_previous_id",
            nobody,
            ("previousId", wire.previous_id),
            ("traits.previousId", traits.get("previousId")),
            ("context.traits.previousId", context_traits.get("previousId")),
        )
    user_id = wire.user_id
    if type(user_id) is not str or not is_usual_key(user_id):
        user_id = _key(user_id, "userId", "bad_user_id", nobody)
        if user_id is None:
            user_id = _user_id_of_traits(kind, traits, context_traits, nobody)
    anonymous_id = wire.anonymous_id
    if anonymous_id is not None and (type(anonymous_id) is not str or not is_usual_key(anonymous_id)):
        anonymous_id = _anonymous_id(anonymous_id, nobody, needed=user_id is None)
    ids = _pipedrive_ids(context.external_id) if context is not None and context.external_id else _NONE
    if user_id is None and anonymous_id is None and not _names_somebody(kind, group_id, ids):
        raise EventRefused(_nobody(nobody))
    time, ahead, unreadable = _time(wire, now, own)
    integrations = wire.integrations
    if type(integrations) is str:
        integrations = structured(integrations)
    return Event(
        identity,
        kind,
        time,
        user_id,
        anonymous_id,
        group_id,
        previous_id,
        name,
        None if integrations is None or (type(integrations) is not dict and unsaid(integrations)) else integrations,
        ids,
        traits,
        context_traits,
        wire.properties or _NONE,
        ahead,
        unreadable,
        None
        if context is None or (context.consent_management is None and context.consent is None)
        else consent_of(context.consent_management, context.consent),
        own is not None and own.code is not None,  # a line of `compact` was never rejected
        tuple(nobody),
        text,
    )


def _nobody(nobody: list[tuple[str, str]]) -> Complaint:
    """Why an event is refused that names no user; `nobody` are ids that count as missing, by field."""
    if not nobody:
        return refusal("missing_user_id", "the event has neither a user id nor an anonymous id", "userId")
    field, text = nobody[0]
    return refusal("missing_user_id", f"{field} names nobody, and there is no anonymous id either", field, text)


def _type(value: Any) -> EventType:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise EventRefused(refusal("missing_type", "the event has no type", "type"))
    name = value.strip().lower() if isinstance(value, str) else ""
    kind = _TYPES.get(name)
    if name in _NOT_FOR_US:
        skipped = Complaint("type_not_supported", f"{name} events are not sent", "type", name, Outcome.SKIPPED)
        raise EventRefused(skipped)
    if kind is None:
        known = ", ".join(_TYPES)
        raise EventRefused(refusal("unknown_type", f"the event's type is none of {known}", "type", value))
    return kind


def _nameless(value: Any) -> EventRefused:
    """Why a track event is refused whose name is `value`."""
    if isinstance(value, BrokenText):
        return EventRefused(refusal("bad_value", "half of a character stands in the event's name", "event", value))
    return EventRefused(refusal("missing_event_name", "the track event has no name", "event", value))


# -- keys


def _key(value: Any, field: str, code: ComplaintCode, nobody: list[tuple[str, str]]) -> str | None:
    """The key that `value` holds; None where there is none. One that names nobody is noted with its field."""
    if value is None:
        return None
    text = value.strip() if type(value) is str and value.isascii() else key_text(value)
    if text is None:
        raise EventRefused(refusal(code, f"{field} must be text or a whole number", field, value))
    if len(text) > KEY_LIMIT:
        raise EventRefused(refusal("key_too_long", f"{field} is longer than {KEY_LIMIT} characters", field, text))
    if text and names_nobody(text):
        nobody.append((field, text))
        return None
    return text or None


def _first_key(code: ComplaintCode, nobody: list[tuple[str, str]], *candidates: tuple[str, Any]) -> str | None:
    for field, value in candidates:
        key = _key(value, field, code, nobody)
        if key is not None:
            return key
    return None


def _user_id_of_traits(
    kind: EventType, traits: Mapping[str, Any], context_traits: Mapping[str, Any], nobody: list[tuple[str, str]]
) -> str | None:
    """The user id where `userId` is missing. `traits.id` names a user only on identify, `context.traits.id` always."""
    return _first_key(
        "bad_user_id",
        nobody,
        ("traits.userId", traits.get("userId")),
        ("traits.id", traits.get("id") if kind == "identify" else None),
        ("context.traits.userId", context_traits.get("userId")),
        ("context.traits.id", context_traits.get("id")),
    )


def _group_id(wire: Wire, traits: Mapping[str, Any], nobody: list[tuple[str, str]]) -> str | None:
    return _first_key(
        "bad_group_id",
        nobody,
        ("groupId", wire.group_id),
        ("traits.groupId", traits.get("groupId")),
        ("traits.id", traits.get("id")),
        ("context.groupId", wire.context.group_id if wire.context is not None else None),
    )


def _anonymous_id(value: Any, nobody: list[tuple[str, str]], *, needed: bool) -> str | None:
    """The anonymous id. A bad one is ignored where it is not `needed`, because the event has a user id."""
    try:
        return _key(value, "anonymousId", "bad_anonymous_id", nobody if needed else [])
    except EventRefused:
        if needed:
            raise
        return None


def _names_somebody(kind: EventType, group_id: str | None, ids: Mapping[str, int]) -> bool:
    if kind in ("page", "screen"):
        return True
    if kind == "group" and (group_id is not None or "pipedriveGroupId" in ids):
        return True
    return "pipedrivePersonId" in ids or "pipedriveCurrentId" in ids


def _pipedrive_ids(external: Any) -> dict[str, int]:
    """Pipedrive's own ids by type; the last one of a type counts. Ids of other destinations are ignored."""
    ids: dict[str, int] = {}
    for entry in external_ids(external):
        kind = entry.get("type") if isinstance(entry, dict) else None
        if not isinstance(kind, str) or kind not in _PIPEDRIVE_IDS:
            continue
        value = entry.get("id")
        number = pipedrive_id(value)
        if number is None:
            message = f"{kind} must be one of Pipedrive's ids, a whole number"
            raise EventRefused(refusal("bad_external_id", message, "context.externalId", value))
        ids[kind] = number
    return ids


# -- time


def _time(wire: Wire, now: int, own: Own | None) -> tuple[int | None, bool, tuple[str, ...]]:
    """The event's time, whether it was cut back, and the fields whose time could not be read."""
    received_text = wire.received_at
    received = None if received_text is None else read_time(received_text)
    unreadable: tuple[str, ...] = ()
    time: int | None = None
    if own is not None and own.time is not None:
        time = own.time if type(own.time) is int and own.time >= 0 else read_time(own.time)
    if time is None and wire.timestamp is not None:
        # Most events have the same text in all their times: reading it only once saves a tenth of the decoding.
        time = received if wire.timestamp == received_text else read_time(wire.timestamp)
        if time is None:
            unreadable = ("timestamp",)
    if time is None and wire.original_timestamp is not None:
        time = read_time(wire.original_timestamp)
        if time is None:
            unreadable += ("originalTimestamp",)
    if received is None and received_text is not None:
        unreadable += ("receivedAt",)
    if time is None:
        time = received
    if time is None:
        return None, False, unreadable
    latest = now if received is None or received > now else received
    return (latest, True, unreadable) if time > latest else (time, False, unreadable)


# -- the batch's defaults


def _apply_defaults(defaults: Defaults, wire: Wire) -> None:
    if unsaid(wire.received_at):
        wire.received_at = defaults.received_at
    if unsaid(wire.integrations):
        wire.integrations = defaults.integrations
    if defaults.context is None:
        return
    if (shared := _context(defaults.context)) is None:
        return
    if unsaid(wire.context):
        wire.context = shared
        return
    for name in Context.__struct_fields__:
        if unsaid(getattr(wire.context, name)):
            setattr(wire.context, name, getattr(shared, name))
