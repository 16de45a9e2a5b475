"""The desk at which the courier stands: where records are looked up, who sends, and what remembers. No I/O here.

There is one courier and there are several desks. The live desk sends and keeps a journal (`live_desk`), the paper desk
of previews notes what would be sent (`run.paper`), and tests have one of their own. Plans and courier
decide, so that no decision differs between desks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from pipedrive_cli.delivery.effects import Commit, DeliverySettings, Find, Forget, RecordId, Snapshot, Write
from pipedrive_cli.delivery.journal.rows import Recalled, SeenRecord
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Kind, Values


class Written(msgspec.Struct, eq=False):
    """What the last write of a job leaves for the commit that follows."""

    number: int | None = None  # the journal's number of a write that is not settled yet
    shown: SeenRecord | None = None  # the record as the answer showed it


class Desk(Protocol):
    """What the courier needs of the world.

    `find`, `fetch` and `send` raise `Refusal` (this record), `Failure` (its events wait for another run), `KindStops`
    (its kind) or `StopRun` (everything). What is not found is an answer; what cannot be looked up is raised.
    """

    @property
    def stopped(self) -> StopRun | None:
        """Why nothing more is sent, if so."""

    def stop(self, why: StopRun) -> None:
        """From here on nothing new is sent. The first reason counts."""

    def equip(
        self, settings: DeliverySettings, addresses: Mapping[Kind, frozenset[str]], names: Mapping[str, str]
    ) -> None:
        """The mapping is compiled: it writes `addresses`; `names` are those of custom fields, by key."""

    async def prepare(self, window: Window) -> None:
        """Looks up the records of a window, many at a time. Raises whatever prevents it."""

    async def find(self, effect: Find) -> tuple[RecordId, ...]:
        """The ids of living records with this key, name or email, oldest first."""

    def cached(self, kind: Kind, record: RecordId) -> Snapshot:
        """What is known of a record without a request."""

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Values | None:
        """The record's values by address, read now; None: it is gone. `mapped`: those in the config are enough."""

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        """What a deleted record of this key gets back when it is created again, or None."""

    async def settle_earlier(self, job: Job) -> None:
        """Finds out what became of writes for this job's record that an earlier job left in doubt."""

    async def send(self, write: Write, written: Written) -> Values:
        """Sends a write. Returns the record's values by address and its id at `id`; `written` is for `commit`."""

    async def commit(self, commit: Commit, written: Written, ended: Sequence[PendingEvent]) -> None:
        """Makes `commit` durable, with the outcomes of the events that have ended with it."""

    async def forget(self, gone: Forget) -> None:
        """Notes that a record is gone from Pipedrive."""

    async def end_events(self, events: Sequence[PendingEvent]) -> None:
        """Makes the outcomes of events durable whose records are not delivered any more."""

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        """Which of these events were handled before, in this run or an earlier one, and the numbers of others."""

    def last_number(self) -> int:
        """The number of the event that earlier runs have numbered last."""

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Checksums of what these events said when they were handled, of those of which it is known."""

    def kinds_in_doubt(self) -> frozenset[Kind]:
        """The kinds of record of which an earlier run has left writes in doubt."""

    async def settle_doubts(self) -> None:
        """Finds out what became of the writes in doubt, before anything else is sent."""

    def window_over(self) -> None:
        """All records of a window have been delivered."""

    def input_over(self) -> None:
        """The input is over: nothing more comes that a record could wait for."""

    async def look_once_more(self) -> None:
        """At the end: warns of creations that seemed not done, and came late after all."""
