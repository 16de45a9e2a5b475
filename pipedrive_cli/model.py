"""The words that pass between all rooms: events, records, changes, outcomes and complaints. Values without behaviour.

An `Event` is one call of an export. The transform makes `Change`s of it: what the event asks of which records. Delivery
ends every event with one `Outcome`, and a `Complaint` says what there is to tell about it.

A change is made without asking Pipedrive anything. Field values stand in the form of API v2 (nested objects, numbers
as numbers, option ids); leads are flattened at the wire. A field is named by its *address*:

- a standard field by its API name: ``visible_to``, ``address``, ``expected_close_date``;
- a custom field by ``custom_fields.<key>``;
- a product's price by ``prices.<currency>``, so that each currency has a time of its own;
- ``name``, ``first_name``, ``last_name``: the three inputs of a person's name (only ``name`` is ever sent);
- ``organization``: the organization that a person is linked to; its value is the organization's `RecordName`.

What is made for every event is a Struct: ten times as fast to make as a frozen dataclass. None of them can be part of
a cycle, so the garbage collector need not watch the hundred thousands that wait in a backlog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import msgspec

# Of these the field is the cause: each is mended in a place of its own, in the mapping or in what wrote the events.
_OF_A_FIELD = frozenset({"bad_value", "refused_value", "amount_without_currency"})
_ANY_ITEM = re.compile(r"\[\d+\]")  # the tenth product of an order has no cause of its own


class Outcome(StrEnum):
    """What became of an event; every event ends in exactly one."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    PENDING = "pending"


HANDLED = frozenset({Outcome.DELIVERED, Outcome.UNCHANGED})  # these alone make a later copy a duplicate
UNFINISHED = frozenset({Outcome.FAILED, Outcome.PENDING})  # what `retry` sends again
UNSETTLED = UNFINISHED | {Outcome.REJECTED}  # with one of these a run is not complete


class Complaint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Something to tell about one event. `outcome` None is a counted problem that costs the event nothing."""

    code: str
    message: str
    field: str | None = None  # the trait or property, as the user wrote it: `traits.age`
    value: str | None = None  # a short repr of the offending value, unescaped: whoever shows it escapes it
    outcome: Outcome | None = None


def cause_of(code: str, field: str | None) -> str | None:
    """What tells problems of one code apart, where their code does not: the field, with any item of a list as `[]`."""
    return _ANY_ITEM.sub("[]", field) if code in _OF_A_FIELD and field else None


Kind: TypeAlias = Literal["persons", "organizations", "products", "leads"]
KINDS: tuple[Kind, ...] = ("persons", "organizations", "products", "leads")

Value: TypeAlias = Any  # what stands in one field: whatever JSON can say, in the form that the address has
Values: TypeAlias = Mapping[str, Value]  # by address
JsonObject: TypeAlias = Mapping[str, Any]  # an object as it was read or is sent, by its own keys

NOTHING: Values = {}


class Rank(StrEnum):
    """How much say a change has in its record's fields."""

    OWN = "own"  # the event is about this record: newest wins
    CONTEXT = "context"  # said in passing (context.traits of group, track, alias): fills blanks alone


class RecordName(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an event calls a record: by its record key, by Pipedrive's id, or by both (which joins them).

    For a product without any code the key is None and `name` is its exact name.
    """

    kind: Kind
    key: str | None
    pipedrive_id: int | None = None
    name: str | None = None


class Contact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One email address or phone number: trimmed text, with label and primary flag where the event gave them."""

    value: str
    label: str | None = None
    primary: bool | None = None


class Change(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one event asks of one record.

    `time` is the event's, in microseconds since 1970 UTC, or None for an event without any time.
    """

    record: RecordName
    time: int | None
    rank: Rank = Rank.OWN
    fields: Values = {}  # address -> value; settled by newest event
    emails: tuple[Contact, ...] = ()
    phones: tuple[Contact, ...] = ()
    on_creation: Values = {}  # sent with a POST alone; the oldest event's counts (`gathering` adds its time)
    oldest: Values = {}  # address -> value; settled by the oldest event (`unit`)
    fallback_name: str | None = None  # a name made from an id: never replaces a name
    person: RecordName | None = None  # leads: whose lead it is
    may_create: bool = True  # False: the record must exist or come from another event of the input


class Alias(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Two persons become one; `current` survives."""

    previous: RecordName
    current: RecordName
    time: int | None


class Transformed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All that one event asks for. No changes and no alias: the event is settled by its complaints alone."""

    changes: tuple[Change, ...] = ()
    alias: Alias | None = None
    complaints: tuple[Complaint, ...] = ()
    dropped: tuple[tuple[Kind, str], ...] = ()  # traits that no mapping names


EventType: TypeAlias = Literal["identify", "group", "alias", "track", "page", "screen"]


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands in the input: `line` counts from 1, `index` from 0 within a batch line."""

    file: str
    line: int
    index: int | None = None


class Consent(msgspec.Struct, frozen=True, gc=False):
    """What an event says of its user's consent.

    `denied` and `allowed` are RudderStack's ids; `denied` is None where the event has no such object. `strategy` is how
    the denied ids count, None where the config decides. `categories` are Segment's, None where there is no such object.
    """

    denied: frozenset[str] | None = None
    allowed: frozenset[str] = frozenset()
    strategy: str | None = None
    categories: Mapping[str, bool] | None = None


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
    traits: JsonObject = msgspec.field(default_factory=dict)
    context_traits: JsonObject = msgspec.field(default_factory=dict)
    properties: JsonObject = msgspec.field(default_factory=dict)
    clock_ahead: bool = False  # the event's own time lay after receivedAt or now, and was cut back
    unreadable_times: tuple[str, ...] = ()  # fields whose time could not be read: `("timestamp",)`
    consent: Consent | None = None
