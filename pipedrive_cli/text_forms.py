"""The forms in which texts are compared, and the texts that are no identity. Pure.

Two texts that people take for one must be one here: characters that cannot be seen go, an accent is the same whether it
is composed or not (NFC), and every kind of space is a space. What is written keeps its own form.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

# Zero width characters and marks of direction, embeddings, invisible operators, the byte order mark, the soft hyphen.
INVISIBLE: Final = frozenset(
    chr(code)
    for code in (
        *(0x00AD, 0x061C, 0x180E, 0xFEFF),
        *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070)),
    )
)
_NOTHING: Final = dict.fromkeys(map(ord, INVISIBLE))


def visible(text: str) -> str:
    """The text without characters that cannot be seen, trimmed."""
    return text.strip() if text.isascii() else text.translate(_NOTHING).strip()


# Full-width forms of ASCII, and the full stops that IDNA takes for dots (RFC 3490, 3.1), with their small forms.
_NARROW: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    **dict.fromkeys(map(ord, "。｡﹒"), "."),
    ord("﹫"): "@",
    0x3000: " ",
}


def narrow(text: str) -> str:
    """The text as a keyboard that does not write wide has it: `ａ＠ｂ．ｄｅ` is `a@b.de`."""
    return text if text.isascii() else text.translate(_NARROW)


def key_text(value: Any) -> str | None:
    """A key (an id that an event names somebody by) as text, which may be empty: visible text, or a whole number's
    digits. None for what can be no key. Everybody who compares ids must read them so.
    """
    if type(value) is str:
        return visible(value)
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer() and abs(value) < _EXACT_FLOAT:
        return str(int(value))  # 42.0 is how some exporters write 42
    return None


_EXACT_FLOAT: Final = 2**53  # above it floats skip whole numbers


def pipedrive_id(value: Any) -> int | None:
    """One of Pipedrive's own ids, a whole number from 1 on or its digits; None for what is none."""
    digits = key_text(value)
    if digits is None or not digits.isdecimal() or len(digits) > _LONGEST_ID:
        return None
    return number if 0 < (number := int(digits)) < 1 << 63 else None


_LONGEST_ID: Final = 19  # digits


def label_form(text: str) -> str:
    """The form in which names of fields, options, labels and events are compared: NFC, each run of space as one."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_NOTHING))
    return " ".join(text.split())


def caseless_form(text: str) -> str:
    """`label_form` without case, for comparisons that fall back to it."""
    return label_form(label_form(text).casefold())  # casefold may decompose: ǰ becomes j and a caron


# What people and programs write where they know nothing, without case, one a word; `_` stands for a space.
_USUAL: Final = """
    none nil null undefined nan na n.a. n/a n\\a #n/a #ref! #value! unknown tbd tba tbc ? ?? ??? -- --- — – ... … . x xx
    xxx empty (blank) (empty) (none) blank missing not_available not_applicable not_set not_specified not_known no_data
    k.a. k._a. keine_angabe keine_angaben keine kein unbekannt nicht_angegeben nicht_bekannt nicht_vorhanden entfällt
    inconnu non_renseigné non_communiqué nc n.c. s/o sin_datos sin_información no_disponible desconocido ninguno
    nessuno sconosciuto non_disponibile n.d. nd n/d não_informado nao_informado não_disponível sem_informação
    desconhecido nenhum s/i onbekend geen okänd ukendt ukjent brak nieznany neznámý нет неизвестно 不明 無 なし 无
