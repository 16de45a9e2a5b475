"""Values of custom fields, per type: what v2 takes inside `custom_fields`, and the flat form that leads use.

The two forms are told apart in the migration guide's sections per type. Flat values are kept in v2's form, so
that an account can be compared and searched without asking which endpoint wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipedrive_cli.sandbox.fields import ADDRESS_PARTS, Field
from pipedrive_cli.sandbox.wire import JsonObject

LONGEST = {"varchar": 255, "varchar_auto": 255, "phone": 255, "text": 65_535}

_TOO_LARGE = 10**18

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?", re.ASCII)


class Wrong(Exception):
    """One value that Pipedrive would not take: where, and what it says about it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class Relations(Protocol):
    """What a value may refer to."""

    def exists(self, kind: str, record_id: object) -> bool: ...

    def has_currency(self, code: object) -> bool: ...


def is_number(value: object) -> bool:
    """Whether a JSON value is a number of a size that an account can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE


def is_integer(value: object) -> bool:
    return is_number(value) and float(value).is_integer()  # type: ignore[arg-type]  # is_number has checked


def is_date(value: object) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        time.fromisoformat(value)
    except ValueError:
        return False
    return True


def nested(field: Field, value: Any, relations: Relations) -> Any:
    """A value as v2 takes it, ready to keep; None clears. Raises `Wrong`."""
    if not field.writable:
        raise _wrong(field, "The field cannot be written")
    if value is None:
        return None
    check = _NESTED.get(field.type)  # a loaded account may have types that nobody here knows the rules of
    return value if check is None else check(field, value, relations)


def _wrong(field: Field, message: str) -> Wrong:
    return Wrong(f"custom_fields.{field.key}", message)


def _text(field: Field, value: Any, _: Relations) -> Any:
    if isinstance(value, dict | list):
        raise _wrong(field, "Invalid collection")
    if not isinstance(value, str):
        raise _wrong(field, f"Expected 'string' as value for text custom field '{field.key}'")
    if len(value) > LONGEST[field.type]:
        raise _wrong(field, f"Value is longer than {LONGEST[field.type]} characters")
    return value or None


def _double(field: Field, value: Any, _: Relations) -> Any:
    if not is_number(value):
        raise _wrong(field, f"Expected 'number' as value for numeric custom field '{field.key}'")
    return value


def _object(field: Field, value: Any, label: str, needed: tuple[str, ...], allowed: tuple[str, ...]) -> JsonObject:
    if not isinstance(value, dict):
        raise _wrong(field, f"{label} custom field value expected 'object'")
    for name in needed:
        if value.get(name) is None:
            raise _wrong(field, f"{label} custom field needs '{name}'")
    for name in value:
        if name not in needed and name not in allowed:
            raise _wrong(field, f"Unknown key '{name}'")
    return value


def _monetary(field: Field, value: Any, relations: Relations) -> Any:
    given = _object(field, value, "Monetary", ("value", "currency"), ())
    if not is_number(given["value"]):
        raise _wrong(field, "Expected 'number' as 'value' of monetary custom field")
    if not relations.has_currency(given["currency"]):
        raise _wrong(field, f"Unknown currency '{given['currency']}'")
    return {"value": given["value"], "currency": given["currency"]}


def _enum(field: Field, value: Any, _: Relations) -> Any:
    if not is_integer(value):
        raise _wrong(field, f"Expected 'number' as value for single option custom field '{field.key}'")
    if int(value) not in (field.options or {}):
        raise _wrong(field, f"Option '{int(value)}' does not exist in custom field '{field.key}'")
    return int(value)


def _set(field: Field, value: Any, relations: Relations) -> Any:
    if not isinstance(value, list):
        raise _wrong(field, f"Expected 'array' as value for multiple option custom field '{field.key}'")
    if not value:
        raise _wrong(field, "Array must contain at least 1 element; use null to clear the field")
    chosen = [_enum(field, item, relations) for item in value]
    if len(set(chosen)) < len(chosen):
        raise _wrong(field, "Array has a duplicate option")
    return chosen


_RELATED = {
    "org": ("organizations", "organization"),
    "people": ("persons", "person"),
    "user": ("users", "user"),
}


def _reference(field: Field, value: Any, relations: Relations) -> Any:
    kind, word = _RELATED[field.type]
    if not is_integer(value):
        raise _wrong(field, f"Expected 'number' as value for {word} custom field '{field.key}'")
    if not relations.exists(kind, int(value)):
        raise _wrong(field, f"There is no {word} with ID {int(value)}")
    return int(value)


def _date(field: Field, value: Any, _: Relations) -> Any:
    if not is_date(value):
        raise _wrong(field, "Expected a date in the form YYYY-MM-DD")
    return value


def _date_range(field: Field, value: Any, _: Relations) -> Any:
    given = _object(field, value, "Date range", ("value", "until"), ())
    if not is_date(given["value"]) or not is_date(given["until"]):
        raise _wrong(field, "Expected dates in the form YYYY-MM-DD")
    return {"value": given["value"], "until": given["until"]}


def _time_of_day(field: Field, value: Any, _: Relations) -> Any:
    needed = ("value", "until") if field.type == "timerange" else ("value",)
    label = "Time range" if field.type == "timerange" else "Time"
    given = _object(field, value, label, needed, ("timezone_name", "timezone_id"))
    for name in needed:
        if not is_time(given[name]):
            raise _wrong(field, f"Expected '{name}' in the form HH:MM:SS")
    zone = given.get("timezone_name")
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError):
            raise _wrong(field, f"Unknown time zone '{zone}'") from None
    kept: JsonObject = {name: given[name] if len(given[name]) > 5 else given[name] + ":00" for name in needed}
    kept["timezone_name"] = zone or "Etc/UTC"
    return kept


def _address(field: Field, value: Any, _: Relations) -> Any:
    given = _object(field, value, "Address", ("value",), ADDRESS_PARTS)
    for name, part in given.items():
        if part is not None and not isinstance(part, str):
            raise _wrong(field, f"Expected 'string' as '{name}' of address custom field")
    return {"value": given["value"], **{part: given.get(part) for part in ADDRESS_PARTS}}


_NESTED: dict[str, Callable[[Field, Any, Relations], Any]] = {
    "varchar": _text,
    "varchar_auto": _text,
    "text": _text,
    "phone": _text,
    "double": _double,
    "monetary": _monetary,
    "enum": _enum,
    "set": _set,
    "org": _reference,
    "people": _reference,
    "user": _reference,
    "date": _date,
    "daterange": _date_range,
    "time": _time_of_day,
    "timerange": _time_of_day,
    "address": _address,
}


def labelled(field: Field, value: Any) -> Any:
    """An option's id, or a list of them, with their labels: what `include_option_labels` asks for."""
    options = field.options
    if options is None or value is None:
        return value
    if isinstance(value, list):
        return [{"id": item, "label": options[item].label} for item in value if item in options]
    return {"id": value, "label": options[value].label} if value in options else None


def searchable_text(value: Any) -> str:
    """The text under which a value of a searchable type is found."""
    if isinstance(value, dict):
        value = value["value"]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
