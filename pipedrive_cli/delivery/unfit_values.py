"""The values that did not fit their fields, counted for a run's report. In memory alone: no journal keeps them.

A value that the events of one user alone bring may be a secret of that user, and nobody could take it out of a report
again when the user is forgotten. So it is not told; of what several users say alike nobody can be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = 500  # different values of one field
SHORT: Final = 60  # characters; a longer text is no value that many share

NOBODY: Final = ""


@dataclass(slots=True)
class _Seen:
    user: str
    count: int = 0
    several: bool = False


@dataclass(slots=True)
class UnfitValues:
    """Counts over one run. A field is named as problems name it: `traits.source`."""

    _seen: dict[str, dict[str, _Seen]] = field(default_factory=dict)

    def add(self, where: str, value: str, user: str | None) -> None:
        """Counts a value, as text, that an event of this user brought; of nobody, where it was about no person."""
        values = self._seen.setdefault(where, {})
        seen = values.get(value)
        if seen is None:
            if len(values) >= KEPT or len(value) > SHORT:
                return
            seen = values[value] = _Seen(user or NOBODY)
        seen.count += 1
        seen.several = seen.several or user is None or user != seen.user

    def of(self, where: str) -> Iterator[tuple[str, int]]:
        """The values that may be told, the most frequent first."""
        told = ((value, seen.count) for value, seen in self._seen.get(where, {}).items() if seen.several)
        yield from sorted(told, key=lambda each: (-each[1], each[0]))
