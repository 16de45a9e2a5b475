"""Numbers and amounts as people write them: thousands, decimal commas, currency signs, `5k` and `2 Mio.` Pure.

A text is read only where one reading is possible, given which sign the config takes for the decimal one.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeAlias

from pipedrive_cli.text_forms import narrow, visible

Decimals: TypeAlias = Literal["point", "comma"]

# Between groups of three digits: a blank of any width, an apostrophe; and a point or comma, whichever is not decimal.
_BLANKS: Final = " \u00a0\u2007\u2009\u202f'’"
_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
# The first group begins with no zero: 0,500 is half of one.
_FIRST: Final = "[1-9][0-9]{0,2}"
_GROUPED: Final[dict[Decimals, re.Pattern[str]]] = {
    # Groups of two digits are Indian: 12,34,567.
    "point": re.compile(rf"{_FIRST}(?:(?:,[0-9]{{2,3}})*,[0-9]{{3}}|(?:[{_BLANKS}][0-9]{{3}})+)(?:\.[0-9]+)?"),
    "comma": re.compile(rf"{_FIRST}(?:(?:\.[0-9]{{3}})+(?:,[0-9]+)?|(?:[{_BLANKS}][0-9]{{3}})+(?:[,.][0-9]+)?)"),
}
# Beside a currency: nobody writes a thousandth of a euro, so that the sign may part thousands all the same.
_THOUSANDTHS: Final[dict[Decimals, re.Pattern[str]]] = {
    "point": re.compile(rf"{_FIRST}\.[0-9]{{3}}"),
    "comma": re.compile(rf"{_FIRST},[0-9]{{3}}"),
}
_OF_THOUSANDTHS: Final = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_IN_BRACKETS: Final = re.compile(r"\((?P<amount>[^()]+)\)")  # below zero, as accountants and spreadsheets write it
_DECIMAL_COMMA: Final = re.compile(r"[0-9]*,[0-9]+")
_AROUND: Final = re.compile(
    r"(?P<first>[-+−]?)(?P<before>(?:[^0-9+\-−.,]|(?<=[^\W\d_])\.)*)(?P<second>[-+−]?)(?P<number>[0-9.,][^+\-−]*)"
)
_NUMBER: Final = re.compile(r"(?P<number>.*[0-9])(?P<after>[^0-9]*)", re.DOTALL)
# `12,-`, `12.– CHF` and `Rs. 12/-`: no cents.
_ROUND: Final = re.compile(r"(?<=[0-9])(?P<sign>[.,]|\s?/)[-–—=]+(?![0-9])")

# What people write behind a number for a power of ten, without case, where it means one and the same to everybody.
_SCALES: Final[dict[str, int]] = {
    name: 10**zeros
    for zeros, names in (
        (3, "k tsd tausend thousand"),
        (5, "lakh lakhs lac lacs"),
        (6, "mio mill million millions millionen mln milhão milhões millón millones milione milioni miljoner"),
        (7, "crore crores"),
        (9, "mrd mld milliarde milliarden milliard milliards miliard miliardo mia bn bilhão bilhões miliardi"),
        (4, "万"),
        (8, "億 亿"),
    )
    for name in names.split()
}
# Beside the Brazilian sign nobody means anything else by these.
_OF_REAIS: Final = {"mil": 10**3, "mi": 10**6, "bi": 10**9}
# To some a thousand and to others a million, or a million and a billion; a rule for one of them would be wrong by far.
_DOUBTFUL_WORDS: Final = (
    "m mm mn mil t b bil bi bln billion billions billionen billiones billones billón trillion trillions cr l mille mkr"
)
_DOUBTFUL_SCALES: Final = frozenset(_DOUBTFUL_WORDS.split())
_GLUED: Final = frozenset(("kr", "円", "元"))
_BEHIND: Final = re.compile(r"(?P<word>[^\W\d_]+)\.?\s*(?:(?:de|di)\s+)?(?P<rest>.*)", re.DOTALL)

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
    if (bracketed := _IN_BRACKETS.fullmatch(text)) is not None:
        inner = read_amount(bracketed["amount"], decimals)
        return None if inner is None or inner.number <= 0 else inner._replace(number=-inner.number)
    if (round_ := _ROUND.search(text)) is not None:
        if round_["sign"] == _NO_DECIMAL[decimals] and _DECIMAL[decimals] in text[: round_.start()]:
            return None  # `1.200,-` is no 1.2
        text = _ROUND.sub("", text)
    around = _AROUND.fullmatch(text)
    found = None if around is None else _NUMBER.fullmatch(around["number"])
    if around is None or found is None or (around["first"] and around["second"]):
        return None
    before, after = around["before"].strip(), found["after"].strip()
    scale = _OF_REAIS.get(after.casefold()) if before and _meaning(before) == {"BRL"} else None
    scale, after = _scaled(after) if scale is None else (scale, "")
    number = _read(found["number"], decimals, scale)
    currencies = _currencies(before, after)
    if number is None or (currencies is not None and not currencies):
        return None
    doubtful = scale == 1 and _THOUSANDTHS[decimals].fullmatch(found["number"]) is not None
    if doubtful and currencies is not None and currencies.isdisjoint(_OF_THOUSANDTHS):
        return None
    return Amount(-number if around["first"] + around["second"] in {"-", "−"} else number, currencies)


def needs_comma(text: str) -> bool:
    """Whether a text is a number only where the comma is decimal."""
    return read_amount(text, "point") is None and read_amount(text, "comma") is not None


def no_number(value: object, decimals: Decimals) -> str:
    """What is said of a value that is no number, with what to do where that is known: it completes "the field ..."."""
    such = "takes a number such as 1200.5" if decimals == "point" else "takes a number such as 1200,5"
    if isinstance(value, str) and decimals == "point" and needs_comma(value):
        return f"{such}; where a comma is the decimal sign, set values.decimals: comma"
    if isinstance(value, str) and decimals == "comma" and read_amount(value) is not None:
        return f"{such}; values.decimals is comma, and this is a number only with a decimal point"
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return f"{such}; 5 % is 5 to some and 0.05 to others: write the number that is meant"
    if isinstance(value, str) and any(word.casefold() in _DOUBTFUL_SCALES for word in _DOUBTFUL.findall(value)):
        return f"{such}; what stands behind it means a thousand to some and a million to others: write it in figures"
    return such


_DOUBTFUL: Final = re.compile(r"(?<=[0-9])\s?([^\W\d_]{1,10})(?![^\W_])")


def _scaled(after: str) -> tuple[int, str]:
    """The power of ten that stands behind a number, and what stands behind that."""
    behind = _BEHIND.fullmatch(after)
    if behind is None or _meaning(after):
        return 1, after
    word, rest = behind["word"], behind["rest"]
    if (scale := _SCALES.get(word.casefold())) is not None:
        return scale, rest
    glued = word[1:]  # 5kEUR, 5万円; but 5 kft are feet, not forints
    if (scale := _SCALES.get(word[0].casefold())) is not None and (glued.upper() in ISO_CODES or glued in _GLUED):
        return scale, glued + rest
    return 1, after


def _read(written: str, decimals: Decimals, scale: int) -> int | float | None:
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
    if scale == 1:
        return float(bare) if "." in bare else int(bare)
    scaled = Decimal(bare) * scale  # 2.3 millions are no 2,299,999.9999999998
    return int(scaled) if scaled == int(scaled) else float(scaled)


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
