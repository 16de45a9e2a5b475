"""Reads the consent of an event's user, in RudderStack's form, in Segment's, or in both. Pure.

RudderStack: ``context.consentManagement: {provider, allowedConsentIds, deniedConsentIds, resolutionStrategy}``.
Segment: ``context.consent: {categoryPreferences: {Name: true | false}}``. A refusal that a program has made a text or
a number of (`"false"`, `0`) is one, and objects and lists may stand in texts. Anything in another form is ignored.
Which events are skipped is decided in `transform/consent.py`, by the config.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.events.lenient import as_list, loads, object_in, structured, unsaid
from pipedrive_cli.model import Consent

_STRATEGIES: Final = ("and", "or")
_OWN_STRATEGY: Final = "custom"  # for this provider the destination's strategy counts, not the event's


class _Outer(msgspec.Struct):
    context: Any = None


_decode_outer: Final = msgspec.json.Decoder(_Outer).decode


def consent_of(management: object, segment: object) -> Consent | None:
    """The consent in the two objects of an event's context; None where neither has any."""
    denied: frozenset[str] | None = None
    allowed: frozenset[str] = frozenset()
    strategy: str | None = None
    management, segment = object_in(management), object_in(segment)
    if isinstance(management, dict):
        denied, allowed = _ids(management.get("deniedConsentIds")), _ids(management.get("allowedConsentIds"))
        named = _word(management.get("resolutionStrategy"))
        if _word(management.get("provider")) != _OWN_STRATEGY and named in _STRATEGIES:
            strategy = named
    preferences = object_in(segment.get("categoryPreferences")) if isinstance(segment, dict) else None
    categories: dict[str, bool] | None = None
    if isinstance(preferences, dict):
        said = ((name, _granted(written)) for name, written in preferences.items())
        categories = {name: granted for name, granted in said if granted is not None}
    if denied is None and categories is None:
        return None
    return Consent(denied, allowed, strategy, categories)


def consent_in(raw: bytes, defaults: object) -> Consent | None:
    """The consent in the bytes of a refused event, as far as its JSON can be read.

    `defaults` is the context that the batch gives its events, or None.
    """
    try:
        context = _decode_outer(raw).context
    except (ValueError, RecursionError):
        context = _lenient_context(raw)
    merged: dict[str, object] = {}
    for each in (defaults, object_in(context)):
        if isinstance(each, Mapping):
            merged |= {name: value for name, value in each.items() if not unsaid(value)}
    return consent_of(merged.get("consentManagement"), merged.get("consent"))


def _lenient_context(raw: bytes) -> object:
    try:
        event = None if too_deep(raw) else loads(raw)
    except (ValueError, RecursionError):
        return None
    return event.get("context") if isinstance(event, dict) else None


def _ids(value: object) -> frozenset[str]:
    """The ids in a list, which may stand in a text, with commas or as JSON; a number is its digits."""
    value = structured(value)
    items = [each.strip() for each in value.split(",")] if isinstance(value, str) else as_list(value) or ()
    return frozenset(str(each) for each in items if isinstance(each, str) or type(each) is int)


def _word(written: object) -> str | None:
    return written.strip().casefold() if isinstance(written, str) else None


def _granted(written: object) -> bool | None:
    """Whether a purpose is granted, also as 1 and 0 or as text; None where nothing is said that can be read."""
    return _GRANTED.get(str(written).strip().casefold()) if isinstance(written, bool | int | str) else None


_GRANTED: Final = {"true": True, "1": True, "false": False, "0": False}
