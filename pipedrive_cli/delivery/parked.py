"""What waits for the rest of the input: set aside until something of it is named again. Pure.

A window that took all of it up each time would look at ten thousand aliases of strangers for every event. So what is
parked here costs nothing until its turn comes, and all of it has its turn when the input is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from pipedrive_cli.delivery.waiting import Group, Node, PendingAlias, Waiting

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Parked(msgspec.Struct, eq=False):
    """Records, aliases and leads that wait: records under their names, aliases under their previous id.

    Leads stand under the name of the person whom they wait for.
    """

    groups: dict[Node, Group] = {}
    aliases: dict[str, list[PendingAlias]] = {}
    leads: dict[Node, list[Waiting]] = {}

    def __bool__(self) -> bool:
        """Whether anything waits here."""
        return bool(self.groups or self.aliases or self.leads)

    def number(self) -> int:
        """How many records wait here, and aliases."""
        records = len({id(group) for group in self.groups.values()})
        return records + sum(map(len, self.aliases.values())) + sum(map(len, self.leads.values()))

    def park(self, group: Group) -> None:
        """Sets a record aside. Its turn comes when twice as much waits for it, if nothing calls it before."""
        group.turn = 2 * group.size()
        for node in group.nodes:
            self.groups[node] = group

    def take(self, node: Node) -> Group | None:
        """The record of this name, which waits here no more."""
        if (group := self.groups.get(node)) is not None:
            group.turn = 0
            for each in group.nodes:
                self.groups.pop(each, None)
        return group

    def park_alias(self, pending_alias: PendingAlias) -> None:
        """Sets an alias aside until its previous id is named again."""
        self.aliases.setdefault(pending_alias.previous or "", []).append(pending_alias)

    def take_aliases(self, previous: Iterable[str]) -> list[PendingAlias]:
        """The aliases of these previous ids, which wait here no more."""
        return _taken(self.aliases, previous) if self.aliases else []

    def park_lead(self, person: Node, lead: Waiting) -> None:
        """Sets a lead aside until its person is taken up."""
        self.leads.setdefault(person, []).append(lead)

    def take_leads(self, persons: Iterable[Node]) -> list[Waiting]:
        """The leads of these persons, which wait here no more, in the order of reading."""
        return sorted(_taken(self.leads, persons), key=lambda lead: lead.event.number) if self.leads else []


def _taken(parked: dict[_Key, list[_Value]], keys: Iterable[_Key]) -> list[_Value]:
    return [each for key in keys for each in parked.pop(key, ())]
