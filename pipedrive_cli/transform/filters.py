"""Which events are for us: the `integrations` object, and the config's names of track events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Any, Final, Literal, TypeAlias

_EVERYWHERE: Final = {"All": True}  # what most events say

REMEMBERED = 10_000  # routes of event names kept; hostile input may bring a new name with every event


def wanted_by(integrations: Any, names: Sequence[str]) -> bool:
    """Whether an event's `integrations` lets it pass; `names` are ours, none of them ignores the object.

    The first of our names that is present as a boolean or an object decides, else `All`, which defaults to true. An
    `All` that is no boolean and an `integrations` that is no object send nowhere (RudderStack's own rule).
    """
    if integrations is None or not names or integrations == _EVERYWHERE:
        return True
    if not isinstance(integrations, dict):
        return False
    everywhere = integrations.get("All", True)
    if not isinstance(everywhere, bool):
        return False
    for name in names:
        if name in integrations:
            ours = integrations[name]
            if isinstance(ours, bool):
                return ours
            if isinstance(ours, dict):
                return True
    return everywhere


Route: TypeAlias = Literal["lead", "product viewed", "order completed", "excluded", "not included"]


class Routes:
    """What becomes of track events by their names, which are compared trimmed and without case.

    `exclude` is stronger than all; `include` limits what becomes a lead. * and ? are wildcards in both.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include = _pattern(include)
        self._exclude = _pattern(exclude)
        self._known: dict[str, Route] = {}

    def route(self, name: str) -> Route:
        """Where an event of this name goes."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[name] = self._find(name.strip().casefold())
        return known

    def _find(self, name: str) -> Route:
        if self._exclude.fullmatch(name):
            return "excluded"
        if name == "product viewed":
            return "product viewed"
        if name == "order completed":
            return "order completed"
        return "lead" if self._include.fullmatch(name) else "not included"


def _pattern(wildcards: Sequence[str]) -> re.Pattern[str]:
    # `translate` looks for each piece between two stars once (an atomic group): names are hostile, and trying other
    # places would take time that grows with a power of the name's length. A bracket is no wildcard of ours.
    translated = [translate(each.strip().casefold().replace("[", "[[]")) for each in wildcards]
    return re.compile("|".join(translated) or "(?!)")  # without any, an expression that matches nothing
