"""Translates between addresses and JSON: fields to the body of a write, and a record in an answer to fields.

Pure. It knows that v2 nests custom fields and that v1, which leads use, has them flat. Which value a field gets, and
whether the value fits the field's type, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from pipedrive_cli.model import Contact, Kind
from pipedrive_cli.pipedrive.catalog import FACTS

CUSTOM = "custom_fields."
PRICE = "prices."
CONTACTS = frozenset({"emails", "phones"})

# The keys with which a price can be written; answers also have product_id.
_PRICE_KEYS = ("currency", "price", "cost", "direct_cost", "notes")
_NAME_PARTS = frozenset({"first_name", "last_name"})
_SINGLE = (str, int, float)  # what most values are; a union would be made anew for each
_LEAD_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_HIGHEST_ID = 2**63 - 1
# What a key of an answer must be, where anything else says nothing.
_SHAPES: Mapping[str, type] = {"update_time": str, "add_time": str, "origin_id": str}
_ADDRESSES = {kind: {body_key: address for address, body_key in facts.links.items()} for kind, facts in FACTS.items()}
_KEY_LENGTH = 40
_FLAT_KEY = re.compile(r"([0-9a-f]{40})(?:_(\w+))?")


_Place: TypeAlias = tuple[Literal["body", "custom", "prices", "contacts", "none"], str]


class _Places(dict[str, _Place]):
    """In which part of a body each address of a kind stands, and by what key. An address is looked at once."""

    def __init__(self, kind: Kind) -> None:
        super().__init__((address, ("body", key)) for address, key in FACTS[kind].links.items())
        self.update((address, ("contacts", address)) for address in CONTACTS)
        if kind == "persons":
            self.update((address, ("none", address)) for address in _NAME_PARTS)

    def __missing__(self, address: str) -> _Place:
        if address.startswith(CUSTOM):
            self[address] = "custom", address.removeprefix(CUSTOM)
        elif address.startswith(PRICE):
            self[address] = "prices", address.removeprefix(PRICE)
        else:
            self[address] = "body", address
        return self[address]


_PLACES: Mapping[Kind, _Places] = {kind: _Places(kind) for kind in FACTS}


def body_of(kind: Kind, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body that sets `fields` (address -> value, in v2's form; links as Pipedrive's ids).

    Left out are None (null is never sent), first_name and last_name (Pipedrive refuses them beside `name`), and an
    empty `custom_fields` (one Pipedrive client reports that it clears every custom field). Emails and phones are
    `Contact`s or objects of an answer; a price is a number or such an object. Prices keep the order of `fields`.
    """
    facts = FACTS[kind]
    body: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    prices: list[dict[str, Any]] = []
    places = _PLACES[kind]
    for address, value in fields.items():
        if value is None:
            continue
        part, key = places[address]
        if part == "body":
            body[key] = value
        elif part == "custom":
            if value != []:  # Pipedrive refuses an empty set, and only null clears one
                custom[key] = value
        elif part == "prices":
            prices.append(_price_row(key, value))
        elif part == "contacts":
            body[key] = [_contact_row(contact) for contact in value]
    if prices:
        body["prices"] = prices
    if facts.flat:
        if "visible_to" in body:
            body["visible_to"] = str(body["visible_to"])  # a string in v1, a number in v2
        for key, value in custom.items():
            body.update({key: value} if isinstance(value, _SINGLE) else _flattened(key, value))
    elif custom:
        body["custom_fields"] = custom
    return body


# Texts that have no null in the specification: nothing is an empty one.
_PRODUCT_TEXTS = frozenset({"unit", "description", "code"})


