"""The title of a new lead, from the config's template."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final

from pipedrive_cli.config.paths import BRACES, EVENT_NAME, is_path, placeholders
from pipedrive_cli.model import Event, JsonObject
from pipedrive_cli.pipedrive.values import plain, says_nothing
from pipedrive_cli.transform.mapping import split_path, trait_at, value_at

_NAME_ALONE: Final = f"{{{EVENT_NAME}}}"  # as in most configs
LONGEST: Final = 255  # characters: as many as Pipedrive's short texts hold


class Title:
    """A template: `{event}` is the event's name, other braces are properties or paths of the event."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._names = tuple(dict.fromkeys(name for name in placeholders(template) if name != EVENT_NAME))
        # Texts and names in turn: a name's text may hold braces itself, and is not looked at again.
        self._parts = BRACES.split(template)

    @property
    def properties(self) -> frozenset[str]:
        """The properties that it names."""
        return frozenset(name for name in self._names if not is_path(name))

    def fill(self, event: Event, name: str, properties: JsonObject, nothing: Set[str] = frozenset()) -> str:
        """The lead's title; the event's name where one of the braces has nothing to say, by `nothing` either."""
        if self._template == _NAME_ALONE:
            return _shortened(name)
        if not self._names:
            filled = self._template.replace("{event}", name)
            return _shortened(filled) if "{event}" in self._template else self._joined({}, name)
        found: dict[str, str] = {}
        for each in self._names:
            text = _text(value_at(event, *split_path(each)) if is_path(each) else trait_at(properties, each), nothing)
            if text is None:
                return _shortened(name)
            found[each] = text
        return self._joined(found, name)

    def _joined(self, found: dict[str, str], name: str) -> str:
        known = {**found, EVENT_NAME: name}
        parts = [known[part.strip()] if place % 2 else part for place, part in enumerate(self._parts)]
        return _shortened(" ".join("".join(parts).split()))


def _shortened(title: str) -> str:
    return title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…"


def _text(value: Any, nothing: Set[str]) -> str | None:
    if value is None or says_nothing(value, nothing):
        return None
    text = plain(value)
    return None if text is None else text.strip()
