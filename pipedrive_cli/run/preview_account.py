"""The view of an account that nobody is asked about. Loads nothing that could send; `preview_online` is the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.asks import Knowledge, Locate, RecordId, Terms, name_key
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.delivery.window import KEYED, Window
from pipedrive_cli.pipedrive.catalog import (
    Call,
    currencies,
    get,
    lead_labels,
    list_fields,
    list_leads,
    listing,
    me,
)
from pipedrive_cli.run.preview_rows import Labels, RequestLog, label
from pipedrive_cli.transform.changes import Kind


@dataclass(slots=True)
class NoAccount:
    """No account was asked. `log` is given the looks that a run would begin with, in an account of any size.

    `journal` is a copy of the one that earlier runs have left, if there is one. Whoever somebody waited for until the
    input's end (the previous person of an alias, a person who is not to be created) is taken to be there: only then
    there is something to be sent.
    """

    journal: Journal | None
    labels: Labels
    log: RequestLog
    account: None = None
    certain: bool = False
    _told: set[str] = field(default_factory=set)
    _over: bool = False

    # -- the account

    async def learn(self, kinds: frozenset[Kind], *, labels: bool) -> None:
        """A run would ask for these."""
        self._once(me())
        for kind in sorted(kinds):
            self._once(list_fields(kind))
        if kinds & {"leads", "products"}:
            self._once(currencies())
        if labels:
            self._once(lead_labels())

    async def renew(self, kinds: frozenset[Kind]) -> bool:
        del kinds  # nothing was known of them
        return False

    def forget(self) -> None:
        """Nothing is kept."""

    def pin(self, config: Config) -> None:
        """Nobody knows which keys its names stand for."""

    # -- its records

    def equip(self, terms: Terms, addresses: Mapping[Kind, frozenset[str]]) -> None:
        """Nothing is read of them."""

    async def prepare(self, window: Window) -> None:
        for kind in KEYED:
            if window.keys(kind):
                self._once(listing(kind))
        if window.has_leads:
            self._once(list_leads())
            self._once(list_leads(archived=True))

    async def find(self, ask: Locate) -> tuple[RecordId, ...]:
        key = ask.key if ask.key is not None else name_key(ask.name) if ask.email is None else None
        if key is None:
            return ()
        if self.journal is not None and (own := self.journal.known(ask.kind, [key])):
            return tuple(own.values())
        if self._over and ask.kind == "persons" and ask.key is not None:
            return (self.labels.mint("persons", label("persons", ask.key)),)
        return ()

    def recall(self, kind: Kind, record: RecordId) -> Knowledge:
        return Knowledge(None if self.journal is None else self.journal.state(kind, record))

    async def look(self, kind: Kind, record: RecordId) -> Mapping[str, Any]:
        self.log.look(get(kind, record))
        return {}

    def lost(self, kind: Kind, key: str) -> RecordState | None:
        del kind, key
        return None

    def last_seen(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None:
        seen = None if self.journal is None else self.journal.seen(kind, record)
        return None if seen is None else seen.values

    def handled(self, digests: Sequence[bytes]) -> set[bytes]:
        return set() if self.journal is None else self.journal.handled(digests)

    def input_over(self) -> None:
        self._over = True

    def _once(self, call: Call) -> None:
        if call.target not in self._told:
            self._told.add(call.target)
            self.log.look(call)
