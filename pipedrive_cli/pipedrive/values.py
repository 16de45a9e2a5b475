"""Converters, one per kind of value: numbers, text, addresses and money. `moments` has those for times, `choices`
those for options.

A converter returns the value in API v2's form, changed only where nothing is lost, None for a value that says nothing,
and raises `Unfit` otherwise. How texts are read is the config's section `values`. Knows neither events nor records.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pipedrive_cli.config.model import Values
from pipedrive_cli.model import BrokenText
from pipedrive_cli.pipedrive.account import User
from pipedrive_cli.pipedrive.numbers import CURRENCY_NAMES, Amount, Decimals, needs_comma, no_number, read_amount
from pipedrive_cli.text_forms import caseless_form, visible

Converter: TypeAlias = Callable[[Any], Any]

BROKEN: Final = "takes text; half of a character stands in this one, which was cut in the middle of an emoji"
VISIBLE_TO: Final = (1, 3, 5, 7)
BILLING: Final = ("one-time", "annually", "semi-annually", "quarterly", "monthly", "weekly")
MARKETING: Final = ("no_consent", "unsubscribed", "subscribed", "archived")


class Unfit(Exception):
    """A value that does not fit its field; the message completes "the field ..."."""


class ReadOtherwise(Unfit):
    """A value that fits under another setting of the config's `values`, which the message names."""


class NoCurrency(Unfit):
    """An amount that would fit if somebody said in which currency it is."""


class WrongCurrency(Unfit):
    """The currency that stands beside an amount is none of the account's."""


def says_nothing(value: Any, words: Set[str] = frozenset()) -> bool:
    """Whether a value is missing, null, an empty list or object, or a text of which nothing can be seen, or which is
    one of `words`.
    """
    if type(value) is str:
        bare = visible(value)
        return not bare or bare in words
    return value is None or (not value and isinstance(value, list | dict))


WHOLE: Final = 1 << 63  # larger whole numbers fit neither Pipedrive's numbers nor the journal


def number(value: Any, decimals: Decimals = "point") -> int | float:
    """A number, or a text that is one as people write it; text without a fraction becomes a whole number."""
    return _bounded(_number(value, decimals), value, decimals)


def _bounded(found: float | None, value: Any, decimals: Decimals) -> int | float:
    if found is None:
        settable = decimals == "point" and isinstance(value, str) and needs_comma(value)
        raise (ReadOtherwise if settable else Unfit)(no_number(value, decimals))
    if not -WHOLE <= found < WHOLE and isinstance(found, int):
        raise Unfit("takes numbers of at most 18 digits")
    return found


def _number(value: Any, decimals: Decimals) -> int | float | None:
    if isinstance(value, str):
        amount = amount_in(value, decimals)
        return None if amount is None else amount.number
    return _json_number(value)


def amount_in(text: str, decimals: Decimals) -> Amount | None:
    """The number in a text, and what its currency sign tells; None where it is no number."""
    # A program's number comes first, save where people and programs write the same for different numbers.
    if decimals == "point" or not ("," in text or "." in text):
        found = _json_number(text)
        if found is not None:
            return Amount(found)
    amount = read_amount(text, decimals)
    if amount is None and decimals == "comma" and (found := _json_number(text)) is not None:
        amount = Amount(found)
    return amount if amount is None or math.isfinite(amount.number) else None


def _json_number(value: Any) -> int | float | None:
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


def integer(value: Any, decimals: Decimals = "point") -> int:
    """A whole number; 5.0 and "5" are whole."""
    try:
        found = number(value, decimals)
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