"""
_EMPTY: Final = frozenset(word.replace("_", " ") for word in _USUAL.split())


def knows_nothing(text: str) -> bool:
    """Whether a text is one of the usual ones by which somebody says that nothing is known."""
    return caseless_form(text) in _EMPTY


# What programs write where they know nobody, without case; brackets around such a word change nothing.
_NOBODY: Final = frozenset(
    (
        *(
            "null",
            "undefined",
            "none",
            "nan",
            "nil",
            "n/a",
            "#n/a",
            "true",
            "false",
            "0",
            "-1",
            "\\n",
            "#ref!",
            "#value!",
        ),
        *("anonymous", "guest", "unknown", "not set", "not_set", "not_authenticated", "distinct_id", "distinctid"),
        *("anon", "nobody", "no_user", "void 0", "userid", "user_id"),
    )
)
_LONGEST: Final = 20
_BRACKETS: Final = {"<": ">", "(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
# Most ids begin so. Then only words and templates name nobody, and a template has a brace, a bracket or a star.
_ORDINARY_START: Final = frozenset("123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NO_IDENTITY: Final = re.compile(
    r"""[\W0_]*              # zeros and marks alone, such as an empty UUID
    | .*\{\{.*\}\}.*         # {{ userId }}
    | .*[$\#@]\{.*\}.*       # ${userId}, #{user.id}
    | .*<%.*%>.*             # <%= user.id %>
    | .*\*\|.*\|\*.*         # *|USER|*
    | .*\[\[.*\]\].*         # [[user_id]]
    | %[A-Za-z_][\w. -]*%    # %user%
    | %%.*%%                 # %%user%%
    | \{[A-Za-z_][\w. -]*\}  # {user_id}
    | <[A-Za-z_][\w. -]*>    # <user_id>
    | __[A-Z_]+__            # __USER_ID__
    | \[object\ \w+\]        # what JavaScript makes of an object
    """,
    re.VERBOSE | re.DOTALL,
)


def names_nobody(text: str) -> bool:
    """Whether a text (trimmed) is what programs write where they know no user, group or product.

    Words such as null, undefined or NaN, 0 and true, a UUID of zeros, an unfilled template, marks without any letter,
    a number that a spreadsheet has shortened.
    """
    if text[:1] in _ORDINARY_START and not ("{" in text or "<" in text or "*" in text or "[" in text):
        return ("E+" in text and is_shortened(text)) or (
            text[0] in _WORD_START and (text[-1] in _WORD_END or not text[-1].isascii()) and text.casefold() in _NOBODY
        )
    return _bare_word(text) in _NOBODY or _NO_IDENTITY.fullmatch(text) is not None


def is_usual_key(text: str) -> bool:
    """Whether a text is certainly a key as it stands: visible, short, and the name of somebody. The quick way: every
    event has several keys, and nearly all are such.
    """
    return (
        _USUAL_KEY.fullmatch(text) is not None
        and "E+" not in text
        and not (text[0] in _WORD_START and text[-1] in _WORD_END and text.casefold() in _NOBODY)
    )


def is_shortened(text: str) -> bool:
    """Whether this is a long number as a spreadsheet shows it, without its last digits: `4.91717E+11`. Many have it."""
    return _SHORTENED.fullmatch(text) is not None


_SHORTENED: Final = re.compile(r"\+?[0-9](?:[.,][0-9]+)?[Ee]\+?[0-9]{2}")
_USUAL_KEY: Final = re.compile(r"[1-9A-Za-z][!-)+-;=-Z\\-z|}~]{0,254}")  # ASCII without blanks and {, <, *, [
_WORD_START: Final = frozenset(each for word in _NOBODY for each in (word[0], word[0].upper()))
_WORD_END: Final = frozenset(each for word in _NOBODY for each in (word[-1], word[-1].upper()))


def _bare_word(text: str) -> str:
    """A short text without the brackets around it: `<nil>`, `(null)`, `"None"`."""
    word = text.casefold()
    while 2 < len(word) <= _LONGEST and _BRACKETS.get(word[0]) == word[-1]:
        word = word[1:-1].strip()
    return word


def is_garbled(text: str) -> bool:
    """Whether a text is UTF-8 that was read as Windows-1252 or Latin-1: `JosÃ©` for José, `â‚¬` for a euro's sign.

    All of it must be UTF-8 again when that is undone, which no text of a language is by chance.
    """
    if _FIRST_BYTES.isdisjoint(text):
        return False
    for encoding in ("cp1252", "latin-1"):
        try:
            text.encode(encoding).decode()
        except UnicodeError:
            continue
        return True
    return False


_FIRST_BYTES: Final = frozenset("ÂÃÄÅÎÏÐÑâãäåðÐ×Ø")  # of characters that people write, as the wrong encoding shows them
