"""The bytes of events under way, on disk: memory holds places alone, and stdin can be read but once."""

from __future__ import annotations

import tempfile

import msgspec


class Held(msgspec.Struct, frozen=True, gc=False):
    """Where an event's bytes lie. `cut`: they are but the beginning of an over-long line."""

    offset: int
    length: int
    cut: bool = False


class Spool:
    """An unnamed temporary file that grows; it is gone with the process."""

    def __init__(self) -> None:
        # The buffer spares a system call per event; the file lives as long as the run.
        self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115
        self._end = 0
        self._at_end = True

    def add(self, raw: bytes, *, cut: bool = False) -> Held:
        """Keeps `raw`."""
        if not self._at_end:
            self._file.seek(self._end)
            self._at_end = True
        self._file.write(raw)
        held = Held(self._end, len(raw), cut)
        self._end += len(raw)
        return held

    def get(self, held: Held) -> bytes:
        """What was kept there."""
        self._file.seek(held.offset)
        self._at_end = False
        kept: bytes = self._file.read(held.length)
        return kept

    def restart(self) -> None:
        """Forgets everything: nothing is under way."""
        self._file.seek(0)
        self._file.truncate()
        self._end = 0
        self._at_end = True

    def close(self) -> None:
        self._file.close()
