"""The aliases there are: whose other name an id is, and how many aliases came after a value. Pure.

Aliases form trees: each former id leads to the id that follows it, and the last one is the present id. People write
long chains and wide fans, so nothing here walks a whole path for each of its ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from pipedrive_cli.delivery.precedence import DEEPEST, NO_TIME

Step: TypeAlias = tuple[str, int | None]  # an alias: the current id, and the time from which it holds


class _Path(msgspec.Struct, eq=False):
    """The way from one id to its present id: so many aliases, and the time of the first of them.

    `leap` skips aliases, of which `latest` is the latest time: about twice the logarithm of the length of a path is
    enough to find any alias of it (a skew-binary list, as Myers described it in 1983).
    """

    length: int
    time: int
    latest: int
    following: _Path | None
    leap: _Path | None


_PRESENT = _Path(0, NO_TIME, NO_TIME, None, None)


class Aliases:
    """Aliases by their previous id. The ids that follow each other must not form a ring."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = dict(steps)
        self._nearer: dict[str, str] = {}  # short cuts to ids farther on
        self._paths: dict[str, _Path] = {}

    def __contains__(self, key: object) -> bool:
        """Whether this id is a former id."""
        return key in self._steps

    def former_ids(self) -> Iterable[str]:
        """All former ids."""
        return self._steps.keys()

    def follows(self, previous: str, current: str) -> bool:
        """Whether an alias leads from `previous` to `current` directly."""
        step = self._steps.get(previous)
        return step is not None and step[0] == current

    def copy(self) -> Aliases:
        """The same aliases, to be linked and cut apart from these."""
        return Aliases(self._steps)

    def link(self, previous: str, step: Step) -> None:
        """From here on `previous` is a former id."""
        self._steps[previous] = step
        self._paths.clear()

    def cut(self, previous: str) -> None:
        """`previous` is a present id again."""
        if self._steps.pop(previous, None) is not None:
            self._nearer.clear()
            self._paths.clear()

    def canonical(self, key: str) -> str:
        """The present id that `key` leads to."""
        if key not in self._steps:
            return key
        passed = []
        while (step := self._steps.get(key)) is not None:
            passed.append(key)
            key = self._nearer.get(key, step[0])
        for each in passed[:-1]:
            self._nearer[each] = key
        return key

    def depth(self, key: str | None, time: int | None) -> int:
        """How many aliases came after a value of `key` at `time` (microseconds): each lowers the value by one rank.

        From the first alias that is not earlier than the value, all count that follow on the way to the present id. The
        ranks are for `DEEPEST` of them: beyond that values of former ids are told apart by their time alone.
        """
        if key not in self._steps:
            return 0
        at = NO_TIME if time is None else time
        path: _Path | None = self._path(key)
        while path is not None and path.length:
            if path.latest < at:
                path = path.leap
            elif path.time >= at:
                return min(path.length, DEEPEST)
            else:
                path = path.following
        return 0

    def hops(self, key: str | None) -> int:
        """How many aliases lead on from `key`."""
        return 0 if key is None else self._path(key).length

    def steps_from(self, keys: Iterable[str]) -> dict[str, Step]:
        """The aliases on the ways from `keys` to their present ids."""
        steps: dict[str, Step] = {}
        for first in keys:
            key = first
            while key not in steps and (step := self._steps.get(key)) is not None:
                steps[key] = step
                key = step[0]
        return steps

    def _path(self, key: str) -> _Path:
        ahead = []
        while (path := self._paths.get(key)) is None and (step := self._steps.get(key)) is not None:
            ahead.append((key, NO_TIME if step[1] is None else step[1]))
            key = step[0]
        path = path or _PRESENT
        for each, time in reversed(ahead):
            path = self._paths[each] = _before(path, time)
        return path


def _before(path: _Path, time: int) -> _Path:
    """The path with one more alias in front."""
    leap = path.leap
    if leap is not None and leap.leap is not None and path.length - leap.length == leap.length - leap.leap.length:
        return _Path(path.length + 1, time, max(time, path.latest, leap.latest), path, leap.leap)
    return _Path(path.length + 1, time, time, path, path)
