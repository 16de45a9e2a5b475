"""Numbers and amounts as people write them: separators of thousands, decimal commas, currency signs around them. Pure.

A text is read only where one reading is possible, given which sign the config takes for the decimal one.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

from pipedrive_cli.text_forms import narrow, visible

Decimals: TypeAlias = Literal["point", "comma"]

# Between groups of three digits: a blank of any width, an apostrophe; and a point or comma, whichever is not decimal.
_BLANKS: Final = " \u00a0\u2007\u2009\u202f'’"
_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_GROUPED: Final[dict[Decimals, re.Pattern[str]]] = {
    # Groups of two digits are Indian: 12,34,567.
    "point": re.compile(rf"[0-9]{{1,3}}(?:(?:,[0-9]{{2,3}})*,[0-9]{{3}}|(?:[{_BLANKS}][0-9]{{3}})+)(?:\.[0-9]+)?"),
    "comma": re.compile(rf"[0-9]{{1,3}}(?:(?:\.[0-9]{{3}})+(?:,[0-9]+)?|(?:[{_BLANKS}][0-9]{{3}})+(?:[,.][0-9]+)?)"),
}
_DECIMAL_COMMA: Final = re.compile(r"[0-9]*,[0-9]+")
_AROUND: Final = re.compile(
    r"(?P<first>[-+−]?)(?P<before>(?:[^0-9+\-−.,]|(?<=[^\W\d_])\.)*)(?P<second>[-+−]?)(?P<number>[0-9.,][^+\-−]*)"
)
_NUMBER: Final = re.compile(r"(?P<number>.*[0-9])(?P<after>[^0-9]*)", re.DOTALL)
# `12,-`, `12.– CHF` and `Rs. 12/-`: no cents.
_ROUND: Final = re.compile(r"(?<=[0-9])(?P<sign>[.,]|\s?/)[-–—=]+(?![0-9])")

_DOLLARS: Final = "USD AUD CAD NZD SGD HKD TWD MXN ARS CLP COP BBD BSD BZD FJD JMD TTD XCD UYU"
# What people write around an amount, without case -> the currencies that it may mean.
CURRENCY_NAMES: Final[dict[str, frozenset[str]]] = {
    name: frozenset(codes.split())
    for names, codes in (
        ("€ euro euros", "EUR"),
        ("£ pound pounds gbp£", "GBP"),
        ("₹ rs rs. rupee rupees", "INR"),
        ("₽ руб руб. rub.", "RUB"),
        ("₩", "KRW"),
        ("₺ tl", "TRY"),
        ("₴ грн", "UAH"),
        ("₪", "ILS"),
        ("₫", "VND"),
        ("฿", "THB"),
        ("₦", "NGN"),
        ("₱", "PHP"),
        ("₡", "CRC"),
        ("₸", "KZT"),
        ("zł zl złotych", "PLN"),
        ("kč kc", "CZK"),
        ("ft forint", "HUF"),
        ("lei", "RON"),
        ("лв лв. lv", "BGN"),
        ("fr. sfr sfr. franken", "CHF"),
        ("r$ reais", "BRL"),
        ("us$ $us us-dollar us-dollars", "USD"),
        ("a$ au$", "AUD"),
        ("c$ ca$", "CAD"),
        ("nz$", "NZD"),
        ("s$ sg$", "SGD"),
        ("hk$", "HKD"),
        ("nt$", "TWD"),
        ("mx$", "MXN"),
        ("¥ ￥ yen 円", "JPY CNY"),
        ("元", "CNY"),
        ("$ dollar dollars", _DOLLARS),
        ("kr kr. kronor kroner kronen", "SEK NOK DKK ISK"),
    )
    for name in names.split()
}
# Of these people write the codes in small letters, too; of others small letters may be a unit or a word.
_WELL_KNOWN: Final = "EUR USD GBP CHF SEK NOK DKK PLN CZK HUF JPY AUD CAD INR BRL"
_COMMON: Final = frozenset(_WELL_KNOWN.split())
_CODES: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
    "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
    "TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL"
)
ISO_CODES: Final = frozenset(_CODES.split())
_DECIMAL: Final[dict[Decimals, str]] = {"point": ".", "comma": ","}
_NO_DECIMAL: Final[dict[Decimals, str]] = {"point": ",", "comma": "."}
LONGEST: Final = 60  # characters of an amount


class Amount(NamedTuple):
    """A number in a text. `currencies` are those that the signs around it may mean, None where there are none."""

    number: int | float
    currencies: frozenset[str] | None = None


def read_amount(text: str, decimals: Decimals = "point") -> Amount | None:
    """The number in a text, with what its currency sign tells; None where the text is no single number."""
    if len(text) > LONGEST:
        return None
    text = visible(narrow(text))
    if (round_ := _ROUND.search(text)) is not None:
        if round_["sign"] == _NO_DECIMAL[decimals] and _DECIMAL[decimals] in text[: round_.start()]:
            return None  # `1.200,-` is no 1.2
        text = _ROUND.sub("", text)
    around = _AROUND.fullmatch(text)
    found = None if around is None else _NUMBER.fullmatch(around["number"])
    if around is None or found is None or (around["first"] and around["second"]):
        return None
    number = _read(found["number"], decimals)
    currencies = _currencies(around["before"].strip(), found["after"].strip())
    if number is None or (currencies is not None and not currencies):
        return None
    return Amount(-number if around["first"] + around["second"] in {"-", "−"} else number, currencies)


def needs_comma(text: str) -> bool:
    """Whether a text is a number only where the comma is decimal."""
    return read_amount(text, "point") is None and read_amount(text, "comma") is not None


def _read(written: str, decimals: Decimals) -> int | float | None:
    if _GROUPED[decimals].fullmatch(written) is not None:
        bare = written.translate(_NO_BLANKS)
        if decimals == "point":
            bare = bare.replace(",", "")
        elif "," in bare or bare == written:
            bare = bare.replace(".", "").replace(",", ".")
    elif _PLAIN.fullmatch(written) is not None:
        bare = written  # with decimal commas, too: 12.5 cannot be thousands, and programs write it
    elif decimals == "comma" and _DECIMAL_COMMA.fullmatch(written) is not None:
        bare = written.replace(",", ".")
    else:
        return None
    return float(bare) if "." in bare else int(bare)


_NO_BLANKS: Final = dict.fromkeys(map(ord, _BLANKS))


_UNKNOWN: Final[frozenset[str]] = frozenset()


def _currencies(before: str, after: str) -> frozenset[str] | None:
    """What the signs before and after a number may mean; nothing at all for other words, and for two currencies."""
    found: frozenset[str] | None = None
    for name in filter(None, (before, after)):
        meant = _meaning(name)
        found = meant if found is None else found & meant
    return found


def _meaning(name: str) -> frozenset[str]:
    if name in ISO_CODES:
        return frozenset((name,))
    if (code := name.upper()) in _COMMON:
        return frozenset((code,))
    return CURRENCY_NAMES.get(name.casefold(), _UNKNOWN)
