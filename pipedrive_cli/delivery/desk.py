"""The desk at which the courier stands: where records are looked up, who sends, and what remembers. No I/O here.

There is one courier and there are several desks. The live desk sends and keeps a journal (`live_desk`), the paper desk
of previews notes what would be sent (`run.paper`), and tests have one of their own. Whatever a run decides is decided
by the plans and the courier, so that it cannot differ between desks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.effects import Commit, DeliverySettings, Find, Forget, RecordId, Snapshot, Write
from pipedrive_cli.delivery.journal.rows import SeenRecord
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Kind


class Written(msgspec.Struct, eq=False):
    """What the last write of one job leaves to whoever saves its outcomes."""

    number: int | None = None  # the journal's number of a write that is not settled yet
    shown: SeenRecord | None = None  # the record as the answer showed it


class Desk(Protocol):
    """What the courier needs of the world.

    `find`, `look` and `send` raise `Refusal` (this record), `Failure` (its events wait for another run), `KindStops`
    (its kind) or `StopRun` (everything). What is not found is an answer; what cannot be looked up is raised.
    """

    @property
    def stopped(self) -> StopRun | None:
        """Why nothing more is sent, if so."""

    def stop(self, why: StopRun) -> None:
        """From here on nothing new is sent. The first reason counts."""

    def equip(
        self, terms: DeliverySettings, addresses: Mapping[Kind, frozenset[str]], names: Mapping[str, str]
    ) -> None:
        """What the mapping has become: `addresses` are those that it writes, `names` those of custom fields by key."""

    async def prepare(self, window: Window) -> None:
        """Looks up at once what the records of a window are known by. Raises what keeps us from it."""

    async def find(self, ask: Find) -> tuple[RecordId, ...]:
        """The ids of living records with this key, name or email, oldest first."""

    def recall(self, kind: Kind, record: RecordId) -> Snapshot:
        """What is known of a record without asking anybody."""

    async def look(self, kind: Kind, record: RecordId, *, mapped: bool) -> Mapping[str, Any] | None:
        """The record's values by address, read now; None: it is gone. `mapped`: the mapped ones will do."""

    def lost(self, kind: Kind, key: str) -> RecordState | None:
        """What the deleted record of this key is to get when it is made anew, or None."""

    async def settle_earlier(self, job: Job) -> None:
        """Finds out what became of writes for this job's record that an earlier job left in doubt."""

    async def send(self, ask: Write, written: Written) -> Mapping[str, Any]:
        """Sends a write. Returns the record's values by address and its id at `id`; `written` is for `save`."""

    async def save(self, save: Commit, written: Written, ended: Sequence[PendingEvent]) -> None:
        """Makes durable what `save` says, with the outcomes of the events that have thereby ended."""

    async def forget(self, gone: Forget) -> None:
        """Notes that a record is gone from Pipedrive."""

    async def end_events(self, cases: Sequence[PendingEvent]) -> None:
        """Makes durable the outcomes of events whose records nobody takes up any more."""

    def handled(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these events were handled before, in this run or an earlier one."""

    def kinds_in_doubt(self) -> frozenset[Kind]:
        """Of which kinds an earlier run has left writes whose fate is not known."""

    async def settle_doubts(self) -> None:
        """Finds out what became of these writes, before anything else is sent."""

    def window_over(self) -> None:
        """Everything in a window has come to its end."""

    def input_over(self) -> None:
        """From here on nothing more comes that could bring what is waited for."""

    async def look_once_more(self) -> None:
        """At the end: warns of creations that were judged not done, and were late after all."""
