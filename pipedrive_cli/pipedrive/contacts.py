"""Emails and phone numbers: what is one, and when two of them are the same. Pure.

An email is one address; display names, `mailto:`, brackets and what cannot be seen go, and wide letters are narrow
(`ａnn＠acme．com`). A phone number is written as it came. Two are the same as E.164 where a country completes national
numbers, else by their digits, with 00 as +; extensions count apart. The library that knows numbers is loaded when a
country is set, and at the first number.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from pipedrive_cli.pipedrive.values import Unfit
from pipedrive_cli.text_forms import is_shortened, narrow, visible

# Possessive quantifiers: a third faster, and no part of an address can be taken in two ways.
_USUAL: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}+@(?:[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*+\.)+[A-Za-z]{2,24}"
)
_ADDRESS: Final = re.compile(
    r"(?P<local>[^\s@<>()\[\]{},;:\\\"]{1,64})@(?P<domain>[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*)"
)
_NAMED: Final = re.compile(r"(?P<name>[^<>]*)<\s*(?P<address>[^<>]+?)\s*>[.,;]*")
_COMMENT: Final = re.compile(r"(?P<address>[^\s()]+)\s*\([^()@]*\)")
_QUOTES: Final = "\"'`“”‘’"

_EXTENSION: Final = re.compile(
    r"(?:[,;]?\s*(?:;ext=|ext(?:ension)?[.:=]?|x|#|durchwahl|dw\.?|poste|int(?:erno)?\.?)\s*)([0-9]{1,8})\s*$"
)
_BEFORE: Final = re.compile(r"^[^\W\d_]+[.:\s]*(?=[+(0-9])")  # `tel:`, `Mobile: `
# Between two numbers in one text, each of seven digits or more. Two commas are a pause when one is dialled, and a
# semicolon may begin a parameter of `tel:` (RFC 3966).
_BETWEEN_PHONES: Final = re.compile(r"[|\n]|;(?![a-z-]+=)|(?<!,),(?!,)|(?<=[0-9])\s*(?=\+)")
_DIGITS_OF_PHONE: Final = 7
_PLAIN_PHONE: Final = re.compile(r"\+[0-9]+")  # its own form, as most are
_NO_DIGITS: Final = re.compile("[^0-9+]+")


def email_address(written: str) -> str:
    """The one address in a text, as it is written there. Raises Unfit where there is none, or more than one."""
    text = written if _USUAL.fullmatch(written) is not None else _bare_address(written)
    if not text:
        raise Unfit("takes one email address such as ada@example.com")
    return text


def _bare_address(written: str) -> str | None:
    text = visible(narrow(written))
    if text[:7].casefold() == "mailto:":
        text = visible(narrow(unquote(text[7:].partition("?")[0])))
    name = ""
    if (named := _NAMED.fullmatch(text)) is not None:
        name, text = named["name"].strip().strip(_QUOTES).strip(), visible(named["address"])
        if text[:7].casefold() == "mailto:":
            text = text[7:].strip()
    elif (commented := _COMMENT.fullmatch(text)) is not None:
        text = commented["address"]
    text = text.strip(_QUOTES).rstrip(".,;").strip()
    if not text.isascii():
        local, at, domain = text.rpartition("@")
        # IDNA maps the domain so (UTS 46); the local part is its owner's.
        text = local + at + unicodedata.normalize("NFKC", domain)
    if _ADDRESS.fullmatch(text) is None or (not text.isascii() and any(map(_mixes_alphabets, _LABELS.split(text)))):
        return None
    # `a@x.org, Bo <b@x.org>` are two; Outlook writes an address as its own name, which is one.
    return None if "@" in name and name.casefold() != text.casefold() else text


_LABELS: Final = re.compile("[@.]")
_ALIKE: Final = ("LATIN", "CYRILLIC", "GREEK")


def _mixes_alphabets(label: str) -> bool:
    """Whether letters that look like those of another alphabet stand among them: `exаmple` with a Cyrillic a."""
    names = (unicodedata.name(sign, "") for sign in label if sign.isalpha())
    return len({script for name in names if (script := name.partition(" ")[0]) in _ALIKE}) > 1


def email_form(value: str) -> str:
    """The form in which emails are compared: the address in a text without case; of no address the text itself.

    A domain in other letters than ASCII's counts as the same in the form of the DNS: `xn--mnchen-3ya.de`.
    """
    usual = _USUAL.fullmatch(value) is not None
    form = value.lower() if usual else unicodedata.normalize("NFC", _bare_address(value) or visible(value)).casefold()
    if _ENCODED not in form:
        return form
    local, at, domain = form.rpartition("@")
    return local + at + ".".join(map(_decoded, domain.split(".")))


_ENCODED: Final = "xn--"


def _decoded(label: str) -> str:
    """A part of a domain as people write it; unchanged where it is no such form."""
    try:
        return label.removeprefix(_ENCODED).encode().decode("punycode") if label.startswith(_ENCODED) else label
    except UnicodeError:
        return label


def phone_number(written: str) -> str:
    """A phone number as it came, without what cannot be seen. Raises Unfit where a text can be no number."""
    if _PLAIN_PHONE.fullmatch(written) is not None:
        return written
    text = written.strip() if written.isascii() else visible(written)
    text = text.removeprefix("'")  # by which exports keep spreadsheets from calculating
    if not any(map(str.isdigit, text)):
        raise Unfit("takes a phone number; this has no digit")
    if is_shortened(text):
        raise Unfit("takes a phone number; a spreadsheet has shortened this one: export the column as text")
    if _BETWEEN_PHONES.search(text) is not None:
        parts = _BETWEEN_PHONES.split(text)
        if sum(sum(map(str.isdigit, part)) >= _DIGITS_OF_PHONE for part in parts) > 1:
            raise Unfit("takes one phone number; several come as a list")
    return text


def phone_form(value: str, country: str | None = None) -> str:
    """The form in which phone numbers are compared: `+49171555010`, with an extension `+49171555010x12`.

    `country` (two letters) completes numbers that have no country code. A text that is no number is compared as text.
    """
    if country is None and _PLAIN_PHONE.fullmatch(value) is not None:
        return value
    text = visible(narrow(value)).casefold()
    number = _BEFORE.sub("", text)
    extension = ""
    if (found := _EXTENSION.search(number)) is not None and any(sign.isdigit() for sign in number[: found.start()]):
        number, extension = number[: found.start()], f"x{found[1]}"
    if any(sign.isalpha() for sign in number):
        return " ".join(text.split())  # words, or a number that is spelled: 1-800-FLOWERS
    digits = only_digits(number.replace("(0)", "") if number.lstrip().startswith(("+", "00")) else number)
    if not digits.strip("+"):
        return text
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    return (digits if country is None else _international(digits, country)) + extension


def former_phone_form(value: str) -> str:
    """The form in which journals kept phone numbers until extensions and countries counted: the digits and +."""
    digits = only_digits(value)
    return digits if digits.strip("+") else value.strip().casefold()


def only_digits(text: str) -> str:
    """The digits of a text, and its +."""
    return _NO_DIGITS.sub("", text) if text.isascii() else "".join(c for c in text if c.isdigit() or c == "+")


def knows_country(country: str) -> bool:
    """Whether the numbers of this country (two letters) are known."""
    import phonenumbers  # noqa: PLC0415 - a run without `values.country` needs no library of numbers

    return country in phonenumbers.SUPPORTED_REGIONS


@lru_cache(maxsize=65_536)  # a number is compared several times on its way, and read in 30 µs
def _international(digits: str, country: str) -> str:
    """A number as E.164; unchanged where it is no number of that country or another."""
    import phonenumbers  # noqa: PLC0415 - as above

    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_possible_number(number):
        return digits
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
