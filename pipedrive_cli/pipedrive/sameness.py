"""Whether a value that we would send and one in Pipedrive's answer are the same, per kind of value.

Pipedrive adds to some values (the parts of an address, the zone of a time) and formats others (phone numbers). Callers
leave out blank values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.pipedrive.contacts import phone_form
from pipedrive_cli.pipedrive.moments import clock_text
from pipedrive_cli.pipedrive.values import Unfit, number, plain


def _compared_part(value: Any) -> Any:
    """The part of a value that is compared: of an object its `value` or `id`, such as an option's or a record's id."""
    if isinstance(value, Mapping):
        return next((value[name] for name in ("value", "id") if name in value), value)
    return value


def same_text(ours: Any, theirs: Any) -> bool:
    return bool(plain_or_self(_compared_part(ours)) == plain_or_self(_compared_part(theirs)))


def plain_or_self(value: Any) -> Any:
    """The trimmed text of a scalar, so that 5, 5.0 and "5" are the same; any other value unchanged."""
    found = plain(value)
    return value if found is None else found.strip()


def same_number(ours: Any, theirs: Any) -> bool:
    try:
        return number(_compared_part(ours)) == number(_compared_part(theirs))
    except Unfit:
        return False


def same_set(ours: Any, theirs: Any) -> bool:
    mine, shown = (v if isinstance(v, list | tuple) else str(v).split(",") for v in (ours, theirs))
    return {_member(item) for item in mine} == {_member(item) for item in shown}


def _member(item: Any) -> Any:
    member = plain_or_self(_compared_part(item))
    return repr(member) if isinstance(member, list | tuple | Mapping) else member  # no option; must be hashable


def same_phone(ours: Any, theirs: Any, country: str | None = None) -> bool:
    return phone_form(str(_compared_part(ours)), country) == phone_form(str(_compared_part(theirs)), country)


def same_time(ours: Any, theirs: Any) -> bool:
    """Compares the times; the time zone only where we would send one, because Pipedrive fills it in."""
    mine, shown = (v if isinstance(v, Mapping) else {"value": v} for v in (ours, theirs))
    for name in ("value", "until"):
        if (clock_text(mine.get(name)) or mine.get(name)) != (clock_text(shown.get(name)) or shown.get(name)):
            return False
    return "timezone_name" not in mine or bool(mine["timezone_name"] == shown.get("timezone_name"))


def same_money(ours: Any, theirs: Any) -> bool:
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        return bool(ours == theirs)
    amounts = [next((v[name] for name in ("value", "amount", "price") if name in v), None) for v in (ours, theirs)]
    return ours.get("currency") == theirs.get("currency") and same_number(*amounts)


def same_range(ours: Any, theirs: Any) -> bool:
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        return bool(ours == theirs)
    return all(ours.get(name) == theirs.get(name) for name in ("value", "until"))
