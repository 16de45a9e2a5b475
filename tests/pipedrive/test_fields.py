"""What the fields of each type take, and when two of their values are one."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipedrive_cli.config import Values
from pipedrive_cli.pipedrive.account import Account, Field, Label, Option, User, changed_addresses
from pipedrive_cli.pipedrive.contacts import email_form, phone_form
from pipedrive_cli.pipedrive.fields import TYPES, USUAL, converter, same
from pipedrive_cli.pipedrive.moments import moment, rfc3339
from pipedrive_cli.pipedrive.numbers import Decimals
from pipedrive_cli.pipedrive.values import Unfit, longest_kept, money_reader, says_nothing
from pipedrive_cli.timestamps import DateOrder

OPTIONS = (
    Option(1, "Red"),
    Option(2, "green"),
    Option(3, "Green"),
    Option(4, "2024"),
    Option(5, "a, b"),
    Option(6, "Twin"),
    Option(7, "Twin"),
    Option(2024, "Year"),
)
CURRENCIES = frozenset({"EUR", "USD"})


def field(field_type: str) -> Field:
    """A custom field of a type."""
    return Field("k", "Field", field_type, options=OPTIONS if field_type in {"enum", "set"} else ())


def convert(field: Field, value: Any, currencies: frozenset[str] | None = None) -> Any:
    """One value, by a converter made for it alone."""
    return converter(field, Account(currencies=currencies))(value)


FITS: list[tuple[str, Any, Any]] = [
    ("varchar", "text", "text"),
    ("varchar", 5, "5"),
    ("varchar", 5.0, "5"),
    ("varchar", 12.5, "12.5"),
    ("varchar", True, "true"),
    ("varchar", ["a", 1], "a, 1"),
    ("varchar", "x" * 255, "x" * 255),
    ("text", "x" * 65_535, "x" * 65_535),
    ("phone", 1555, "1555"),
    ("double", 5, 5),
    ("double", "12.5", 12.5),
    ("double", " -3 ", -3),
    ("double", "1e3", 1000.0),
    ("double", 1e30, 1e30),
    ("double", "2.5 million", 2_500_000),
    ("double", "1,000", 1000),
    ("double", "€ 1,200.50", 1200.5),
    ("int", "5", 5),
    ("int", 5.0, 5),
    ("boolean", "True", True),
    ("boolean", 0, False),
    ("boolean", " Yes ", True),
    ("boolean", "nein", False),
    ("boolean", "WAHR", True),
    ("boolean", "0.0", False),
    ("enum", "Red", 1),
    ("enum", " red ", 1),
    ("enum", "green", 2),
    ("enum", "Green", 3),
    ("enum", 1, 1),
    ("enum", "1", 1),
    ("enum", 1.0, 1),
    ("enum", "2024", 4),
    ("enum", ["Red"], 1),
    ("set", "Red", [1]),
    ("set", "a, b;Red", [5, 1]),
    ("set", "Red|Green", [1, 3]),
    ("set", "Red, Green", [1, 3]),
    ("set", "a, b", [5]),
    ("set", ["Red", 3, "red", None], [1, 3]),
    ("date", "2026-03-01", "2026-03-01"),
    ("date", "2026/03/01", "2026-03-01"),
    ("date", "2026-03-01T23:30:00-05:00", "2026-03-01"),
    ("date", "2026-03-01 10:00", "2026-03-01"),
    ("date", 1_772_366_400, "2026-03-01"),
    ("date", 20_260_301, "2026-03-01"),
    ("date", "2026-W09-7", "2026-03-01"),
    ("date", 1_772_366_400_000, "2026-03-01"),
    ("date", "/Date(1772366400000+0100)/", "2026-03-01"),
    *(("date", never, None) for never in ("0000-00-00", "0000-00-00 00:00:00", -62_135_596_800, "-62135596800000")),
    ("daterange", {"value": "2026-03-01", "until": "2026-03-02"}, {"value": "2026-03-01", "until": "2026-03-02"}),
    ("daterange", {"start": "2026-03-01", "end": "2026-03-02"}, {"value": "2026-03-01", "until": "2026-03-02"}),
    ("daterange", ["2026-03-01", "2026-03-02"], {"value": "2026-03-01", "until": "2026-03-02"}),
    ("daterange", "2026-03-01/2026-03-02", {"value": "2026-03-01", "until": "2026-03-02"}),
    ("time", "9:30", {"value": "09:30:00"}),
    ("time", "9:30 pm", {"value": "21:30:00"}),
    ("time", "12:05 am", {"value": "00:05:00"}),
    ("time", "12:05 pm", {"value": "12:05:00"}),
    ("time", "12:05 A.M.", {"value": "00:05:00"}),
    ("time", "09:30:15.000", {"value": "09:30:15"}),
    (
        "time",
        {"value": "09:30:15", "timezone_name": "Europe/Oslo"},
        {"value": "09:30:15", "timezone_name": "Europe/Oslo"},
    ),
    ("timerange", {"from": "09:00", "to": "17:30"}, {"value": "09:00:00", "until": "17:30:00"}),
    ("address", " Main St 1, Oslo ", {"value": "Main St 1, Oslo"}),
    ("address", {"value": "Oslo", "country": "NO"}, {"value": "Oslo", "country": "NO"}),
    (
        "address",
        {"street": ["Gate 1", "", "2. etg."], "zip": []},
        {"value": "Gate 1, 2. etg.", "route": "Gate 1, 2. etg."},
    ),
    (
        "address",
        {"street": "Main St 1", "city": "Oslo", "state": "", "postalCode": 150, "country": "Norway", "lat": 59},
        {
            "value": "Main St 1, Oslo, 150, Norway",
            "route": "Main St 1",
            "locality": "Oslo",
            "postal_code": "150",
            "country": "Norway",
        },
    ),
    ("monetary", {"value": "5", "currency": "eur"}, {"value": 5, "currency": "EUR"}),
    ("monetary", {"amount": 0, "currency": "USD"}, {"value": 0, "currency": "USD"}),
    ("monetary", {"amount": "5.00", "currency_code": "USD"}, {"value": 5.0, "currency": "USD"}),
    ("user", "12", 12),
    ("org", 12, 12),
    ("people", 12.0, 12),
    ("visible_to", "7", 7),
    ("billing_frequency", "Monthly", "monthly"),
    ("marketing_status", "subscribed", "subscribed"),
    ("a type of the future", {"x": [1]}, {"x": [1]}),
]

UNFIT: list[tuple[str, Any]] = [
    ("varchar", {"a": 1}),
    ("varchar", ["a,b", "c"]),
    ("varchar", [["a"]]),
    ("varchar", "x" * 256),
    ("varchar", math.inf),
    ("text", "x" * 65_536),
    ("double", "1,5"),
    ("double", "1.200,50 €"),
    ("double", "12 kg"),
    ("double", "1_000"),
    ("double", "nan"),
    ("double", "1e999"),
    ("double", math.inf),
    ("double", True),
    ("double", "٣"),
    ("double", [1]),
    ("int", 5.5),
    ("boolean", "maybe"),
    ("boolean", 2),
    ("enum", "Blue"),
    ("enum", "GREEN"),
    ("enum", "Twin"),
    ("enum", 99),
    ("enum", ["Red", "green"]),
    ("enum", 2024),  # one option's label, and another's id
    ("set", "Red, Blue"),
    ("set", "Red;Blue"),
    ("set", {"a": 1}),
    ("date", "01/03/2026"),
    ("date", "2026-02-30"),
    ("date", "2026-W09"),
    ("date", 24_121_990),
    ("date", "01032026"),
    ("date", 1_032_026),
    ("date", 20_261_301),
    ("date", 20_260_230),
    ("date", 260_301),
    ("date", 202_603_011_200),
    ("date", 2_026_030_112),
    ("date", 253_402_300_799),
    ("date", 99_999),
    ("date", True),
    ("date", []),
    ("daterange", "2026-03-01"),
    ("daterange", {"value": "2026-03-01"}),
    ("daterange", ["2026-03-01", "later"]),
    ("daterange", ["0001-01-01", "2026-03-01"]),
    ("time", "25:00"),
    ("time", "09:60"),
    ("time", "09:30:60"),
    ("time", "noon"),
    ("time", "13:00 pm"),
    ("time", "09:30:15.5"),
    ("time", "2026-03-01T10:00:00Z"),
    ("timerange", ["09:00", None]),
    ("address", {"lat": 59}),
    ("address", 5),
    ("address", {"city": {"name": "Oslo"}}),
    ("address", {"city": "Oslo", "street": ["Gate 1", {"floor": 2}]}),
    ("monetary", 5),
    ("monetary", {"value": 5}),
    ("monetary", {"value": 5, "currency": "JPY"}),
    ("monetary", {"value": "much", "currency": "EUR"}),
    ("user", 0),
    ("org", "Acme"),
    ("people", True),
    ("visible_to", 2),
    ("visible_to", "everyone"),
    ("billing_frequency", "daily"),
]


@pytest.mark.parametrize(("field_type", "value", "expected"), FITS)
def test_a_value_is_converted_where_nothing_is_lost(field_type: str, value: Any, expected: Any) -> None:
    """Into API v2's form; a type that nobody knows yet lets values pass."""
    converted = convert(field(field_type), value, CURRENCIES)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(("field_type", "value"), UNFIT)