def body_back(kind: Kind, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body that gives a record back what it had: as `body_of`, but None clears what we have written."""
    facts = FACTS[kind]
    blank = [address for address, value in fields.items() if value is None or value == []]
    body = body_of(kind, {address: value for address, value in fields.items() if address not in blank})
    for address in blank:
        if address.startswith(CUSTOM):
            custom = body if facts.flat else body.setdefault("custom_fields", {})
            custom[address.removeprefix(CUSTOM)] = None
        elif address.startswith(PRICE):
            body.setdefault("prices", [])  # a row that is not in the list goes
        elif kind == "products" and address in _PRODUCT_TEXTS:
            body[address] = ""
        else:
            body[facts.links.get(address, address)] = [] if address in CONTACTS else None
    return body


def values_of(kind: Kind, record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record in an answer: address -> value, without null values.

    Emails and phones stay Pipedrive's lists, without entries that are none; a price is an object with its writable
    keys. What has another shape than it must have is left out. v1 has the options of a lead's set as one text
    ("12,34"); it stays a text, because only the field's type shows that it is a set.
    """
    facts = FACTS[kind]
    addresses = _ADDRESSES[kind]
    values: dict[str, Any] = {}
    for key, value in record.items():
        if value is None or (facts.flat and len(key) >= _KEY_LENGTH and _FLAT_KEY.fullmatch(key)):
            continue
        if key == "custom_fields":
            custom = value if isinstance(value, dict) else {}
            values.update({f"{CUSTOM}{name}": inner for name, inner in custom.items() if inner is not None})
        elif key == "prices":
            values.update(_prices(value if isinstance(value, list) else ()))
        elif kind == "persons" and key in CONTACTS:
            values[key] = contact_rows(value)
        elif key in _SHAPES and not isinstance(value, _SHAPES[key]):
            continue
        elif facts.flat and key == "visible_to" and isinstance(value, str) and value.isdecimal():
            values[key] = int(value)
        else:
            values[addresses.get(key, key)] = value
    if facts.flat:
        values.update(_nested(record))
    return values


def id_of(kind: Kind, record: object) -> int | str | None:
    """The id that a record in an answer shows: a number, a lead's a text. None for whatever is no id, as true or -1."""
    shown = record.get("id") if isinstance(record, dict) else None
    if kind == "leads":
        return shown if isinstance(shown, str) and _LEAD_ID.fullmatch(shown) else None
    return shown if isinstance(shown, int) and shown is not True and 0 < shown <= _HIGHEST_ID else None


def rows_of(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of a list in an answer: what has no id is none."""
    return [row for row in rows if id_of(kind, row) is not None]


def contact_rows(shown: object) -> list[Mapping[str, Any]]:
    """The emails or phones of an answer that are any. Pipedrive shows blank ones where a person has none."""
    return [row for row in (shown if isinstance(shown, list) else ()) if _is_contact(row)]


def _contact_row(contact: Contact | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(contact, Contact):
        return {key: contact[key] for key in ("value", "label", "primary") if contact.get(key) is not None}
    row: dict[str, Any] = {"value": contact.value}
    if contact.label is not None:
        row["label"] = contact.label
    if contact.primary is not None:
        row["primary"] = contact.primary
    return row


def _price_row(currency: str, price: Any) -> dict[str, Any]:
    if not isinstance(price, dict):
        return {"currency": currency, "price": price}
    return {**price_row(price), "currency": currency}


def price_row(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The writable keys of a row of prices in an answer, without blank values."""
    return {
        key: value
        for key in _PRICE_KEYS
        if (value := shown.get(key)) is not None and isinstance(value, _SINGLE) and value != ""
    }


def _is_contact(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("value"), str) and bool(row["value"].strip())


def _prices(rows: Iterable[Any]) -> dict[str, Any]:
    return {
        f"{PRICE}{row['currency']}": price_row(row)
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("currency"), str)
    }


def _flattened(key: str, value: Any) -> dict[str, Any]:
    """One custom field in v1's form: ``K``, with ``K_currency``, ``K_until`` or the parts of an address beside it."""
    if isinstance(value, list):
        return {key: ",".join(map(str, value))}
    if not isinstance(value, dict):
        return {key: value}
    flat = {key: value.get("value")}
    for part, inner in value.items():
        # v1 takes times of day only in the user's own zone.
        if part not in {"value", "timezone_name", "timezone_id"}:
            flat[f"{key}_{part}"] = inner
    return {name: inner for name, inner in flat.items() if inner is not None}


def _nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """The flat custom fields of v1 in v2's form."""
    plain: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in record.items():
        match = _FLAT_KEY.fullmatch(name) if len(name) >= _KEY_LENGTH else None
        if match is None or value is None:
            continue
        key, part = match.groups()
        if part is None:
            plain[key] = value
        else:
            parts.setdefault(key, {})[part] = value
    return {f"{CUSTOM}{key}": {"value": value, **parts[key]} if key in parts else value for key, value in plain.items()}
