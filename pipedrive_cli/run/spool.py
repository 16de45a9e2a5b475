"""Pending events on disk: their bytes, their origins, and their changes. Memory holds only the places.

A window of a hundred thousand events would take some hundred megabytes. And stdin can be read but once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import msgspec

from pipedrive_cli.delivery.pending_event import EventOrigin
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.model import Change
from pipedrive_cli.transform.packing import pack, unpack

UNWRITTEN = 1 << 18  # bytes that are written together
_LENGTH = 4  # bytes that say how many follow
_AT_ONCE = 512  # bytes read with one call: nearly every change and origin is shorter

_encode = msgspec.msgpack.Encoder().encode
_decode_origin = msgspec.msgpack.Decoder(EventOrigin).decode


class Spool:
    """An unnamed temporary file that grows, and is gone with the process. Each piece is found by its place.

    Where it cannot grow, `stop` is called with the reason; what was to be written stays in memory until the run ends.
    """

    def __init__(self, stop: Callable[[StopRun], None]) -> None:
        """Raises UserMistake where no temporary file can be made."""
        try:
            # Unbuffered: a buffer would be filled anew for every piece that is read.
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as the run
        except OSError as error:
            raise no_temporary_file(error) from error
        self._stop = stop
        self._stopped = False
        self._unwritten = bytearray()
        self._written = 0

    def add(self, piece: bytes) -> int:
        """Keeps `piece`. Returns its place."""
        at = self._written + len(self._unwritten)
        self._unwritten += len(piece).to_bytes(_LENGTH)
        self._unwritten += piece
        if len(self._unwritten) >= UNWRITTEN:
            self._write()
        return at

    def get(self, at: int) -> bytes:
        """What was kept there. Raises StopRun where the disk does not give it back."""
        if (start := at - self._written) >= 0:
            length = int.from_bytes(self._unwritten[start : start + _LENGTH])
            return bytes(self._unwritten[start + _LENGTH : start + _LENGTH + length])
        try:
            return self._read(at)
        except OSError as error:
            raise _no_use("read", error) from error

    def _read(self, at: int) -> bytes:
        self._file.seek(at)
        piece = self._file.read(_LENGTH + _AT_ONCE)
        length = int.from_bytes(piece[:_LENGTH])
        while (missing := _LENGTH + length - len(piece)) > 0:
            more = self._file.read(missing)
            if not more:
                raise OSError("it has been cut off")
            piece += more
        return piece[_LENGTH : _LENGTH + length]

    def add_origin(self, origin: EventOrigin) -> EventOrigin | int:
        """Keeps an event's origin. Returns its place, or `origin` itself if it cannot be kept."""
        try:
            return self.add(_encode(origin))
        except UnicodeEncodeError:
            return origin  # the file's name is no text

    def origin(self, at: int) -> EventOrigin:
        """The origin that was kept there."""
        return _decode_origin(self.get(at))

    def lay(self, change: Change) -> int | None:
        """Keeps a change. Returns its place, or None for one with a number that is too long to keep."""
        try:
            return self.add(pack(change))
        except OverflowError:
            return None

    def change(self, at: int) -> Change:
        """The change that was kept there."""
        return unpack(self.get(at))

    def drop_from(self, at: int) -> None:
        """Forgets the piece at this place, and all that was added after it."""
        if at >= self._written:
            del self._unwritten[at - self._written :]
        else:
            self._unwritten.clear()
            self._written = at  # what is there already will be written over

    def restart(self) -> None:
        """Forgets everything, for no event is pending."""
        self._unwritten.clear()
        self._file.seek(0)
        self._file.truncate()
        self._written = 0

    def close(self) -> None:
        self._file.close()

    def _write(self) -> None:
        if self._stopped:
            return
        try:
            self._file.seek(self._written)
            left = memoryview(bytes(self._unwritten))  # of a copy: an error that held the buffer would fix its size
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._stopped = True
            self._stop(_no_use("written", error))
            return
        self._written += len(self._unwritten)
        self._unwritten = bytearray()


def no_temporary_file(error: OSError) -> UserMistake:
    """The mistake of a machine on which no temporary file can be made or filled."""
    return UserMistake(
        f"no temporary file can be made: {error.strerror or error}",
        code="temporary_file",
        hint="make room, or name another folder for it in the environment variable TMPDIR",
    )


def _no_use(what: str, error: OSError) -> StopRun:
    return StopRun(
        f"the run's temporary file in {tempfile.gettempdir()} cannot be {what}: {error.strerror or error}",
        code="temporary_file",
        hint="make room there, or name another folder in the environment variable TMPDIR, then run again to continue",
    )
