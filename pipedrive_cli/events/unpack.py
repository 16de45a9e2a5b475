"""The bytes of one stream, unpacked, in blocks of bounded size. Knows nothing of lines or events."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

BLOCK: Final = 1 << 18  # bytes of text held at once; reading faster than this is not to be had by larger blocks
_PACKED_BLOCK: Final = 1 << 16

# Files that people hand over for events by mistake. One refusal that says what the file is beats a thousand bad lines.
_NOT_EVENTS: Final[dict[bytes, tuple[str, str]]] = {
    b"PK\x03\x04": ("a ZIP archive", "unpack it first"),
    b"PAR1": ("a Parquet file", "export the events as NDJSON"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "unpack it first, for example with `zstd -d`"),
    b"\xfd7zXZ\x00": ("packed with xz", "unpack it first, for example with `xz -d`"),
    b"SQLite format 3\x00": ("an SQLite database", "export the events as NDJSON"),
    b"\xff\xfe": ("UTF-16 text", "save it as UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "save it as UTF-8"),
}
_LONGEST_MAGIC: Final = max(map(len, _NOT_EVENTS))
_GZIP: Final = b"\x1f\x8b"


class Trouble(NamedTuple):
    """Why a stream could not be read to its end: a stable code, and words for people."""

    code: str
    message: str


class Blocks:
    """Iterates over the text of a stream in blocks; gzip is told by its first bytes.

    `bytes_read` counts what was taken from the stream, packed. `trouble` is None once the stream was read to a clean
    end; otherwise everything before the trouble has been handed out. A stream never raises from here.
    """

    def __init__(self, stream: BinaryIO) -> None:
        # read1 hands over what a pipe has now, where read would wait for a full block.
        self._read = getattr(stream, "read1", stream.read)
        self.bytes_read = 0
        self.trouble: Trouble | None = None

    def __iter__(self) -> Iterator[bytes]:
        first = self._take(_PACKED_BLOCK)
        while first and len(first) < _LONGEST_MAGIC and _may_be_magic(first):
            more = self._take(_PACKED_BLOCK)
            if not more:
                break
            first += more
        for magic, (what, advice) in _NOT_EVENTS.items():
            if first.startswith(magic):
                self.trouble = Trouble("not_events", f"the file is {what}, not lines of JSON: {advice}")
                return
        if first.startswith(_GZIP):
            yield from self._inflated(first)
            return
        block = first
        while block:
            yield block
            block = self._take(BLOCK)

    def _take(self, size: int) -> bytes:
        try:
            data: bytes = self._read(size) or b""
        except OSError as error:
            self.trouble = Trouble("source_unreadable", f"reading stopped: {error.strerror or error}")
            return b""
        self.bytes_read += len(data)
        return data

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        """The text of all gzip members. Zeros after a member are padding, as tape and block storage leave it."""
        while data:
            inflater = zlib.decompressobj(wbits=31)
            while not inflater.eof:
                data = data or self._take(_PACKED_BLOCK)
                ended = not data
                try:
                    block = inflater.decompress(data, BLOCK)  # the limit keeps a zip bomb in bounds
                except zlib.error:
                    self.trouble = Trouble("gzip_broken", "the gzip data is damaged from here on")
                    return
                data = inflater.unconsumed_tail
                if block:
                    yield block
                elif ended:
                    self.trouble = self.trouble or Trouble("gzip_broken", "the gzip data breaks off here")
                    return
            data = inflater.unused_data.lstrip(b"\0")
            while not data and (data := self._take(_PACKED_BLOCK)):
                data = data.lstrip(b"\0")


def _may_be_magic(start: bytes) -> bool:
    return _GZIP.startswith(start) or any(magic.startswith(start) for magic in _NOT_EVENTS)
