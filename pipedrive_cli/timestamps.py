"""Moments and dates as programs and people write them: one set of rules for the times of events and those in traits.

Pure; reads no clock. Read are

- ISO 8601 in all its variants: week dates, any precision (cut to microseconds), any offset, and none, which is UTC;
- the same with a space, slashes, dots, single digits, `UTC` or `GMT` behind it, as databases write it;
- what mail, HTTP and JavaScript write: `Sun, 01 Mar 2026 12:00:00 GMT`, `Sun Mar 01 2026 12:00:00 GMT+0100`;
- the same with the names of days and months in German, French, Dutch, Swedish, Danish, Spanish, Portuguese and Italian
  (`15 de março de 2026`, `1. Februar 1995`), and `2026年3月1日`;
- `24/12/1990`, where somebody has said whether the day or the month comes first;
- a number, or its digits as text: a date where it has eight digits that are one between 1900 and 2200 (20260301); else
  seconds since 1970 where these lie between 1900 and 2200, else milliseconds where these do. Numbers below 100,000 are
  no times, and neither are those whose digits may be a date in another order (24121990) or with an hour behind it.
  Microseconds and nanoseconds count from the year 2000 on: no such number has another reading;
- what C, Go, Java and .NET write: `Sun Mar  1 12:00:00 2026`, `2026-03-01 12:00:00 +0000 UTC`,
  `2026-03-01T12:00:00+01:00[Europe/Berlin]`, `/Date(1772366400000)/`.

The first moment of the year 1 is none: Go and .NET write it for a time that was never set. So is MySQL's day 0, and
what becomes of either in seconds since 1970. The last second of the year 9999, in seconds, is no time either.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final, Literal, TypeAlias

from pipedrive_cli.text_forms import narrow, visible

DateOrder: TypeAlias = Literal["iso", "day first", "month first"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FROM: Final = -2_208_988_800  # 1900-01-01, in seconds since 1970
_TO: Final = 7_258_118_400  # 2200-01-01
_FINE_FROM: Final = 946_684_800  # 2000-01-01
_LEAST: Final = 100_000
_LONGEST: Final = 80  # characters; JavaScript writes 60

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier januari enero ene janeiro gennaio gen",
            "feb february februar fevrier fevr februari febrero fevereiro fev febbraio",
            "mar march marz maerz mrz mars maart marzo marco",
            "apr april avril avr abril abr aprile",
            "may mai mei maj mayo maio maggio mag",
            "jun june juni juin junio junho giugno giu",
            "jul july juli juillet juil julio julho luglio lug",
            "aug august aout augustus augusti agosto ago",
            "sep sept september septembre septiembre setembro settembre set",
            "oct october oktober okt octobre octubre outubro out ottobre ott",
            "nov november novembre noviembre novembro",
            "dec december dezember dez decembre diciembre dic dezembro dicembre",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_WEEKDAYS: Final = (  # of other languages than English
    "montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so"
    "|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo"
    "|(?:segunda|terca|quarta|quinta|sexta)(?:-feira)?|lunedi|martedi|mercoledi|giovedi|venerdi|domenica"
    "|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag"
)
_WRITTEN: Final = re.compile(
    r"""(?:(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|"""
    rf"""(?:{_WEEKDAYS})\.?),?\s+)?"""
    r"""
    (?:
        (?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})                    # 2026/3/1
      | (?P<a>\d{1,2})\s?(?P<t>[-/.])\s?(?P<b>\d{1,2})\s?(?P=t)\s?(?P<y2>\d{4})       # 3/4/2026
      | (?P<d3>\d{1,2})(?:st|nd|rd|th|er|o)?[\s./-]+(?:de\s+)?(?P<m3>[a-z]{3,10})[.,]?[\s/-]+(?:del?\s+)?(?P<y3>\d{4})
      | (?P<m4>[a-z]{3,10})\.?\s+(?P<d4>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y4>\d{4})     # March 1, 2026
    )
    (?:(?:\s*,\s*|\s+|t)
        (?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?
        (?:\s?(?P<half>[ap])\.?m\.?|\s?uhr|\s?h)?
        \s*(?:z|utc|gmt)?\s*(?P<offset>[+-]\d{2}:?\d{2})?(?:\s*\([^()]*\))?
        (?P<zone>\s[a-z]{3,5}(?:\sm=[+-][\d.]+)?|\[[\w/+-]+\])?                      # says no more than the offset
    )?""",
    re.VERBOSE | re.ASCII,
)
# `Sun Mar  1 12:00:00 UTC 2026`, as C and Java write it: month, day, time, zone, year.
_YEAR_LAST: Final = re.compile(
    r"[a-z]{3}\s(?P<month>[a-z]{3})\s(?P<day>\d{1,2})\s(?P<time>\d\d:\d\d:\d\d)(?:\s(?:utc|gmt))?\s(?P<year>\d{4})"
)
_DOT_NET: Final = re.compile(r"\\?/date\((?P<milliseconds>-?\d{1,15})(?P<offset>[+-]\d{4})?\)\\?/", re.ASCII)
_WEEK: Final = re.compile(r"\d{4}-?W\d\d", re.ASCII)  # no day of it
# Digits that may be a date in another order, or with an hour: as seconds or milliseconds they would be another day. Of
# years whose hours nobody notes they are seconds of the 2030s, as contracts end.
_ANY_ORDER: Final = re.compile(
    r"""{year}{month}(?:3[01]|[0-2]\d) | 20[0-3]\d{month}{day}(?:[01]\d|2[0-3])(?:[0-5]\d)?
    | {year}{day}{month} | {day}{month}{year} | {month}{day}{year}
    | \d\d{month}{day} | {day}{month}\d\d | {month}{day}\d\d
    """.format(year=r"(?:19|20|21)\d\d", month=r"(?:0[1-9]|1[0-2])", day=r"(?:0[1-9]|[12]\d|3[01])"),
    re.VERBOSE,
)
# The first second of the year 1, and MySQL's day 0 as programs make it one of the year 0 or of the year before.
_NEVER_SET: Final = frozenset(
    seconds * unit for seconds in (-62_135_596_800, -62_167_219_200, -62_169_984_000) for unit in (1, 1_000)
)
_NO_END: Final = frozenset((253_402_300_799, 253_402_214_400))  # seconds up to the end of 9999, and to its last day
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_ORDERED: Final = re.compile(r"\d{1,2}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{4}(?!\d)", re.ASCII)
_SHORT_YEAR: Final = re.compile(r"\d{1,2}\s?[-/. ]\s?(?:\d{1,2}|[^\W\d_]{3,10})\.?\s?[-/. ]\s?\d{2}(?!\d)")


def read_time(value: Any) -> int | None:
    """The moment of an event, in microseconds since 1970 UTC, or None where `value` names none.

    A moment before 1970 counts as none: no event is that old.
    """
    moment: datetime | None
    # The quick way comes first: nearly every event has its time in this form, and has several of them.
    if type(value) is str and len(value) > _DAY and value[4] == "-" and value[_DAY] == "T":
        try:
            moment = _from_iso(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        except ValueError:
            moment = read_moment(value)
    else:
        moment = read_moment(value)
    if moment is None:
        return None
    micros = (moment - EPOCH) // _MICROSECOND
    return micros if micros >= 0 else None


_DAY: Final = len("2026-03-01")
_MICROSECOND: Final = timedelta(microseconds=1)
_from_iso: Final = datetime.fromisoformat


def read_moment(value: Any, dates: DateOrder = "iso") -> datetime | None:
    """The moment that `value` names, with the offset that it was written with; None where it names none."""
    try:
        if isinstance(value, str):
            found = _read_text(value, dates)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = _read_number(value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return None if found is None or is_zero_time(found) else found


def shown_moment(text: object) -> datetime | None:
    """A time as Pipedrive shows it, which is UTC where no zone stands there; None for anything else."""
    try:
        return _with_zone(datetime.fromisoformat(text)) if isinstance(text, str) else None
    except ValueError:
        return None


def is_zero_time(value: Any) -> bool:
    """Whether this is the first moment of the year 1, or day 0, by which programs say that a time was never set."""
    if isinstance(value, str):
        if _DAY_ZERO.fullmatch(text := value.strip()) is not None or text in _NEVER_WRITTEN:
            return True
        if not text.startswith(("0001-01-01", "/Date(-62")):
            return False
        try:
            value = _read_text(value, "iso")
        except (ValueError, OverflowError):
            return False
    if isinstance(value, int | float):
        return value in _NEVER_SET
    return isinstance(value, datetime) and value.year == 1 and value.replace(tzinfo=None) == datetime.min  # noqa: DTZ901 - what is meant


_DAY_ZERO: Final = re.compile(r"0000-00-00(?:[T ]00:00:00(?:\.0+)?Z?)?")
_NEVER_WRITTEN: Final = frozenset(map(str, _NEVER_SET))


def orders_of(value: Any) -> tuple[DateOrder, ...]:
    """In which orders a text is a date that is none as long as nobody has said if the day or the month comes first."""
    if not isinstance(value, str) or _ORDERED.match(value.strip()) is None:
        return ()
    return tuple(order for order in _ORDERS if read_moment(value, order) is not None)


_ORDERS: Final[tuple[DateOrder, ...]] = ("day first", "month first")


def has_short_year(value: Any) -> bool:
    """Whether a text is a date whose year has two digits: it may be of either century, and is not guessed."""
    return isinstance(value, str) and _SHORT_YEAR.match(value.strip()) is not None


def is_other_date(value: Any) -> bool:
    """Whether digits may be a date that is written otherwise. Numbers have lost the zero before a day or month."""
    digits = str(value) if isinstance(value, int | str) else ""
    return (
        len(digits) in _AS_DATES and _ANY_ORDER.fullmatch(digits.zfill(8) if len(digits) == 7 else digits) is not None
    )


_AS_DATES: Final = frozenset((6, 7, 8, 10, 12))


def _read_text(text: str, dates: DateOrder) -> datetime | None:
    # `fromisoformat` takes any sign between date and time, and so a number of eleven digits for a date and an hour.
    if text[4:5] == "-" and text[10:11] in _SEPARATORS and _WEEK.fullmatch(text) is None:
        try:
            return _with_zone(datetime.fromisoformat(text))
        except ValueError:
            pass
    return _read_other_text(visible(text), dates) if len(text) <= _LONGEST else None


_SEPARATORS: Final = frozenset(("", "T", "t", " "))


def _with_zone(found: datetime) -> datetime:
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _read_other_text(text: str, dates: DateOrder) -> datetime | None:
    if _DIGITS.fullmatch(text) is not None:
        if text[0] == "0" and is_other_date(text):
            return None  # a number has no zero before it
        return _read_number(float(text) if "." in text else int(text))
    words = " ".join((text if text.isascii() else _plain(text)).casefold().split())
    if (noted := _DOT_NET.fullmatch(words)) is not None:
        return (EPOCH + timedelta(milliseconds=int(noted["milliseconds"]))).astimezone(_offset(noted["offset"]))
    found = _WRITTEN.fullmatch(_YEAR_LAST.sub(r"\g<day> \g<month> \g<year> \g<time>", words))
    if found is not None:
        return _read_written(found.groupdict(), dates)
    if (
        text.isascii()
        and _WEEK.fullmatch(text) is None
        and ((text[4:5] == "-" and text[10:11] in _SEPARATORS) or text[8:9] in {"T", "t"} or "W" in text)
    ):
        return _with_zone(datetime.fromisoformat(text))
    return None


def _plain(text: str) -> str:
    """The text without accents, with narrow signs, and with its dashes as one."""
    parts = unicodedata.normalize("NFKD", narrow(text.translate(_SIGNS)))
    return "".join(part for part in parts if not unicodedata.combining(part))


_SIGNS: Final = {
    **dict.fromkeys(range(0x2010, 0x2016), "-"),
    ord("−"): "-",
    **dict.fromkeys(map(ord, "年月"), "-"),
    ord("日"): " ",
}


def _read_written(part: dict[str, str | None], dates: DateOrder) -> datetime | None:
    if part["zone"] and not part["offset"]:
        return None  # what a name means depends on who reads it
    if part["y"]:
        year, month, day = part["y"], _number(part["m"]), part["d"]
    elif part["y2"]:
        if dates == "iso":
            return None
        first, second = (part["b"], part["a"]) if dates == "day first" else (part["a"], part["b"])
        year, month, day = part["y2"], _number(first), second
    else:
        name = part["m3"] or part["m4"] or ""
        year, month, day = part["y3"] or part["y4"] or "", _MONTHS.get(name, 0), part["d3"] or part["d4"]
    hour = _number(part["hour"])
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["half"] == "p" else 0)
    return datetime(
        _number(year),
        month,
        _number(day),
        hour,
        _number(part["minute"]),
        _number(part["second"]),
        int((part["part"] or "0").ljust(6, "0")[:6]),
        tzinfo=_offset(part["offset"]),
    )


def _number(digits: str | None) -> int:
    return int(digits or 0)


def _offset(written: str | None) -> timezone:
    if written is None:
        return UTC
    minutes = int(written[1:3]) * 60 + int(written[-2:])
    return timezone(timedelta(minutes=-minutes if written[0] == "-" else minutes))


def _read_number(number: float) -> datetime | None:
    if not -1e20 < number < 1e20:  # also refuses NaN
        return None
    whole = int(number)
    if 19_000_101 <= whole < 22_000_101 and whole == number:
        try:
            day = date(whole // 10_000, whole // 100 % 100, whole % 100)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        except ValueError:
            pass  # eight digits that are no date may be seconds
    if abs(number) < _LEAST or whole in _NEVER_SET or whole in _NO_END or (whole == number and is_other_date(whole)):
        return None
    if _FROM <= number < _TO:
        return EPOCH + timedelta(microseconds=whole * 1_000_000 + round((number - whole) * 1_000_000))
    if _FROM * 1_000 <= number < _TO * 1_000:
        return EPOCH + timedelta(microseconds=round(number * 1_000))
    if _FINE_FROM * 1_000_000 <= number < _TO * 1_000_000:
        return EPOCH + timedelta(microseconds=whole)
    if _FINE_FROM * 1_000_000_000 <= number < _TO * 1_000_000_000:
        return EPOCH + timedelta(microseconds=whole // 1_000)
    return None
