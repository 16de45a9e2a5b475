"""Changes that wait, gathered by record. Pure: what it knows of the account is the aliases it is told.

A person can be named by several user ids and by Pipedrive's id; all changes that name the same person stand in one
job, so that a job is the unit that is delivered alone, in order, and whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.delivery.standing import NO_TIME
from pipedrive_cli.events.event import Place
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.transform.changes import (
    Alias,
    Change,
    Kind,
    RecordName,
    Transformed,
)

# An event with several parts has the first of their outcomes that stands here.
PRECEDENCE = (
    Outcome.PENDING,
    Outcome.FAILED,
    Outcome.REJECTED,
    Outcome.DELIVERED,
    Outcome.UNCHANGED,
    Outcome.DUPLICATE,
    Outcome.SKIPPED,
)
_WEIGHT = {outcome: weight for weight, outcome in enumerate(PRECEDENCE)}

Node: TypeAlias = tuple[Kind, Literal["key", "id", "name"], str | int]
Step: TypeAlias = tuple[str, int | None]  # an alias: the current id, and from when on the previous one is it


class Case(msgspec.Struct, eq=False, gc=False):  # as in `transform.changes`: one for every event that waits
    """One event under way. It ends when all its parts have ended, with the first of their outcomes that applies."""

    digest: bytes
    message_id: str
    place: Place
    user: str | None
    time: int | None = None  # microseconds since 1970 UTC
    body: Any = None  # where its bytes lie: opaque here
    open: int = 0
    outcome: Outcome = Outcome.SKIPPED
    complaints: list[Complaint] = []

    def end_part(self, outcome: Outcome) -> bool:
        """One of its parts ended. Returns whether that was the last one."""
        self.open -= 1
        self.add(outcome)
        return self.open == 0

    def add(self, outcome: Outcome) -> None:
        """Takes `outcome` into account."""
        if _WEIGHT[outcome] < _WEIGHT[self.outcome]:
            self.outcome = outcome


@dataclass(slots=True, eq=False)
class Joining:
    """An alias on its way: from its time on `previous` is another name of `current`."""

    alias: Alias
    case: Case

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
    parts: list[Part]
    joinings: list[Joining]
    nodes: frozenset[Node] = frozenset()  # all that it can be found by while it is under way
    contested: frozenset[int] = frozenset()  # of `ids`, those that the input has given to another key before
    steps: Mapping[str, Step] = field(default_factory=dict)  # aliases that lead on from its keys: settled and waiting


@dataclass(slots=True, eq=False)
class _Group:
    kind: Kind
    nodes: set[Node] = field(default_factory=set)
    parts: list[Part] = field(default_factory=list)  # of depth 0: how deep they are is known at the end
    joinings: list[Joining] = field(default_factory=list)


class Backlog:
    """Changes that wait. `aliases` are those that were settled before: previous -> (current, time)."""

    def __init__(self, aliases: dict[str, Step]) -> None:
        self._aliases = dict(aliases)
        self._groups: dict[Node, _Group] = {}
        self._leads: list[tuple[Change, Case]] = []

    def __len__(self) -> int:
        """How many records wait."""
        return len({id(group) for group in self._groups.values()}) + len(self._leads)

    def add(self, transformed: Transformed, case: Case) -> Complaint | None:
        """Takes up what one event asks for. Returns why its alias cannot be taken, if so (then nothing is)."""
        if transformed.alias is not None and (refused := self._refuse(transformed.alias)) is not None:
            return refused
        for change in transformed.changes:
            case.open += 1
            self._put(change, case)
        if transformed.alias is not None:
            case.open += 1
            self._join(Joining(transformed.alias, case))
        return None

    def put_back(self, job: Job, parts: Iterable[Part], joinings: Iterable[Joining]) -> None:
        """What must wait for the rest of the input."""
        for part in parts:
            self._put(part.change, part.case)
        for joining in joinings:
            self._place(joining)

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

    def take(self) -> tuple[list[Job], list[tuple[Change, Case]]]:
        """All that waits, as jobs for records and as leads, in the order of reading; the backlog is empty then."""
        groups, self._groups = self._groups, {}
        leads, self._leads = self._leads, []
        unique = {id(group): group for group in groups.values()}
        return [self._job(group) for group in unique.values()], leads

    def _refuse(self, alias: Alias) -> Complaint | None:
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

    def _put(self, change: Change, case: Case) -> None:
        if change.record.kind == "leads":
            self._leads.append((change, case))
            return
        record = change.record
        # Nearly every change is about a record that waits already and is named by its key alone.
        group = self._groups.get(self.node_of(record)) if record.pipedrive_id is None else None
        if group is None:
            others = record.pipedrive_id is not None and record.key is not None and self._is_others(record)
            group = self._group({self.node_of(record)} if others else self._nodes(record))
        group.parts.append(Part(change, 0, case))

    def _is_others(self, name: RecordName) -> bool:
        """Whether a record of another key has already been called by this Pipedrive id: two keys are two records."""
        owner = self._groups.get((name.kind, "id", name.pipedrive_id or 0))
        if owner is None or self.node_of(name) in owner.nodes:
            return False
        return any(node[1] == "key" for node in owner.nodes)

    def _join(self, joining: Joining) -> None:
        previous, current = joining.previous, joining.current
        if previous is not None and current is not None:
            # From here on both keys lead to one job, whatever comes of the alias.
            before = self._nodes(joining.alias.previous)
            self._aliases[previous] = (current, joining.alias.time)
            self._group(before | self._nodes(joining.alias.current)).joinings.append(joining)
        else:
            self._place(joining)

    def _place(self, joining: Joining) -> None:
        nodes = self._nodes(joining.alias.previous) | self._nodes(joining.alias.current)
        self._group(nodes).joinings.append(joining)

    def _nodes(self, name: RecordName) -> set[Node]:
        nodes = {self.node_of(name)}
        if name.pipedrive_id is not None:
            nodes.add((name.kind, "id", name.pipedrive_id))
        return nodes

    def _group(self, nodes: set[Node]) -> _Group:
        found = {id(group): group for node in nodes if (group := self._groups.get(node)) is not None}
        fresh = _Group(next(iter(nodes))[0])
        target = max(found.values(), key=lambda group: len(group.parts), default=fresh)
        for group in found.values():
            if group is not target:
                target.parts.extend(group.parts)
                target.joinings.extend(group.joinings)
                nodes = nodes | group.nodes
        for node in nodes:
            self._groups[node] = target
        target.nodes |= nodes
        return target

    def _job(self, group: _Group) -> Job:
        keys = {node[2] for node in group.nodes if node[1] == "key"}
        named = [part.change.record.key for part in group.parts if part.change.record.key is not None]
        keys.update(named)
        for joining in group.joinings:
            keys.update(key for key in (joining.previous, joining.current) if key is not None)
        named += [joining.current for joining in group.joinings if joining.current is not None]
        key = named[0] if named else None
        if key is not None and group.kind == "persons":
            key = self.canonical(key)
            keys.add(key)
        parts = [self._deepened(part) for part in group.parts] if group.kind == "persons" else group.parts
        parts.sort(key=lambda part: NO_TIME if part.change.time is None else part.change.time)
        ids = {node[2] for node in group.nodes if isinstance(node[2], int)}
        named_ids = {part.change.record.pipedrive_id for part in parts} - ids
        contested = frozenset(named for named in named_ids if named is not None)
        return Job(
            kind=group.kind,
            key=key,
            keys=sorted(str(key) for key in keys),
            ids=sorted(ids | contested),
            name=next((str(node[2]) for node in group.nodes if node[1] == "name"), None),
            parts=parts,
            joinings=group.joinings,
            nodes=frozenset(group.nodes),
            contested=contested,
            steps=self._steps(str(key) for key in keys) if group.kind == "persons" else {},
        )

    def _deepened(self, part: Part) -> Part:
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
