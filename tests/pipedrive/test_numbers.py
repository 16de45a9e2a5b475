"""Numbers and amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.pipedrive.numbers import Amount, Decimals, needs_comma, no_number, read_amount

CASES: list[tuple[str, float | None, float | None]] = [
    # text, with a decimal point, with a decimal comma
    ("12", 12, 12),
    ("12.5", 12.5, 12.5),
    ("4,5", None, 4.5),
    ("1,200", 1200, 1.2),
    ("1.200", 1.2, 1200),
    ("1,200.50", 1200.5, None),
    ("0,500", None, 0.5),
    ("0.500", 0.5, 0.5),
    ("€ 1.200", None, 1200),
    ("€ 1,200", 1200, None),
    ("€ 0.125", 0.125, 0.125),
    ("KWD 1.200", 1.2, 1200),
    ("(1,234.00)", -1234, None),
    ("(€ 5)", -5, -5),
    ("(-5)", None, None),
    ("((5))", None, None),
    ("1.200,50", None, 1200.5),
    ("1.200.300", None, 1_200_300),
    ("12,34,567.89", 1_234_567.89, None),
    ("1 200", 1200, 1200),
    ("1\u00a0200,50", None, 1200.5),
    ("1'200.50", 1200.5, 1200.5),
    ("-5", -5, -5),
    ("\u2212 5", -5, -5),
    ("-€ 5", -5, -5),
    ("€ -5", -5, -5),
    ("12,- €", 12, 12),
    ("1.234,-", None, 1234),
    ("1,234.-", 1234, None),
    ("Rs.7,01,175/-", 701_175, None),
    ("Fr. 1'200.50", 1200.5, 1200.5),
    ("No.5", None, None),
    ("１，２００", 1200, 1.2),
    ("A.B.5", None, None),
    ("+3", 3, 3),
    ("1,2,3", None, None),
    ("1.2.3", None, None),
    ("12 34", None, None),
    ("3-4", None, None),
    ("12 kg", None, None),
    ("12 %", None, None),
    ("much", None, None),
    ("€", None, None),
    ("", None, None),
    ("USD 5 EUR", None, None),
    ("٣", None, None),
    ("5k", 5000, 5000),
    ("-1.15 K", -1150, -1150),
    ("2 Mio.", 2_000_000, 2_000_000),
    ("1,2 crore", None, 12_000_000),
    ("₹5 lakh", 500_000, 500_000),
    ("10 Tsd. €", 10_000, 10_000),
    ("2.3 Millionen Euro", 2_300_000, 2_300_000),
    ("R$ 2 milhões de reais", 2_000_000, 2_000_000),
    ("$1.5bn", 1_500_000_000, 1_500_000_000),
    ("5kEUR", 5000, 5000),
    ("R$ 3 mil", 3000, 3000),
    ("€ 3 mil", None, None),
    ("5万円", 50_000, 50_000),
    *(
        (text, None, None)
        for text in (
            "3.5M",
            "3 mil",
            "5m",
            "5 mn",
            "2 billion",
            "5 kg",
            "5 kft",
            "5k+",
            "5-10k",
            "1 crore 2 lakh",
            "k5",
            "k5",
        )
    ),
]


@pytest.mark.parametrize(("text", "point", "comma"), CASES)
def test_a_text_is_read_only_where_one_number_can_be_meant(text: str, point: float | None, comma: float | None) -> None:
    """Which sign is decimal is the config's word; blanks and apostrophes separate thousands in any case."""
    read = [None if (found := read_amount(text, sign)) is None else found.number for sign in ("point", "comma")]
    assert read == [point, comma]


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("12 €", "EUR"), ("€12", "EUR"), ("EUR 12", "EUR"), ("12 eur", "EUR"), ("12 Euro", "EUR"), ("£12", "GBP"),
        ("12 zł", "PLN"),
        ("US$ 12", "USD"), ("CHF 12.-", "CHF"),
        ("Rs.12/-", "INR"), ("Fr. 12", "CHF"), ("12 Kč", "CZK"), ("R$ 12", "BRL"), ("12 XAF", "XAF"),
    ],
)  # fmt: skip
def test_a_sign_or_name_tells_the_currency(text: str, currency: str) -> None:
    """Where it means one alone."""
    assert read_amount(text) == Amount(12, frozenset((currency,)))


def test_a_sign_of_several_currencies_tells_which_it_may_be() -> None:
    """So that dollars are never taken for euros."""
    dollars, crowns = read_amount("$ 12"), read_amount("12 kr")
    assert dollars is not None
    assert dollars.currencies is not None
    assert {"USD", "CAD", "AUD"} < dollars.currencies
    assert crowns == Amount(12, frozenset(("SEK", "NOK", "DKK", "ISK")))


def test_what_needs_a_decimal_comma_is_told() -> None:
    """For the hint, and for the settings that are proposed."""
    assert needs_comma("1.200,50 €")
    assert not needs_comma("1,200.50")
    assert not needs_comma("12 kg")


def test_what_means_different_powers_of_ten_is_told() -> None:
    """A million to one is a thousand to another: the hint says to write figures."""
    assert all("in figures" in no_number(text, "point") for text in ("3.5M", "3 mil", "2 billion", "5 T€", "$2B"))
    assert not any("in figures" in no_number(text, "comma") for text in ("5 kg", "m5", "much", "5 mil5"))


@given(st.text(alphabet="0123456789.,-+ '€$kMior%EUR\u00a0", max_size=70), st.sampled_from(["point", "comma"]))
def test_no_text_makes_reading_a_number_fail(text: str, decimals: Decimals) -> None:
    """And a number that was read is read back from the digits that JSON has for it."""
    found = read_amount(text, decimals)
    if found is not None and "e" not in repr(found.number):
        assert read_amount(repr(found.number), "point") == (found.number, None)
