"""From bytes to lines to entries: encodings, limits, gzip, ends of files, and any bytes at all."""

from __future__ import annotations

import gzip
import io
import json
import random
import tracemalloc
import zlib
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.lines import EVENT_LIMIT, KEPT, Lines
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import Event

from .event_lines import NOW, content, entries, left_code, line, reading

GOOD = line()


def codes(data: bytes, *, named: bool = True) -> list[tuple[int, str | None]]:
    return [(entry.line, entry.refusal.code if entry.refusal else None) for entry in entries(data, named=named)]


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        GOOD + b"\n",
        GOOD + b"\r\n",
        b"\xef\xbb\xbf" + GOOD + b"\n",
        b"  " + GOOD + b" \t\n",
        b"\x1e" + GOOD + b"\n",
        GOOD + b"\n\n \r\n\t\n\xef\xbb\xbf\n",
    ],
)
def test_what_surrounds_a_line_is_no_part_of_it(data: bytes) -> None:
    """Byte order marks, carriage returns, blanks and record separators go; blank lines are no lines."""
    (entry,) = entries(data)
    assert (entry.raw, entry.line, entry.identity) == (GOOD, 1, "m1")


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """Blank lines count, so that a complaint's line number is the one to go to."""
    assert codes(b"\n\n" + GOOD + b"\n\n5\n") == [(3, None), (5, "not_an_object")]


