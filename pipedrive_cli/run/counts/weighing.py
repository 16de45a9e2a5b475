"""Which rows of a window change what plain records hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pipedrive_cli.run.counts.batch import Shape
from pipedrive_cli.run.counts.groups import MISSING, Group, Value, values_of
from pipedrive_cli.run.counts.plain import CONTACTS, Same
from pipedrive_cli.run.counts.window import Window
from pipedrive_cli.transform.changes import Kind


@dataclass(slots=True)
class Judge:
    """Tells whether values that are not written alike differ; `doubtful` are the records that it leaves to others."""

    kind: Kind
    same: Same
    typed: Callable[[Kind, str], bool]
    now: Window
    doubtful: set[str]

    def differs(self, name: str, keys: Sequence[str], values: Sequence[Any], before: Sequence[Any]) -> bool:
        """Whether any of the values is not the one before."""
        found = False
        for key, value, old in zip(keys, values, before, strict=False):
            if value == old:
                continue
            compares = old is not MISSING and self.typed(self.kind, key)
            if key in CONTACTS or (compares and self.same(self.kind, key, value, old)):
                self.doubtful.add(name)
                return False
            found = True
        return found


def weigh_alike(now: Window, group: Group, created: Set[str], judge: Judge) -> None:
    """Finds what is written of records that are told all in one shape; notes it in `now.written`."""
    (shape,) = group.shapes
    latest, rows = now.latest[shape], now.rows_at[shape]
    changed = [
        (name, values, before)
        for name, values, before in zip(latest, latest.values(), map(group.said.get, latest), strict=True)
        if before != values and name not in created
    ]
    for name, values, before in changed:
        if before is None:
            if shape.addresses:
                now.written.setdefault(name, set()).add(rows[name])
            now.met.update((name, key) for key in shape.keys if key in CONTACTS)
        elif judge.differs(name, shape.keys, values_of(values), values_of(before)):
            now.written.setdefault(name, set()).add(rows[name])


def weigh_merged(now: Window, group: Group, created: Set[str], judge: Judge) -> None:
    """The same of records that are told it in several shapes, where the last one to set a key counts."""
    tables = [(shape, now.rows_at[shape], now.latest[shape]) for shape in group.shapes if shape in now.latest]
    for name in set().union(*(rows for _, rows, _ in tables)):
        parts = sorted(
            ((rows[name], shape, latest[name]) for shape, rows, latest in tables if name in rows), key=_row_of
        )
        known = group.merged.get(name, {})
        times = [now.times[row] or 0 for row, _, _ in parts]
        if any(later < earlier for earlier, later in pairwise(times)):
            judge.doubtful.add(name)
            continue
        new: dict[str, tuple[int, Any]] = {}
        for row, shape, values in parts:
            for key, value in zip(shape.keys, values_of(values), strict=False):
                if key in CONTACTS and new.get(key, (0, value))[1] != value:
                    judge.doubtful.add(name)
                new[key] = (row, value)
        if any(key in known and known[key].time > (now.times[row] or 0) for key, (row, _) in new.items()):
            judge.doubtful.add(name)
            continue
        now.merged[name] = {
            **now.merged.get(name, {}),
            **{k: Value(v, now.times[r] or 0) for k, (r, v) in new.items()},
        }
        if name in created:
            continue
        for key, (row, value) in new.items():
            if key not in known:
                if key in CONTACTS:
                    now.met.add((name, key))
                else:
                    now.written.setdefault(name, set()).add(row)
            elif known[key].value != value and judge.differs(name, (key,), (value,), (known[key].value,)):
                now.written.setdefault(name, set()).add(row)


def _row_of(part: tuple[int, Shape, bytes | list[Any]]) -> int:
    return part[0]
