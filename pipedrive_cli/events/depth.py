"""How deep objects and lists stand inside each other in JSON text. Counts; never recurses.

How deep a parser goes before it gives up depends on the Python that runs it. What we refuse must not.
"""

from __future__ import annotations

import re
from typing import Final

DEPTH_LIMIT: Final = 64  # objects and lists inside each other; whoever walks an event later may recurse

# A string that never ends runs to the end of the text. Possessive, so that no text makes it look twice at one place.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_OPENING: Final = b"{["
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))


def too_deep(text: bytes) -> bool:
    """Whether JSON text nests deeper than the limit. Text that is no JSON is counted as far as it looks like some."""
    # Nearly all events end here. Most have no list at all, which is told much faster than lists are counted.
    if text.count(b"{") + (text.count(b"[") if b"[" in text else 0) <= DEPTH_LIMIT:
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
