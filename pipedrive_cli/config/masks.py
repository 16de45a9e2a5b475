"""Finds values that one line of the mapping masks and another place of the config would show. Pure.

The promise of a mask is that nothing shows the value. So what holds it, or a part of it, must not go anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipedrive_cli.config.known_traits import ALWAYS_READ, HOLDERS, ORDERED_PROPERTIES
from pipedrive_cli.config.model import Config
from pipedrive_cli.config.paths import EVENT_NAME, SIGN, is_path, placeholders
from pipedrive_cli.model import KINDS, Kind

# What reports name events and records by.
SHOWN: Final = (
    *("type", "event", "messageId", "userId", "anonymousId", "groupId", "previousId"),
    *("context.externalId", "context.groupId"),
)


class Use(NamedTuple):
    """A place of the config that reads values of events. `kind` None: of whole events. `path`: its key in the file."""

    path: str
    name: str
    kind: Kind | None
    places: tuple[str, ...]
    masked: bool = False


def shown_elsewhere(config: Config) -> Iterator[tuple[str, str]]:
    """(path of a masked line, by what its value would be shown) for every mask that hides nothing."""
    uses = [*_lines(config), *_fixed(config), *_title(config)]
    for mask in (use for use in uses if use.masked):
        for other in uses:
            same_events = mask.kind is None or other.kind is None or mask.kind == other.kind
            if not other.masked and same_events and _overlap(mask, other):
                yield mask.path, other.name
                break


def _lines(config: Config) -> Iterator[Use]:
    for kind in KINDS:
        for trait, line in config.fields.lines(kind).items():
            where = _places(kind, trait)
            name = f"fields.{kind}.{trait}"
            yield Use(name, name, None if is_path(trait) else kind, where, line.mask is not None)


def _fixed(config: Config) -> Iterator[Use]:
    """What is read without any mapping, and what reports show of every event."""
    for kind in KINDS:
        for trait in dict.fromkeys((*ALWAYS_READ[kind], *(ORDERED_PROPERTIES if kind == "products" else ()))):
            if trait not in config.fields.unwanted(kind):
                yield Use("", f"{trait}, which is read without a mapping", kind, _places(kind, trait))
    company = config.identity.company
    if company is not None:
        yield Use("", "identity.company", "persons", _places("persons", company))
    for place in SHOWN:
        yield Use("", f"{SIGN}{place}, which reports name", None, (place,))


def _title(config: Config) -> Iterator[Use]:
    for name in placeholders(config.leads.title):
        if name != EVENT_NAME:
            yield Use("", "leads.title", None if is_path(name) else "leads", _places("leads", name))


def _places(kind: Kind, trait: str) -> tuple[str, ...]:
    if is_path(trait):
        return (trait.removeprefix(SIGN),)
    return tuple(f"{holder}.{trait}" for holder in HOLDERS[kind])


def _overlap(one: Use, other: Use) -> bool:
    """Whether a value of one is, holds, or stands in a value of the other."""
    return any(a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.") for a in one.places for b in other.places)
