"""zstd, read as gzip is: told by its bytes, frame by frame, never more in memory than a block."""

from __future__ import annotations

import io
import random
import sys
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.lines import KEPT
from pipedrive_cli.events.unpack import BLOCK, Blocks

from .event_lines import left_code, line, reading

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = line()
LONG = b"".join(line(messageId=f"m{number}", noise=random.Random(number).random()) + b"\n" for number in range(500))
SKIPPABLE = b"\x5a\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"ignored"


@pytest.mark.parametrize(
    "data",
    [
        zstd.compress(GOOD + b"\n" + GOOD + b"\n"),
        zstd.compress(GOOD + b"\n") + zstd.compress(GOOD + b"\n"),
        zstd.compress(GOOD[:40]) + zstd.compress(GOOD[40:] + b"\n") + zstd.compress(b"") + zstd.compress(GOOD),
        SKIPPABLE + zstd.compress(GOOD + b"\n") + SKIPPABLE + SKIPPABLE + zstd.compress(GOOD) + SKIPPABLE,
        zstd.compress(GOOD + b"\n") + bytes(300_000) + zstd.compress(GOOD) + bytes(70_000),
    ],
    ids=["one frame", "two frames", "cut anywhere", "skippable frames", "padding"],
)
def test_zstd_is_told_by_its_bytes_and_may_have_several_frames(data: bytes) -> None:
    """Frames join into one text; skippable ones, as parallel packers write them, and padding hold nothing."""
    found = reading(data)
    assert [(entry.line, entry.raw) for entry in found] == [(1, GOOD), (2, GOOD)]
    assert found.complete
    assert found.bytes_read == len(data)


@pytest.mark.parametrize("cut", [1, 4, 9, 100, 2000])
def test_a_zstd_frame_that_breaks_off_gives_what_it_has(cut: int) -> None:
    """As with gzip: the file is left there, and may be torn only because somebody still writes it."""
    packed = zstd.compress(LONG[: len(LONG) // 2]) + zstd.compress(LONG[len(LONG) // 2 :])
    found = reading(packed[:-cut])
    whole = list(found)
    assert all(entry.refusal is None for entry in whole)
    assert len(whole) >= 249  # the first frame is untouched
    assert (left_code(found), found.torn, found.complete) == ("zstd_broken", True, False)


def test_damaged_zstd_data_ends_the_file_not_the_run() -> None:
    """What stands before the damage is read, and the damage is named."""
    packed = (
        zstd.compress(GOOD + b"\n") + zstd.compress(LONG)[:-200] + bytes(b ^ 0xFF for b in zstd.compress(LONG)[-200:])
    )
    found = reading(packed)
    assert all(entry.refusal is None for entry in found)
    assert (left_code(found), found.torn, found.complete) == ("zstd_broken", False, False)


def test_a_window_that_would_fill_the_memory_is_refused_with_its_reason() -> None:
    """`zstd --long=31` asks its readers for 2 GiB: the message says how to pack it instead."""
    window, matching = zstd.CompressionParameter.window_log, zstd.CompressionParameter.enable_long_distance_matching
    packer = zstd.ZstdCompressor(options={int(window): 28, int(matching): 1})
    found = reading(packer.compress(LONG) + packer.flush())
    assert list(found) == []
    assert left_code(found) == "zstd_broken"
    assert found.left is not None
    assert found.left.refusal is not None
    assert "--long" in found.left.refusal.message


def test_a_zstd_bomb_costs_no_memory() -> None:
    """A line of 256 MiB in some kilobytes is one refusal that keeps its first KiB, as of a plain file."""
    packer = zstd.ZstdCompressor()
    start = packer.compress(b'{"a": "')
    packed = b"".join([start, *(packer.compress(b"x" * (1 << 20)) for _ in range(256)), packer.flush()])
    assert len(packed) < 100_000
    tracemalloc.start()
    try:
        (entry,) = reading(packed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert entry.refusal is not None
    assert (entry.refusal.code, len(entry.raw)) == ("line_too_long", KEPT)
    assert peak < 32 << 20


@given(
    st.lists(st.binary(max_size=400) | st.just(bytes(BLOCK + 3)), max_size=4),
    st.integers(1, 70),
    st.booleans(),
)
def test_any_frames_in_any_pieces_give_their_text(texts: list[bytes], piece: int, skip: bool) -> None:
    """However the stream hands over its bytes, the text of all frames comes out, in blocks of bounded size."""
    texts = [b"{", *texts]  # what begins as an archive does is told as one
    packed = b"".join((SKIPPABLE if skip else b"") + zstd.compress(text) for text in texts)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(packed), piece):
            yield packed[start : start + piece]

    handed = pieces()

    class Pieces(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return next(handed, b"")

    blocks = Blocks(Pieces())  # type: ignore[arg-type] # a raw stream is all that is asked for
    found = list(blocks)
    assert b"".join(found) == b"".join(texts)
    assert blocks.trouble is None
    assert all(0 < len(block) <= BLOCK for block in found)
