"""Counting by name: the numbers are those of a preview that drives every plan, whatever the events."""

from __future__ import annotations

import asyncio
import gzip
import io
import pickle
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipedrive_cli.config import Config
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.chunks import Chunk, chunks
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.reading import Reading, read
from pipedrive_cli.events.source import Source
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run import intake
from pipedrive_cli.run.counts import counting
from pipedrive_cli.run.counts.batch import decode_batch
from pipedrive_cli.run.counts.brief import Briefing
from pipedrive_cli.run.counts.elsewhere import made
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.preview import Preview, PreviewOptions
from tests.examples import examples
from tests.harness import (
    Event,
    alias,
    at,
    event,
    group,
    identify,
    lines,
    ordered,
    track,
    viewed,
    with_delivery,
    with_identity,
)
from tests.run.events_of_all_kinds import ALL
from tests.run.test_preview import ACCOUNT

_USERS = st.sampled_from(["a", "b", "c", "d"])
_TIMES = st.integers(0, 6)
_IDS = st.sampled_from([None, None, None, "same", "twice"])
_VALUES = st.sampled_from(["x", "y", "", None, 3, ["x"], {"value": 1}, 2**70, "long " * 60])
_TRAITS = ["name", "firstName", "lastName", "role", "city", "email", "phone", "visible_to", "other", "add_time"]
_PROPERTIES = ["value", "currency", "rating", "visible_to", "expected_close_date", "label_ids"]
_CONTEXT = st.sampled_from([{}, {}, {"traits": {"role": "y", "email": "e@x.test"}}, {"traits": {"other": 1}}])


def _named(user: str, kind: str, id_: Any) -> dict[str, Any]:
    return {"userId": user, "context": {"externalId": [{"type": kind, "id": id_}]}}


_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        lambda user, time, traits, id_: identify(user, time, **traits) | ({"messageId": id_} if id_ else {}),
        _USERS,
        _TIMES,
        st.dictionaries(st.sampled_from(_TRAITS), _VALUES, max_size=4),
        _IDS,
    ),
    st.builds(
        lambda user, org, time, name, context: group(user, org, time, name=name) | {"context": context},
        st.one_of(st.none(), _USERS),
        st.sampled_from(["g", "h"]),
        _TIMES,
        _VALUES,
        _CONTEXT,
    ),
    st.builds(
        lambda user, time, id_, context, more: (
            track(user, "Lead", time, **more) | {"context": context} | ({"messageId": id_} if id_ else {})
        ),
        _USERS,
        _TIMES,
        _IDS,
        _CONTEXT,
        st.dictionaries(st.sampled_from(_PROPERTIES), _VALUES),
    ),
    st.builds(
        lambda code, time, more: viewed("a", code, time, currency="EUR", **more),
        st.sampled_from(["p", "q", ""]),
        _TIMES,
        st.dictionaries(st.sampled_from(["name", "price", "quantity", "brand"]), st.sampled_from([1, 2, "z", {}])),
    ),
    st.builds(
        lambda products, time: ordered(
            "b", [{"product_id": code, "name": code or "N", **more} for code, more in products], time, currency="EUR"
        ),
        st.lists(
            st.tuples(
                st.sampled_from(["p", "q", ""]),
                st.dictionaries(st.sampled_from(["price", "brand"]), st.sampled_from([1, 2])),
            ),
            max_size=3,
        ),
        _TIMES,
    ),
    st.builds(
        lambda user, previous, time, context: alias(user, previous, time) | {"context": context},
        _USERS,
        _USERS,
        _TIMES,
        _CONTEXT,
    ),
    st.builds(
        lambda user, time, id_: event("identify", time, **_named(user, "pipedrivePersonId", id_)),
        _USERS,
        _TIMES,
        st.integers(1, 2),
    ),
    st.builds(
        lambda user, time: event("group", time, groupId="g", **_named(user, "pipedriveGroupId", 7)), _USERS, _TIMES
    ),
    st.builds(lambda kind: event(kind, anonymousId="z"), st.sampled_from(["page", "identify", "nonsense", "track"])),
)


def _told(summary: Summary) -> dict[str, Any]:
    """A summary without what may differ: its run's name, and which of the events are examples."""
    told: dict[str, Any] = msgspec.to_builtins(summary)
    del told["run"]
    for problem in told["problems"]:
        problem["examples"] = len(problem["examples"])
        del problem["message"]  # the first example's
    told["problems"] = sorted(told["problems"], key=lambda p: (p["code"], p["outcome"] or "", p["count"]))
    return told


