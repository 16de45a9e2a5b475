"""What an email or a phone number is, and when two of them are one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.pipedrive import contacts
from pipedrive_cli.pipedrive.contacts import (
    email_address,
    email_form,
    former_phone_form,
    knows_country,
    phone_form,
    phone_number,
)
from pipedrive_cli.pipedrive.values import Unfit
from pipedrive_cli.text_forms import INVISIBLE


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada@Example.com ", "Ada@Example.com"),
        ("Ada <ada@example.com>", "ada@example.com"),
        ('"Holm, Ada" <ada@example.com>', "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("mailto:ada@example.com", "ada@example.com"),
        ("MAILTO:ada@example.com?subject=Hi", "ada@example.com"),
        ("Ada <mailto:ada@example.com>", "ada@example.com"),
        ("ada@example.com <ada@example.com>", "ada@example.com"),
        ("'ada@example.com'", "ada@example.com"),
        ("ada@example.com (Ada Holm)", "ada@example.com"),
        ("ada@example.com;", "ada@example.com"),
        ("jörg@exämple.de", "jörg@exämple.de"),
        ("ada+crm@sub.example.co.uk", "ada+crm@sub.example.co.uk"),
        ("ａda＠example．com", "ada@example.com"),
        ("Ada　＜ada＠example。com＞；", "ada@example.com"),
        ("ada﹫example｡com", "ada@example.com"),
        ("mailto:%EF%BD%81da%EF%BC%A0example.com", "ada@example.com"),
        ("ada@example․com", "ada@example.com"),  # U+2024
        ("x²@ｅｘａｍｐｌｅ.com", "x²@example.com"),  # another mailbox than x2
    ],
)
def test_a_text_that_holds_one_address_is_that_address(written: str, address: str) -> None:
    """In the spelling in which it came, save what a keyboard has made wide."""
    assert email_address(written) == address
    assert email_form(written) == email_form(address) == address.lower()


@pytest.mark.parametrize("sign", sorted(INVISIBLE))
def test_what_cannot_be_seen_is_no_part_of_an_address(sign: str) -> None:
    """Before, behind or within it."""
    assert email_address(f"{sign}ada{sign}@example.com{sign}") == "ada@example.com"
    assert email_form(f"Ada@example.com{sign}") == "ada@example.com"


@pytest.mark.parametrize(
    "written",
    [
        "", "null", "n/a", "not an email", "5", "a@@example.com", "a@b@example.com", "@example.com", "ada@",
        "ada@x..io",
        "ada @example.com", "a@example.com, b@example.com", "a@example.com b@example.com",
        "a@example.com;b@example.com",
        "a@example.com、b@example.com", "a＠b＠example.com", "a@example℀.com",
        "ada@ex\u0430mple.com", "\u0430da@example.com",
        "a@example.com, Bo <b@example.com>", "Ada Holm ada@example.com", "{{email}}",
        "{{user}}@example.com", "Ada <>",
        "ada@-example.com", "ada@example.com-", "x@x-.de", "x@-x.de", "x@x.-y.de", "x@x.y-.de", "x@x..de",
    ],
)  # fmt: skip
def test_what_is_no_address_or_more_than_one_is_refused(written: str) -> None:
    """Nobody is to be found by it."""
    with pytest.raises(Unfit, match="takes one email address"):
        email_address(written)


@pytest.mark.parametrize(
    "written",
    [
        "4.91717E+11", "4,9e+11", "#NAME?", "unknown", "+",
        "+49171555010, +49172555010", "+49171555010;0172555010", "+49171555010 +49172555010",
    ],
)  # fmt: skip
def test_what_can_be_no_phone_number_is_refused(written: str) -> None:
    """A spreadsheet has shortened it, it has no digit at all, or there are two."""
    with pytest.raises(Unfit, match=r"takes (a|one) phone number"):
        phone_number(written)


@given(st.text(alphabet="aA1.@<> ,;:\"'()-ö\u200bａ＠．。＜＞…℀²"))
def test_a_cleaned_address_is_clean_and_compared_alike(written: str) -> None:
    """Cleaning is stable, and what is compared is the address alone."""
    try:
        address = email_address(written)
    except Unfit:
        return
    assert email_address(address) == address
    assert email_form(written) == email_form(address)


@given(st.text(alphabet="aA1.-_+@"))
def test_the_quick_way_for_an_email_is_the_long_way(written: str) -> None:
    """What the pattern of usual addresses takes is an address by all the rules, with the same form."""
    if contacts._USUAL.fullmatch(written) is not None:
        assert contacts._bare_address(written) == written
        assert email_form(written) == written.casefold()


@given(st.text(alphabet="+0123456789", max_size=9).map("+{}".format), st.sampled_from(["", " ", "\u200b"]))
def test_the_quick_way_for_a_phone_is_the_long_way(written: str, around: str) -> None:
    """A number of + and digits has the form that it has with something around it, which is looked at closely."""
    assert phone_form(written) == phone_form(f"{around}{written}\u200b")


SAME_PHONES = [
    ("+49 171 5550100", "0049 171 5550100"),
    ("+49 171 5550100", "tel:+49-171-5550100"),
    ("+49 171 5550100", "+49 (0)171 / 5550100"),
    ("+49 171 5550100", "\u202a+49 171 5550100\u202c"),
    ("Mobile: +49 171 5550100", "+491715550100"),
    ("＋４９ １７１ ５５５０１００", "+491715550100"),
    ("+1 555 0100 ext. 12", "+1 555 0100 x12"),
    ("+1 555 0100;ext=12", "+1 (555) 0100 #12"),
]


@pytest.mark.parametrize(("one", "other"), SAME_PHONES)
def test_a_number_is_one_however_it_is_spelled(one: str, other: str) -> None:
    """By its digits, with 00 as +, with and without a country in the config."""
    assert phone_form(one) == phone_form(other)
    assert phone_form(one, "DE") == phone_form(other, "DE")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+1 555 0100 ext. 12", "+1 555 0100 12"),
        ("+1 555 0100", "+1 555 0100 ext. 12"),
        ("+1555", "1555"),
        ("1-800-FLOWERS", "1-800-COMPANY"),
    ],
)
def test_different_numbers_are_told_apart(one: str, other: str) -> None:
    """An extension is a part of the number, and letters are."""
    assert phone_form(one) != phone_form(other)


def test_a_country_completes_national_numbers() -> None:
    """Of that country alone, and only where the config names one."""
    assert phone_form("0171/555 01 00", "DE") == phone_form("+49 171 5550100", "DE") == "+491715550100"
    assert phone_form("0171 5550100", "DE") != phone_form("0171 5550100", "GB")
    assert phone_form("0171 5550100") != phone_form("+49 171 5550100")
    assert phone_form("0171 5550100 ext. 7", "DE") == "+491715550100x7"
    assert (knows_country("DE"), knows_country("XX")) == (True, False)


def test_what_has_no_digits_is_compared_as_text() -> None:
    """It stays what it was in journals of before."""
    assert (phone_form("+1 (555) 0-0"), phone_form(" None "), phone_form("+")) == ("+155500", "none", "+")
    assert former_phone_form("+1 555 0100 ext. 12") == "+1555010012"


@given(st.text(alphabet="+0123456789 ()x-/e.t#A"), st.sampled_from([None, "DE", "US"]))
def test_a_form_of_a_number_is_stable(written: str, country: str | None) -> None:
    """The form of a form is that form, and no text makes comparing fail."""
    form = phone_form(written, country)
    assert phone_form(form, country) == form


def test_a_domain_counts_as_the_same_in_the_form_of_the_dns() -> None:
    """Programs write either; what is no such form is compared as it stands."""
    assert email_form("Ada@xn--mnchen-3ya.de") == email_form("ada@m\u00fcnchen.de")
    assert email_form("ada@xn--mnchen-3ya\u00fc.de") == "ada@xn--mnchen-3ya\u00fc.de"


@pytest.mark.parametrize(
    "written",
    [
        "+1 555 0100, ext. 12", "0171/5550101", "(555) 010-0100 x5", "+49 (0)171 5550101",
        "+14155550100,,1234567#", "tel:555-0100;phone-context=+1-914-5550000",
    ],
)  # fmt: skip
def test_a_phone_number_stays_as_it_came(written: str) -> None:
    """With its extension, its pauses and its marks, but for the apostrophe that keeps spreadsheets from calculating."""
    assert phone_number(f"'{written}") == phone_number(written) == written
