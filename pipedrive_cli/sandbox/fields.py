"""The fields of an account: which exist, of what type, with which options, and how the API shows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipedrive_cli.sandbox.clock import rfc3339, v1_time
from pipedrive_cli.sandbox.wire import JsonObject

_KEY = re.compile(r"[0-9a-f]{40}", re.ASCII)

FIELD_KINDS = ("persons", "organizations", "products", "deals")

CREATABLE = (
    *("varchar", "text", "double", "phone", "date", "daterange", "time", "timerange"),
    *("set", "enum", "varchar_auto", "address", "monetary", "org", "people", "user"),
)

# The types that every search looks into, as the search endpoints document them.
SEARCHABLE = frozenset({"address", "varchar", "text", "varchar_auto", "double", "monetary", "phone"})

ADDRESS_PARTS = (
    *("country", "admin_area_level_1", "admin_area_level_2", "locality", "sublocality"),
    *("route", "street_number", "subpremise", "postal_code"),
)

# What may follow a custom field's key, after an underscore, in the flat form that v1 uses.
FLAT_PARTS: dict[str, tuple[str, ...]] = {
    "monetary": ("currency",),
    "daterange": ("until",),
    "time": ("timezone_id",),
    "timerange": ("until", "timezone_id"),
    "address": (*ADDRESS_PARTS, "formatted_address"),
}


@dataclass(slots=True)
class Option:
    """One choice of an enum or set field."""

    id: int
    label: str
    color: str | None = None
    add_time: int | None = None

    def view(self) -> JsonObject:
        shown: JsonObject = {"id": self.id, "label": self.label}
        if self.color is not None:
            shown["color"] = self.color
        if self.add_time is not None:
            shown["add_time"] = shown["update_time"] = rfc3339(self.add_time)
        return shown


@dataclass(slots=True)
class Field:
    """One field of one kind of record. `key` is a 40-digit hash for custom fields, a word for the rest."""

    number: int
    key: str
    name: str
    type: str
    custom: bool
    options: dict[int, Option] | None = None
    description: str | None = None
    add_time: int = 0
    mandatory: bool = False
    writable: bool = True
    ui: JsonObject = field(default_factory=lambda: {"add_visible_flag": False, "details_visible_flag": True})

    def view(self, include: Iterable[str] = (), *, with_writable: bool = True) -> JsonObject:
        """As the v2 fields API shows it. `with_writable`: with `is_writable`, which no published type has."""
        shown: JsonObject = {
            "field_name": self.name,
            "field_code": self.key,
            "description": self.description,
            "field_type": self.type,
            "options": None if self.options is None else [o.view() for o in self.options.values()],
            "subfields": self._subfields(),
            "is_custom_field": self.custom,
            "is_optional_response_field": False,
        }
        more: dict[str, Any] = {
            "ui_visibility": self.ui,
            "important_fields": {"enabled": False, "stage_ids": []},
            "required_fields": {"enabled": self.mandatory},
        }
        shown.update((name, more[name]) for name in include)
        if with_writable:
            shown["is_writable"] = self.writable
        return shown

    def _subfields(self) -> list[JsonObject] | None:
        parts = FLAT_PARTS.get(self.type)
        if not parts:
            return None
        return [
            {
                "field_code": f"{self.key}_{part}",
                "field_name": part.replace("_", " ").capitalize(),
                "field_type": "varchar",
            }
            for part in parts
        ]

    def flat_views(self) -> list[JsonObject]:
        """As v1 shows it: the field, then one more entry for each of its parts."""
        main: JsonObject = {
            "id": self.number,
            "key": self.key,
            "name": self.name,
            "order_nr": self.number,
            "field_type": self.type,
            "add_time": v1_time(self.add_time),
            "update_time": v1_time(self.add_time),
            "active_flag": True,
            "edit_flag": self.custom,
            "mandatory_flag": self.mandatory,
            "searchable_flag": self.type in SEARCHABLE,
            "options": None
            if self.options is None
            else [{"id": o.id, "label": o.label} for o in self.options.values()],
        }
        if not self.custom:
            return [main]
        parts = FLAT_PARTS.get(self.type, ())
        return [main] + [
            {
                **main,
                "key": f"{self.key}_{part}",
                "name": f"{part.replace('_', ' ').capitalize()} of {self.name}",
                "field_type": "varchar",
                "edit_flag": False,
                "is_subfield": True,
                "options": None,
            }
            for part in parts
        ]


class FieldSet:
    """The fields of one kind of record, in the order they were made."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.by_key: dict[str, Field] = {}
        self.custom: dict[str, Field] = {}

    def put(self, new: Field) -> None:
        self.by_key[new.key] = new
        if new.custom:
            self.custom[new.key] = new

    def drop(self, key: str) -> None:
        del self.by_key[key]
        del self.custom[key]

    def part(self, key: str) -> tuple[Field, str | None] | None:
        """The custom field that a flat key belongs to, and which part of it: None for the value itself."""
        found = self.custom.get(key)
        if found is not None:
            return found, None
        head, _, part = key.partition("_")
        found = self.custom.get(head)
        if found is not None and part in FLAT_PARTS.get(found.type, ()):
            return found, part
        return None


