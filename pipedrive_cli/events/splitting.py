"""Cuts JSON text into its outermost values, by its brackets and strings alone. Pure; judges nothing that is in them.

So one bad value costs none of its neighbours: a NaN in an event of a batch, or half a line at the end of a file that
has no line ends.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final

import msgspec

# Between values, in all the ways in which programs write several: also Unicode's ends of lines, blanks, and characters
# that cannot be seen, and line ends that somebody has escaped.
_MARKS: Final = rb"\xc2[\x85\xa0]|\xe2\x80[\x8b\xa8\xa9]|\xef\xbb\xbf|\\[nrt]"
_SEPARATORS: Final = re.compile(rb"(?:[ \t\r\n\x0b\x0c\x00\x1c-\x1f,;|]|%b)*+" % _MARKS)
_BETWEEN: Final = re.compile(rb"(?:[ \t\r\n\x0b\x0c\x00\x1c-\x1f,;|\[\]]|%b)*+" % _MARKS)
# Everything up to the next bracket (or comma) that stands in no string. No text can cause backtracking.
_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_PART_END: Final = re.compile(rb'(?:[^"{}\[\],]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\],])', re.DOTALL)
_NAME: Final = re.compile(rb'[ \t\r\n]*+("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:', re.DOTALL)
_OPENING: Final = b"{["

_decode_name: Final = msgspec.json.Decoder(str).decode


def begun(text: bytes) -> bytes:
    """The text from its first value on; empty where separators and brackets of a list are all that it holds."""
    return b"" if _BETWEEN.fullmatch(text) else text[_end_of_separators(text, 0) :]


def outermost(text: bytes) -> tuple[list[bytes], bytes]:
    """The whole objects with which a text begins, and the rest behind them, from the first thing that is none.

    Between them may stand blanks, zero bytes, separators, and the brackets of a list around them.
    """
    found: list[bytes] = []
    place = _skipped(text, 0)
    while text[place : place + 1] == b"{" and (end := _end_of(text, place)) is not None:
        found.append(text[place:end])
        place = _skipped(text, end)
    return found, text[place:]


def items_of(text: bytes) -> list[bytes] | None:
    """The items of a list; None where the text is not one list from its start to its end."""
    if not text.startswith(b"["):
        return None
    items: list[bytes] = []
    start = 1
    while (part := _part_of(text, start)) is not None:
        end, last = part
        item = text[start : end - 1].strip()
        if item or not last:
            items.append(item)
        start = end
        if last:
            return items if _end_of_separators(text, end) == len(text) else None
    return None


def members_of(text: bytes) -> dict[str, bytes] | None:
    """The members of an object by name, the last one of a name; None where the text is not one object."""
    if not text.startswith(b"{"):
        return None
    members: dict[str, bytes] = {}
    place = 1
    while (named := _NAME.match(text, place)) is not None:
        if (part := _part_of(text, named.end())) is None:
            return None
        place, last = part
        with contextlib.suppress(ValueError):  # half a character in a name: it is none that we know
            members[_decode_name(named[1])] = text[named.end() : place - 1].strip()
        if last:
            return None if text[place:].strip() else members
    return {} if text[place:].strip() == b"}" and not members else None


def _part_of(text: bytes, place: int) -> tuple[int, bool] | None:
    """Where an item of a list or the value of a member ends that begins at `place`, behind the comma or bracket after
    it, and whether that bracket closes the whole. None where it has no end.
    """
    depth = 1
    while (found := _PART_END.match(text, place)) is not None:
        place, mark = found.end(), found[1]
        if mark in _OPENING:
            depth += 1
        elif mark != b",":
            depth -= 1
            if depth == 0:
                return place, True
        elif depth == 1:
            return place, False
    return None


def _skipped(text: bytes, place: int) -> int:
    found = _BETWEEN.match(text, place)
    return place if found is None else found.end()


def _end_of_separators(text: bytes, place: int) -> int:
    found = _SEPARATORS.match(text, place)
    return place if found is None else found.end()


def _end_of(text: bytes, place: int) -> int | None:
    """The end of the value that begins at `place` with a bracket; None where it has none."""
    depth = 0
    while (found := _BRACKET.match(text, place)) is not None:
        place = found.end()
        depth += 1 if found[1] in _OPENING else -1
        if depth == 0:
            return place
    return None
