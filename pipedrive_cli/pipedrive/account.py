"""The description of one Pipedrive account: its fields, options, currencies and labels. Pure, immutable data.

Made from the answers of the field, currency, label and users/me endpoints, or empty while we are offline.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipedrive_cli.model import Kind


class Option(msgspec.Struct, frozen=True):
    """One option of an enum or set field."""

    id: int
    label: str


class Field(msgspec.Struct, frozen=True):
    """One field of a kind of record. `key` is Pipedrive's field_code; `custom` fields live in `custom_fields`."""

    key: str
    name: str
    type: str
    custom: bool = True
    options: tuple[Option, ...] = ()
    writable: bool = True  # False: Pipedrive fills the field in itself, and refuses whoever writes it

    @property
    def address(self) -> str:
        """The address by which changes name this field."""
        return f"custom_fields.{self.key}" if self.custom else self.key


class Label(msgspec.Struct, frozen=True):
    """One lead label."""

    id: str
    name: str


class User(msgspec.Struct, frozen=True):
    """One user of the account. `email` is in small letters."""

    id: int
    email: str
    active: bool = True


class Account(msgspec.Struct, frozen=True):
    """One account. The fields of a kind that is missing from `fields` were not fetched: its values are not converted.

    `pinned` maps the names that earlier runs resolved to the keys of custom fields: the config's name Role keeps
    meaning the same field, even if the field is renamed in Pipedrive.
    """

    company_id: int | None = None
    company_name: str | None = None
    company_domain: str | None = None
    user_name: str | None = None
    admin: bool | None = None
    default_currency: str | None = None
    fields: Mapping[Kind, tuple[Field, ...]] = {}
    currencies: frozenset[str] | None = None
    lead_labels: tuple[Label, ...] | None = None
    users: tuple[User, ...] | None = None
    pinned: Mapping[Kind, Mapping[str, str]] = {}


def changed_addresses(kind: Kind, before: Account, after: Account) -> frozenset[str]:
    """The addresses of a kind whose values of yesterday may be refused today: gone, of another type, or options lost.

    A currency that is gone concerns the prices in it, and every amount; other lead labels, the labels of leads.
    """
    now = {field.address: field for field in after.fields.get(kind, ())}
    old = before.fields.get(kind, ())
    changed = {field.address for field in old if not _takes_the_same(field, now.get(field.address))}
    if gone := (before.currencies or frozenset()) - (after.currencies or frozenset()):
        changed |= {"value", *(field.address for field in old if field.type == "monetary")}
        changed |= {f"prices.{code}" for code in gone}
    if kind == "leads" and before.lead_labels != after.lead_labels:
        changed.add("label_ids")
    return frozenset(changed)


def _takes_the_same(before: Field, after: Field | None) -> bool:
    if after is None or not set(before.options) <= set(after.options):
        return False
    return msgspec.structs.replace(after, name=before.name, options=before.options) == before
