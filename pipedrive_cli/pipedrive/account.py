"""What one Pipedrive account looks like: its fields, options, currencies and labels, as one immutable catalogue.

Made from the answers of the field, currency, label and users/me endpoints, or empty when we are offline.
Pure data: it never asks.
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

    @property
    def address(self) -> str:
        """How changes name this field."""
        return f"custom_fields.{self.key}" if self.custom else self.key


class Label(msgspec.Struct, frozen=True):
    """One lead label."""

    id: str
    name: str


class Account(msgspec.Struct, frozen=True):
    """The catalogue. A kind that is missing from `fields` was not asked for: its values pass as they are.

    `pinned` are the keys of the custom fields that earlier runs understood by a name: what the config calls Role stays
    that field, whatever it is called in Pipedrive later.
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
    pinned: Mapping[Kind, Mapping[str, str]] = {}
