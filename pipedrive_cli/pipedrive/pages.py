"""Whether the pages of a list move on. Pure.

A server that names the same next page again, or brings pages on which nothing is new, would be asked for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST_IDLE = 3  # pages in a row without anything new: an index may have a short or an empty page now and then


class Pages:
    """The pages of one list so far."""

    def __init__(self) -> None:
        self._places: set[str | int] = set()
        self._seen: set[object] = set()
        self._idle = 0

    def stuck(self, following: str | int | None, items: Iterable[object]) -> bool:
        """Notes a page with these items (ids), and the place of the following page. Whether the list stands still."""
        fresh = set(items) - self._seen
        self._seen |= fresh
        self._idle = 0 if fresh else self._idle + 1
        if following is None:
            return False
        known = following in self._places
        self._places.add(following)
        return known or self._idle > MOST_IDLE
