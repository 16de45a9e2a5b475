"""What waits for one record: a group of changes and aliases, and the job that it becomes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.aliases import Step
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.model import Alias, Kind

Node: TypeAlias = tuple[Kind, Literal["key", "id", "name"], str | int]


class PendingAlias(msgspec.Struct, eq=False):
    """An alias that waits: from its time on, the id `previous` is another name of `current`."""

    alias: Alias
    event: PendingEvent

    @property
    def previous(self) -> str | None:
        return self.alias.previous.key

    @property
    def current(self) -> str | None:
        return self.alias.current.key


class Job(msgspec.Struct, eq=False):
    """All that waits for one record. `key` is its present record key; `keys` and `ids` are all its names here."""

    kind: Kind
    key: str | None
    keys: list[str]
    ids: list[int]
    name: str | None
    changes: list[PendingChange]
    pending_aliases: list[PendingAlias]
    nodes: frozenset[Node] = frozenset()  # all names of the record while it is under way
    contested: frozenset[int] = frozenset()  # those of `ids` that the input has given to another key before
    steps: Mapping[str, Step] = {}  # the aliases of its keys, settled or waiting
    canonical: Callable[[str], str] = str  # the present key of whatever a key names: another one only after an alias

    @property
    def known_as(self) -> str | None:
        """What the record is called when nothing better is known."""
        return self.key if self.key is not None else self.name

    def is_named(self, key: str) -> bool:
        """Whether `key` is one of the names of this record."""
        return self.key is None or key == self.key or self.canonical(key) == self.key or key in self.keys


class SpooledChange(msgspec.Struct, eq=False, gc=False):
    """A change of `event` that waits packed: `at` is its place in the store, or the packed change itself."""

    event: PendingEvent
    at: int | msgspec.Raw


UNDER_WAY: Final = object()
Waiting: TypeAlias = PendingChange | SpooledChange  # of depth 0 until the job is made: then all aliases are known


class Group(msgspec.Struct, eq=False, gc=False):
    """What waits for one record. Tens of thousands wait at once: what few records have is None until it is there."""

    node: Node
    others: set[Node] | None = None  # further names of the record
    changes: list[Waiting] = []
    pending_aliases: list[PendingAlias] | None = None
    former: set[str] | None = None  # former ids that its changes name
    turn: int = 0  # while it is parked: the size at which its turn comes
    end: Any = UNDER_WAY  # what became of the record; for the courier alone

    @property
    def kind(self) -> Kind:
        return self.node[0]

    @property
    def nodes(self) -> frozenset[Node]:
        """All names of the record: nearly always one."""
        return frozenset((self.node, *(self.others or ())))

    def size(self) -> int:
        """How much there is to do when another group takes it over."""
        former = 0 if self.former is None else len(self.former)
        others = 0 if self.others is None else len(self.others)
        return len(self.changes) + len(self.pending_aliases or ()) + others + former

    def join(self, pending_alias: PendingAlias) -> None:
        """Adds an alias of this record."""
        if self.pending_aliases is None:
            self.pending_aliases = []
        self.pending_aliases.append(pending_alias)

    def name(self, nodes: Iterable[Node]) -> None:
        """Adds names of the record."""
        for node in nodes:
            if node != self.node:
                if self.others is None:
                    self.others = set()
                self.others.add(node)

    def absorb(self, other: Group) -> None:
        """Takes over what waits in `other`, which turned out to be about the same record."""
        self.changes.extend(other.changes)
        for pending_alias in other.pending_aliases or ():
            self.join(pending_alias)
        if other.former is not None:
            self.add_former(other.former)

    def add_former(self, keys: Iterable[str]) -> None:
        """Adds former ids that its changes name."""
        if self.former is None:
            self.former = set()
        self.former.update(keys)
