"""Makes event data safe to show. Knows neither Rich nor any terminal: text in, text out.

Names, traits and file names are written by strangers. A control character in them could move the cursor, change the
window's title or forge a line of the report; a bidi override could show a name backwards; invisible characters make two
different keys look the same; a hundred accents on one letter cover its neighbours. All of these are shown as escapes:
`\x1b`, `\u202e`.
"""

from __future__ import annotations

import unicodedata

MOST_MARKS = 8  # accents on one letter; no script has more, and a tower of accents covers the lines around it
LIMIT = 200  # characters of one value: enough to recognise it, too few to flood a report

# Categories: control, format (bidi, zero-width, tags), surrogate, line and paragraph separator.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})
# Characters that Unicode calls letters but that look blank: the Hangul fillers and the combining grapheme joiner.
_HIDDEN_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u034f")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible_text(text: str, limit: int = LIMIT) -> str:
    """`text` with invisible characters escaped, cut to at most `limit` characters; a cut text ends in `…`."""
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    shown: list[str] = []
    room, marks = limit, 0
    for character in text[: limit + 1]:
        piece = _visible(character)
        marks = marks + 1 if unicodedata.category(character) in _MARKS else 0
        if marks > MOST_MARKS:
            piece = _escaped(character)
        if len(piece) > room:
            return _cut(shown, limit)
        shown.append(piece)
        room -= len(piece)
    return "".join(shown)


def encodable(text: str) -> str:
    """`text` with lone surrogates, which UTF-8 cannot hold, as escapes. File names and JSON can contain them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def fit_encoding(text: str, encoding: str) -> str:
    """`text` for a stream of that encoding: typographic signs that it lacks become ASCII, other characters escapes."""
    if encoding.lower().replace("-", "").startswith("utf"):
        return text
    return text.translate(_TYPEWRITER).encode(encoding, "backslashreplace").decode(encoding)


# One character for one, so that text laid out for a width still fits.
_TYPEWRITER = str.maketrans("…×·–→━─┈•’“”", '~x|->=-.*\'""')


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN_CATEGORIES and character not in _HIDDEN_LETTERS:
        return character
    return _SHORT.get(character) or _escaped(character)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(shown: list[str], limit: int) -> str:
    while shown and sum(map(len, shown)) > limit - 1:
        shown.pop()
    return "".join(shown) + "…"
