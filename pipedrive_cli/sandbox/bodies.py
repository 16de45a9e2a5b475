"""Bodies of v2 writes to persons, organizations and products: which keys there are, and what each may hold.

From the request schemas of the v2 OpenAPI file. Every check takes the value, its path and the account, and returns
the value to keep or raises `Wrong`. Null is wrong unless a check says otherwise: v2's standard fields cannot be nulled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from pipedrive_cli.sandbox.fields import ADDRESS_PARTS, ORGANIZATION_DETAILS, FieldSet
from pipedrive_cli.sandbox.options import SandboxOptions
from pipedrive_cli.sandbox.values import Relations, Wrong, is_integer, is_number, nested
from pipedrive_cli.sandbox.wire import JsonObject, Refusal, v2_refusal


class Context(Relations, Protocol):
    """What the checks ask of the account."""

    @property
    def options(self) -> SandboxOptions: ...

    def option_ids(self, kind: str, key: str) -> frozenset[int]: ...


Check = Callable[[Any, str, Context], Any]

_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}([Zz]|[+-]\d{2}:\d{2})", re.ASCII)

LONGEST_NAME = 255
VISIBILITIES = (1, 3, 5, 7)
FREQUENCIES = ("one-time", "annually", "semi-annually", "quarterly", "monthly", "weekly")
CONTACT_SYNC = frozenset({"notes", "im", "birthday", "job_title", "postal_address", "marketing_status"})


def parse_datetime(value: object) -> int | None:
    """A whole-second RFC 3339 time as seconds since 1970; None for anything else, fractions included."""
    if not isinstance(value, str) or not _DATETIME.fullmatch(value):
        return None
    try:
        return int(datetime.fromisoformat(value.upper().replace("Z", "+00:00")).timestamp())
    except (ValueError, OverflowError):
        return None


def invalid(problems: list[tuple[str, str]]) -> Refusal:
    """v2's refusal of a request, with every problem in one sentence."""
    text = "; ".join(f"{path}: {message}" for path, message in problems)
    return v2_refusal(400, f"Validation failed: {text}", "ERR_SCHEMA_VALIDATION_FAILED")


def unknown_parameter(name: str) -> tuple[str, str]:
    return name, f"Parameter '{name}' is not allowed for this request"


def string(value: Any, path: str, _: Context) -> str:
    if not isinstance(value, str):
        raise Wrong(path, "The value is not a valid 'string'")
    return value


def _name(value: Any, path: str, context: Context) -> str:
    text = string(value, path, context).strip()
    if not text:
        raise Wrong(path, "The value must not be empty")
    if len(text) > LONGEST_NAME:
        raise Wrong(path, f"The value is longer than {LONGEST_NAME} characters")
    return text


def _name_part(value: Any, path: str, context: Context) -> str:
    text = string(value, path, context).strip()
    if len(text) > LONGEST_NAME:
        raise Wrong(path, f"The value is longer than {LONGEST_NAME} characters")
    return text


def integer(value: Any, path: str, _: Context) -> int:
    if not is_integer(value):
        raise Wrong(path, "The value is not a valid 'integer'")
    return int(value)


def _number(value: Any, path: str, _: Context) -> Any:
    if not is_number(value):
        raise Wrong(path, "The value is not a valid 'number'")
    return value


def boolean(value: Any, path: str, _: Context) -> bool:
    if not isinstance(value, bool):
        raise Wrong(path, "The value is not a valid 'boolean'")
    return value


def _or_null(check: Check) -> Check:
    return lambda value, path, context: None if value is None else check(value, path, context)


def _user(value: Any, path: str, context: Context) -> int:
    number = integer(value, path, context)
    if not context.exists("users", number):
        raise Wrong(path, f"There is no user with ID {number}")
    return number


def _organization(value: Any, path: str, context: Context) -> int:
    number = integer(value, path, context)
    if not context.exists("organizations", number):
        raise Wrong(path, "Invalid organization ID provided")
    return number