def _both(folder: Path, events: list[Event], config: Config, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What counting by name says, and what plans say."""
    source = folder / "events.ndjson"
    source.write_bytes(lines(events))
    return _both_of([source], config, **options)


def _both_of(files: Iterable[Path], config: Config, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same of several files."""
    config = msgspec.structs.replace(config, pipedrive=ACCOUNT)

    def told() -> dict[str, Any]:
        job = Preview(config, "config.yaml", PreviewOptions(tuple(map(str, files)), **options))
        return _told(asyncio.run(job.run()))

    counted = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Preview, "_countable", lambda *_: False)
        return counted, told()


_CONFIGS: st.SearchStrategy[Config] = st.builds(
    lambda delivery, identity: with_identity(with_delivery(**delivery), **identity),
    st.fixed_dictionaries(
        {"lookahead": st.sampled_from([1, 2, 3, 5, 100])},
        optional={"contacts": st.just("replace"), "existing": st.sampled_from(["fill", "newest"])},
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "alias": st.sampled_from(["rekey", "skip"]),
            "anonymous": st.just("use"),
            "match_email": st.just(False),
            "name_fallback": st.just(("user_id",)),
        },
    ),
)


@settings(max_examples=examples(500), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(_EVENTS, max_size=16),
    config=_CONFIGS,
    parts=st.sampled_from([1, 10]),
    size=st.sampled_from([1, 300, 1 << 20]),
    cut=st.integers(0, 16),
    in_order=st.booleans(),
)
def test_counting_by_name_says_what_driving_every_plan_says(
    tmp_path: Path, events: list[Event], config: Config, parts: int, size: int, cut: int, in_order: bool
) -> None:
    """Events, records, requests, tokens, problems and dropped traits, for aliases, copies, late and bad values."""
    if in_order:
        events = [each | {"timestamp": at(second)} for second, each in enumerate(events)]
    files = [tmp_path / "first.ndjson", tmp_path / "second.ndjson.gz"]
    files[0].write_bytes(lines(events[:cut]))
    files[1].write_bytes(gzip.compress(lines(events[cut:]), 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "PARTS_AN_EVENT", parts)
        patch.setattr(counting, "chunks", partial(chunks, size=size))
        counted, driven = _both_of(files, config)
    assert counted == driven


def test_a_window_ends_with_a_file_whose_last_chunk_is_empty(tmp_path: Path) -> None:
    """What the next file says of the same person is an update, also where the file before ends with its chunk."""
    files = [tmp_path / f"{name}.ndjson" for name in "abc"]
    files[0].write_bytes(lines([identify("u", 1, role="x"), identify("v", 2)]))
    files[1].write_bytes(lines([identify("w", 3), identify("x", 4)]))
    files[2].write_bytes(lines([identify("u", 5, role="y")]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "chunks", partial(chunks, size=1))
        counted, driven = _both_of(files, with_delivery(lookahead=3))
    assert counted == driven
    assert counted["records"]["persons"]["updated"] == 1


def test_the_first_event_with_a_phone_brings_it(tmp_path: Path) -> None:
    """The next one with the same phone changes nothing; nor does one that brings the first email take its place."""
    begun = [identify("u", 1, role="x"), identify("v", 2)]
    again = [identify("u", 4, phone="2"), identify("u", 5, phone="2")]
    both = [identify("u", 4, name="U", phone="2"), identify("u", 5, email="e@x.test", name="U", phone="2")]
    for events, delivered in ((again, 3), (both, 4)):
        counted, driven = _both(tmp_path, begun + events, with_delivery(lookahead=2))
        assert counted == driven
        assert counted["events"]["delivered"] == delivered


@pytest.mark.parametrize("existing", ["overwrite", "fill"])
def test_contacts_that_replace_others_are_fields_like_others(tmp_path: Path, existing: str) -> None:
    """A newer one takes the place of ours whatever `existing` says, and a late one changes nothing."""
    events = [identify("u", 1, phone="1"), identify("u", 3, phone="2"), identify("u", 2, phone="3")]
    counted, driven = _both(tmp_path, events, with_delivery(lookahead=1, contacts="replace", existing=existing))
    assert counted == driven
    assert counted["records"]["persons"]["updated"] == 1


def test_the_last_line_of_an_order_counts_where_a_product_stands_in_several(tmp_path: Path) -> None:
    """Whatever else these lines say: what a later event repeats of it is nothing new."""
    products: list[dict[str, Any]] = [
        {"product_id": "p", "name": "N", "brand": "1"},
        {"product_id": "p", "brand": "2"},
        {"product_id": "p", "name": "N", "brand": "1", "quantity": 2},
    ]
    events = [ordered("u", products, 1), viewed("u", "p", 2, brand="1")]
    counted, driven = _both(tmp_path, events, with_delivery(lookahead=1))
    assert counted == driven
    assert counted["records"]["products"]["unchanged"] == 1


def test_what_a_merged_person_was_told_in_the_same_window_is_known_later(tmp_path: Path) -> None:
    """The organization that came together with the alias is the one that the next event changes."""
    events = [group("u", "g", 1), group("v", "g", 2), group("u", "h", 3), alias("v", "u", 4), group("u", "g", 5)]
    counted, driven = _both(tmp_path, events, with_delivery(lookahead=2))
    assert counted == driven
    assert counted["records"]["persons"]["updated"] == 2


def test_late_events_are_late_for_a_record_that_plans_have_made(tmp_path: Path) -> None:
    """A product without a code beside it lets plans make it; an earlier value in another shape is superseded."""
    events = [
        ordered("u", [{"product_id": "p", "name": "N", "brand": "y"}, {"name": "No code"}], 2),
        viewed("u", "p", 1, name="M", brand="x"),
    ]
    counted, driven = _both(tmp_path, events, with_delivery(lookahead=1))
    assert counted == driven
    assert counted["records"]["products"]["unchanged"] == 1


@pytest.mark.parametrize("seconds", [(5, 5, 5), (5, 9, 3), (5, 5, 4)])
@pytest.mark.parametrize("lookahead", [1, 2])
def test_the_oldest_view_settles_the_unit_whenever_it_comes(
    tmp_path: Path, seconds: tuple[int, ...], lookahead: int
) -> None:
    """Of several of the same second the one that is read last, as plans have it."""
    more: list[dict[str, Any]] = [{}, {}, {"brand": "b"}]
    events = [
        viewed("u", "p", second, name="N", quantity=str(place), **more[place]) for place, second in enumerate(seconds)
    ]
    counted, driven = _both(tmp_path, events, with_delivery(lookahead=lookahead))
    assert counted == driven


def test_orders_of_many_products_end_a_window_alike(tmp_path: Path) -> None:
    """Before their number of events is reached: what comes later is an update of what was created."""
    orders = [
        ordered(
            "b", [{"product_id": str(code), "name": "N", "price": time} for code in range(12)], time, currency="EUR"
        )
        for time in range(550)
    ]
    counted, driven = _both(tmp_path, orders, with_delivery(lookahead=600))
    assert counted == driven
    products = counted["records"]["products"]
    assert (products["created"], products["updated"]) == (12, 12)


@pytest.mark.parametrize("lookahead", [1, 4, 100_000])
def test_filters_count_alike(tmp_path: Path, lookahead: int) -> None:
    """An event that an option leaves out is a number and nothing more."""
    filters = Filters(types=frozenset({"identify", "alias"}))
    counted, driven = _both(tmp_path, ALL, with_delivery(lookahead=lookahead), filters=filters)
    assert counted == driven
    assert counted["filtered"] == sum(each["type"] not in {"identify", "alias"} for each in ALL)


class _Dribble(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def read1(self, size: int | None = -1) -> bytes:
        del size
        return super().read1(50)


def _source(text: bytes) -> Source:
    return Source("cut.ndjson", True, None, stream=_Dribble(text))


def _entries(pieces: list[Chunk]) -> list[Entry]:
    """The entries of all chunks, with their lines in the source, and without what is decoded already."""
    found, before = [], 0
    for piece in pieces:
        reading = piece.reading()
        before = 0 if piece.first_line is not None else before
        entries = [entry for lot in reading.lots() for entry in lot]
        found += [msgspec.structs.replace(entry, line=before + entry.line, wire=None) for entry in entries]
        before += reading.lines
    return found


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.sampled_from([b'{"type":"page"}', b'{"messageId":"m"} ', b"", b"{", b"\xff", b'{"batch":[{},1]}']),
        max_size=9,
    ),
    ended=st.booleans(),
    size=st.integers(1, 60),
    on_disk=st.booleans(),
)
def test_the_chunks_of_a_source_hold_what_the_source_holds(
    tmp_path: Path, rows: list[bytes], ended: bool, size: int, on_disk: bool
) -> None:
    """Entries with their lines, and what is said of a last line without an end."""
    text = b"\n".join(rows) + (b"\n" if ended else b"")
    file = tmp_path / "cut.ndjson"
    file.write_bytes(text)
    source = Source("cut.ndjson", True, len(text), file) if on_disk else _source(text)
    expected = list(read(_source(text)))
    pieces = list(chunks(source, size))
    found = _entries(pieces)
    assert [msgspec.structs.replace(entry, raw=entry.raw.strip()) for entry in found] == expected
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].bytes_read == len(text)