def user(known: Iterable[User] | None) -> Converter:
    """The id of a user, from an id or from an email address of one; without the account's users ids alone are known."""
    users = None if known is None else tuple(known)
    by_email: dict[str, list[User]] = {}
    for each in users or ():
        by_email.setdefault(each.email, []).append(each)
    ids = {each.id for each in users or ()}

    def to_user(value: Any) -> Any:
        if isinstance(value, str) and "@" in value:
            if users is None:
                return value.strip()
            named = by_email.get(value.strip().casefold(), [])
            found = [each for each in named if each.active] or named
            if len(found) != 1:
                raise Unfit(f"takes the email of a user; {'several have' if found else 'nobody has'} this one")
            return found[0].id
        try:
            number = record_id(value)
        except Unfit:
            raise Unfit("takes a user: the user's email address, or Pipedrive's id of one") from None
        if users is not None and number not in ids:
            raise Unfit(f"takes a user, and the account has none with the id {number}")
        return number

    return to_user


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


@dataclass(frozen=True, slots=True)
class TextUpTo:
    """Text up to a length. A list becomes `a, b`, unless an item contains a comma."""

    longest: int

    def __call__(self, value: Any) -> str:
        """The text; raises Unfit."""
        found = plain(value)
        if found is None and isinstance(value, list):
            items = [plain(item) for item in value]
            if all(item is not None and "," not in item for item in items):
                found = ", ".join(str(item) for item in items)
        if found is None:
            raise Unfit("takes text; name a part of the object by a dot, or map a list to a field of several options")
        if len(found) > self.longest:
            raise Unfit(f"takes at most {self.longest:,} characters")
        return found


def longest_kept(convert: Converter) -> int:
    """The length up to which a converter leaves every text as it stands; -1 where it changes or refuses some."""
    if isinstance(convert, TextUpTo):
        return convert.longest
    return sys.maxsize if convert is as_it_is else -1


def boolean(value: Any) -> bool:
    """true and false, also as 1 and 0, or in words: yes and no, on and off, in some languages."""
    found = truth(value.strip().removesuffix(".0") if isinstance(value, str) else value)  # 1.0: pandas, of 1 and blanks
    if found is None:
        raise Unfit("takes true or false")
    return found