def test_a_value_that_would_lose_something_is_refused(field_type: str, value: Any) -> None:
    """With what the field takes, in words that complete "the field ..."."""
    with pytest.raises(Unfit, match=r"^(takes|has) "):
        convert(field(field_type), value, CURRENCIES)


@pytest.mark.parametrize(
    ("field_type", "value", "decimals", "dates", "told"),
    [
        ("date", "04/13/2026", "point", "iso", "month comes first, set values.dates: month first"),
        ("date", "13/04/2026", "point", "iso", "day comes first, set values.dates: day first"),
        ("date", "03/04/2026", "point", "iso", "set values.dates: day first, else month first"),
        ("date", "04/13/2026", "point", "day first", "only with the other first"),
        ("date", "46082", "point", "iso", "spreadsheets count days this is 2026-03-01"),
        ("double", "12 %", "point", "iso", "5 to some and 0.05"),
        ("double", "1,234.56", "comma", "iso", "only with a decimal point"),
        ("double", "€ 1.000", "point", "iso", "set values.decimals: comma"),
    ],
)
def test_a_refusal_says_what_to_set_or_to_write(
    field_type: str, value: str, decimals: Decimals, dates: DateOrder, told: str
) -> None:
    """And names no setting under which the value would not fit either."""
    with pytest.raises(Unfit, match=re.escape(told)):
        converter(field(field_type), Account(), Values(decimals=decimals, dates=dates))(value)


