"""Which events are to be sent: by an event's `integrations` object, and by the config's names of track events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Any, Final, Literal, TypeAlias

from pipedrive_cli.text_forms import caseless_form

_ALL_ALLOWED: Final = {"All": True}  # as in most events

REMEMBERED = 10_000  # cached routes; hostile input may have a new event name in every event


def passes_integrations(integrations: Any, names: Sequence[str]) -> bool:
    """Whether an event's `integrations` object allows this tool, by one of `names`. Without names every event passes.

    The first name whose value is a boolean or an object decides, else `All`, which defaults to true. If `All` is no
    boolean or `integrations` no object, the event does not pass (RudderStack's own rule).
    """
    if integrations is None or not names or integrations == _ALL_ALLOWED:
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
            if isinstance(ours, dict) or ours == []:  # PHP's empty object
                return True
    return everywhere


Route: TypeAlias = Literal["lead", "product viewed", "order completed", "excluded", "not included"]


class Routes:
    """What a track event becomes, by its name; names are compared without case, and every kind of space is one.

    `exclude` overrides everything else; `include` limits which events become leads. * and ? are wildcards in both.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include = _pattern(include)
        self._exclude = _pattern(exclude)
        self._known: dict[str, Route] = {}

    def route(self, name: str) -> Route:
        """What an event of this name becomes."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[name] = self._find(caseless_form(name))
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
    # Names are hostile: `translate` makes atomic groups, so that matching does not backtrack. Brackets are escaped,
    # because they are no wildcards here.
    translated = [translate(caseless_form(each).replace("[", "[[]")) for each in wildcards]
    return re.compile("|".join(translated) or "(?!)")  # (?!) matches nothing
