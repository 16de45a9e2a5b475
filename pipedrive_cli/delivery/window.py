"""A window that is being delivered: a record becomes a job when a worker takes it, and not before.

Nobody needs all jobs at once: changes stay where the backlog keeps them, and what is done is freed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.effects import name_key
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.leads import lead_job
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.waiting import Group, Job, Node, PendingAlias, SpooledChange, Waiting
from pipedrive_cli.model import Kind

KEYED: tuple[Kind, ...] = ("organizations", "products", "persons")  # in the order of delivery
_ORDER: dict[Kind, int] = {kind: place for place, kind in enumerate(KEYED)}


class Window:
    """All that waits in a backlog, taken out of it. Records that others link to come first."""

    def __init__(self, backlog: Backlog) -> None:
        self._fill(backlog, *backlog.hand_over())

    def copy(self, backlog: Backlog) -> Window:
        """The same records for a courier with that backlog, with events of its own: no event ends twice."""
        events: dict[int, PendingEvent] = {}
        groups: dict[int, Group] = {}
        for group in self._records:
            aliases = [
                PendingAlias(each.alias, _event_copy(each.event, events)) for each in group.pending_aliases or ()
            ]
            changes = [_waiting_copy(each, events) for each in group.changes]
            groups[id(group)] = Group(group.node, group.others, changes, aliases or None, group.former)
        copy = Window.__new__(Window)
        nodes = {node: groups[id(group)] for node, group in self._groups.items()}
        copy._fill(backlog, nodes, [_waiting_copy(each, events) for each in reversed(self._leads)])
        return copy

    def _fill(self, backlog: Backlog, groups: dict[Node, Group], leads: list[Waiting]) -> None:
        self._backlog, self._groups, self._leads = backlog, groups, leads
        unique = {id(group): group for group in self._groups.values()}
        # What is known by its name comes first of its kind: what has a key may turn out to be the same.
        self._records = sorted(unique.values(), key=lambda group: (_ORDER[group.kind], group.node[1] != "name"))
        # Taken from their ends, so that what is done takes no room.
        self._records.reverse()
        self._leads.reverse()
        self.has_leads = bool(self._leads)

    def __len__(self) -> int:
        """How many records no worker has taken yet."""
        return len(self._records) + len(self._leads)

    def keys(self, kind: Kind) -> list[str]:
        """The record keys that records of one kind may have."""
        mine = [group for group in reversed(self._records) if group.kind == kind]
        named = [name_key(node[2]) for group in mine for node in group.nodes if node[1] == "name"]
        return [key for group in mine for key in sorted(self._backlog.keys_of(group))] + named

    def has_keys(self, kind: Kind) -> bool:
        """Whether there is any of these keys."""
        return any(group.kind == kind and any(node[1] != "id" for node in group.nodes) for group in self._records)

    def ids(self, kind: Kind) -> list[int]:
        """Records of one kind that are named by Pipedrive's id."""
        mine = (group for group in reversed(self._records) if group.kind == kind)
        return [node[2] for group in mine for node in group.nodes if isinstance(node[2], int)]

    def group(self, node: Node) -> Group | None:
        """The group of the record that `node` names, if it is in this window."""
        return self._groups.get(node)

    def waiting(self, kind: Kind) -> Iterator[tuple[Group, list[PendingChange]]]:
        """The groups of one kind that no worker has taken yet, with their changes."""
        for group in reversed(self._records):
            if group.kind == kind:
                yield group, self._backlog.load_changes(group.changes)

    def take_next(self) -> tuple[Job, Group | None] | None:
        """The next record's job, and its group if others may link to it; None: no record is left."""
        if self._records:
            group = self._records.pop()
            job = self._backlog.job(group)
            group.changes, group.pending_aliases = [], None
            return job, group
        if self._leads:
            (pending,) = self._backlog.load_changes([self._leads.pop()])
            return lead_job(pending), None
        return None

    def drop_next(self) -> tuple[list[PendingEvent], Group | None]:
        """Drops the next record. Returns the events that wait for it, once for each change, and its group."""
        if self._records:
            group = self._records.pop()
            return _events_of([*group.changes, *(group.pending_aliases or ())]), group
        return _events_of([self._leads.pop()]), None


def _event_copy(event: PendingEvent, copies: dict[int, PendingEvent]) -> PendingEvent:
    if (copy := copies.get(id(event))) is None:
        copy = PendingEvent(
            b"", event.stored_origin, event.store, event.number, event.open, event.outcome, again=event.again
        )
        copies[id(event)] = copy
    return copy


def _waiting_copy(waiting: Waiting, copies: dict[int, PendingEvent]) -> Waiting:
    event = _event_copy(waiting.event, copies)
    if isinstance(waiting, SpooledChange):
        return SpooledChange(event, waiting.at)
    return PendingChange(waiting.change, waiting.depth, event)


def _events_of(waiting: Iterable[Waiting | PendingAlias]) -> list[PendingEvent]:
    return [w.event for w in waiting]
