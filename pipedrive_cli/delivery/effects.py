"""The effects that a plan yields, the answers it is sent, and what it is given: the words between plans and courier.

Values without behaviour. A plan (`upsert`, `identity`, `leads`) yields an `Effect`; the courier has it carried out at
its desk, and sends the answer. Where Pipedrive refuses the record, `Refusal` is thrown into the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import PrecedenceRules, RecordState
from pipedrive_cli.delivery.refused_fields import RefusedFields
from pipedrive_cli.delivery.waiting import Job, PendingAlias
from pipedrive_cli.model import Complaint, JsonObject, Kind, Outcome, ProblemCode, RecordName, Value, Values
from pipedrive_cli.pipedrive.catalog import Call

RecordId: TypeAlias = int | str


class Find(msgspec.Struct, frozen=True):
    """Which living records bear this key (or a name, among those without a key)? Answer: ids, oldest first.

    With `email`: which living persons have it that are nobody's, neither by a user id nor by what we know of them?
    What the input gives to another key, by Pipedrive's id, is found neither by name nor by email.
    `unasked`: what is known without a request will do.

    `denied` was held for the key until Pipedrive showed it with another one: it is not the answer, and this job is done
    with it.
    """

    kind: Kind
    key: str | None = None
    name: str | None = None
    email: str | None = None
    denied: RecordId | None = None
    unasked: bool = False


class Claim(msgspec.Struct, frozen=True):
    """May this job adopt the record that it found by email or by name? Answer: a boolean.

    The record is for whoever has the oldest event with one of its `marks`, among those of this window that need one.
    """

    job: Job
    changes: Sequence[PendingChange]  # those of the job that were not refused before
    id: RecordId
    marks: frozenset[str]  # a person's emails or an organization's name, in the form in which they are compared


class Cached(msgspec.Struct, frozen=True):
    """What do we know of this record without a request? Answer: `Snapshot`."""

    kind: Kind
    id: RecordId


class Fetch(msgspec.Struct, frozen=True):
    """Read the record now (1 token). Answer: its values by address, or None when it is gone.

    `mapped`: the values that the config maps are enough, which may cost less.
    """

    kind: Kind
    id: RecordId
    mapped: bool = False


class Write(msgspec.Struct, frozen=True):
    """Send this. A POST or a merge is journaled first. Answer: the record's values by address, its id at `id`."""

    call: Call
    kind: Kind
    action: Literal["create", "update", "merge"]
    job: Job
    key: str | None = None
    fields: Values = {}  # what the body holds, by address
    before: Values | None = None  # the values it replaces, as far as they are known
    tentative: bool = False  # should it be refused, it is sent again with less
    overwrites: tuple[str, ...] = ()  # addresses at which the record shows values that others wrote
    picture: Callable[[], JsonObject] | None = None  # for the journal: what finishes it after a crash


class Commit(msgspec.Struct, frozen=True):
    """Make this durable, with the outcomes, in one transaction. Answer: None."""

    kind: Kind
    id: RecordId | None
    keys: tuple[str, ...] = ()
    state: RecordState | None = None
    action: Literal["created", "updated", "unchanged", "merged"] | None = None
    merged: int | None = None  # the loser of a merge, now another name of `id`
    aliases: tuple[PendingAlias, ...] = ()
    unknown_aliases: tuple[PendingAlias, ...] = ()  # rejected; their links are kept for whoever comes late
    changes: tuple[tuple[PendingChange, Outcome], ...] = ()
    pending_aliases: tuple[tuple[PendingAlias, Outcome], ...] = ()
    refused_aliases: tuple[PendingAlias, ...] = ()  # aliases that were refused: their ids name two persons again
    complaints: tuple[tuple[PendingEvent, Complaint], ...] = ()


class Forget(msgspec.Struct, frozen=True):
    """The record is gone from Pipedrive. `state`: what a new record of this key gets. Answer: None."""

    kind: Kind
    id: RecordId
    key: str | None = None
    state: RecordState | None = None


class LoadDeleted(msgspec.Struct, frozen=True):
    """Was the last record of this key deleted in Pipedrive? Answer: the state to create it again with, or None."""

    kind: Kind
    key: str


class Wait(msgspec.Struct, frozen=True):
    """These must wait for the rest of the input. Answer: True when the input is over, so that waiting is no use."""

    job: Job
    changes: tuple[PendingChange, ...]
    pending_aliases: tuple[PendingAlias, ...] = ()


class IsVisitor(msgspec.Struct, frozen=True):
    """Is this the anonymous id of an event that was skipped in this run? Answer: a boolean."""

    key: str