def truth(value: Any) -> bool | None:
    """What a value says of true and false; None where it says something else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _BOOLEANS.get(caseless_form(str(value))) if isinstance(value, int | str) else None


_YES: Final = "true 1 yes y on t checked enabled ja oui sí si sim tak ano igen evet да 是 wahr vrai verdadeiro vero"
_NO: Final = "false 0 no n off f unchecked disabled nein non não nao nie ne nem nee nej hayır нет 否 falsch faux falso"
_BOOLEANS: Final = dict.fromkeys(_YES.split(), True) | dict.fromkeys(_NO.split(), False)


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


def address(value: Any, nothing: Set[str] = frozenset()) -> dict[str, str] | None:
    """An address from one line of text, from Pipedrive's own form, or from traits: street, city, state and so on.

    `nothing` are texts that say nothing in a part.
    """
    if isinstance(value, str):
        return {"value": value.strip()}
    if isinstance(value, dict):
        parts: dict[str, str] = {}
        for name, spellings in ADDRESS_PARTS:
            for spelling in spellings:
                if isinstance(given := value.get(spelling), BrokenText):
                    raise Unfit(BROKEN)
                part = _address_part(given)
                if part is None and not says_nothing(given):
                    raise Unfit(f"takes an address, whose {spelling} is text")
                if part is not None and not says_nothing(part, nothing):
                    parts[name] = part.strip()
                    break
        line = value.get("value")
        if not isinstance(line, str) or says_nothing(line, nothing):
            line = ", ".join(parts.values())
        if line:
            return {"value": line.strip(), **parts}
        if nothing and any(spelling in value for _, spellings in ADDRESS_PARTS for spelling in spellings):
            return None
    raise Unfit("takes an address: text, or an object of street, city, state, postalCode, country")


def _address_part(given: Any) -> str | None:
    """The text of a part; shops write the lines of a street as a list."""
    lines = [plain(line) for line in (given if isinstance(given, list) else [given]) if not says_nothing(line)]
    return None if None in lines or not lines else ", ".join(str(line).strip() for line in lines)


def currency(known: frozenset[str] | None) -> Converter:
    """A currency's code in capitals, from the code or from a sign or name that means one currency alone.

    One of the account's, or any three letters where the account's are unknown.
    """

    codes = sorted(known or ())
    offer = ", ".join(codes[:10]) + (f" and {len(codes) - 10} more" if len(codes) > 10 else "")

    def to_currency(value: Any) -> str:
        if known is not None and type(value) is str and value in known:
            return value
        written = value.strip() if isinstance(value, str) else ""
        named = CURRENCY_NAMES.get(written.casefold(), frozenset())
        code = next(iter(named)) if len(named) == 1 else written.upper()
        if known is None:
            if len(code) == 3 and code.isascii() and code.isalpha():
                return code
            raise Unfit("takes a currency's code of three letters, such as EUR")
        if code in known:
            return code
        raise Unfit(f"takes one of the account's currencies: {offer}; more are added in Pipedrive's company settings")

    return to_currency


def monetary(known: frozenset[str] | None, reading: Values) -> Converter:
    """An amount with its currency, from `{value or amount, currency}` or from a text or number."""
    read = money_reader(known, reading)

    def to_money(value: Any) -> dict[str, Any] | None:
        found = read(value, None)
        return None if found is None else {"value": found[0], "currency": found[1]}

    return to_money


def own_currency(amount: Mapping[str, Any]) -> Any:
    """The currency within an amount that is an object; shops write it as a code."""
    return next((code for key in _CURRENCY_KEYS if not says_nothing(code := amount.get(key))), None)


_CURRENCY_KEYS: Final = ("currency", "currency_code", "currencyCode")
NUMBERS: Final = frozenset((int, float))  # true and false are none
_CODES_KEPT: Final = 1_000

MoneyReader: TypeAlias = Callable[[Any, Any], "tuple[int | float, str] | None"]


def money_reader(known: frozenset[str] | None, reading: Values) -> MoneyReader:
    """Reads an amount and its currency from a value and the currency that stands beside it, if any does.

    The amount's own currency comes first, then the one beside it, then what its sign tells, then the config's. None
    where the amount says nothing; raises `NoCurrency` where nobody says in which currency it is.
    """
    to_currency, words = currency(known), frozenset(reading.nothing)

    codes: dict[str, str] = {}  # as they are written beside amounts; few, save in hostile input

    def read(value: Any, beside: Any) -> tuple[int | float, str] | None:
        amount, own = value, None
        if isinstance(value, dict):
            amount, own = value.get("value", value.get("amount")), own_currency(value)
        # The quick way for nearly all: a number, and with it a code that was seen before.
        if type(amount) in NUMBERS and -WHOLE <= amount < WHOLE:
            written = beside if own is None else own
            if type(written) is str and (known_code := codes.get(written)) is not None:
                return amount, known_code
        if says_nothing(amount, words):
            if isinstance(value, dict) and not value.keys() & {"value", "amount"}:
                raise Unfit('takes an amount and a currency such as {"value": 12.5, "currency": "EUR"}')
            return None
        in_text = amount_in(amount, reading.decimals) if isinstance(amount, str) else None
        found = _json_number(amount) if in_text is None and not isinstance(amount, str) else in_text and in_text.number
        figure = _bounded(found, amount, reading.decimals)
        sign = None if in_text is None else in_text.currencies
        code = beside if says_nothing(own, words) else own
        if not says_nothing(code, words):
            try:
                named = to_currency(code)
            except Unfit as reason:
                raise reason if code is own else WrongCurrency(str(reason)) from reason
            if sign is not None and named not in sign:
                raise Unfit(f"takes one currency; the amount's own sign is not that of {named}, which is given with it")
            if isinstance(code, str) and len(codes) < _CODES_KEPT:
                codes[code] = named
            return figure, named
        return figure, to_currency(_from_sign(sign, reading.currency))

    return read


def _from_sign(sign: frozenset[str] | None, usual: str | None) -> str:
    """The currency of an amount that has none beside it."""
    if sign is None or usual in sign:
        if usual is None:
            raise NoCurrency("takes an amount with its currency, and nothing says which")
        return usual
    if len(sign) == 1:
        return next(iter(sign))
    raise NoCurrency("takes an amount with its currency, and its sign may mean several")
