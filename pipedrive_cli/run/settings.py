"""The config as delivery needs it: which value wins, where record keys live, the user's choices, the day's budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.brakes import Done
from pipedrive_cli.delivery.effects import Constant, DeliverySettings
from pipedrive_cli.delivery.precedence import PrecedenceRules
from pipedrive_cli.model import KINDS, Kind, Value
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS
from pipedrive_cli.pipedrive.fields import same as same_value
from pipedrive_cli.transform.constants import constant_keys, constants_of
from pipedrive_cli.transform.transform import Transform

if TYPE_CHECKING:
    from pipedrive_cli.delivery.budget import Day


def field_names_of(account: Account) -> dict[str, str]:
    """What people call each custom field, by its key."""
    return {field.key: field.name for fields in account.fields.values() for field in fields if field.custom}


def _names_by_address(account: Account) -> dict[str, str]:
    """The fields' names, except where kinds differ: `add_time` is "Product created" on products alone."""
    names: dict[str, set[str]] = {}
    for field in (field for fields in account.fields.values() for field in fields):
        names.setdefault(field.address, set()).add(field.name)
    return {address: called.pop() for address, called in names.items() if len(called) == 1}


def _labels_by_address(account: Account) -> dict[tuple[Kind, str], dict[str, str]]:
    """The labels of the options of each field, by id as text."""
    labels: dict[tuple[Kind, str], dict[str, str]] = {
        (kind, field.address): {str(option.id): option.label for option in field.options}
        for kind, fields in account.fields.items()
        for field in fields
        if field.options
    }
    if account.lead_labels:
        labels["leads", "label_ids"] = {label.id: label.name for label in account.lead_labels}
    return labels


def delivery_settings(config: Config, transform: Transform, account: Account) -> DeliverySettings:
    """What the mapping, compiled for this account, means for plans; an empty account gives fields no names."""

    country = config.values.country

    def same(kind: Kind, where: str, ours: Value, theirs: Value) -> bool:
        kind_of_value = transform.type_at(kind, where)
        return bool(ours == theirs) if kind_of_value is None else same_value(kind_of_value, ours, theirs, country)

    rules = PrecedenceRules(
        existing=config.delivery.existing,
        contacts=config.delivery.contacts,
        name_fallback=config.identity.name_fallback,
        same=same,
        country=country,
    )
    key_address: dict[Kind, str | None] = {
        "persons": transform.user_id_address,
        "organizations": transform.group_id_address,
        "products": "code",
        "leads": "origin_id",
    }
    return DeliverySettings(
        rules,
        key_address,
        match_email=config.identity.match_email,
        match_organizations=config.identity.match_organizations == "name",
        skip_unknown=config.identity.creating == "none",
        alias="merge" if config.identity.alias == "skip" else config.identity.alias,
        deleted=config.delivery.deleted,
        keep_products=config.products.existing == "keep",
        new_records={kind: constants_of(config, account if account.fields else None, kind) for kind in KINDS},
        names=_names_by_address(account),
        constants={kind: _constants(config, transform, account, kind) for kind in KINDS},
        labels=_labels_by_address(account),
    )


def _constants(config: Config, transform: Transform, account: Account, kind: Kind) -> dict[str, Constant]:
    """What the config gives to records of a kind, by address: to new ones, and to leads."""
    known = account if account.fields else None
    keys = constant_keys(config, known, kind)
    constants = {a: Constant(keys[a], value) for a, value in constants_of(config, known, kind).items()}
    if kind == "leads":
        constants |= {a: Constant(f"leads.{a}", value) for a, value in transform.lead_constants.items()}
    return constants


def day_budget(config: Config, *, sandbox: bool = False) -> Day:
    """The day's budget as far as the config knows it, and how much is left to others; a sandbox tells its own."""
    from pipedrive_cli.delivery.budget import Day  # noqa: PLC0415 - a preview needs only the settings

    tokens = config.delivery.daily_tokens
    if tokens is None and config.pipedrive.seats is not None:
        tokens = PRICE_PLANS[config.pipedrive.plan].tokens(config.pipedrive.seats)
    reserve = config.delivery.leave_tokens
    return Day(None if sandbox else tokens, reserve.ratio if reserve.ratio else float(reserve.tokens))


def brake_limits(config: Config, chosen: Mapping[Done, int]) -> dict[Done, int]:
    """The brakes of a run: those of the config, save where the command line has its own."""
    brakes = config.delivery.brakes
    limits: dict[Done, int | None] = {
        "created": brakes.created,
        "updated": brakes.updated,
        "merged": brakes.merged,
        "deleted": brakes.deleted,
        **chosen,
    }
    return {done: limit for done, limit in limits.items() if limit is not None}
