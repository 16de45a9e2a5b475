"""The values that pass from transform to delivery: what one event asks of which records.

A change is plain data and is made without asking Pipedrive anything. Field values stand in the form of API v2
(nested objects, numbers as numbers, option ids); leads are flattened at the wire.

A field is named by its *address*:

- a standard field by its API name: ``visible_to``, ``address``, ``expected_close_date``;
- a custom field by ``custom_fields.<key>``;
- a product's price by ``prices.<currency>``, so that each currency has a time of its own;
- ``name``, ``first_name``, ``last_name``: the three inputs of a person's name (only ``name`` is ever sent);
- ``organization``: the organization that a person is linked to; its value is the organization's `RecordName`.

They are Structs because several are made for every event: ten times as fast to make as frozen dataclasses. None of
them can be part of a cycle, so the garbage collector need not watch the hundred thousands that wait in a backlog.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import msgspec

from pipedrive_cli.outcomes import Complaint

Kind: TypeAlias = Literal["persons", "organizations", "products", "leads"]
KINDS: tuple[Kind, ...] = ("persons", "organizations", "products", "leads")

NOTHING: Mapping[str, Any] = {}


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
    fields: Mapping[str, Any] = {}  # address -> value; settled by newest event
    emails: tuple[Contact, ...] = ()
    phones: tuple[Contact, ...] = ()
    on_creation: Mapping[str, Any] = {}  # sent with a POST alone; the oldest event's counts (`gathering` adds its time)
    oldest: Mapping[str, Any] = {}  # address -> value; settled by the oldest event (`unit`)
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
