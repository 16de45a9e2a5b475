"""Converters for fields of dates and times. Pure: reads no clock.

As in `values`, a converter returns API v2's form, None for a time that was never set, or raises `Unfit`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from pipedrive_cli.pipedrive.values import ReadOtherwise, Unfit
from pipedrive_cli.text_forms import visible
from pipedrive_cli.timestamps import (
    EPOCH,
    DateOrder,
    has_short_year,
    is_other_date,
    is_zero_time,
    orders_of,
    read_moment,
)

_MICROSECOND = timedelta(microseconds=1)


def rfc3339(microseconds: int) -> str:
    """Microseconds since 1970 UTC as whole seconds in Pipedrive's form: `2026-03-01T12:00:00Z`.

    Raises OverflowError outside the years 1 to 9999.
    """
    days, seconds = divmod(microseconds // 1_000_000, 86_400)
    minutes, seconds = divmod(seconds, 60)
    return _date(days) + _MINUTES[minutes] + _SECONDS[seconds]


_MINUTES = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1_440))
_SECONDS = tuple(f"{second:02}Z" for second in range(60))


@lru_cache(maxsize=1_024)  # the events of a file share their days, and strftime is slow
def _date(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def moment(value: Any, dates: DateOrder = "iso") -> str | None:
    """A moment as whole-second UTC; without an offset it is UTC. `timestamps` has the forms that are read."""
    found = read_moment(value, dates)
    if found is not None:
        try:
            return rfc3339((found - EPOCH) // _MICROSECOND)
        except OverflowError:
            pass
    if is_zero_time(value):
        return None
    raise _unfit("takes a time such as 2026-03-01T12:00:00Z", value, dates)


def day(value: Any, dates: DateOrder = "iso") -> str | None:
    """A date, from a date or a date-time. A date-time gives the date that is written in it, whatever its offset."""
    if type(value) is str and len(value) == 10 and value[4] == "-" and value[7] == "-":
        try:  # not `suppress`, which takes longer than the date
            return _plain_day(value)
        except ValueError:
            found = read_moment(value, dates)
    else:
        found = read_moment(value, dates)
    if found is not None:
        return found.date().isoformat()
    if is_zero_time(value):
        return None
    raise _unfit("takes a date such as 2026-03-01", value, dates)


def _unfit(such: str, value: Any, dates: DateOrder) -> Unfit:
    """With what to do about a date of which nobody has said whether the day or the month comes first."""
    if orders := orders_of(value):
        if dates != "iso":
            return Unfit(f"{such}; values.dates is {dates}, and this is a date only with the other first")
        whose = (
            "where the day comes first" if len(orders) > 1 else f"where the {orders[0].partition(' ')[0]} comes first"
        )
        return ReadOtherwise(
            f"{such}; {whose}, set values.dates: {orders[0]}{', else month first' * (len(orders) > 1)}"
        )
    if isinstance(value, str | int | float) and _SHEET_DAY.fullmatch(str(value)) is not None:
        shown = _SHEET_EPOCH + timedelta(days=int(float(value)))
        return Unfit(f"{such}; as spreadsheets count days this is {shown.isoformat()}: export the column as dates")
    if is_other_date(value):
        return Unfit(f"{such}; its digits may be a date in another order: write it with its dashes")
    if has_short_year(value):
        return Unfit(f"{such}; a year of two digits may be of either century: write all four")
    return Unfit(such)


_SHEET_EPOCH: Final = date(1899, 12, 30)  # day 0 of Excel and LibreOffice
_SHEET_DAY: Final = re.compile(r"[1-9][0-9]{4}(?:\.[0-9]+)?")  # from 1927 on, and no times since 1970 (`timestamps`)


@lru_cache(maxsize=4_096)
def _plain_day(written: str) -> str | None:
    found = date.fromisoformat(written)
    return None if found == date.min else found.isoformat()  # the first day of the year 1 is a date never set


_CLOCK: Final = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.0+)?)?(?:\s*(?P<half>[ap])\.?m\.?)?", re.ASCII
)


def clock_text(value: Any) -> str | None:
    """`HH:MM:SS` from `HH:MM` or `HH:MM:SS`, also with am or pm; or None."""
    found = _CLOCK.fullmatch(visible(value).casefold()) if isinstance(value, str) else None
    if found is None:
        return None
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"] == "p" else 0)
    return f"{hour:02}:{minute:02}:{second:02}" if hour < 24 and minute < 60 and second < 60 else None


def time_of_day(value: Any) -> dict[str, str]:
    """A time of day, with the time zone where the event gives one."""
    given = value if isinstance(value, dict) else {"value": value}
    found = clock_text(given.get("value"))
    if found is None:
        raise Unfit("takes a time of day such as 09:30 or 09:30:00")
    return {"value": found, **_zone(given)}


def _zone(given: Mapping[str, Any]) -> dict[str, str]:
    zone = given.get("timezone_name")
    return {"timezone_name": zone} if isinstance(zone, str) and zone else {}


def _ends(value: Any) -> tuple[Any, Any, Mapping[str, Any]]:
    """Both ends of a range, from `{value, until}`, `{start, end}`, `{from, to}`, a pair, or ISO's `first/last`."""
    if isinstance(value, dict):
        for first, last in (("value", "until"), ("start", "end"), ("from", "to")):
            if first in value and last in value:
                return value[first], value[last], value
    elif isinstance(value, list) and len(value) == 2:
        return value[0], value[1], {}
    elif isinstance(value, str) and value.count("/") == 1:
        first, last = value.split("/")
        return first, last, {}
    return None, None, {}


def date_range(value: Any, dates: DateOrder = "iso") -> dict[str, str]:
    """Two dates."""
    first, last, _ = _ends(value)
    with suppress(Unfit):
        start, end = day(first, dates), day(last, dates)
        if start is not None and end is not None:
            return {"value": start, "until": end}
    raise Unfit('takes two dates such as {"value": "2026-03-01", "until": "2026-03-31"}')


def time_range(value: Any) -> dict[str, str]:
    """Two times of day, with the time zone where the event gives one."""
    first, last, given = _ends(value)
    start, end = clock_text(first), clock_text(last)
    if start is None or end is None:
        raise Unfit('takes two times of day such as {"value": "09:00", "until": "17:30"}')
    return {"value": start, "until": end, **_zone(given)}
