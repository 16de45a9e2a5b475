"""Changes that wait, gathered by record. Pure: what it knows of the account is the aliases it is told.

A person can be named by several user ids and by Pipedrive's id; all changes that name the same person stand in one
job, so that a job is the unit that is delivered alone, in order, and whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.pending_event import ChangeStore, PendingEvent
from pipedrive_cli.delivery.precedence import NO_TIME
from pipedrive_cli.model import (
    Alias,
    Change,
    Complaint,
    Kind,
    Outcome,
    RecordName,
    Transformed,
)
from pipedrive_cli.transform.packing import PackedChange, PackedTransformed, unpack

Node: TypeAlias = tuple[Kind, Literal["key", "id", "name"], str | int]
Step: TypeAlias = tuple[str, int | None]  # an alias: the current id, and from when on the previous one is it


@dataclass(slots=True, eq=False)
class PendingAlias:
    """An alias on its way: from its time on `previous` is another name of `current`."""

    alias: Alias
    case: PendingEvent

    @property
    def previous(self) -> str | None:
        return self.alias.previous.key

    @property
    def current(self) -> str | None:
        return self.alias.current.key


@dataclass(slots=True, eq=False)
class Job:
    """All that waits for one record. `key` is its present record key; `keys` and `ids` all that name it here."""

    kind: Kind
    key: str | None
    keys: list[str]
    ids: list[int]
    name: str | None
    parts: list[PendingChange]
    pending_aliases: list[PendingAlias]
    nodes: frozenset[Node] = frozenset()  # all that it can be found by while it is under way
    contested: frozenset[int] = frozenset()  # of `ids`, those that the input has given to another key before
    steps: Mapping[str, Step] = field(default_factory=dict)  # aliases that lead on from its keys: settled and waiting


class SpooledChange(msgspec.Struct, eq=False, gc=False):
    """A change of `case` that waits packed: `at` is where in the store, or what it says."""

    case: PendingEvent
    at: int | bytes


UNDER_WAY: Final = object()
Waiting: TypeAlias = PendingChange | SpooledChange  # a part of depth 0: how deep it is is known at the end


class Group(msgspec.Struct, eq=False, gc=False):
    """What waits for one record. Tens of thousands wait at once, so it holds nothing that hardly a record has."""

    node: Node
    others: set[Node] | None = None  # by which it is found as well
    parts: list[Any] = []  # of `Waiting`
    pending_aliases: list[PendingAlias] | None = None
    former: set[str] | None = None  # keys in its changes that settled aliases lead on from
    end: Any = UNDER_WAY  # what became of it, for whoever drives it: opaque here

    @property
    def kind(self) -> Kind:
        return self.node[0]

    @property
    def nodes(self) -> set[Node]:
        """All that it is found by: nearly always one."""
        return {self.node, *(self.others or ())}

    def join(self, pending_alias: PendingAlias) -> None:
        """An alias is about this record."""
        if self.pending_aliases is None:
            self.pending_aliases = []
        self.pending_aliases.append(pending_alias)

    def name(self, nodes: Iterable[Node]) -> None:
        """It is found by these as well."""
        for node in nodes:
            if node != self.node:
                if self.others is None:
                    self.others = set()
                self.others.add(node)

    def absorb(self, other: Group) -> None:
        """The other one turned out to be about the same record."""
        self.parts.extend(other.parts)
        for pending_alias in other.pending_aliases or ():
            self.join(pending_alias)
        if other.former is not None:
            self.former = other.former if self.former is None else self.former | other.former


class Backlog:
    """Changes that wait. `aliases` are those that were settled before: previous -> (current, time).

    `store` keeps what the changes say until their record is taken up; None: memory does.
    """

    def __init__(self, aliases: dict[str, Step], store: ChangeStore | None = None) -> None:
        self._aliases = dict(aliases)
        self._store = store
        self._groups: dict[Node, Group] = {}
        self._leads: list[Any] = []  # of `Waiting`

    def __len__(self) -> int:
        """How many records wait."""
        return len({id(group) for group in self._groups.values()}) + len(self._leads)

    def waiting_keys(self) -> Iterator[tuple[Kind, str]]:
        """The record keys of the records that wait."""
        return ((kind, str(name)) for kind, what, name in self._groups if what == "key")

    def add(self, transformed: Transformed | PackedTransformed, case: PendingEvent) -> Complaint | None:
        """Takes up what one event asks for. Returns why its alias cannot be taken, if so (then nothing is)."""
        if transformed.alias is not None and (refused := self.refusal(transformed.alias)) is not None:
            return refused
        for change in transformed.changes:
            case.open += 1
            self._put(change, case)
        if transformed.alias is not None:
            case.open += 1
            self._join(PendingAlias(transformed.alias, case))
        return None

    def link(self, alias: Alias) -> None:
        """From here on the previous id leads to the current one, whatever comes of the alias. Both are keys."""
        if alias.previous.key is not None and alias.current.key is not None:
            self._aliases[alias.previous.key] = (alias.current.key, alias.time)

    def join(self, pending_alias: PendingAlias) -> None:
        """Takes up an alias whose ids `link` has linked."""
        former: set[Node] = set() if pending_alias.previous is None else {("persons", "key", pending_alias.previous)}
        self._group(former | self._nodes(pending_alias.alias.current)).join(pending_alias)

    def put_back(self, job: Job, parts: Iterable[PendingChange], pending_aliases: Iterable[PendingAlias]) -> None:
        """What must wait for the rest of the input."""
        for part in parts:
            self._put(part.change, part.case)
        for pending_alias in pending_aliases:
            self._place(pending_alias)

    def canonical(self, key: str) -> str:
        """The present key of the person that `key` names."""
        while (step := self._aliases.get(key)) is not None:
            key = step[0]
        return key

    def depth(self, key: str | None, time: int | None) -> int:
        """How far what was said under `key` at `time` ranks below what is said under the present one."""
        return depth(self._aliases, key, time)

    def node_of(self, name: RecordName) -> Node:
        """What a record is found by among the jobs."""
        if name.key is not None:
            return (name.kind, "key", self.canonical(name.key) if name.kind == "persons" else name.key)
        if name.pipedrive_id is not None:
            return (name.kind, "id", name.pipedrive_id)
        return (name.kind, "name", name.name or "")

    def part_ways(self, previous: str) -> None:
        """An alias was refused: from here on its previous id names somebody else again."""
        self._aliases.pop(previous, None)

    def hand_over(self) -> tuple[dict[Node, Group], list[Waiting]]:
        """All that waits, records and leads, in the order of reading; the backlog is empty then."""
        groups, self._groups = self._groups, {}
        leads, self._leads = self._leads, []
        return groups, leads

    def brought(self, waiting: list[Any]) -> list[PendingChange]:
        """What these changes say, wherever it is."""
        return [PendingChange(self._said(w.at), 0, w.case) if isinstance(w, SpooledChange) else w for w in waiting]

    def _said(self, at: int | bytes) -> Change:
        if isinstance(at, bytes):
            return unpack(at)
        assert self._store is not None  # noqa: S101 - it has told where
        return self._store.change(at)

    def refusal(self, alias: Alias) -> Complaint | None:
        """Why an alias cannot be taken, if so."""
        previous, current = alias.previous.key, alias.current.key
        if previous is None or current is None:
            return None  # named by Pipedrive's ids: known to be one or not only when they are looked up
        if self.canonical(previous) == self.canonical(current):
            return Complaint("alias_same", "both ids name the same person already", outcome=Outcome.SKIPPED)
        if previous in self._aliases:
            other = self.canonical(previous)
            return Complaint(
                "alias_reused",
                "the previous id is already another name of somebody else; two strangers would be merged",
                field="previousId",
                value=f"{previous} is {other}",
                outcome=Outcome.REJECTED,
            )
        return None

    def _put(self, change: Change | PackedChange, case: PendingEvent) -> None:
        waiting: Waiting
        if isinstance(change, PackedChange):
            waiting = SpooledChange(case, change.change if self._store is None else self._store.add(change.change))
        else:
            at = None if self._store is None else self._store.lay(change)
            waiting = PendingChange(change, 0, case) if at is None else SpooledChange(case, at)
        record = change.record
        if record.kind == "leads":
            self._leads.append(waiting)
            return
        # Nearly every change is about a record that waits already and is named by its key alone.
        node = self.node_of(record)
        group = self._groups.get(node) if record.pipedrive_id is None else None
        if group is None:
            others = record.pipedrive_id is not None and record.key is not None and self._is_others(record)
            group = self._group({node} if others else self._nodes(record))
        if record.key is not None and record.key != node[2]:
            group.former = {record.key} if group.former is None else group.former | {record.key}
        group.parts.append(waiting)

    def _is_others(self, name: RecordName) -> bool:
        """Whether a record of another key has already been called by this Pipedrive id: two keys are two records."""
        owner = self._groups.get((name.kind, "id", name.pipedrive_id or 0))
        if owner is None or self.node_of(name) in owner.nodes:
            return False
        return any(node[1] == "key" for node in owner.nodes)

    def _join(self, pending_alias: PendingAlias) -> None:
        previous, current = pending_alias.previous, pending_alias.current
        if previous is not None and current is not None:
            before = self._nodes(pending_alias.alias.previous)
            self.link(pending_alias.alias)
            self._group(before | self._nodes(pending_alias.alias.current)).join(pending_alias)
        else:
            self._place(pending_alias)

    def _place(self, pending_alias: PendingAlias) -> None:
        nodes = self._nodes(pending_alias.alias.previous) | self._nodes(pending_alias.alias.current)
        self._group(nodes).join(pending_alias)

    def _nodes(self, name: RecordName) -> set[Node]:
        nodes = {self.node_of(name)}
        if name.pipedrive_id is not None:
            nodes.add((name.kind, "id", name.pipedrive_id))
        return nodes

    def _group(self, nodes: set[Node]) -> Group:
        # In an order of its own: a set's differs from run to run, and with it what is shown.
        ordered = nodes if len(nodes) == 1 else sorted(nodes, key=repr)
        found = {id(group): group for node in ordered if (group := self._groups.get(node)) is not None}
        target = max(found.values(), key=lambda group: len(group.parts)) if found else Group(next(iter(ordered)))
        for group in found.values():
            if group is not target:
                target.absorb(group)
                nodes = nodes | group.nodes
        for node in nodes:
            self._groups[node] = target
        target.name(nodes)
        return target

    def keys_of(self, group: Group) -> set[str]:
        """All keys by which its record may be known."""
        keys = {str(node[2]) for node in group.nodes if node[1] == "key"}
        for pending_alias in group.pending_aliases or ():
            keys.update(key for key in (pending_alias.previous, pending_alias.current) if key is not None)
        return keys if group.former is None else keys | group.former

    def job(self, group: Group) -> Job:
        """What waits for one record, with all that it says."""
        parts = self.brought(group.parts)
        pending_aliases = group.pending_aliases or []
        keys = self.keys_of(group)
        ids = {node[2] for node in group.nodes if isinstance(node[2], int)}
        contested: set[int] = set()
        key: str | None = None
        for part in parts:
            named = part.change.record
            if named.key is not None:
                key = named.key if key is None else key
                keys.add(named.key)
            if named.pipedrive_id is not None and named.pipedrive_id not in ids:
                contested.add(named.pipedrive_id)
        if key is None:
            key = next(
                (pending_alias.current for pending_alias in pending_aliases if pending_alias.current is not None), None
            )
        if group.kind == "persons":
            if key is not None:
                key = self.canonical(key)
                keys.add(key)
            if not self._aliases.keys().isdisjoint(keys):
                parts = [self._deepened(part) for part in parts]
        parts.sort(key=_by_time)
        return Job(
            kind=group.kind,
            key=key,
            keys=sorted(keys),
            ids=sorted(ids | contested),
            name=next((str(node[2]) for node in group.nodes if node[1] == "name"), None),
            parts=parts,
            pending_aliases=pending_aliases,
            nodes=frozenset(group.nodes),
            contested=frozenset(contested),
            steps=self._steps(keys) if group.kind == "persons" else {},
        )

    def _deepened(self, part: PendingChange) -> PendingChange:
        depth = self.depth(part.change.record.key, part.change.time)
        return part._replace(depth=depth) if depth else part

    def _steps(self, keys: Iterable[str]) -> dict[str, Step]:
        steps: dict[str, Step] = {}
        for first in keys:
            key = first
            while key not in steps and (step := self._aliases.get(key)) is not None:
                steps[key] = step
                key = step[0]
        return steps


def _by_time(part: PendingChange) -> int:
    time = part.change.time
    return NO_TIME if time is None else time


def depth(steps: Mapping[str, Step], key: str | None, time: int | None) -> int:
    """How far what was said under `key` at `time` (microseconds) ranks below the present key's: one per alias that
    leads on from it, beginning with the first that came after it.
    """
    found, at = 0, NO_TIME if time is None else time
    while key is not None and (step := steps.get(key)) is not None:
        key = step[0]
        if found or at <= (NO_TIME if step[1] is None else step[1]):
            found += 1
    return found
