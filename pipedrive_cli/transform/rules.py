"""The rules of one run's transform, prepared once from config and account."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from pipedrive_cli.config import Config, Values
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.contacts import email_address, email_form, phone_form, phone_number
from pipedrive_cli.pipedrive.values import Converter, MoneyReader, Unfit, money_reader
from pipedrive_cli.transform.filters import Routes
from pipedrive_cli.transform.mapping import FieldMap, Notes
from pipedrive_cli.transform.targets import FieldTarget, label_converter, resolve_field

NAME_TRAITS = ("firstName", "firstname", "first_name", "lastName", "lastname", "last_name")
PERSON_TRAITS = ("id", "userId", "previousId", "name", *NAME_TRAITS, "email", "phone", "visible_to", "add_time")
ORGANIZATION_TRAITS = ("id", "groupId", "userId", "name", "visible_to", "add_time")
AMOUNTS = ("revenue", "value", "total", "amount")
LEAD_PROPERTIES = (*AMOUNTS, "currency", "expected_close_date", "label_ids", "visible_to")
CODES = ("product_id", "productId", "sku")
PRODUCT_PROPERTIES = (*CODES, "name", "price", "currency", "quantity")
ORDERED_PROPERTIES = (*CODES, "name", "price", "amount", "value", "currency")
ORDER_PROPERTIES = ("products", "currency")  # an order's own that are used; the others are counted as left out


class ContactForm(NamedTuple):
    """How emails or phones are read from a text, and compared; reading raises Unfit."""

    read: Callable[[str], str]
    compare: Callable[[str], str]


EMAILS = ContactForm(email_address, email_form)


@dataclass(frozen=True, slots=True)
class MappingRules:
    """A compiled section per kind, filters, constants and converters.

    `viewed` and `ordered` are the sections for products of Product Viewed and of orders, which have other properties.
    `reading` is how texts are read, and `nothing` those that say nothing.
    """

    persons: FieldMap
    organizations: FieldMap
    leads: FieldMap
    viewed: FieldMap
    ordered: FieldMap
    integrations: tuple[str, ...]
    routes: Routes
    use_anonymous: bool
    create_persons: bool
    alias_off: bool
    title: str
    lead_constants: dict[str, object]
    labels: Converter
    money: MoneyReader
    phones: ContactForm
    reading: Values
    nothing: frozenset[str]

    def notes(self) -> Notes:
        """What is to be collected while one event is read; empty."""
        return Notes(self.nothing)


def compile_rules(config: Config, account: Account | None) -> MappingRules:
    """Prepares the rules, without the fields that `resolve_fields` finds wrong: the caller must refuse those."""
    reading = config.reading
    nothing = frozenset(reading.nothing)
    products = targets(config, account, "products")
    return MappingRules(
        persons=FieldMap("persons", targets(config, account, "persons"), PERSON_TRAITS, nothing),
        organizations=FieldMap(
            "organizations", targets(config, account, "organizations"), ORGANIZATION_TRAITS, nothing
        ),
        leads=FieldMap("leads", targets(config, account, "leads"), LEAD_PROPERTIES, nothing),
        viewed=FieldMap("products", products, PRODUCT_PROPERTIES, nothing),
        ordered=FieldMap("products", products, ORDERED_PROPERTIES, nothing),
        integrations=config.events.integrations,
        routes=Routes(config.events.include, config.events.exclude),
        use_anonymous=config.identity.anonymous == "use",
        create_persons=config.identity.create_missing_persons,
        alias_off=config.identity.alias == "skip",
        title=config.leads.title,
        lead_constants=_lead_constants(config, account),
        labels=label_converter(account, reading),
        phones=ContactForm(phone_number, partial(phone_form, country=reading.country)),
        money=money_reader(None if account is None else account.currencies, reading),
        reading=reading,
        nothing=nothing,
    )


def targets(config: Config, account: Account | None, kind: Kind) -> dict[str, FieldTarget]:
    """The resolved fields of one section, by trait."""
    resolved = {
        trait: resolve_field(kind, written, account, config.reading)
        for trait, written in getattr(config.fields, kind).items()
    }
    return {trait: target for trait, target in resolved.items() if isinstance(target, FieldTarget)}


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
