"""The table of field types: how each converts a value, and when two of its values are the same.

Pure; knows nothing of events or requests. The options of a field are in its `Field`. Values are in API v2's form;
`bodies` makes them flat for leads.

A value is converted where nothing is lost, and refused (`Unfit`) otherwise. Callers leave out blank text, empty lists
and empty objects (`says_nothing`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from pipedrive_cli.config.model import Values
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.pipedrive.choices import one_of, several_of
from pipedrive_cli.pipedrive.moments import date_range, day, time_of_day, time_range
from pipedrive_cli.pipedrive.sameness import (
    same_money,
    same_number,
    same_phone,
    same_range,
    same_set,
    same_text,
    same_time,
)
from pipedrive_cli.pipedrive.values import (
    BILLING,
    MARKETING,
    Converter,
    TextUpTo,
    address,
    as_it_is,
    boolean,
    integer,
    monetary,
    number,
    record_id,
    says_nothing,
    user,
    visible_to,
    word,
)

USUAL: Final = Values()  # how texts are read where the config says nothing


def converter(field: Field, account: Account | None = None, reading: Values = USUAL) -> Converter:
    """The converter of a field, with its options prepared. Values of types that are not in the table stay unchanged.

    `account` has what a field does not know itself: currencies and users. `reading` is how the config has texts read.
    """
    row = TYPES.get(field.type)
    return as_it_is if row is None else row.make(field, account or Account(), reading)


def same(field_type: str, ours: Any, theirs: Any, country: str | None = None) -> bool:
    """Whether Pipedrive's value (`theirs`) is the one we would send (`ours`). The type is a field's, or `price`.

    `country` completes national phone numbers.
    """
    row = TYPES.get(field_type)
    compare = same_text if row is None else row.same
    if compare is same_text and type(ours) is str and type(theirs) is str:
        return ours.strip() == theirs.strip()  # a quick way for nearly all values
    if says_nothing(ours) or says_nothing(theirs):
        return says_nothing(ours) and says_nothing(theirs)
    if compare is same_phone:
        return same_phone(ours, theirs, country)
    return compare(ours, theirs)


def _choices(field: Field) -> tuple[tuple[int, str], ...]:
    return tuple((option.id, option.label) for option in field.options)


Make: TypeAlias = Callable[[Field, Account, Values], Converter]


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type: `make` makes the converter of a field, its account and how texts are read; `same`
    compares two values."""

    make: Make
    same: Callable[[Any, Any], bool] = same_text


def _always(to: Converter, alike: Callable[[Any, Any], bool] = same_text) -> FieldType:
    return FieldType(lambda field, account, reading: to, alike)


def _dates(to: Callable[..., Any], alike: Callable[[Any, Any], bool] = same_text) -> FieldType:
    return FieldType(lambda field, account, reading: partial(to, dates=reading.dates), alike)


def _numbers(to: Callable[..., Any]) -> FieldType:
    return FieldType(lambda field, account, reading: partial(to, decimals=reading.decimals), same_number)


TYPES: Final[dict[str, FieldType]] = {
    "varchar": _always(TextUpTo(255)),
    "varchar_auto": _always(TextUpTo(255)),
    "varchar_options": _always(TextUpTo(255)),
    "text": _always(TextUpTo(65_535)),
    "phone": _always(TextUpTo(255), same_phone),
    "double": _numbers(number),
    "int": _numbers(integer),
    "boolean": _always(boolean),
    "monetary": FieldType(lambda field, account, reading: monetary(account.currencies, reading), same_money),
    "enum": FieldType(lambda field, account, reading: one_of(_choices(field))),
    "set": FieldType(lambda field, account, reading: several_of(_choices(field), frozenset(reading.nothing)), same_set),
    "date": _dates(day),
    "daterange": _dates(date_range, same_range),
    "time": _always(time_of_day, same_time),
    "timerange": _always(time_range, same_time),
    "address": FieldType(lambda field, account, reading: partial(address, nothing=frozenset(reading.nothing))),
    "user": FieldType(lambda field, account, reading: user(account.users), same_number),
    "org": _always(record_id, same_number),
    "people": _always(record_id, same_number),
    "visible_to": _always(visible_to),
    "billing_frequency": _always(word(BILLING)),
    # Our own names, for values of standard fields.
    "marketing_status": _always(word(MARKETING)),
    "price": FieldType(lambda field, account, reading: monetary(account.currencies, reading), same_money),
}
