"""What a count knows of most records: what was last said of each in one shape, for all records of that shape at once.

Nearly all events say plain things of nearly all records, always in the same shape: newer values take the place of older
ones, in order of time. What plans would make of that is told for thousands of records at once. Where several shapes set
the same address, values are told apart by it. What is not as plain is taken out of here, and told record by record: see
`plain` and `records`. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from pipedrive_cli.delivery.standing import LATEST, NO_TIME, blank
from pipedrive_cli.run.counts.batch import KIND_OF, Shape, Stretch, unpacked
from pipedrive_cli.run.counts.groups import Group, Value, values_of
from pipedrive_cli.run.counts.known import Accepted, Known
from pipedrive_cli.run.counts.plain import CONTACTS, Plain, Same
from pipedrive_cli.run.counts.weighing import Judge, weigh_alike, weigh_merged
from pipedrive_cli.run.counts.window import Window
from pipedrive_cli.transform.changes import Kind

_NAME: Final = "name"


@dataclass(slots=True)
class Table:
    """Plain records by their names: an initial of the kind, and the key."""

    names: set[str] = field(default_factory=set)
    _groups: dict[Shape, Group] = field(default_factory=dict)
    _kept: dict[str, Known] = field(default_factory=dict)  # as plans knew those that were `put`
    _newest: dict[Shape, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))  # record -> time
    _ordered: bool = True  # so far each event came after all others
    _last: int = NO_TIME  # the time of the last one of those
    _oldest: dict[str, dict[str, Value]] = field(default_factory=lambda: defaultdict(dict))  # address -> record

    def take(self, now: Window, stretch: Stretch, shape: Shape, first: int) -> None:
        """Notes what a stretch of a page says that begins in row `first`; not until `settle` anything counts."""
        names = stretch.names
        now.names.update(names)
        if not shape.plain:
            now.slow.update(names)
            return
        if shape.silent:
            return
        if shape not in self._groups:
            self._group(shape)
        rows = [*map(first.__add__, stretch.rows)]
        if not self._ordered:
            self._note_times(now, shape, names, [now.times[row] for row in rows])
        if shape.emails or shape.phones:
            self._note_contacts(now, shape, stretch)
        if shape.oldest:
            self._note_oldest(now, shape, stretch, rows)
        now.latest[shape].update(zip(names, stretch.values, strict=True))
        now.rows_at[shape].update(zip(names, rows, strict=True))

    def _group(self, shape: Shape) -> None:
        """Finds the group of a shape that was not met before; it may bring others together."""
        found = Group(shape.kind, set(shape.keys), [shape])
        for other in self._groups_of(shape.kind):
            if not found.keys.isdisjoint(other.keys):
                other.split()
                found.keys |= other.keys
                found.shapes += other.shapes
                for name, values in other.merged.items():
                    found.merged.setdefault(name, {}).update(values)
        for each in found.shapes:
            self._groups[each] = found

    def in_order(self, times: Sequence[int | None]) -> None:
        """Is told the times of the next page. As long as none is earlier than any before it, nothing can be late."""
        if not self._ordered or not times:
            return
        dated = [NO_TIME if time is None else time for time in times]
        self._ordered = NO_TIME not in dated and dated[0] >= self._last and sorted(dated) == dated
        if self._ordered:
            self._last = dated[-1]

    def _note_times(self, now: Window, shape: Shape, names: list[str], times: list[int | None]) -> None:
        """Those that are told something late are not as plain as the others."""
        newest, met = self._newest[shape], now.rows_at[shape]
        for name, time in zip(names, times, strict=True):
            before = newest.get(name)
            if before is None and (name in met or name in self.names):
                before = self._last  # it was told something when all was in order still
            if time is None or (before is not None and time < before):
                now.slow.add(name)
            else:
                newest[name] = time

    @staticmethod
    def _note_contacts(now: Window, shape: Shape, stretch: Stretch) -> None:
        """A record whose contacts change within the window is not as plain as the others."""
        start, end = len(shape.addresses), len(shape.keys)
        latest = now.latest[shape]
        names, before = stretch.names, [*map(latest.get, stretch.names)]
        if len({*names}) < len(names):
            last: dict[str, bytes] = {}
            for place, (name, values) in enumerate(zip(names, stretch.values, strict=True)):
                before[place] = last.get(name, before[place])
                last[name] = values
        now.slow.update(
            name
            for name, values, old in zip(names, stretch.values, before, strict=True)
            if old is not None and old != values and values_of(old)[start:end] != values_of(values)[start:end]
        )

    @staticmethod
    def _note_oldest(now: Window, shape: Shape, stretch: Stretch, rows: list[int]) -> None:
        """What the oldest event says counts; of several of the same time the last one."""
        oldest, place = now.oldest[shape.oldest[0]], len(shape.keys)
        for name, row, values in zip(stretch.names, rows, stretch.values, strict=True):
            time = now.times[row]
            known = oldest.get(name)
            if time is not None and (known is None or time < known[0] or (time == known[0] and row > known[1])):
                oldest[name] = (time, row, unpacked(values)[place])

    # -- at the end of a window

    def weigh(self, now: Window, created: Set[str], same: Same, typed: Callable[[Kind, str], bool]) -> set[str]:
        """Finds which rows change records that were there; returns the names of those that are not as plain as that."""
        doubtful: set[str] = set()
        for address, oldest in now.oldest.items():
            known = self._oldest[address]
            for name, (time, _, _) in oldest.items():
                if name not in created and (name not in known or time <= known[name].time):
                    doubtful.add(name)
        for shape in now.latest:
            if shape.emails and _NAME not in shape.addresses:  # of a person without a name it may become the name
                doubtful.update(self._nameless(now, shape))
        for group in dict.fromkeys(map(self._groups.__getitem__, now.latest)):
            judge = Judge(group.kind, same, typed, now, doubtful)
            if len(group.shapes) == 1:
                weigh_alike(now, group, created, judge)
            else:
                weigh_merged(now, group, created, judge)
        return doubtful

    def _nameless(self, now: Window, shape: Shape) -> set[str]:
        """Those told something in this shape of which nobody has said a name so far."""
        named = [found for each, found in now.latest.items() if each.kind == shape.kind and _NAME in each.addresses]
        others = now.latest[shape].keys() - set().union(*named)
        groups = self._groups_of(shape.kind)
        return {name for name in others if not any(group.knows(name, _NAME) for group in groups)}

    def settle(self, now: Window, created: Set[str]) -> Mapping[str, set[int]]:
        """Takes over what a window says of plain records; returns which rows change which of those that were there."""
        self.names.update(created)
        for (name, _), row in self._first_rows(now).items():
            now.written.setdefault(name, set()).add(row)
        for shape, latest in now.latest.items():
            group = self._groups[shape]
            if len(group.shapes) == 1:
                for name in self._kept.keys() & latest.keys():
                    latest[name] = group.take(name, latest[name])
                group.said.update(latest)
                times = map(now.times.__getitem__, now.rows_at[shape].values())
                group.times.update((name, time or 0) for name, time in zip(now.rows_at[shape], times, strict=True))
            else:
                for name in latest:
                    group.merged.setdefault(name, {}).update(
                        (key, value)
                        for key, value in now.merged[name].items()
                        if key in group.keys and not group.stands_for_more(name, key)
                    )
        for address, oldest in now.oldest.items():
            self._oldest[address].update(
                (name, Value(value, time)) for name, (time, _, value) in oldest.items() if name in created
            )
        for name in now.drawn & now.written.keys():
            del now.written[name]
        return now.written

    @staticmethod
    def _first_rows(now: Window) -> dict[tuple[str, str], int]:
        """The rows that bring records their first emails, and their first phones."""
        found: dict[tuple[str, str], int] = {}
        for page in now.pages if now.met else ():
            for stretch in page.batch.stretches:
                for key in CONTACTS.intersection(page.shapes[stretch.shape].keys):
                    for name, row in zip(stretch.names, stretch.rows, strict=True):
                        if (name, key) in now.met:
                            found[name, key] = min(page.first + row, found.get((name, key), page.first + row))
        return found

    # -- one record

    def take_out(self, name: str, id_of: Callable[[str], int]) -> Plain | Known:
        """A record, which is not known here any more; `id_of` tells the ids of organizations by their keys."""
        self.names.discard(name)
        kept = self._kept.pop(name, None)
        plain = Plain()
        for address, oldest in self._oldest.items():
            if name in oldest:
                value, time = oldest.pop(name)
                plain.oldest = (time, {address: value})
        for group in self._groups_of(KIND_OF[name[0]]):
            for key, (value, time) in group.pop(name).items():
                if isinstance(value, Accepted):
                    continue
                if kept is not None:
                    kept.update(key, value, time, id_of)
                elif key in CONTACTS:
                    plain.contacts[key] = value
                else:
                    plain.values[key], plain.times[key] = value, time
                plain.newest = max(plain.newest, time)
        return plain if kept is None else kept

    def put(self, name: str, known: Known, key_of: Callable[[int], str | None]) -> bool:
        """Takes a record that plans know, if newer values only take the place of what it shows; tells whether it is so.

        `key_of` tells the keys of organizations by their ids.
        """
        kind = KIND_OF[name[0]]
        values, groups = known.by_key(kind, key_of), self._groups_of(kind)
        keys = {key for group in groups for key in group.keys}
        if values is None or not keys.issuperset(values):
            return False
        if any(key not in values and not blank(shown) for key, shown in known.values.items() if key in keys):
            return False
        oldest = {address: held for address, held in known.state.fields.items() if held.time > LATEST // 2}
        if not oldest.keys() <= self._oldest.keys():
            return False
        newest = known.newest
        for address, held in oldest.items():
            self._oldest[address][name] = Value(held.sent, LATEST - held.time)
        for group in groups:
            group.put(name, values, newest)
            for shape in group.shapes:
                before = self._newest[shape]
                before[name] = max(newest, before.get(name, newest))
        self._kept[name] = known
        self.names.add(name)
        return True

    def _groups_of(self, kind: Kind) -> list[Group]:
        return [group for group in dict.fromkeys(self._groups.values()) if group.kind == kind]
