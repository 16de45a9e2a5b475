"""Which events are for us: the `integrations` object, and the config's names of track events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

REMEMBERED = 10_000  # verdicts on event names kept; hostile input may bring a new name with every event


def wanted_by(integrations: Any, names: Sequence[str]) -> bool:
    """Whether an event's `integrations` lets it pass; `names` are ours, none of them ignores the object.

    The first of our names that is present as a boolean or an object decides, else `All`, which defaults to true. An
    `All` that is no boolean and an `integrations` that is no object send nowhere (RudderStack's own rule).
    """
    if integrations is None or not names:
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


class Names:
    """Patterns for event names: * and ? are wildcards, compared trimmed and without case."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._pattern = re.compile("|".join(f"(?:{_expression(p)})" for p in patterns) or "(?!)", re.DOTALL)
        self._verdicts: dict[str, bool] = {}

    def match(self, name: str) -> bool:
        verdict = self._verdicts.get(name)
        if verdict is None:
            if len(self._verdicts) >= REMEMBERED:
                self._verdicts.clear()
            verdict = self._verdicts[name] = self._pattern.fullmatch(name.strip().casefold()) is not None
        return verdict


def _expression(pattern: str) -> str:
    # Several stars in a row would make a match take exponential time.
    plain = re.sub(r"\*+", "*", pattern.strip().casefold())
    return "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in plain)