def test_a_refused_option_is_told_which_there_are() -> None:
    """So that the event can be mended without opening Pipedrive."""
    with pytest.raises(Unfit, match="takes one of its options: Red, green, Green, 2024"):
        convert(field("enum"), "Blue")
    with pytest.raises(Unfit, match="2 options named 'twin'; give the id of one: 6, 7"):
        convert(field("enum"), "twin")


def test_without_the_accounts_currencies_any_code_of_three_letters_passes() -> None:
    """Offline nobody knows which there are."""
    assert convert(field("monetary"), {"value": 1, "currency": "jpy"}) == {"value": 1, "currency": "JPY"}
    with pytest.raises(Unfit, match="three letters"):
        convert(field("monetary"), {"value": 1, "currency": "JPYX"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "until", "currency", "city", "start", "end"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(sorted(TYPES)), JSON)
def test_any_json_is_converted_or_refused_and_what_is_converted_stays(field_type: str, value: Any) -> None:
    """No other exception, and a converted value is its own conversion, the same as itself."""
    if says_nothing(value):
        return
    try:
        converted = convert(field(field_type), value, CURRENCIES)
    except Unfit:
        return
    if not says_nothing(converted):
        assert convert(field(field_type), converted, CURRENCIES) == converted
    assert same(field_type, converted, converted)


ALIKE: list[tuple[str, Any, Any]] = [
    ("double", 5, 5.0),
    ("double", 5, "5.00"),
    ("varchar", "a", " a"),
    ("enum", 5, "5"),
    ("enum", 5, {"id": 5, "label": "Five"}),
    ("set", [1, 2], [2, 1]),
    ("set", [1, 2], "2,1"),
    ("set", [1, 2], [{"id": 1, "label": "x"}, {"id": 2, "label": "y"}]),
    ("org", 5, {"value": 5, "name": "Acme"}),
    ("address", {"value": "Oslo"}, {"value": "Oslo", "country": "Norway", "locality": "Oslo", "route": None}),
    ("phone", "+1 (555) 0", "+15550"),
    ("monetary", {"value": 5, "currency": "EUR"}, {"value": 5.0, "currency": "EUR"}),
    ("price", {"price": 5, "currency": "EUR"}, {"price": 5.0, "currency": "EUR", "cost": 0}),
    ("time", {"value": "09:30:00"}, {"value": "09:30:00", "timezone_name": "Etc/UTC"}),
    ("daterange", {"value": "2026-03-01", "until": "2026-03-02"}, {"until": "2026-03-02", "value": "2026-03-01"}),
    ("visible_to", 3, "3"),
    ("boolean", True, True),
    ("text", None, ""),
    ("unknown", {"a": 1}, {"a": 1.0}),
]
DIFFERENT: list[tuple[str, Any, Any]] = [
    ("double", 5, 6),
    ("double", 5, "five"),
    ("varchar", "a", "A"),
    ("varchar", "a", None),
    ("set", [1], [1, 2]),
    ("address", {"value": "Oslo"}, {"value": "Bergen"}),
    ("phone", "+1555", "1555"),
    ("monetary", {"value": 5, "currency": "EUR"}, {"value": 5, "currency": "USD"}),
    ("monetary", {"value": 5, "currency": "EUR"}, 5),
    ("price", {"price": 5, "currency": "EUR"}, {"price": 0, "currency": "EUR"}),
    ("time", {"value": "09:30:00", "timezone_name": "Europe/Oslo"}, {"value": "09:30:00", "timezone_name": "Etc/UTC"}),
    ("timerange", {"value": "09:00:00", "until": "10:00:00"}, {"value": "09:00:00", "until": "11:00:00"}),
    ("daterange", {"value": "2026-03-01", "until": "2026-03-02"}, {"value": "2026-03-01", "until": "2026-03-03"}),
    ("boolean", True, False),
    ("date", "2026-03-01", "2026-03-02"),
]


@pytest.mark.parametrize(("field_type", "ours", "theirs"), ALIKE)
def test_what_pipedrive_shows_differently_is_still_the_same(field_type: str, ours: Any, theirs: Any) -> None:
    """Or an import every hour would write it every hour."""
    assert same(field_type, ours, theirs)


@pytest.mark.parametrize(("field_type", "ours", "theirs"), DIFFERENT)
def test_different_values_are_told_apart(field_type: str, ours: Any, theirs: Any) -> None:
    """Or a change would be lost."""
    assert not same(field_type, ours, theirs)


@example(False, [[]], "set")
@given(JSON, JSON, st.sampled_from([*sorted(TYPES), "unknown"]))
def test_any_two_values_can_be_compared(ours: Any, theirs: Any, field_type: str) -> None:
    """Whatever Pipedrive shows, comparing answers and does not raise."""
    assert same(field_type, ours, theirs) in {True, False}


def test_contacts_have_one_form_for_comparing() -> None:
    """Emails trimmed and without case; phones digits and +, and text without digits as it is."""
    assert email_form(" Ada@X.io ") == "ada@x.io"
    assert (phone_form("+1 (555) 0-0"), phone_form(" None "), phone_form("+")) == ("+155500", "none", "+")


@given(st.integers(-62_135_596_799_000_000, 253_402_300_799_999_999))
def test_times_are_written_as_whole_second_utc_and_read_back(microseconds: int) -> None:
    """From year 1 to year 9999, in twenty characters; the first moment of year 1 is none."""
    written = rfc3339(microseconds)
    assert len(written) == 20
    assert moment(written) == written == rfc3339(microseconds // 1_000_000 * 1_000_000)


@given(st.sampled_from([*sorted(TYPES), "unknown"]), st.text(max_size=260))
def test_a_text_that_is_kept_needs_no_converter(field_type: str, text: str) -> None:
    """Up to the length that a converter keeps it gives back every text as it stands, so that it need not be asked."""
    to = converter(field(field_type))
    assert len(text) > longest_kept(to) or to(text) == text


FIGURES = st.one_of(st.integers(-(2**64), 2**64), st.floats(), st.booleans(), st.sampled_from(["5", "€ 5", "", "null"]))
CODES = st.sampled_from(["EUR", "eur", " USD ", "$", "null", "", "XYZ", None, 5])
AMOUNTS = st.one_of(
    FIGURES,
    st.builds(
        lambda name, figure, code: {name: figure, "currency": code},
        st.sampled_from(["value", "amount", "other"]),
        FIGURES,
        CODES,
    ),
)


@given(st.lists(st.tuples(AMOUNTS, CODES), min_size=1, max_size=6))
def test_an_amount_does_not_depend_on_those_before_it(amounts: list[tuple[Any, Any]]) -> None:
    """A reader that has seen currencies reads each amount as one that has seen none, and refuses it alike."""

    def told(read: Any, amount: Any, beside: Any) -> str:
        try:
            return repr(read(amount, beside))
        except Unfit as reason:
            return f"{type(reason).__name__} {reason}"

    used = money_reader(CURRENCIES, USUAL)
    for amount, beside in [("5", "EUR"), (5, "eur"), (5, " USD "), *amounts]:
        assert told(used, amount, beside) == told(money_reader(CURRENCIES, USUAL), amount, beside)


def test_labels_that_have_changed_concern_the_labels_of_leads_alone() -> None:
    """A value of yesterday may be refused today."""
    before, after = (Account(lead_labels=(Label("l1", name),)) for name in ("Hot", "Cold"))
    assert [changed_addresses(kind, before, after) for kind in ("leads", "persons")] == [{"label_ids"}, frozenset()]
    assert changed_addresses("leads", before, before) == frozenset()


def test_of_two_users_of_one_email_the_active_one_is_meant() -> None:
    """And one who has left is still somebody, where nobody else has the address."""
    users = (User(1, "a@x.test", active=False), User(2, "a@x.test"), User(3, "b@x.test", active=False))
    to_user = converter(field("user"), Account(users=users))
    assert [to_user("A@x.test "), to_user("b@x.test"), to_user("3")] == [2, 3, 3]
    with pytest.raises(Unfit, match="nobody has this one"):
        to_user("c@x.test")
    assert converter(field("user"), Account())(" c@x.test") == "c@x.test"
