"""The words that pass between all rooms: events, records, changes, outcomes and complaints. Values without behaviour.

An `Event` is one call of an export. The transform turns it into `Change`s: what the event asks of which records.
Delivery ends every event with one `Outcome`. A `Complaint` names a problem of an event.

A change is made without asking Pipedrive anything. Field values stand in the form of API v2 (nested objects, numbers
as numbers, option ids); leads are flattened at the wire. A field is named by its *address*:

- a standard field by its API name: ``visible_to``, ``address``, ``expected_close_date``;
- a custom field by ``custom_fields.<key>``;
- a product's price by ``prices.<currency>``, so that each currency has a time of its own;
- ``name``, ``first_name``, ``last_name``: the three inputs of a person's name (only ``name`` is ever sent);
- ``organization``: the organization that a person is linked to; its value is the organization's `RecordName`.

Values that are made for every event are Structs: ten times as fast to make as frozen dataclasses. None can be part of a
cycle, so the garbage collector (`gc=False`) need not watch the hundred thousands that wait in a backlog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, NewType, TypeAlias

import msgspec

# Problems with these codes are grouped by field: each field is mended on its own, in the mapping or at the sender.
_CODES_BY_FIELD = frozenset(
    {"bad_value", "refused_value", "refused_setting", "amount_without_currency", "says_nothing", "placeholder_id"}
    | {"other_mapping", "changed_by_hand", "unsaid", "overwritten"}
    | {"zone_left_out", "field_refused"}
)
# Those with these by their value, which is one of a few names.
_CODES_BY_VALUE = frozenset({"type_not_supported", "other_format"})
# What is wrong with a file as a whole: each file is one problem. No event is counted for it.
FILE_PROBLEMS = frozenset(
    {"not_events", "not_a_file", "source_unreadable", "source_unreachable", "gzip_broken", "zstd_broken", "cut_off"}
)
_LIST_INDEX = re.compile(r"\[\d+\]")  # all products of one order share one cause


class Outcome(StrEnum):
    """How an event ended. Every event has exactly one outcome."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    PENDING = "pending"


HANDLED = frozenset({Outcome.DELIVERED, Outcome.UNCHANGED})  # only after these is a later copy a duplicate
UNFINISHED = frozenset({Outcome.FAILED, Outcome.PENDING})  # `retry` sends these again
UNSETTLED = UNFINISHED | {Outcome.REJECTED}  # a run with one of these is not complete


# The codes of complaints. Scripts match on them; `report/problems.py` has the words for each.
ComplaintCode: TypeAlias = Literal[
    # reading
    "bad_json", "not_utf8", "not_an_object", "line_too_long", "too_deep", "other_format", "empty_batch",
    "bad_batch", "bad_row", "not_events", "not_a_file", "source_unreadable", "source_unreachable", "gzip_broken",
    "zstd_broken", "cut_off", "unfinished_line",
    # the event and its values
    "missing_type", "unknown_type", "missing_event_name", "missing_user_id", "missing_group_id",
    "missing_previous_id", "bad_user_id", "bad_anonymous_id", "bad_group_id", "bad_previous_id", "bad_external_id",
    "key_too_long", "same_id_other_content", "bad_traits", "bad_properties", "bad_context", "clock_ahead",
    "unreadable_time",
    "consent_denied", "consent_ignored", "suppressed", "anonymous_only", "type_not_supported", "integrations_off",
    "event_excluded", "event_not_included", "alias_off", "bad_value", "amount_without_currency",
    "says_nothing", "placeholder_id", "garbled_text", "overwritten", "too_late",
    "products_missing", "bad_product", "bad_product_id", "product_unnamed", "zone_left_out",
    # the record
    "missing_name", "person_not_found", "person_unknown",
    "organization_ambiguous", "organization_name_there", "recognised_by_name", "company_not_linked",
    "recognised_by_email",
    "alias_unknown", "alias_same", "alias_gone",
    "alias_reused", "alias_both_exist", "identity_conflict", "unknown_pipedrive_id", "twin_records", "twin_by_email",
    "made_anew", "depends_on",
    "waits_for_input", "refused_value", "gone", "deleted_in_pipedrive", "record_busy", "field_moved",
    "other_mapping", "changed_by_hand", "unsaid",
    "field_read_only", "field_refused", "account_changed",
    # sending
    "gave_up", "in_doubt", "look_up_failed", "firewall_content", "origin_id_hidden", "refused_setting", "failed",
    "own_clock_wrong",
]  # fmt: skip
# Pipedrive's own word for a refusal (`feature_capping_deals`, `ERR_...`), or `http_<status>` where it has none.
PipedriveCode = NewType("PipedriveCode", str)
ProblemCode: TypeAlias = ComplaintCode | PipedriveCode