@pytest.mark.parametrize(
    ("bad", "code", "told"),
    [
        (b'{"type": "identify"', "bad_json", "character 20"),
        (b'{"a": 1} x', "bad_json", "character 10"),
        (b'{"a": NaN, "b": nan}', "bad_json", "character 17"),
        (b'{"a": "\\ud800" x}', "bad_json", "character"),
        (b"{'a': 1}", "bad_json", "character 2"),
        (b'{"a": "\xe9"}', "not_utf8", "byte 8"),
        (b'{"a": "\xed\xa0\x80"}', "not_utf8", "byte 8"),
        (b"\xff", "not_utf8", "byte 1"),
        (b"5", "not_an_object", "a number"),
        (b"1e999", "not_an_object", "a number"),
        (b"9" * 6000, "not_an_object", "a number"),
        (b'"x"', "not_an_object", "text"),
        (b"[1]", "not_an_object", "a list"),
        (b"null", "not_an_object", "null"),
        (b"true", "not_an_object", "true or false"),
        (b"[" * 3000, "too_deep", "deep"),
        (b'{"traits": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}", "too_deep", "deep"),
    ],
)
def test_a_bad_line_is_refused_alone_with_what_is_wrong(bad: bytes, code: str, told: str) -> None:
    """The lines before and after it are events, and the message helps to find the place."""
    found = entries(GOOD + b"\n" + bad + b"\n" + GOOD + b"\n")
    assert [entry.refusal is None for entry in found] == [True, False, True]
    refused = found[1]
    assert refused.refusal is not None
    assert (refused.refusal.code, refused.raw, refused.line) == (code, bad, 2)
    assert told in refused.refusal.message


def test_duplicate_keys_and_large_numbers_are_fine() -> None:
    """JSON allows both: the last of a key counts, and digits are kept."""
    (entry,) = entries(b'{"type": "page", "type": "track", "event": "X", "userId": 12345678901234567890123}')
    event = entry.event(NOW)
    assert isinstance(event, Event)
    assert (event.type, event.user_id) == ("track", "12345678901234567890123")


def test_a_line_over_the_limit_is_refused_with_its_start() -> None:
    """4 MiB and not one byte more; what follows is read as ever."""
    padding = EVENT_LIMIT - len(line(traits={"x": ""}))
    fits = line(traits={"x": "y" * padding})
    over = fits.replace(b"yy", b"yyy", 1)
    found = entries(fits + b"\n" + over + b"\n" + GOOD)
    assert [(entry.line, entry.cut, entry.refusal.code if entry.refusal else None) for entry in found] == [
        (1, False, None),
        (2, True, "line_too_long"),
        (3, False, None),
    ]
    assert found[1].raw == over[:KEPT]


class Endless(io.RawIOBase):
    """A stream of `size` bytes of one `piece` over and over."""

    def __init__(self, piece: bytes, size: int) -> None:
        self.block = piece * (65536 // len(piece))
        self.left = size

    def read(self, size: int = -1) -> bytes:
        self.left -= len(self.block)
        return self.block if self.left > 0 else b""


@pytest.mark.parametrize(
    ("piece", "kib"),
    [
        pytest.param(GOOD + b"\n", 2 << 10, marks=pytest.mark.slow),
        (b"x", 24 << 10),
        pytest.param(b"\n", 512, marks=pytest.mark.slow),
        pytest.param(b'{"batch": 5}\n', 400, marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow_with_the_input(piece: bytes, kib: int) -> None:
    """Many lines, one line without an end, nothing but blanks, nothing but refusals: a few blocks' room is enough."""
    source = Source("endless", named=True, size=None, stream=cast(BinaryIO, Endless(piece, kib << 10)))
    tracemalloc.start()
    try:
        for entry in read_source(source):
            entry.event(NOW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20


def test_a_gzip_bomb_does_not_fill_the_memory() -> None:
    """A line of 16 MiB packs into 16 KiB, and is refused; one of blanks or zero bytes is blank, however long it is."""
    size = 16 << 20
    data = gzip.compress(b'{"' + b"x" * size + b"\n" + b" " * size + b"\n" + bytes(size) + b"\n" + GOOD)
    tracemalloc.start()
    try:
        found = codes(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [(1, "line_too_long"), (4, None)]
    assert peak < 12 << 20


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(GOOD + b"\n" + GOOD + b"\n"),
        gzip.compress(GOOD + b"\n") + gzip.compress(GOOD + b"\n"),
        gzip.compress(GOOD[:40]) + gzip.compress(GOOD[40:] + b"\n") + gzip.compress(b"") + gzip.compress(GOOD),
        gzip.compress(GOOD + b"\n") + bytes(300_000) + gzip.compress(GOOD) + bytes(70_000),
    ],
)
def test_gzip_is_told_by_its_bytes_and_may_have_several_members(data: bytes) -> None:
    """Members join into one text, wherever they are cut, and zeros between and after them are padding."""
    found = reading(data)
    assert [(entry.line, entry.raw) for entry in found] == [(1, GOOD), (2, GOOD)]
    assert found.complete
    assert found.bytes_read == len(data)


LONG = b"".join(line(messageId=f"m{number}", noise=random.Random(number).random()) + b"\n" for number in range(500))


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("cut", [1, 4, 9, 100, 2000])
def test_a_gzip_member_that_breaks_off_gives_what_it_has(cut: int, named: bool) -> None:
    """The break is no event: the file is left there, and may be torn only because somebody still writes it."""
    found = reading(gzip.compress(LONG)[:-cut], named=named)
    whole = list(found)
    assert whole
    assert all(entry.refusal is None for entry in whole)
    assert (left_code(found), found.torn, found.complete) == ("gzip_broken", True, False)
    assert found.left is not None
    assert found.left.line == len(whole) + 1


def test_damaged_gzip_data_ends_the_file_not_the_run() -> None:
    """Whole members before the damage are read, and the damage is named: no writer will ever finish that."""
    checksum = bytearray(gzip.compress(LONG))
    checksum[-8] ^= 0xFF
    for damage in (bytes(checksum), b"trailing words"):
        found = reading(gzip.compress(GOOD + b"\n") + damage)
        assert len(list(found)) == 1
        assert (left_code(found), found.torn, found.complete) == ("gzip_broken", False, False)


def test_a_last_line_without_a_newline_is_an_event_if_it_parses() -> None:
    """Many writers leave the last newline out."""
    found = reading(GOOD + b"\n" + GOOD, named=False)
    assert len(list(found)) == 2
    assert found.complete


@pytest.mark.parametrize("torn", [GOOD[:-1], GOOD[:30], b'{"a": "\xc3'])
def test_a_torn_last_line_is_refused_where_named_and_left_where_found(torn: bytes) -> None:
    """A file that is still being written is taken up again; one that the user names is all there is."""
    data = GOOD + b"\n" + torn
    named, found = reading(data), reading(data, named=False)
    assert [entry.refusal is None for entry in named] == [True, False]
    assert named.complete
    assert [entry.refusal is None for entry in found] == [True]
    assert found.left is not None
    assert (found.left.line, found.left.raw) == (2, torn)
    assert found.left.refusal is not None
    assert found.left.refusal.code == "unfinished_line"
    assert not found.complete


class Failing(io.RawIOBase):
    """A disk that gives one line and then fails."""

    def __init__(self) -> None:
        self.given = False

    def read(self, size: int = -1) -> bytes:
        if self.given:
            raise OSError(5, "Input/output error")
        self.given = True
        return GOOD + b"\n"


def test_a_disk_that_fails_ends_the_file_not_the_run() -> None:
    """What was read counts, and the failure is told of the file."""
    found = read_source(Source("x", named=True, size=None, stream=cast(BinaryIO, Failing())))
    assert [entry.refusal for entry in found] == [None]
    assert (left_code(found), found.torn) == ("source_unreadable", False)


class Trickle(io.BytesIO):
    """A pipe that gives one byte at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(1)


@pytest.mark.parametrize("data", [GOOD + b"\r\n" + GOOD, gzip.compress(GOOD + b"\n" + GOOD)])
def test_how_a_pipe_cuts_its_bytes_makes_no_difference(data: bytes) -> None:
    """Lines and gzip members are put together from any pieces."""
    found = list(read_source(Source("-", named=True, size=None, stream=Trickle(data))))
    assert [(entry.line, entry.raw) for entry in found] == [(1, GOOD), (2, GOOD)]


@given(st.lists(st.binary(max_size=40)))
def test_lines_are_those_of_the_whole_text_however_it_is_cut(blocks: list[bytes]) -> None:
    """Cutting the text into blocks changes no line and no number."""

    def numbered(pieces: list[bytes]) -> list[tuple[int, bytes]]:
        lines = Lines(pieces)
        return [(lines.number, raw) for raw in lines]

    assert numbered(blocks) == numbered([b"".join(blocks)])


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from(
    [
        "type",
        "messageId",
        "userId",
        "anonymousId",
        "groupId",
        "previousId",
        "event",
        "traits",
        "properties",
        "context",
        "externalId",
        "id",
        "batch",
        "payload",
        "EventPayload",
        "metadata",
        "data",
        "raw",
        "raw_base64",
        "_pipedrive_cli",
        "timestamp",
        "originalTimestamp",
        "receivedAt",
        "integrations",
    ]
)
values = st.recursive(
    scalars
    | st.sampled_from(["identify", "group", "alias", "track", "page", "2026-03-01T12:00:00Z", "pipedrivePersonId"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)
written = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)


@given(st.lists(written, max_size=8), st.booleans(), st.booleans())
def test_any_bytes_are_read_and_every_line_accounted_for(parts: list[bytes], zipped: bool, named: bool) -> None:
    """Whatever stands in a file, nothing is raised, and each line that is not blank yields an entry, or is left."""
    text = b"\n".join(parts)
    found = reading(gzip.compress(text) if zipped else text, named=named)
    seen = set()
    for entry in found:
        seen.add(entry.line)
        result = entry.event(NOW)
        assert isinstance(result, Event) or result.outcome is not None
        assert entry.body() is not None
        json.dumps(entry.identity).encode()
    if found.left is not None:
        assert found.left.refusal is not None
        seen.add(found.left.line)
    if found.complete:
        filled = {
            number
            for number, raw in enumerate(text.split(b"\n"), 1)
            if raw.strip(b" \t\r\x0b\x0c\x1e\xef\xbb\xbf\0,[]")  # lines of a list may hold brackets alone
        }
        assert filled <= seen


@given(st.dictionaries(names, values, max_size=10))
def test_what_stands_alone_reads_as_it_did_in_its_batch(event: dict[str, object]) -> None:
    """An event's body, read by itself under its identity, is the same event or has the same fault."""
    shared = {"receivedAt": "2026-03-01T12:00:00Z", "context": {"traits": {"id": "c"}}, "integrations": {"All": False}}
    named = event | {"messageId": "m1", "type": event.get("type") or "identify"}
    try:
        data = json.dumps({"batch": [named], **shared}, allow_nan=False).encode()
    except ValueError:
        return
    for within in entries(data):
        (alone,) = entries(within.body())
        first, second = within.event(NOW), alone.event(NOW)
        assert isinstance(first, Event) == isinstance(second, Event)
        if isinstance(first, Event) and alone.own is None:
            assert content(first) == content(second)


@given(st.binary(max_size=300))
def test_any_damage_to_a_gzip_file_is_survived(noise: bytes) -> None:
    """Bytes that only begin like gzip, and members followed by anything."""
    entries(b"\x1f\x8b" + noise)
    entries(gzip.compress(GOOD) + noise)
    entries(zlib.compress(GOOD) + noise)
