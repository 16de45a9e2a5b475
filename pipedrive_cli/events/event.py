"""What one event is to us: who, when, and what it says. Knows nothing of files or of Pipedrive's records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

EventType: TypeAlias = Literal["identify", "group", "alias", "track", "page", "screen"]


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands in the input: `line` counts from 1, `index` from 0 within a batch line."""

    file: str
    line: int
    index: int | None = None


class Event(msgspec.Struct, gc=False):
    """One well-formed event. Keys are trimmed text of 1 to 255 characters; times are microseconds since 1970 UTC.

    `identity` is the messageId, or a 128-bit hash in hex where there is none. `ids` are Pipedrive's own ids from
    context.externalId by type (`pipedrivePersonId`, ...). `traits`, `context_traits` and `properties` are the JSON
    objects as they were read (never changed by anyone), empty where they are missing.
    """

    identity: str
    type: EventType
    time: int | None
    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    previous_id: str | None = None
    name: str | None = None  # track: the event's name, trimmed
    integrations: Any = None  # as read: object, boolean, or None where it is missing
    ids: Mapping[str, int] = msgspec.field(default_factory=dict)
    traits: Mapping[str, Any] = msgspec.field(default_factory=dict)
    context_traits: Mapping[str, Any] = msgspec.field(default_factory=dict)
    properties: Mapping[str, Any] = msgspec.field(default_factory=dict)
    clock_ahead: bool = False  # the event's own time lay after receivedAt or now, and was cut back
    unreadable_times: tuple[str, ...] = ()  # fields whose time could not be read: `("timestamp",)`
