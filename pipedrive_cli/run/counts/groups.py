"""What was last said of plain records, in one dict for all that were told it in the same shape. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pipedrive_cli.run.counts.batch import Shape, unpacked
from pipedrive_cli.run.counts.known import Accepted
from pipedrive_cli.transform.changes import Kind

MISSING: Final = object()  # stands where a record that was `put` has no value


class Value(NamedTuple):
    """A value, and the time of the event that brought it."""

    value: Any
    time: int


class PutValues(list[Any]):
    """Values that no event has brought since the record was `put`: `pop` leaves them out."""


class PutValue(Value):
    """The same of one value."""


@dataclass(slots=True, eq=False)
class Group:
    """Shapes of one kind of record that have something in common, or a single one, and what was said in them."""

    kind: Kind
    keys: set[str]
    shapes: list[Shape]
    said: dict[str, bytes | list[Any]] = field(default_factory=dict)  # values by record, where there is one shape
    times: dict[str, int] = field(default_factory=dict)  # and when they were said
    merged: dict[str, dict[str, Value]] = field(default_factory=dict)  # by key and record, where there are several

    def pop(self, name: str) -> dict[str, Value]:
        """What was said of a record since it was `put`; it is not known here any more."""
        if name in self.said:
            said, time = self.said.pop(name), self.times.pop(name)
            keys = () if isinstance(said, PutValues) else self.shapes[0].keys
            return {key: Value(value, time) for key, value in zip(keys, values_of(said), strict=False)}
        return {key: value for key, value in self.merged.pop(name, {}).items() if type(value) is Value}

    def put(self, name: str, values: Mapping[str, Any], time: int) -> None:
        """Takes what is known of a record."""
        if self.keys.isdisjoint(values):
            return
        if len(self.shapes) == 1:
            self.said[name] = PutValues(values.get(key, MISSING) for key in self.shapes[0].keys)
            self.times[name] = time
        else:
            self.merged[name] = {key: PutValue(value, time) for key, value in values.items() if key in self.keys}

    def take(self, name: str, values: bytes | list[Any]) -> bytes | list[Any]:
        """The values that an event has brought, as a list where its contacts are but some of those that are known.

        A record that was `put` may have several emails; to be told one of them is no news, then or later.
        """
        before = self.said.get(name)
        if not isinstance(before, list):
            return values
        kept = {place: value for place, value in enumerate(before) if isinstance(value, Accepted)}
        return [kept.get(place, value) for place, value in enumerate(values_of(values))]

    def knows(self, name: str, key: str) -> bool:
        """Whether a record has anything there."""
        return key in self.keys and (name in self.said or key in self.merged.get(name, ()))

    def stands_for_more(self, name: str, key: str) -> bool:
        """Whether a record has contacts there that several events have brought."""
        found = self.merged.get(name, {}).get(key)
        return found is not None and isinstance(found.value, Accepted)

    def split(self) -> None:
        """Another shape is coming: values stand alone from here on."""
        if self.said:
            (shape,) = self.shapes
            for name, values in self.said.items():
                time = self.times[name]
                kind = PutValue if isinstance(values, PutValues) else Value
                said = zip(shape.keys, values_of(values), strict=False)
                self.merged[name] = {key: kind(value, time) for key, value in said if value is not MISSING}
            self.said, self.times = {}, {}


def values_of(said: bytes | list[Any]) -> list[Any]:
    """The values themselves."""
    return said if isinstance(said, list) else unpacked(said)
