"""Reads the settings of RudderStack's Pipedrive destination from a JSON file, so that nobody must type them again.

The file holds the settings alone, a destination with the settings under `config`, or a workspace's export with the
destination somewhere in it. The keys are those of RudderStack's schema of that destination. No network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pipedrive_cli.config.plain_file import read_small
from pipedrive_cli.config.values import BadValue, secret
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import Kind
from pipedrive_cli.secret import Secret

BYTES_AT_MOST: Final = 16 << 20  # a workspace's export holds every destination
MAPS: Final[dict[str, Kind]] = {
    "personsMap": "persons",
    "organizationMap": "organizations",
    "organizationsMap": "organizations",
    "leadsMap": "leads",
    "productsMap": "products",
}
OURS: Final = frozenset({"userIdToken", "groupIdToken", *MAPS})  # keys that no other destination has
WRAPPERS: Final = ("config", "Config")
_LEGACY_CONSENT: Final = (
    ("oneTrustCookieCategories", "oneTrustCookieCategory", "all"),
    ("ketchConsentPurposes", "purpose", "any"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The destination's settings. `maps` are trait -> field, by kind; a field is the key of a field in Pipedrive."""

    api_token: Secret | None = None
    user_id_field: str | None = None
    group_id_field: str | None = None
    create_persons: Literal["all", "none"] = "all"
    purposes: tuple[str, ...] = ()  # of consent
    require: Literal["all", "any"] = "all"
    maps: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)


def read_settings(file: Path) -> Settings:
    """The one Pipedrive destination in a file. Raises UserMistake, whose message shows nothing of the content."""
    try:
        raw = read_small(file, BYTES_AT_MOST)
    except (OSError, ValueError) as error:
        raise _unusable(file, f"cannot be read: {getattr(error, 'strerror', None) or 'no file name'}") from None
    if len(raw) > BYTES_AT_MOST:
        raise _unusable(file, "is too large to be settings")
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise _unusable(file, "is no JSON") from None
    found = _destinations(document)
    if len(found) > 1:
        raise _unusable(file, f"has {len(found)} Pipedrive destinations: leave one of them in it")
    if not found:
        raise _unusable(file, "has no settings of a Pipedrive destination")
    return _settings(found[0])


def _unusable(file: Path, why: str) -> UserMistake:
    return UserMistake(
        f"--from-rudderstack {file}: {why}",
        code="usage",
        hint="a JSON object with userIdToken, groupIdToken, personsMap, organizationMap, leadsMap, productsMap",
    )


def _destinations(document: Any) -> list[dict[str, Any]]:
    """Every object with the destination's settings; equal copies count once."""
    found: list[dict[str, Any]] = []
    for each in _objects(document):
        if OURS & each.keys() and each not in found:
            found.append(each)
    if not found and isinstance(document, dict):
        # A destination without any setting but its key.
        inner = [document, *(document[name] for name in WRAPPERS if isinstance(document.get(name), dict))]
        found = [each for each in inner if isinstance(each.get("apiToken"), str)]
    return found


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    waiting = [document]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _settings(found: Mapping[str, Any]) -> Settings:
    maps: dict[Kind, dict[str, str]] = {}
    for name, kind in MAPS.items():
        for trait, target in _pairs(found.get(name)):
            maps.setdefault(kind, {})[trait] = target  # of two lines for one trait that destination took the last
    purposes, require = _consent(found)
    return Settings(
        api_token=_token(found.get("apiToken")),
        user_id_field=_text(found.get("userIdToken")),
        group_id_field=_text(found.get("groupIdToken")),
        create_persons="all" if _switched_on(found.get("enableUserCreation")) else "none",
        purposes=purposes,
        require=require,
        maps=maps,
    )


def _pairs(written: Any) -> Iterator[tuple[str, str]]:
    """Pairs of `[{from, to}, ...]` or of an object from: to. RudderStack's form leaves a blank pair at the end."""
    if isinstance(written, dict):
        pairs = list(written.items())
    else:
        items = [item for item in written if isinstance(item, dict)] if isinstance(written, list) else []
        pairs = [(item.get("from"), item.get("to")) for item in items]
    for trait, target in pairs:
        if (name := _text(trait)) and (key := _text(target)):
            yield name, key


def _consent(found: Mapping[str, Any]) -> tuple[tuple[str, ...], Literal["all", "any"]]:
    """The destination's purposes, and whether one refused purpose is enough (`all`) or all must be refused (`any`).

    Today's form has providers, each with a strategy. Older settings are OneTrust's categories (one is enough) and
    Ketch's purposes (all must be refused). All forms may stand alone or below the type of the source. Where they
    disagree the stricter one counts.
    """
    purposes: dict[str, None] = {}
    strategies: set[str] = set()
    for provider in _listed(found.get("consentManagement")):
        named = [_text(each.get("consent")) for each in _listed(provider.get("consents"))]
        if any(named):
            purposes |= dict.fromkeys(name for name in named if name)
            strategies.add("any" if provider.get("resolutionStrategy") == "or" else "all")
    for setting, key, strategy in _LEGACY_CONSENT:
        named = [_text(each.get(key)) for each in _listed(found.get(setting))]
        if any(named):
            purposes |= dict.fromkeys(name for name in named if name)
            strategies.add(strategy)
    return tuple(purposes), "any" if strategies == {"any"} else "all"


def _listed(written: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list, or of one list per type of source (`{"web": [...]}`)."""
    lists = written.values() if isinstance(written, dict) else [written]
    for items in lists:
        yield from (item for item in (items if isinstance(items, list) else ()) if isinstance(item, dict))


def _token(written: Any) -> Secret | None:
    """The API token, unless it is a placeholder: `env.NAME`, `{{ ... }}`, or stars."""
    text = _text(written)
    if text is None or text.startswith(("env.", "{{")) or not set(text) - {"*", "•"}:
        return None
    try:
        return secret(text)
    except BadValue:
        return None


def _switched_on(written: Any) -> bool:
    """Whether a switch is on. It stands alone or below the type of the source; one that is not there is off."""
    if isinstance(written, dict):
        return any(map(_switched_on, written.values()))
    return written is True or (isinstance(written, str) and written.strip().casefold() == "true")


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None
