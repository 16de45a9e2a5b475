"""Holds back what a preview shows, so that the summary of a long one can stand before its requests.

In memory alone: what is shown is people's data, and stays off the disk. What grows too large is written as it comes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TextIO

from pipedrive_cli.secret import without_secrets

MOST_HELD: Final = 64 * 1024 * 1024  # bytes
MANY: Final = 100  # requests; the summary of more begins


@dataclass(slots=True)
class HeldOutput:
    """Takes the text of requests for `file`. With `holds` False all of it is written at once. `first` is called before
    what was held is written."""

    file: TextIO
    holds: bool
    first: Callable[[], None] = lambda: None
    _held: io.BytesIO = field(default_factory=io.BytesIO)
    _requests: int = 0
    _watched: bool = field(init=False)  # by somebody at a terminal

    def __post_init__(self) -> None:
        self._watched = self.file.isatty()

    def write(self, text: str) -> None:
        """Writes or keeps one request."""
        # Bytes: JSON and curl are UTF-8 in any locale, and Windows must not change newlines.
        encoded = without_secrets(text).encode("utf-8", "backslashreplace")
        if not self.holds:
            self._write(encoded)
            return
        self._requests += 1
        self._held.write(encoded)
        if self._held.tell() > MOST_HELD:
            self.release()
            self.holds = False

    @property
    def begins_with_summary(self) -> bool:
        """Whether so many requests are held that their summary is to come first."""
        return self.holds and self._requests > MANY

    def release(self) -> None:
        """Writes what was held."""
        self.first()
        held, self._held = self._held, io.BytesIO()
        self._write(held.getvalue())
        self.file.buffer.flush()

    def _write(self, encoded: bytes) -> None:
        self.file.buffer.write(encoded)
        if self._watched:
            self.file.buffer.flush()
