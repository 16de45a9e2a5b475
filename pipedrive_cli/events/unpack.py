"""Unpacks one stream, in blocks of bounded size. Knows nothing of lines or events."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, Literal, NamedTuple, Protocol

from pipedrive_cli.events.foreign import LONGEST_MAGIC, Foreign, kind_of_bytes, kind_within, may_be_magic
from pipedrive_cli.model import ComplaintCode

BLOCK: Final = 1 << 17  # bytes of text held at once: what is made of them fits into the cache of a processor core
_PACKED_BLOCK: Final = 1 << 16

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = (
    b"\x28\xb5\x2f\xfd",
    *(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16)),
)  # frames, skippable ones
_PACKED: Final = (_GZIP, *_ZSTD)


def is_packed(start: bytes) -> bool:
    """Whether a stream that starts with these bytes is gzip or zstd."""
    return start.startswith(_PACKED)


class Trouble(NamedTuple):
    """Why a stream could not be read to its end: a stable code and a message for people.

    `torn`: the stream breaks off, as it does while its writer is at work. `kind` is what the file is, where it holds no
    events.
    """

    code: ComplaintCode
    message: str
    torn: bool = False
    kind: Foreign | None = None


def cannot_go_on(error: OSError) -> Trouble:
    """The trouble of a stream that failed while it was read."""
    lost = isinstance(error, ConnectionError | TimeoutError)
    return Trouble("source_unreachable" if lost else "source_unreadable", f"reading stopped: {error.strerror or error}")


class Text(Protocol):
    """A text in blocks. After the last one `trouble` says why it ended; `bytes_read` are those of its source so far."""

    @property
    def trouble(self) -> Trouble | None: ...
    @property
    def bytes_read(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...


class Blocks:
    """Iterates over the text of a stream in blocks; gzip and zstd are recognised by their first bytes.

    `bytes_read` counts the bytes read from the stream, packed. After the last block `trouble` is None if the stream
    ended cleanly; otherwise all text before the trouble has been handed out. Iterating never raises.
    """

    def __init__(self, stream: BinaryIO, *, goes_on: bool = False) -> None:
        """`goes_on`: the stream begins in the middle of a text, so its first bytes do not show the kind of file."""
        # read1 returns what a pipe has now; read would wait for a full block.
        self._read = getattr(stream, "read1", stream.read)
        self.bytes_read = 0
        self.trouble: Trouble | None = None
        self._goes_on = goes_on

    def __iter__(self) -> Iterator[bytes]:
        if self._goes_on:
            yield from self._rest(self._take(BLOCK))
            return
        first = self._take(_PACKED_BLOCK)
        while first and len(first) < LONGEST_MAGIC and _may_be_magic(first):
            more = self._take(_PACKED_BLOCK)
            if not more:
                break
            first += more
        if self._is_foreign(kind_of_bytes(first)):
            return
        if first.startswith(_PACKED):
            packer: Literal["gzip", "zstd"] = "gzip" if first.startswith(_GZIP) else "zstd"
            unpacked = self._unpacked(first, packer)
            text = next(unpacked, b"")
            if text and not self._is_foreign(kind_within(text, packer)):
                yield text
                yield from unpacked
            return
        yield from self._rest(first)

    def _is_foreign(self, kind: Foreign | None) -> bool:
        """Whether the file is of a kind that holds no events; then that is its trouble."""
        if kind is not None:
            self.trouble = Trouble("not_events", f"the file is {kind.what}", kind=kind)
        return kind is not None

    def _rest(self, block: bytes) -> Iterator[bytes]:
        """The stream without unpacking, from `block` on."""
        while block:
            yield block
            block = self._take(BLOCK)

    def _take(self, size: int) -> bytes:
        try:
            data: bytes = self._read(size) or b""
        except OSError as error:
            self.trouble = cannot_go_on(error)
            return b""
        self.bytes_read += len(data)
        return data

    def _unpacked(self, data: bytes, packer: Literal["gzip", "zstd"]) -> Iterator[bytes]:
        """The text of all gzip members or zstd frames. Zeros after a member or frame are padding and are skipped."""
        new_part, errors = _GZIP_PARTS if packer == "gzip" else _zstd_parts()
        broken: ComplaintCode = "gzip_broken" if packer == "gzip" else "zstd_broken"
        while data:
            part = new_part()
            while not part.eof:
                if part.needs_input:
                    data = data or self._take(_PACKED_BLOCK)
                ended = part.needs_input and not data
                try:
                    block = part.decompress(data, BLOCK)  # the limit protects against decompression bombs
                except errors as error:
                    self.trouble = Trouble(broken, _damage(packer, error))
                    return
                data = b""
                if block:
                    yield block
                elif ended and not part.eof:
                    self.trouble = self.trouble or Trouble(broken, f"the {packer} data breaks off here", torn=True)
                    return
            data = part.unused_data.lstrip(b"\0")
            while not data and (data := self._take(_PACKED_BLOCK)):
                data = data.lstrip(b"\0")


class _Part(Protocol):
    """One gzip member or zstd frame that is being unpacked."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _GzipMember:
    """zlib behind the interface of zstd, whose decompressor keeps the input that it could not unpack yet."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflater.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail or data, max_length)


_GZIP_PARTS: Final[tuple[Callable[[], _Part], type[Exception]]] = (_GzipMember, zlib.error)


def _zstd_parts() -> tuple[Callable[[], _Part], type[Exception]]:
    """zstd, imported only when there is such a file. Python has it in its standard library from 3.14 on."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - as the docstring says
    else:
        from backports import zstd  # noqa: PLC0415 - as the docstring says
    return zstd.ZstdDecompressor, zstd.ZstdError


def _damage(packer: str, error: Exception) -> str:
    if "too much memory" in str(error):  # a window over 128 MiB, which libzstd refuses by default
        return "the zstd data needs more than 128 MiB of memory to be unpacked: pack it without --long or --ultra"
    return f"the {packer} data is damaged from here on"


def _may_be_magic(start: bytes) -> bool:
    return may_be_magic(start) or any(magic.startswith(start) for magic in _PACKED)
