"""What an event says of its user's consent, in RudderStack's form, in Segment's, or in both. Pure.

RudderStack: ``context.consentManagement: {provider, allowedConsentIds, deniedConsentIds, resolutionStrategy}``.
Segment: ``context.consent: {categoryPreferences: {Name: true | false}}``. Which purposes matter is the config's, and
what is refused is decided in `transform/consent.py`. What is not of these forms says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipedrive_cli.model import Consent

_STRATEGIES: Final = ("and", "or")
_OWN_STRATEGY: Final = "custom"  # the provider for which the destination's strategy counts, not the event's


class _Outer(msgspec.Struct):
    context: Any = None


_decode_outer: Final = msgspec.json.Decoder(_Outer).decode


def consent_of(management: object, segment: object) -> Consent | None:
    """What the two objects of an event's context say; None: nothing."""
    denied: frozenset[str] | None = None
    allowed: frozenset[str] = frozenset()
    strategy: str | None = None
    if isinstance(management, dict):
        denied, allowed = _ids(management.get("deniedConsentIds")), _ids(management.get("allowedConsentIds"))
        said = management.get("resolutionStrategy")
        if management.get("provider") != _OWN_STRATEGY and said in _STRATEGIES:
            strategy = said
    preferences = segment.get("categoryPreferences") if isinstance(segment, dict) else None
    categories: dict[str, bool] | None = None
    if isinstance(preferences, dict):
        categories = {name: says for name, says in preferences.items() if isinstance(says, bool)}
    if denied is None and categories is None:
        return None
    return Consent(denied, allowed, strategy, categories)


def consent_in(raw: bytes, defaults: object) -> Consent | None:
    """The same of an event that is no event otherwise, as far as its JSON can be read.

    `defaults` is the context of the batch around it, or None.
    """
    try:
        context = _decode_outer(raw).context
    except (ValueError, RecursionError):
        context = None
    said: dict[str, object] = {}
    for each in (defaults, context):
        if isinstance(each, Mapping):
            said |= {name: value for name, value in each.items() if value is not None}
    return consent_of(said.get("consentManagement"), said.get("consent"))


def _ids(listed: object) -> frozenset[str]:
    return frozenset(each for each in listed if isinstance(each, str)) if isinstance(listed, list) else frozenset()
