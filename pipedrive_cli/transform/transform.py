"""The transform of one run: config and account are compiled once; then each event is turned into changes.

No clock, no I/O: the same event always gives the same changes, byte for byte. Events are never altered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.model import KINDS, Complaint, Consent, Event, Kind, Outcome, Transformed
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.text_forms import caseless_form, is_garbled
from pipedrive_cli.transform.alias import alias
from pipedrive_cli.transform.consent import DENIED, IGNORED, consent_rules
from pipedrive_cli.transform.filters import passes_integrations
from pipedrive_cli.transform.group import group
from pipedrive_cli.transform.identify import identify
from pipedrive_cli.transform.mapping import short
from pipedrive_cli.transform.rules import MappingRules, compile_rules
from pipedrive_cli.transform.targets import STANDARD, FieldTarget, resolve_field
from pipedrive_cli.transform.track import track

HANDLERS: Final[dict[str, Callable[[Event, MappingRules], Transformed]]] = {
    "identify": identify,
    "group": group,
    "alias": alias,
    "track": track,
}
_NEEDS: Final[dict[str, frozenset[Kind]]] = {
    "identify": frozenset({"persons"}),
    "group": frozenset({"organizations", "persons"}),
    "alias": frozenset({"persons"}),
}
_PRODUCT_EVENTS: Final = frozenset({"product viewed", "order completed"})
_PRODUCTS: Final[frozenset[Kind]] = frozenset({"products"})
_LEADS: Final[frozenset[Kind]] = frozenset({"persons", "leads"})
_NOTHING: Final[frozenset[Kind]] = frozenset()
NOT_SUPPORTED = {
    name: Transformed(
        complaints=(
            Complaint("type_not_supported", f"{name} events are not sent", "type", name, outcome=Outcome.SKIPPED),
        )
    )
    for name in ("page", "screen")
}
OFF = Transformed(
    complaints=(
        Complaint("integrations_off", "the event's integrations leave us out", "integrations", outcome=Outcome.SKIPPED),
    )
)
REFUSED = Transformed(complaints=(DENIED,))
AHEAD = Complaint(
    "clock_ahead",
    "the event's time is later than it was received, or than now: that counts",
    "timestamp",
)
PLACEHOLDER = "an id that names nobody counts as missing"
GARBLED = "UTF-8 that was read as another encoding"
UNREADABLE = "a time of the event could not be read; the next best one counts"


def kinds_of(event: Event) -> frozenset[Kind]:
    """The kinds of record that an event of this type and name can be about."""
    return _kinds_of_track(event.name or "") if event.type == "track" else _NEEDS.get(event.type, _NOTHING)


@lru_cache(maxsize=4_096)  # events have few names; hostile input may have a new one in every event
def _kinds_of_track(name: str) -> frozenset[Kind]:
    return _PRODUCTS if caseless_form(name) in _PRODUCT_EVENTS else _LEADS


class Transform:
    """Turns events into changes; made by `compile_mapping`.

    `user_id_address` and `group_id_address` are the addresses of the fields that hold record keys, None where none is
    configured.
    """

    def __init__(self, config: Config, account: Account | None) -> None:
        self._rules = compile_rules(config, account)
        self._consent = consent_rules(config)
        self.asks: Final = bool(self._consent.purposes)  # whether consent counts
        self._masks = any(line.mask for kind in KINDS for line in config.fields.lines(kind).values())
        self.user_id_address = _address("persons", config.identity.user_id_field, account)
        self.group_id_address = _address("organizations", config.identity.group_id_field, account)
        rules = self._rules
        maps = {"persons": rules.persons, "organizations": rules.organizations, "leads": rules.leads}
        self._types: dict[str, dict[str, str | None]] = {kind: fields.types for kind, fields in maps.items()}
        self._types["products"] = rules.viewed.types

    def type_at(self, kind: Kind, address: str) -> str | None:
        """The type of the values at an address (a name in `pipedrive.fields.TYPES`), None where it is unknown."""
        if address.startswith("prices."):
            return "price"
        return self._types[kind].get(address) or STANDARD[kind].get(address)

    def addresses(self, kind: Kind) -> frozenset[str]:
        """Every address to which the mapping of a kind may write."""
        return frozenset(self._types[kind])

    @property
    def lead_constants(self) -> Mapping[str, object]:
        """What the config gives to every lead, by address."""
        return self._rules.lead_constants

    def denies(self, consent: Consent | None) -> bool:
        """Whether an event with this consent must not be sent."""
        return self.asks and self._consent.denies(consent)

    def told(self, complaint: Complaint) -> Complaint:
        """A complaint about an event that could not be decoded, without the value if the config masks any."""
        return msgspec.structs.replace(complaint, value=None) if self._masks and complaint.value else complaint

    def transform(self, event: Event) -> Transformed:
        """The changes that one event asks for. Consent is checked before all that the config says."""
        rules = self._rules
        if self.asks and self.denies(event.consent):
            return REFUSED
        handler = HANDLERS.get(event.type)
        if handler is None:
            result = NOT_SUPPORTED[event.type]
        elif event.integrations is not None and not passes_integrations(event.integrations, rules.integrations):
            result = OFF
        else:
            result = handler(event, rules)
            if (garbled := _garbled(result)) is not None:
                told = Complaint("garbled_text", GARBLED, value=short(garbled))
                result = msgspec.structs.replace(result, complaints=(*result.complaints, told))
        if event.consent is not None and not self.asks:
            result = msgspec.structs.replace(result, complaints=(*result.complaints, IGNORED))
        if event.clock_ahead or event.unreadable_times or event.nobody:
            counted = [Complaint("unreadable_time", UNREADABLE, name) for name in event.unreadable_times]
            counted += [Complaint("placeholder_id", PLACEHOLDER, name, short(text)) for name, text in event.nobody]
            if event.clock_ahead:
                counted.append(AHEAD)
            return msgspec.structs.replace(result, complaints=(*result.complaints, *counted))
        return result


def _garbled(result: Transformed) -> str | None:
    """A text of its changes that looks garbled, if any does."""
    for change in result.changes:
        for value in change.fields.values():
            if type(value) is str and not value.isascii() and is_garbled(value):
                return value
    return None


def compile_mapping(config: Config, account: Account | None = None) -> Transform:
    """Prepares a run's transform. Without an account, values of custom fields are not converted, and a field given by
    name has the address `custom_fields.{field Name}`. Fields that `resolve_fields` finds wrong are left out."""
    return Transform(config, account)


def _address(kind: Kind, written: str | None, account: Account | None) -> str | None:
    target = None if written is None else resolve_field(kind, written, account)
    return target.address if isinstance(target, FieldTarget) else None
