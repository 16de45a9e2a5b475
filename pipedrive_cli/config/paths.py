"""Paths of a whole event, as the mapping and a lead's title name them: `$.context.campaign.source`. Pure.

A path is names with dots between them. There is no more to it: no wildcards, no places in lists, no expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from pipedrive_cli.model import Kind

SIGN: Final = "$."  # how a path begins; without it a name is a trait's

# What may stand at the top of an event, and whether something stands below it.
OBJECTS: Final = frozenset({"context", "traits", "properties", "integrations", "_metadata"})
SINGLE: Final = frozenset(
    {
        *("type", "event", "name", "category", "messageId", "userId", "anonymousId", "groupId", "previousId"),
        *("timestamp", "originalTimestamp", "sentAt", "receivedAt", "channel", "rudderId", "request_ip"),
        *("version", "writeKey", "projectId"),
    }
)
TOP_LEVEL: Final = OBJECTS | SINGLE
OF_THE_EVENT: Final = frozenset({"context", "timestamp"})  # first names that are hardly ever a trait's
BRACES: Final = re.compile(r"\{([^{}]*)\}")
EVENT_NAME: Final = "event"  # in a title's braces: the event's name


def is_path(name: str) -> bool:
    """Whether this names a place in the whole event and no trait."""
    return name.startswith(SIGN)


def steps(path: str) -> tuple[str, ...]:
    """The names of a path, from the top of the event down."""
    return tuple(path.removeprefix(SIGN).split("."))


def wrong_path(path: str) -> tuple[str, str] | None:
    """Why no event can have this path, and what to do; None where one can."""
    first, *below = steps(path)
    if not all(step.strip() for step in (first, *below)):
        return "is no path of an event: between the dots a name is missing", "write it as in $.context.campaign.source"
    if first not in TOP_LEVEL:
        near = get_close_matches(first, TOP_LEVEL, 1)
        meant = ".".join((near[0], *below)) if near else f"properties.{path.removeprefix(SIGN)}"
        return f"is no path of an event: it has no {first} at its top", f"did you mean {SIGN}{meant}?"
    if below and first in SINGLE:
        return f"is no path of an event: {first} is a single value, with nothing below it", f"write {SIGN}{first}"
    if first in OBJECTS and not below:
        return f"is a whole object: {first} has many values", f"name one of them, as in {SIGN}{first}.name"
    if any("[" in step or step == "*" for step in below):
        return "is no path of an event: it has names and dots alone", "places in lists cannot be named"
    return None


def doubtful(trait: str) -> bool:
    """Whether a trait is written as if it were a path: `context.page.url`, `timestamp`."""
    first, _, below = trait.partition(".")
    return first in OF_THE_EVENT and (bool(below) or first == "timestamp")


def unmistakable(kind: Kind, trait: str) -> str:
    """The trait as a line of the mapping may name it: as a path, where its name alone would be taken for one."""
    holder = "properties" if kind in {"leads", "products"} else "traits"
    return f"{SIGN}{holder}.{trait}" if doubtful(trait) else trait


def placeholders(template: str) -> Iterator[str]:
    """The names in the braces of a title, in their order."""
    yield from (match[1].strip() for match in BRACES.finditer(template))