def _time(value: Any, path: str, _: Context) -> int:
    seconds = parse_datetime(value)
    if seconds is None:
        raise Wrong(path, "The value is not a valid datetime")
    return seconds


def _visibility(value: Any, path: str, context: Context) -> int:
    if integer(value, path, context) not in VISIBILITIES:
        raise Wrong(path, "The value must be one of 1, 3, 5, 7")
    return int(value)


def _labels(kind: str) -> Check:
    def check(value: Any, path: str, context: Context) -> list[int]:
        if not isinstance(value, list):
            raise Wrong(path, "The value is not a valid 'array'")
        known = context.option_ids(kind, "label_ids")
        numbers = [integer(item, f"{path}[{index}]", context) for index, item in enumerate(value)]
        for number in numbers:
            if number not in known:
                raise Wrong(path, f"There is no label with ID {number}")
        return list(dict.fromkeys(numbers))

    return check


def _option_of(kind: str, key: str) -> Check:
    def check(value: Any, path: str, context: Context) -> int:
        if integer(value, path, context) not in context.option_ids(kind, key):
            raise Wrong(path, f"Option '{value}' does not exist")
        return int(value)

    return check


def _contacts(*, emails: bool) -> Check:
    def check(value: Any, path: str, context: Context) -> list[JsonObject]:
        if not isinstance(value, list):
            raise Wrong(path, "The value is not a valid 'array'")
        kept = []
        for index, item in enumerate(value):
            where = f"{path}[{index}]"
            if not isinstance(item, dict):
                raise Wrong(where, "The value is not a valid 'object'")
            for name in item:
                if name not in {"value", "primary", "label"}:
                    raise Wrong(where, f"Parameter '{name}' is not allowed for this request")
            text = string(item.get("value"), f"{where}.value", context)
            if emails and context.options.strict_emails and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text.strip()):
                raise Wrong(f"{where}.value", "The value is not a valid email")
            if not emails and context.options.format_phones:
                text = formatted_phone(text)
            primary = boolean(item.get("primary", False), f"{where}.primary", context)
            label = string(item.get("label", "work"), f"{where}.label", context)
            kept.append({"value": text, "primary": primary, "label": label})
        return one_primary(kept)

    return check


def one_primary(contacts: list[JsonObject]) -> list[JsonObject]:
    """Of several primary contacts the last stays primary; of none the first becomes it."""
    if contacts:
        chosen = 0
        for index, item in enumerate(contacts):
            if item["primary"]:
                chosen = index
        for index, item in enumerate(contacts):
            item["primary"] = index == chosen
    return contacts


def formatted_phone(text: str) -> str:
    """A number as Pipedrive may rewrite it: `+14155550123` becomes `+1 415-555-0123`; others stay."""
    digits = re.sub(r"[^\d+]", "", text)
    if len(digits) < 9 or not digits.startswith("+"):
        return text
    return f"{digits[:-10]} {digits[-10:-7]}-{digits[-7:-4]}-{digits[-4:]}"


def _address(value: Any, path: str, context: Context) -> JsonObject:
    if not isinstance(value, dict):
        raise Wrong(path, "The value is not a valid 'object'")
    for name, part in value.items():
        if name != "value" and name not in ADDRESS_PARTS:
            raise Wrong(path, f"Parameter '{name}' is not allowed for this request")
        if part is not None:
            string(part, f"{path}.{name}", context)
    string(value.get("value"), f"{path}.value", context)
    return {"value": value["value"], **{part: value.get(part) for part in ADDRESS_PARTS}}


