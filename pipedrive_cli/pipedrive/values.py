"""Converters, one per kind of value: numbers, text, options, addresses and money. `moments` has those for times.

A converter returns the value in API v2's form, changed only where nothing is lost, and raises `Unfit` otherwise. Knows
neither events nor records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from pipedrive_cli.model import BrokenText

Converter: TypeAlias = Callable[[Any], Any]

BROKEN: Final = "takes text; half of a character stands in this one, which was cut in the middle of an emoji"
LONGEST_QUOTED: Final = 40  # characters of a value that a message quotes
VISIBLE_TO: Final = (1, 3, 5, 7)
BILLING: Final = ("one-time", "annually", "semi-annually", "quarterly", "monthly", "weekly")
MARKETING: Final = ("no_consent", "unsubscribed", "subscribed", "archived")


class Unfit(Exception):
    """A value that does not fit its field; the message completes "the field ..."."""


def says_nothing(value: Any) -> bool:
    """Whether a value is missing, null, blank text, an empty list or an empty object."""
    if type(value) is str:
        return not value or value.isspace()
    return value is None or (not value and isinstance(value, list | dict))


WHOLE: Final = 1 << 63  # larger whole numbers fit neither Pipedrive's numbers nor the journal


def number(value: Any) -> int | float:
    """A number, or text that is a JSON number; text without a fraction becomes a whole number."""
    found = _number(value)
    if found is None:
        raise Unfit("takes a number such as 12.5, without thousands separators")
    if not -WHOLE <= found < WHOLE and isinstance(found, int):
        raise Unfit("takes numbers of at most 18 digits")
    return found


def _number(value: Any) -> int | float | None:
    if type(value) is int:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    # float() would also read "nan", "1_000" and digits of other scripts.
    if not text.isascii() or set(text) - set("+-.0123456789eE"):
        return None
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        return found if math.isfinite(found) else None
    return None


def as_it_is(value: Any) -> Any:
    """The value unchanged, for a field of unknown type; refused if the journal, or JSON, cannot hold it."""
    if isinstance(value, BrokenText):
        raise Unfit(BROKEN)
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit("takes a number; NaN, Infinity and numbers out of range are none")
    if isinstance(value, int) and not -WHOLE <= value < WHOLE:
        raise Unfit("takes numbers of at most 18 digits")
    if isinstance(value, dict):
        for inner in value.values():
            as_it_is(inner)
    elif isinstance(value, list):
        for inner in value:
            as_it_is(inner)
    return value


def integer(value: Any) -> int:
    """A whole number; 5.0 and "5" are whole."""
    try:
        found = number(value)
    except Unfit:
        found = math.nan
    if isinstance(found, int) or (found.is_integer() and -WHOLE <= found < WHOLE):
        return int(found)
    raise Unfit("takes a whole number")


def record_id(value: Any) -> int:
    """The id of a user, person or organization."""
    try:
        found = integer(value)
    except Unfit:
        found = 0
    if found < 1:
        raise Unfit("takes Pipedrive's id of a user or record: a whole number from 1")
    return found


def plain(value: Any) -> str | None:
    """A text, number or boolean as text; None for anything else. 5.0 is written 5."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return None


def text(longest: int) -> Converter:
    """Text up to a length. A list becomes `a, b`, unless an item contains a comma."""

    def to_text(value: Any) -> str:
        if type(value) is str and len(value) <= longest:
            return value
        found = plain(value)
        if found is None and isinstance(value, list):
            items = [plain(item) for item in value]
            if all(item is not None and "," not in item for item in items):
                found = ", ".join(str(item) for item in items)
        if found is None:
            raise Unfit("takes text; name a part of the object by a dot, or map a list to a field of several options")
        if len(found) > longest:
            raise Unfit(f"takes at most {longest:,} characters")
        return found

    return to_text


def boolean(value: Any) -> bool:
    """true and false, also as text or as 1 and 0."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        found = _BOOLEANS.get(str(value).strip().casefold())
        if found is not None:
            return found
    raise Unfit("takes true or false")


_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def visible_to(value: Any) -> int:
    """Pipedrive's visibility: 1, 3, 5 or 7."""
    try:
        found = integer(value)
    except Unfit:
        found = 0
    if found not in VISIBLE_TO:
        raise Unfit("takes 1, 3, 5 or 7")
    return found


def word(words: tuple[str, ...]) -> Converter:
    """One of a few words that Pipedrive fixes."""

    def to_word(value: Any) -> str:
        found = value.strip().casefold() if isinstance(value, str) else None
        if found not in words:
            raise Unfit(f"takes one of {', '.join(words)}")
        return str(found)

    return to_word


