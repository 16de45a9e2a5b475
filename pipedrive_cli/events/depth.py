"""How deeply objects and lists are nested in JSON text. Counts brackets; never recurses.

How deep a parser goes depends on the version of Python. Which events are refused must not depend on it.
"""

from __future__ import annotations

import re
from typing import Final

DEPTH_LIMIT: Final = 64  # levels of objects and lists, so that all later code may recurse into an event

# A string without an end runs to the end of the text. Possessive quantifiers: no text can cause backtracking.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_OPENING: Final = b"{["
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))


def too_deep(text: bytes) -> bool:
    """Whether JSON text is nested deeper than the limit. Brackets count in text that is not JSON, too."""
    # Nearly all events end here. `replace` and `find` go from bracket to bracket, where `count` looks at every byte.
    opening = len(text) - len(text.replace(b"{", b""))
    if opening + (text.count(b"[") if text.find(b"[") >= 0 else 0) <= DEPTH_LIMIT:
        return False
    depth = 0
    for bracket in _STRINGS.sub(b"", text).translate(None, _NO_BRACKETS):
        if bracket in _OPENING:
            depth += 1
            if depth > DEPTH_LIMIT:
                return True
        else:
            depth -= 1
    return False