class ResolveLink(msgspec.Struct, frozen=True):
    """Which record does a link name? Answer: its id; or the outcome that kept it away; or None, it is not there."""

    name: RecordName


class CheckLink(msgspec.Struct, frozen=True):
    """A link to this record is about to be written: is it there, and does it bear its key? Each is read once a run.

    Answer: the id to link to, which is another one where the record was deleted and has been made anew, or where
    another record bears the key now; or the outcome that keeps the link away. `event` is told what was done. `doubted`:
    Pipedrive has refused the link, so what was seen of the record before does not count.
    """

    name: RecordName
    id: RecordId
    event: PendingEvent | None = None
    doubted: bool = False


Effect: TypeAlias = (
    Find | Claim | Cached | Fetch | Write | Commit | Forget | LoadDeleted | Wait | IsVisitor | ResolveLink | CheckLink
)
_T = TypeVar("_T")
SubPlan: TypeAlias = Generator[Effect, Any, _T]  # a stretch of a plan, which returns `_T` to the plan
Plan: TypeAlias = SubPlan[RecordId | None]


class Snapshot(msgspec.Struct, frozen=True):
    """A record as we know it. `values` None: not read in this run. `age`: seconds since they were true."""

    state: RecordState | None = None
    values: Values | None = None
    age: float = 0.0
    updated: int | None = None  # its update_time, microseconds since 1970 UTC
    shown: bool = False  # Pipedrive has shown it in this run; else it may be gone


class Refusal(Exception):
    """Pipedrive refused this record. `fields` are the addresses that it named; `gone`: the record is not there.

    `forbidden`: this user may not do it, perhaps because of one value.
    """

    def __init__(
        self,
        code: ProblemCode,
        message: str,
        fields: Sequence[str] = (),
        *,
        gone: bool = False,
        forbidden: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.gone = gone
        self.forbidden = forbidden


class Constant(NamedTuple):
    """A value that the config gives to records, and the config's key for it."""

    key: str
    value: Value


class DeliverySettings(msgspec.Struct, frozen=True):
    """What a plan needs of the config: which value wins, where record keys stand, and the user's choices."""

    rules: PrecedenceRules
    key_address: Mapping[Kind, str | None]
    match_email: bool = True
    match_organizations: bool = False  # by name
    skip_unknown: bool = False  # events by somebody unknown are skipped, not rejected
    alias: Literal["merge", "rekey", "skip"] = "merge"
    deleted: Literal["recreate", "skip"] = "recreate"
    keep_products: bool = False
    new_records: Mapping[Kind, Values] = msgspec.field(default_factory=dict)  # what the config gives to new ones
    names: Mapping[str, str] = msgspec.field(default_factory=dict)  # address -> the field's name, for messages
    constants: Mapping[Kind, Mapping[str, Constant]] = msgspec.field(default_factory=dict)  # by address
    # Addresses of constants that Pipedrive has refused in this run: they are not sent again.
    refused_constants: set[tuple[Kind, str]] = msgspec.field(default_factory=set)
    refused_fields: RefusedFields = msgspec.field(default_factory=RefusedFields)  # learnt in this run
    labels: Mapping[tuple[Kind, str], Mapping[str, str]] = msgspec.field(default_factory=dict)  # of options, by id
    look_after: float = 60.0  # seconds after which lists that are replaced whole are read again


class Target(msgspec.Struct):
    """The record that a job is about. Without an id it has to be created."""

    id: RecordId | None
    state: RecordState
    values: Values | None = None
    age: float = 0.0
    found: bool = False  # it was there before this tool ever wrote it
    unsaved_aliases: list[PendingAlias] = []
    merged: bool = False  # one of the aliases was a merge: they count as delivered
    former_keys: list[str] = []
    was_deleted: bool = False  # it was deleted in Pipedrive: any event may create it again
    told: PendingEvent | None = None  # the event that is told so, where no change asks for the record
    notices: list[tuple[PendingEvent, Complaint]] = []  # for the next commit


def name_key(name: object) -> str:
    """The record key of a product without a code: its exact name, marked so that it cannot be taken for a code."""
    return f"\0name:{name}"


def state_of(snapshot: Snapshot) -> RecordState:
    """The state to start from: ours, or a new one for a record that we never wrote."""
    if snapshot.state is not None:
        return snapshot.state
    return RecordState(first_update=snapshot.updated)


def with_key(state: RecordState, key: str | None) -> RecordState:
    """The state of a record that is known to bear `key`."""
    return msgspec.structs.replace(state, key=key)