def test_chunks_of_a_file_are_found_in_the_file(tmp_path: Path) -> None:
    """They carry places instead of bytes, also where reading begins in the middle; a packed file's carry its text."""
    text = lines(track("u", f"Event {n}", n) for n in range(30_000))
    file = tmp_path / "events.ndjson"
    file.write_bytes(text)
    begin = text.index(b"\n") + 1
    source = Source("events.ndjson", True, len(text), file, start=begin, first_line=1)
    pieces = list(chunks(source, 300_000))
    assert len(pieces) > 5
    assert not any(piece.blocks for piece in pieces)
    assert _entries(pieces) == list(Reading(source))
    packed = tmp_path / "events.gz"
    packed.write_bytes(gzip.compress(text, 1))
    found = list(chunks(Source("events.gz", True, 1, packed), 300_000))
    assert b"".join(block for piece in found for block in piece) == text


def test_a_line_without_end_is_not_held() -> None:
    """Forty MiB without a newline are one refused line, of which no more is kept than tells that it is too long."""
    text = b'{"a":"' + b"x" * (40 << 20) + b'"}\n{"type":"page","messageId":"m"}\n'
    source = Source("long.ndjson", True, None, stream=io.BytesIO(text))
    pieces = list(chunks(source, 1 << 16))
    assert max(sum(map(len, piece.blocks)) for piece in pieces) < 6 << 20
    entries = _entries(pieces)
    assert [(entry.line, entry.cut, entry.identity) for entry in entries] == [(1, True, None), (2, False, "m")]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest-xdist has threads; a preview has none