def one_of(known: Iterable[tuple[Any, str]]) -> Converter:
    """The id of an option that is named by its id or its label (exactly, or without case where that is unambiguous)."""
    choices = tuple(known)
    by_id = {str(found): found for found, _ in choices}
    exact: dict[str, list[Any]] = {}
    caseless: dict[str, list[Any]] = {}
    for found, label in choices:
        exact.setdefault(label.strip(), []).append(found)
        caseless.setdefault(label.strip().casefold(), []).append(found)
    labels = [label for _, label in choices]
    offer = ", ".join(labels[:10]) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")

    def to_option(value: Any) -> Any:
        named = plain(value)
        if named is not None:
            key = named.strip()
            by_number = by_id.get(key)
            if by_number is not None and not isinstance(value, str):
                return by_number
            for found in (exact.get(key), None if by_number is None else [by_number], caseless.get(key.casefold())):
                if found is not None:
                    if len(found) == 1:
                        return found[0]
                    ids = ", ".join(str(option) for option in found)
                    raise Unfit(f"has {len(found)} options named {_short(key)}; give the id of one: {ids}")
        if not labels:
            raise Unfit("has no options")
        raise Unfit(f"takes one of its options: {offer}" + (f"; {_short(named)} is none" if named else ""))

    return to_option


def _short(named: str) -> str:
    return repr(named if len(named) <= LONGEST_QUOTED else f"{named[: LONGEST_QUOTED - 1]}…")


def several_of(known: Iterable[tuple[Any, str]]) -> Converter:
    """The ids of options, from a list, from text with commas, or from one option; without doubles, in order."""
    one = one_of(known)

    def to_options(value: Any) -> list[Any]:
        if isinstance(value, list):
            items = [item for item in value if not says_nothing(item)]
        elif isinstance(value, str) and "," in value:
            try:
                return [one(value)]  # a label may contain a comma
            except Unfit:
                items = [item for item in value.split(",") if not says_nothing(item)]
        else:
            items = [value]
        return list(dict.fromkeys(one(item) for item in items))

    return to_options


# The parts of an address by Pipedrive's names and by those of traits, in the order in which they are written on a line.
ADDRESS_PARTS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("subpremise", ("subpremise",)),
    ("street_number", ("street_number",)),
    ("route", ("route", "street")),
    ("sublocality", ("sublocality",)),
    ("locality", ("locality", "city")),
    ("admin_area_level_2", ("admin_area_level_2",)),
    ("admin_area_level_1", ("admin_area_level_1", "state", "region")),
    ("postal_code", ("postal_code", "postalCode", "postalcode", "zip")),
    ("country", ("country",)),
)


def address(value: Any) -> dict[str, str]:
    """An address from one line of text, from Pipedrive's own form, or from traits: street, city, state and so on."""
    if isinstance(value, str):
        return {"value": value.strip()}
    if isinstance(value, dict):
        parts: dict[str, str] = {}
        for name, spellings in ADDRESS_PARTS:
            for spelling in spellings:
                if isinstance(given := value.get(spelling), BrokenText):
                    raise Unfit(BROKEN)
                part = plain(given)
                if part is not None and not says_nothing(part):
                    parts[name] = part.strip()
                    break
        line = value.get("value")
        if not isinstance(line, str) or says_nothing(line):
            line = ", ".join(parts.values())
        if line:
            return {"value": line.strip(), **parts}
    raise Unfit("takes an address: text, or an object of street, city, state, postalCode, country")


def currency(known: frozenset[str] | None) -> Converter:
    """A currency code in capitals: one of the account's, or three letters where the account's are unknown."""

    codes = sorted(known or ())
    offer = ", ".join(codes[:10]) + (f" and {len(codes) - 10} more" if len(codes) > 10 else "")

    def to_currency(value: Any) -> str:
        if known is not None and type(value) is str and value in known:
            return value
        code = value.strip().upper() if isinstance(value, str) else ""
        if known is None:
            if len(code) == 3 and code.isascii() and code.isalpha():
                return code
            raise Unfit("takes a currency's code of three letters, such as EUR")
        if code in known:
            return code
        raise Unfit(f"takes one of the account's currencies: {offer}; more are added in Pipedrive's company settings")

    return to_currency


def monetary(known: frozenset[str] | None) -> Converter:
    """An amount with its currency, from `{value or amount, currency}`."""
    to_currency = currency(known)

    def to_money(value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {"value": value}
        amount = given.get("value", given.get("amount"))
        if says_nothing(amount) or says_nothing(given.get("currency")):
            raise Unfit('takes an amount and a currency such as {"value": 12.5, "currency": "EUR"}')
        return {"value": number(amount), "currency": to_currency(given["currency"])}

    return to_money
