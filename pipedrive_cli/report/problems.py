"""The words for every problem code: what happened, and what to do about it. Knows nothing of runs or of terminals.

A code is stable, scripts may match on it; the words may become better at any time. Whoever raises a problem may say
something more exact about one event; this is what the report says of all events that share the code.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """`message` is a heading without a full stop; `hint` is what to do, in whole sentences."""

    message: str
    hint: str | None = None


_MEND = "Mend the lines in the rejects file and replay that file."

PROBLEMS: dict[str, Words] = {
    "missing_user_id": Words("the event names neither a user nor an anonymous id", _MEND),
}


def words(code: str) -> Words:
    """The words for a code; one that nobody registered is shown as it is."""
    return PROBLEMS.get(code) or Words(code.replace("_", " "))
