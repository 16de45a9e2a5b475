"""The rules of one run's transform, prepared once from config and account."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from pipedrive_cli.config import Config, Values
from pipedrive_cli.config.known_traits import (
    LEAD_PROPERTIES,
    ORDERED_PROPERTIES,
    ORGANIZATION_TRAITS,
    PERSON_TRAITS,
    PRODUCT_PROPERTIES,
)
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.contacts import email_address, email_form, phone_form, phone_number
from pipedrive_cli.pipedrive.moments import day
from pipedrive_cli.pipedrive.values import Converter, MoneyReader, Unfit, money_reader
from pipedrive_cli.transform.company import USUAL
from pipedrive_cli.transform.filters import Routes
from pipedrive_cli.transform.mapping import BLANK, FieldMap, MappingSection, Notes
from pipedrive_cli.transform.targets import PHONE, PHONES, FieldTarget, label_converter, resolve_field
from pipedrive_cli.transform.title import Title


class ContactForm(NamedTuple):
    """How emails or phones are read from a text, and compared; reading raises Unfit."""

    read: Callable[[str], str]
    compare: Callable[[str], str]


EMAILS = ContactForm(email_address, email_form)


@dataclass(frozen=True, slots=True)
class MappingRules:
    """A compiled section per kind, filters, constants and converters.

    `viewed` and `ordered` are the sections for products of Product Viewed and of orders, which have other properties.
    `reading` is how texts are read, and `nothing` those that say nothing, with the empty one. `phone_lines` are the
    traits and paths that hold phone numbers, as the trait `phone` does.
    """

    persons: FieldMap
    phone_lines: tuple[str, ...]
    company: str | None
    tells_company: bool  # whether an event that names a company is told that nothing is linked
    organizations: FieldMap
    leads: FieldMap
    viewed: FieldMap
    ordered: FieldMap
    integrations: tuple[str, ...]
    routes: Routes
    use_anonymous: bool
    creating: Literal["all", "identify", "none"]
    alias_off: bool
    title: Title
    lead_constants: dict[str, object]
    labels: Converter
    money: MoneyReader
    day: Converter
    phones: ContactForm
    reading: Values
    nothing: frozenset[str]

    def notes(self) -> Notes:
        """What is to be collected while one event is read; empty."""
        return Notes(self.nothing)


def compile_rules(config: Config, account: Account | None) -> MappingRules:
    """Prepares the rules, without the fields that `resolve_fields` finds wrong: the caller must refuse those."""
    reading = config.reading
    nothing = frozenset(reading.nothing) | BLANK
    title = Title(config.leads.title)
    phone_lines = tuple(trait for trait, line in config.fields.lines("persons").items() if line.field == PHONE)

    def compiled(kind: Kind, fixed: Iterable[str]) -> FieldMap:
        return FieldMap(kind, section(config, account, kind, fixed), nothing)

    return MappingRules(
        persons=compiled("persons", (*PERSON_TRAITS, *_company_traits(config), *phone_lines)),
        phone_lines=phone_lines,
        organizations=compiled("organizations", ORGANIZATION_TRAITS),
        leads=compiled("leads", (*LEAD_PROPERTIES, *title.properties)),
        viewed=compiled("products", PRODUCT_PROPERTIES),
        ordered=compiled("products", ORDERED_PROPERTIES),
        company=config.identity.company,
        tells_company=not any(trait.partition(".")[0] == USUAL for trait in config.fields.persons),
        integrations=config.events.integrations,
        routes=Routes(config.events.include, config.events.exclude),
        use_anonymous=config.identity.anonymous == "use",
        creating=config.identity.creating,
        alias_off=config.identity.alias == "skip",
        title=title,
        lead_constants=_lead_constants(config, account),
        labels=label_converter(account, reading),
        phones=ContactForm(phone_number, partial(phone_form, country=reading.country)),
        money=money_reader(None if account is None else account.currencies, reading),
        day=partial(day, dates=reading.dates),
        reading=reading,
        nothing=nothing,
    )


def _company_traits(config: Config) -> tuple[str, ...]:
    company = config.identity.company
    return () if company is None else (f"{company}.id", f"{company}.name")


def section(config: Config, account: Account | None, kind: Kind, fixed: Iterable[str]) -> MappingSection:
    """One section with its resolved fields; `fixed` are the traits that need no mapping."""
    lines = config.fields.lines(kind)
    resolved = (
        (trait, line, resolve_field(kind, line.field, account, config.reading)) for trait, line in lines.items()
    )
    found = {trait: (line, target) for trait, line, target in resolved if isinstance(target, FieldTarget)}
    found = {trait: aimed for trait, aimed in found.items() if aimed[1].type != PHONES}
    return MappingSection(found, frozenset(fixed), config.fields.unwanted(kind))


def _lead_constants(config: Config, account: Account | None) -> dict[str, object]:
    constants: dict[str, object] = {}
    if config.leads.owner_id is not None:
        constants["owner_id"] = config.leads.owner_id
    if config.leads.visible_to is not None:
        constants["visible_to"] = str(config.leads.visible_to)
    if config.leads.label_ids:
        with suppress(Unfit):  # `resolve_fields` has a problem for it
            constants["label_ids"] = label_converter(account)(list(config.leads.label_ids))
    return constants
