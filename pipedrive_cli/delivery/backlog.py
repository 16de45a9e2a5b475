"""The backlog: changes that wait, grouped by record. Pure: of the account it knows only the aliases it is given.

A person can be named by several user ids and by Pipedrive's id. All changes that name one person are in one job, and
a job is delivered alone, in order, and whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipedrive_cli.delivery.aliases import Aliases, Step
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.parked import Parked
from pipedrive_cli.delivery.pending_event import ChangeStore, PendingEvent
from pipedrive_cli.delivery.precedence import NO_TIME
from pipedrive_cli.delivery.waiting import Group, Job, Node, PendingAlias, SpooledChange, Waiting
from pipedrive_cli.model import (
    Alias,
    Change,
    Complaint,
    Kind,
    Outcome,
    RecordName,
    Transformed,
)
from pipedrive_cli.transform.packing import PackedTransformed, record_of, unpack


class LaidChange(msgspec.Struct, frozen=True, gc=False):
    """A change of `record` that is in the store already, before anybody knows whether it is to be delivered."""

    record: RecordName
    at: int


class LaidTransformed(msgspec.Struct, frozen=True, gc=False):
    """`Transformed` of which what can be kept in the store is kept there."""

    changes: tuple[Change | msgspec.Raw | LaidChange, ...]
    alias: Alias | None
    complaints: tuple[Complaint, ...]
    dropped: tuple[tuple[Kind, str], ...]


class Backlog:
    """Changes that wait. `aliases` are those settled earlier: previous -> (current, time).

    `unknown` are previous ids of aliases that were rejected, as nobody bore them. `store` keeps the changes until their
    record is delivered; None: they stay in memory.
    """

    def __init__(
        self, aliases: Mapping[str, Step], store: ChangeStore | None = None, unknown: Iterable[str] = ()
    ) -> None:
        self._aliases = Aliases(aliases)
        self._unknown = set(unknown)
        self._store = store
        self._groups: dict[Node, Group] = {}
        self._leads: list[Waiting] = []
        self._parked = Parked()
        self._contested: dict[Node, set[Node]] = {}  # Pipedrive's ids that events give to several keys

    def __len__(self) -> int:
        """How many records wait."""
        return len({id(group) for group in self._groups.values()}) + len(self._leads) + self._parked.number()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return self.is_due or bool(self._parked)

    @property
    def is_due(self) -> bool:
        """Whether anything waits for the next window, and not for the rest of the input."""
        return bool(self._groups or self._leads)

    def lay(self, transformed: Transformed | PackedTransformed) -> LaidTransformed:
        """Puts the changes of an event into the store; `add` takes the result once the event is to be delivered."""
        changes = tuple([self._laid(change) for change in transformed.changes])
        return LaidTransformed(changes, transformed.alias, transformed.complaints, transformed.dropped)

    def _laid(self, change: Change | msgspec.Raw | LaidChange) -> Change | msgspec.Raw | LaidChange:
        """The change as it waits: its place in the store, where there is one."""
        if self._store is None or isinstance(change, LaidChange):
            return change
        if isinstance(change, msgspec.Raw):
            return LaidChange(record_of(change), self._store.add(bytes(change)))
        at = self._store.lay(change)
        return change if at is None else LaidChange(change.record, at)

    def add(
        self, transformed: Transformed | PackedTransformed | LaidTransformed, event: PendingEvent
    ) -> Complaint | None:
        """Adds what one event asks for. If its alias is refused, nothing is added, and the reason is returned."""
        if transformed.alias is not None and (refused := self.refusal(transformed.alias)) is not None:
            return refused
        for change in transformed.changes:
            event.open += 1
            self._put(change, event)
        if transformed.alias is not None:
            event.open += 1
            self._join(PendingAlias(transformed.alias, event))
        return None

    def link(self, alias: Alias) -> None:
        """From here on the previous key stands for the current one, unless `unlink` takes that back."""
        if alias.previous.key is not None and alias.current.key is not None:
            self._aliases.link(alias.previous.key, (alias.current.key, alias.time))

    def join(self, pending_alias: PendingAlias) -> None:
        """Adds an alias whose ids `link` has linked."""
        former: set[Node] = set() if pending_alias.previous is None else {("persons", "key", pending_alias.previous)}
        self._group(former | self._nodes(pending_alias.alias.current)).join(pending_alias)

    def put_back(self, changes: Sequence[PendingChange], pending_aliases: Sequence[PendingAlias]) -> None:
        """Sets aside what must wait for the rest of the input, until it is named again or `wake` is called."""
        for pending in changes:
            self._put(pending.change, pending.event, parked=True)
        for pending_alias in pending_aliases:
            if changes:
                self._place(pending_alias, parked=True)
            else:
                self._parked.park_alias(pending_alias)

    def wake(self) -> None:
        """All that was set aside has its turn in the next window."""
        parked, self._parked = self._parked, Parked()
        for node, group in parked.groups.items():
            group.turn = 0
            self._groups[node] = group
        for pending_alias in parked.take_aliases(list(parked.aliases)):
            self._place(pending_alias)
        self._leads += parked.take_leads(list(parked.leads))

    def canonical(self, key: str) -> str:
        """The present key of the person that `key` names."""
        return self._aliases.canonical(key)

    def former_ids(self) -> Iterable[str]:
        """All ids that are other names of somebody by now."""
        return self._aliases.former_ids()

    def node_of(self, name: RecordName) -> Node:
        """The name under which the backlog has a record."""
        if name.key is not None:
            return (name.kind, "key", self._aliases.canonical(name.key) if name.kind == "persons" else name.key)
        if name.pipedrive_id is not None:
            return (name.kind, "id", name.pipedrive_id)
        return (name.kind, "name", name.name or "")

    def unlink(self, previous: str) -> None:
        """An alias was refused: its previous id names a person of its own again."""
        self._aliases.cut(previous)

    def empty_copy(self) -> Backlog:
        """A backlog with the same aliases and store, in which nothing waits: for another courier."""
        other = Backlog({}, self._store)
        other._aliases = self._aliases.copy()
        return other

    def hand_over(self) -> tuple[dict[Node, Group], list[Waiting]]:
        """Takes out all that waits for the next window: records and leads, in the order of reading."""
        for node, keys in self._contested.items():
            self._settle_contested(node, keys)
        self._contested.clear()
        groups, self._groups = self._groups, {}
        leads, self._leads = self._leads, []
        return groups, self._parked.take_leads(groups) + leads

    def load_changes(self, waiting: Iterable[Waiting]) -> list[PendingChange]:
        """The changes themselves, from memory or from the store."""
        return [
            w
            if isinstance(w, PendingChange)
            else PendingChange(self._load(w.at) if isinstance(w.at, int) else unpack(w.at), 0, w.event)
            for w in waiting
        ]

    def _load(self, at: int) -> Change:
        assert self._store is not None  # noqa: S101 - only a store gives places
        return self._store.change(at)

    def refusal(self, alias: Alias) -> Complaint | None:
        """Why an alias is refused, or None."""
        previous, current = alias.previous.key, alias.current.key
        if previous is None or current is None:
            return None  # named by Pipedrive's ids: only a look-up tells whether both are one person
        if previous in self._unknown and self._aliases.follows(previous, current):
            self._unknown.discard(previous)
            return None  # it was rejected by an earlier run, and perhaps is so again
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

    def _put(self, change: Change | msgspec.Raw | LaidChange, event: PendingEvent, *, parked: bool = False) -> None:
        """Adds a change. `parked`: to what waits for the rest of the input."""
        waiting: Waiting
        laid = change if self._store is None else self._laid(change)
        if isinstance(laid, Change):
            waiting, record = PendingChange(laid, 0, event), laid.record
        elif isinstance(laid, LaidChange):
            waiting, record = SpooledChange(event, laid.at), laid.record
        else:
            waiting, record = SpooledChange(event, laid), record_of(laid)
        if record.kind == "leads":
            if parked and isinstance(change, Change) and change.person is not None:
                self._parked.park_lead(self.node_of(change.person), waiting)
            else:
                self._leads.append(waiting)
            return
        # Nearly every change is about a record that waits already and is named by its key alone.
        node = self.node_of(record)
        group = self._groups.get(node) if record.pipedrive_id is None else None
        if group is None and record.pipedrive_id is None and not parked:
            group = self._begun(node, waiting)
        if group is None:
            others = record.pipedrive_id is not None and record.key is not None and self._is_of_another_key(record)
            group = self._group({node} if others else self._nodes(record), parked=parked)
            if others:
                self._contested.setdefault((record.kind, "id", record.pipedrive_id or 0), set()).add(node)
        if record.key is not None and record.key != node[2]:
            group.add_former((record.key,))
            if not parked:
                self._wake_aliases(record.key)
        group.changes.append(waiting)

    def _begun(self, node: Node, waiting: Waiting) -> Group | None:
        """The record of this name, which is not due yet: a new one, or one that goes on waiting for the rest of the
        input with one more change. None where one that waits has its turn.
        """
        group = self._parked.groups.get(node)
        if group is None:
            group = self._groups[node] = Group(node)
            return group
        if group.size() + 1 >= group.turn:
            return None
        (pending,) = self.load_changes((waiting,))
        return None if pending.change.may_create else group

    def _wake_aliases(self, key: str) -> None:
        """An id was named: the aliases that lead on from it have their turn again."""
        for pending_alias in self._parked.take_aliases(
            self._aliases.steps_from((key,)) if self._parked.aliases else ()
        ):
            self._place(pending_alias)

    def _is_of_another_key(self, name: RecordName) -> bool:
        """Whether the input gave this Pipedrive id to a record of another key before: two keys are two records."""
        owner = self._groups.get((name.kind, "id", name.pipedrive_id or 0))
        if owner is None or self.node_of(name) in owner.nodes:
            return False
        return any(node[1] == "key" for node in owner.nodes)

    def _settle_contested(self, named: Node, keys: Iterable[Node]) -> None:
        """Of several keys that events give to one of Pipedrive's ids, the one of the oldest event has it.

        Events that name the record by its id alone go with it.
        """
        owner = self._groups.get(named)
        if owner is None:
            return
        ages = {id(owner): (self._age_of(owner, named), owner)}
        for key in keys:
            if (group := self._groups.get(key)) is not None:
                ages[id(group)] = (self._age_of(group, named), group)
        _, oldest = min(ages.values(), key=lambda pair: pair[0])
        if oldest is owner:
            return
        rest = sorted(owner.nodes - {named}, key=repr)
        owner.node, owner.others = rest[0], set(rest[1:]) or None
        moved = [
            waiting
            for waiting, pending in zip(owner.changes, self.load_changes(owner.changes), strict=True)
            if pending.change.record.key is None and pending.change.record.pipedrive_id == named[2]
        ]
        owner.changes = [waiting for waiting in owner.changes if not any(waiting is each for each in moved)]
        oldest.changes += moved
        oldest.name([named])
        self._groups[named] = oldest

    def _age_of(self, group: Group, named: Node) -> tuple[float, int]:
        """The age of the oldest event that names the group's record by this id and by its key; the smaller is older."""
        return min(
            (
                _by_time(pending)
                for pending in self.load_changes(group.changes)
                if pending.change.record.pipedrive_id == named[2] and pending.change.record.key is not None
            ),
            default=(-math.inf, 0),  # an alias names it, and that must stay
        )

    def _join(self, pending_alias: PendingAlias) -> None:
        previous, current = pending_alias.previous, pending_alias.current
        if previous is not None and current is not None:
            before = self._nodes(pending_alias.alias.previous)
            self.link(pending_alias.alias)
            if current in self._parked.aliases and not any(self._waits(node) for node in before):
                # Another name of a stranger: looked at with that one. A chain that is told from its end would else be
                # looked at whole for each of its aliases.
                self._parked.park_alias(pending_alias)
                return
            self._group(before | self._nodes(pending_alias.alias.current)).join(pending_alias)
            self._wake_aliases(previous)
        else:
            self._place(pending_alias)

    def _waits(self, node: Node) -> bool:
        return node in self._groups or node in self._parked.groups

    def _place(self, pending_alias: PendingAlias, *, parked: bool = False) -> None:
        nodes = self._nodes(pending_alias.alias.previous) | self._nodes(pending_alias.alias.current)
        self._group(nodes, parked=parked).join(pending_alias)

    def _nodes(self, name: RecordName) -> set[Node]:
        nodes = {self.node_of(name)}
        if name.pipedrive_id is not None:
            nodes.add((name.kind, "id", name.pipedrive_id))
        return nodes

    def _group(self, nodes: set[Node], *, parked: bool = False) -> Group:
        # In an order of its own: a set's differs from run to run, and with it what is shown.
        ordered = nodes if len(nodes) == 1 else sorted(nodes, key=repr)
        mine = [group for node in ordered if (group := self._parked.take(node)) is not None]
        mine += [group for node in ordered if (group := self._groups.get(node)) is not None]
        found = {id(group): group for group in mine}
        # The smaller one goes into the larger one, or ten thousand aliases of one person would take hours.
        target = max(found.values(), key=Group.size) if found else Group(next(iter(ordered)))
        for group in found.values():
            if group is not target:
                target.absorb(group)
                nodes = nodes | group.nodes
        target.name(nodes)
        if parked:
            self._parked.park(target)
        else:
            for node in nodes if target.node in self._groups else target.nodes:
                self._groups[node] = target
        return target

    def keys_of(self, group: Group) -> set[str]:
        """All keys that may name the group's record."""
        keys = {str(node[2]) for node in group.nodes if node[1] == "key"}
        for pending_alias in group.pending_aliases or ():
            keys.update(key for key in (pending_alias.previous, pending_alias.current) if key is not None)
        return keys if group.former is None else keys | group.former

    def job(self, group: Group) -> Job:
        """The job of one record: all that waits for it, loaded."""
        changes = self.load_changes(group.changes)
        pending_aliases = group.pending_aliases or []
        keys, nodes = self.keys_of(group), group.nodes
        ids: set[int] = set()
        name = key = None
        for node in nodes:
            if isinstance(node[2], int):
                ids.add(node[2])
            elif node[1] == "name" and name is None:
                name = node[2]
        contested: set[int] = set()
        for pending in changes:
            named = pending.change.record
            if named.key is not None:
                key = named.key if key is None else key
                keys.add(named.key)
            if named.pipedrive_id is not None and named.pipedrive_id not in ids:
                contested.add(named.pipedrive_id)
        if key is None:
            key = next(
                (pending_alias.current for pending_alias in pending_aliases if pending_alias.current is not None), None
            )
        steps: Mapping[str, Step] = {}
        if persons := group.kind == "persons":
            if key is not None:
                key = self.canonical(key)
                keys.add(key)
            if steps := self._aliases.steps_from(keys):
                changes = [self._deepened(pending) for pending in changes]
        if len(changes) > 1:
            changes.sort(key=_by_time)
        return Job(
            kind=group.kind,
            key=key,
            keys=sorted(keys),
            ids=sorted(ids | contested),
            name=name,
            changes=changes,
            pending_aliases=pending_aliases,
            nodes=nodes,
            contested=frozenset(contested),
            steps=steps,
            canonical=self.canonical if persons else str,
        )

    def _deepened(self, pending: PendingChange) -> PendingChange:
        depth = self._aliases.depth(pending.change.record.key, pending.change.time)
        return PendingChange(pending.change, depth, pending.event) if depth else pending


def _by_time(pending: PendingChange) -> tuple[int, int]:
    time = pending.change.time
    return (NO_TIME if time is None else time, pending.event.number)