class Complaint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A problem of one event. With `outcome` None the problem is only counted, and the event goes on as usual."""

    code: ProblemCode
    message: str
    field: str | None = None  # the trait or property, as the user wrote it: `traits.age`
    value: str | None = None  # a short repr of the bad value; the report escapes it
    outcome: Outcome | None = None


def cause_of(code: str, field: str | None, file: str | None = None, value: str | None = None) -> str | None:
    """The field, value or file, where problems of this code are grouped by it, else None.

    List indexes are written as `[]`.
    """
    if code in FILE_PROBLEMS:
        return file
    if code in _CODES_BY_VALUE:
        return value
    return _LIST_INDEX.sub("[]", field) if code in _CODES_BY_FIELD and field else None


Kind: TypeAlias = Literal["persons", "organizations", "products", "leads"]
KINDS: tuple[Kind, ...] = ("persons", "organizations", "products", "leads")

Value: TypeAlias = Any  # what stands in one field: whatever JSON can say, in the form that the address has
Values: TypeAlias = Mapping[str, Value]  # by address
JsonObject: TypeAlias = Mapping[str, Any]  # an object as it was read or is sent, by its own keys

NOTHING: Values = {}


class Rank(StrEnum):
    """How strongly a change claims the fields of its record."""

    OWN = "own"  # the event is about this record: newest wins
    CONTEXT = "context"  # from context.traits of group, track and alias: only fills blanks


OWN, CONTEXT = Rank.OWN, Rank.CONTEXT  # looking up a member costs as much as making a change


class RecordName(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How an event names a record: by record key, by Pipedrive's id, or by both. Both together join key and id.

    A product without any code has no key; then `name` is its exact name.
    """

    kind: Kind
    key: str | None
    pipedrive_id: int | None = None
    name: str | None = None


class BrokenText:
    """Text in which a character is half (JavaScript has cut it in the middle of an emoji). It fits no field.

    `shown` has U+FFFD in the place of what is broken.
    """

    __slots__ = ("shown",)

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return repr(self.shown)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BrokenText) and self.shown == other.shown

    def __hash__(self) -> int:
        return hash(self.shown)


class Contact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One email address or phone number, trimmed. Label and primary flag are None where the event gives none."""

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
    fields: Values = {}  # address -> value; the newest event wins
    emails: tuple[Contact, ...] = ()
    phones: tuple[Contact, ...] = ()
    on_creation: Values = {}  # only sent with a POST; the oldest event wins (`fold` adds the event's time)
    oldest: Values = {}  # address -> value; the oldest event wins (`unit`)
    fallback_name: str | None = None  # a name made from an id: never replaces a name
    person: RecordName | None = None  # leads: the lead's person
    may_create: bool = True  # False: the record must exist or come from another event of the input
    mended: bool = False  # its event comes from a rejects file: what can no longer be sent is told


class Alias(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Two persons become one; `current` survives."""

    previous: RecordName
    current: RecordName
    time: int | None


class Transformed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All that one event asks for. Without changes and alias the complaints alone decide the event's outcome."""

    changes: tuple[Change, ...] = ()
    alias: Alias | None = None
    complaints: tuple[Complaint, ...] = ()
    dropped: tuple[tuple[Kind, str], ...] = ()  # traits that no mapping names

    @property
    def misfit(self) -> bool:
        """Whether a value does not fit its field, as far as the field is known."""
        return bool(self.complaints) and any(complaint.code == "bad_value" for complaint in self.complaints)


EventType: TypeAlias = Literal["identify", "group", "alias", "track", "page", "screen"]


class Place(msgspec.Struct, frozen=True, gc=False):
    """An event's place in the input: `line` counts from 1, `index` from 0 within a batch line."""

    file: str
    line: int
    index: int | None = None


class Consent(msgspec.Struct, frozen=True, gc=False):
    """The consent of an event's user.

    `denied` and `allowed` are RudderStack's ids; `denied` is None where the event has none. `strategy` (and, or) says
    whether one denied id is enough, None where the config decides. `categories` are Segment's, None without any.
    """

    denied: frozenset[str] | None = None
    allowed: frozenset[str] = frozenset()
    strategy: str | None = None
    categories: Mapping[str, bool] | None = None


class EventText(msgspec.Struct, gc=False, eq=False):
    """What an event was read from: its JSON, and what its batch gives all its events, by an event's keys.

    `whole` is both together as an object, once somebody has asked for it. Two events that say the same are equal,
    however they were written.
    """

    raw: bytes
    shared: JsonObject | None = None
    whole: JsonObject | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EventText)

    __hash__ = None  # type: ignore[assignment] # nobody looks one up


class Event(msgspec.Struct, gc=False):
    """One well-formed event. Keys are trimmed text of 1 to 255 characters; times are microseconds since 1970 UTC.

    `identity` is the messageId, or a 128-bit hash in hex where there is none. `ids` are Pipedrive's own ids from
    context.externalId by type (`pipedrivePersonId`, ...). `traits`, `context_traits` and `properties` are the JSON
    objects as they were read; nobody changes them. They are empty where the event has none.
    """

    identity: str
    type: EventType
    time: int | None
    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    previous_id: str | None = None
    name: str | None = None  # track: the event's name, trimmed
    integrations: Any = None  # as read: object, boolean, or None where the event has none
    ids: Mapping[str, int] = msgspec.field(default_factory=dict)
    traits: JsonObject = msgspec.field(default_factory=dict)
    context_traits: JsonObject = msgspec.field(default_factory=dict)
    properties: JsonObject = msgspec.field(default_factory=dict)
    clock_ahead: bool = False  # the event's own time was later than receivedAt or now, and was cut back
    unreadable_times: tuple[str, ...] = ()  # fields whose time could not be read: `("timestamp",)`
    consent: Consent | None = None
    mended: bool = False  # it comes from a rejects file
    nobody: tuple[tuple[str, str], ...] = ()  # ids that count as missing, as (field, text): `("userId", "undefined")`
    text: EventText | None = None