class FieldBook:
    """All field sets of an account, and the numbers that new fields and options get."""

    def __init__(self, seed: int, *, organization_details: bool) -> None:
        self._seed = seed
        self._fields = 0
        self._options = 0
        self.sets = {kind: FieldSet(kind) for kind in FIELD_KINDS}
        for kind in FIELD_KINDS:
            for row in SYSTEM_FIELDS[kind]:
                if organization_details or row[0] not in ORGANIZATION_DETAILS or kind != "organizations":
                    self._add_system(kind, *row)

    def __getitem__(self, kind: str) -> FieldSet:
        """Leads have no fields of their own: theirs are the deals'."""
        return self.sets["deals" if kind == "leads" else kind]

    @property
    def custom_count(self) -> int:
        return sum(len(fields.custom) for fields in self.sets.values())

    def add_custom(
        self,
        kind: str,
        name: str,
        field_type: str,
        labels: Iterable[str],
        now: int,
        key: str | None = None,
    ) -> Field:
        if field_type not in CREATABLE:
            raise ValueError(f"no custom field can be of type {field_type!r}; types are {', '.join(CREATABLE)}")
        number = self.new_number()
        text = f"{self._seed}/{self[kind].kind}/{number}"
        if key is None:
            key = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        elif not _KEY.fullmatch(key) or any(key in fields.by_key for fields in self.sets.values()):
            raise ValueError(f"{key!r} is taken, or is not 40 hexadecimal digits")
        new = Field(number, key, name, field_type, custom=True, add_time=now)
        if field_type in {"enum", "set"}:
            new.options = {}
            for label in labels:
                self.add_option(new, label, now)
        self[kind].put(new)
        return new

    def new_number(self) -> int:
        """The number of one more field."""
        self._fields += 1
        return self._fields

    def options_taken(self, numbers: Iterable[int]) -> None:
        """Options with these ids are there: new ones get higher ones."""
        self._options = max([self._options, *numbers])

    def add_option(self, to: Field, label: str, now: int) -> Option:
        self._options += 1
        option = Option(self._options, label, add_time=now)
        if to.options is None:
            raise ValueError(f"field {to.name!r} of type {to.type} has no options")
        to.options[option.id] = option
        return option

    def _add_system(self, kind: str, key: str, name: str, field_type: str, labels: tuple[str, ...] = ()) -> None:
        new = Field(self.new_number(), key, name, field_type, custom=False, mandatory=key in {"name", "title"})
        new.writable = key not in _FILLED_IN
        if field_type in {"enum", "set"}:
            new.options = {}
            for label in labels:
                self._options += 1
                new.options[self._options] = Option(self._options, label)
        self.sets[kind].put(new)


_FILLED_IN = frozenset({"id", "update_time", "picture_id"})  # by Pipedrive itself
ORGANIZATION_DETAILS = frozenset({"website", "linkedin", "industry", "annual_revenue", "employee_count"})

_LABELS = ("Customer", "Hot lead", "Warm lead", "Cold lead")

SYSTEM_FIELDS: dict[str, tuple[Any, ...]] = {
    "persons": (
        ("id", "ID", "int"),
        ("name", "Name", "varchar"),
        ("first_name", "First name", "varchar"),
        ("last_name", "Last name", "varchar"),
        ("label_ids", "Labels", "set", _LABELS),
        ("org_id", "Organization", "org"),
        # The field codes of emails and phones differ from the keys that records carry.
        ("email", "Email", "varchar"),
        ("phone", "Phone", "phone"),
        ("owner_id", "Owner", "user"),
        ("visible_to", "Visible to", "visible_to"),
        ("add_time", "Person created", "date"),
        ("update_time", "Update time", "date"),
        ("picture_id", "Profile picture", "picture"),
    ),
    "organizations": (
        ("id", "ID", "int"),
        ("name", "Name", "varchar"),
        ("label_ids", "Labels", "set", _LABELS),
        ("address", "Address", "address"),
        ("website", "Website", "varchar"),
        ("linkedin", "LinkedIn profile", "varchar"),
        ("industry", "Industry", "enum", ("Agriculture", "Finance", "Healthcare", "Retail", "Software")),
        ("annual_revenue", "Annual revenue", "double"),
        ("employee_count", "Number of employees", "double"),
        ("owner_id", "Owner", "user"),
        ("visible_to", "Visible to", "visible_to"),
        ("add_time", "Organization created", "date"),
        ("update_time", "Update time", "date"),
    ),
    "products": (
        ("id", "ID", "int"),
        ("name", "Name", "varchar"),
        ("code", "Product code", "varchar"),
        ("description", "Description", "text"),
        ("unit", "Unit", "varchar"),
        ("tax", "Tax", "double"),
        ("category", "Category", "enum", ("Goods", "Services")),
        ("prices", "Unit prices", "price_list"),
        ("is_linkable", "Active", "boolean"),
        ("billing_frequency", "Billing frequency", "billing_frequency"),
        ("owner_id", "Owner", "user"),
        ("visible_to", "Visible to", "visible_to"),
        ("add_time", "Product created", "date"),
        ("update_time", "Update time", "date"),
    ),
    "deals": (
        ("id", "ID", "int"),
        ("title", "Title", "varchar"),
        ("value", "Value", "monetary"),
        ("person_id", "Contact person", "people"),
        ("org_id", "Organization", "org"),
        ("owner_id", "Owner", "user"),
        ("expected_close_date", "Expected close date", "date"),
        ("origin_id", "Source origin ID", "varchar"),
        ("visible_to", "Visible to", "visible_to"),
        ("add_time", "Deal created", "date"),
        ("update_time", "Update time", "date"),
    ),
}