def test_other_processes_make_the_same_of_chunks_in_the_same_order() -> None:
    """Two processes, many more chunks than that."""
    text = lines(track("u", f"Event {n}", n) for n in range(300))

    def make(chunk: Chunk) -> bytes:
        return str((chunk.first_line, sum(map(len, chunk.reading().lots())))).encode()

    alone = [(chunk.first_line, made_of) for chunk, made_of in made(chunks(_source(text), 500), make, 0)]
    together = [(chunk.first_line, made_of) for chunk, made_of in made(chunks(_source(text), 500), make, 2)]
    assert len(alone) > 20
    assert together == alone


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest-xdist has threads; a preview has none
def test_a_process_that_cannot_read_its_chunk_is_told(tmp_path: Path) -> None:
    """A file that goes away while it is read ends the count with a sentence."""

    def make(chunk: Chunk) -> bytes:
        raise FileNotFoundError(chunk.name)

    with pytest.raises(UserMistake, match="went away"):
        list(made(chunks(_source(b"{}\n" * 100), 10), make, 2))


def test_a_process_that_is_not_forked_makes_the_same_batches() -> None:
    """On macOS and Windows what makes them is sent to other processes, and so are chunks."""
    text = lines([identify("u", 1, name="Ada", role="x"), ordered("u", [{"product_id": "p", "price": 1}], 2)])
    briefing = Briefing(Config(), Filters(), 1_800_000_000_000_000)
    (chunk,) = chunks(_source(text))
    sent_briefing, sent_chunk = pickle.loads(pickle.dumps((briefing, chunk)))
    assert sent_briefing.batch(sent_chunk) == briefing.batch(chunk)
    assert decode_batch(briefing.batch(chunk)).parts == [1, 1]