def _prices(value: Any, path: str, context: Context) -> list[JsonObject]:
    if not isinstance(value, list):
        raise Wrong(path, "The value is not a valid 'array'")
    kept: dict[str, JsonObject] = {}
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if not isinstance(item, dict):
            raise Wrong(where, "The value is not a valid 'object'")
        for name in item:
            if name not in {"currency", "price", "cost", "direct_cost", "notes"}:
                raise Wrong(where, f"Parameter '{name}' is not allowed for this request")
        currency = string(item.get("currency"), f"{where}.currency", context)
        if not context.has_currency(currency):
            raise Wrong(f"{where}.currency", f"Unknown currency '{currency}'")
        if currency in kept:
            raise Wrong(path, f"There can be only one price in {currency}")
        price = _number(item.get("price"), f"{where}.price", context)
        cost = _number(item.get("cost", 0), f"{where}.cost", context)
        direct = item.get("direct_cost")
        if direct is not None:
            _number(direct, f"{where}.direct_cost", context)
        notes = string(item.get("notes", ""), f"{where}.notes", context)
        kept[currency] = {"price": price, "currency": currency, "cost": cost, "direct_cost": direct, "notes": notes}
    return list(kept.values()) or [free_price(context.options.default_currency)]


def free_price(currency: str) -> JsonObject:
    """The price of a product that was given none."""
    return {"price": 0, "currency": currency, "cost": 0, "direct_cost": None, "notes": ""}


def _frequency(value: Any, path: str, context: Context) -> str:
    if string(value, path, context) not in FREQUENCIES:
        raise Wrong(path, f"The value must be one of {', '.join(FREQUENCIES)}")
    return str(value)


def _cycles(value: Any, path: str, context: Context) -> int:
    if not 1 <= integer(value, path, context) <= 208:
        raise Wrong(path, "The value must be between 1 and 208")
    return int(value)


_COMMON: dict[str, Check] = {"owner_id": _user, "visible_to": _visibility}

CHECKS: dict[str, dict[str, Check]] = {
    "persons": {
        **_COMMON,
        "name": _name,
        "first_name": _name_part,
        "last_name": _name_part,
        "org_id": _or_null(_organization),
        "add_time": _time,
        "emails": _contacts(emails=True),
        "phones": _contacts(emails=False),
        "label_ids": _labels("persons"),
    },
    "organizations": {
        **_COMMON,
        "name": _name,
        "add_time": _time,
        "label_ids": _labels("organizations"),
        "address": _address,
        "website": _or_null(string),
        "linkedin": _or_null(string),
        "industry": _or_null(_option_of("organizations", "industry")),
        "annual_revenue": _or_null(integer),
        "employee_count": _or_null(integer),
    },
    "products": {
        **_COMMON,
        "name": _name,
        "code": string,
        "description": string,
        "unit": string,
        "tax": _number,
        "category": _option_of("products", "category"),
        "is_linkable": boolean,
        "prices": _prices,
        "billing_frequency": _frequency,
        "billing_frequency_cycles": _or_null(_cycles),
    },
}


def check_body(kind: str, body: JsonObject, fields: FieldSet, context: Context) -> tuple[JsonObject, JsonObject]:
    """The standard values and the custom values of a write, ready to keep. Raises `Refusal` with every problem."""
    checks = CHECKS[kind]
    details_off = kind == "organizations" and not context.options.organization_details
    problems: list[tuple[str, str]] = []
    standard: JsonObject = {}
    custom: JsonObject = {}
    for key, value in body.items():
        if key == "custom_fields":
            custom = _check_custom(value, fields, context, problems)
            continue
        check = checks.get(key)
        if check is None or (details_off and key in ORGANIZATION_DETAILS):
            problems.append(unknown_parameter(key))
            continue
        try:
            standard[key] = check(value, key, context)
        except Wrong as wrong:
            problems.append((wrong.path, wrong.message))
    if problems:
        raise invalid(problems)
    return standard, custom


def _check_custom(value: Any, fields: FieldSet, context: Context, problems: list[tuple[str, str]]) -> JsonObject:
    if not isinstance(value, dict):
        problems.append(("custom_fields", "The value is not a valid 'object'"))
        return {}
    kept: JsonObject = {}
    for key, item in value.items():
        field = fields.custom.get(key)
        if field is None:
            problems.append(("custom_fields", f"Unknown key '{key}'"))
            continue
        try:
            kept[key] = nested(field, item, context)
        except Wrong as wrong:
            problems.append((wrong.path, wrong.message))
    return kept
