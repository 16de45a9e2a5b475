"""Large inputs on several cores: whoever reads and transforms a part, the run is the same."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import random
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config.model import Fields
from pipedrive_cli.config.privacy import ConsentAsked, Privacy
from pipedrive_cli.events import parts, unpack
from pipedrive_cli.events.parts import TextPart, parts_of, text_parts
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import Source, resolve_sources
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run import shared_reading
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.part_reader import MappingBrief, NotOurs, PartReader, PartTask
from pipedrive_cli.run.preview import Preview, PreviewOptions
from pipedrive_cli.run.preview_rows import PlannedRequest
from pipedrive_cli.run.shared_reading import ReadingProcesses, SharedInput
from tests.examples import examples
from tests.harness import CONFIG, Event, Scene, alias, group, identify, lines, track, viewed, with_delivery
from tests.run.events_of_all_kinds import ALL
from tests.run.test_preview import ACCOUNT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOW = 1_900_000_000_000_000


class Patient(ReadingProcesses):
    """Leaves all to its processes: what they do not make counts as theirs to refuse. Keeps running from run to run."""

    refused = 0
    taken = 0

    def made(self, number: int) -> bytes:
        with self._changed:
            self._present = number
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: number in self._made or self._brief is None, timeout=60)
        made = super().made(number)
        self.taken += bool(made)
        self.refused += not made
        return made

    def close(self) -> None:
        self.tell(None)
        self._tasks.clear()


@pytest.fixture(scope="module")
def crew() -> Iterator[Patient]:
    """One process for all tests of this module: starting one takes a quarter of a second."""
    made = Patient(1)
    yield made
    ReadingProcesses.close(made)


@contextmanager
def shared(crew: ReadingProcesses, size: int, cores: int = 2, block: int = 100) -> Iterator[None]:
    """Every input counts as large, and is cut into parts of this size. On one core nobody helps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "WORTH", -(1 << 30))
        patch.setattr(parts, "cores", lambda: cores)
        for name in ("BLOCK", "_PACKED_BLOCK"):
            patch.setattr(unpack, name, block)
        patch.setattr(shared_reading, "PART", size)
        patch.setattr(shared_reading, "_OURS", 0)
        patch.setattr(shared_reading, "_PART_ITSELF", 0)
        patch.setattr(shared_reading, "AHEAD", 4 * size)
        patch.setattr(shared_reading, "MUCH", 0)
        patch.setattr(shared_reading, "ReadingProcesses", lambda _: crew)
        yield


def _previewed(source: Path, lookahead: int, table: RowForm | None = None) -> tuple[dict[str, Any], list[str]]:
    """Summary and requests of a preview of a file or folder."""
    rows: list[PlannedRequest] = []
    config = msgspec.structs.replace(with_delivery(lookahead=lookahead), pipedrive=ACCOUNT)
    job = Preview(config, "config.yaml", PreviewOptions((str(source),), rows=table), show=rows.append)
    return _told(asyncio.run(job.run())), [
        f"{row.action} {row.path} {row.body} {row.note} {[case.place for case in row.events]}" for row in rows
    ]


def _told(summary: Summary) -> dict[str, Any]:
    """A summary without what differs from run to run."""
    told: dict[str, Any] = msgspec.to_builtins(summary)
    del told["run"]
    told.pop("seconds", None)
    return told


_USERS = st.sampled_from(["a", "b", "c"])
_TIMES = st.integers(0, 5)
_IDS = st.sampled_from([{}, {}, {"messageId": "same"}, {"messageId": None}])
_TRAITS = st.dictionaries(
    st.sampled_from(["name", "firstName", "role", "visible_to", "other", "email"]),
    st.sampled_from(["x", "y", 3, 2**70, None, {"in": 1}, "long " * 60]),
    max_size=4,
)
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda u, t, traits, more: identify(u, t, **traits) | more, _USERS, _TIMES, _TRAITS, _IDS),
    st.builds(lambda u, t, more: track(u, "Lead", t, value=1, currency="EUR") | more, _USERS, _TIMES, _IDS),
    st.builds(lambda u, t: group(u, "g", t, name="G"), _USERS, _TIMES),
    st.builds(lambda c, t: viewed("a", c, t, name=c, price=2, currency="EUR"), st.sampled_from("pq"), _TIMES),
    st.builds(alias, _USERS, _USERS, _TIMES),
)
_LINES = st.one_of(
    _EVENTS.map(lambda event: json.dumps(event).encode()),
    _EVENTS.map(lambda event: json.dumps(event).encode()),
    st.lists(_EVENTS, max_size=3).map(
        lambda events: json.dumps({"batch": events, "context": {"traits": {"role": "z"}}}).encode()
    ),
    st.sampled_from([b"", b"{", b"\xff", b"[1]", b'{"type":"page","userId":"a"}', b'{"type":"none"}', b"\x1f\x8b"]),
)


_PACKINGS: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from(
    [
        bytes,
        bytes,
        gzip.compress,
        zstd.compress,
        lambda text: gzip.compress(text[:99]) + gzip.compress(text[99:]),
        lambda text: gzip.compress(text)[:-9],
        lambda text: gzip.compress(gzip.compress(text)),
        lambda text: gzip.compress(text)[:40] + b"damaged",
        lambda text: b"PK\x03\x04" + text,
    ]
)
_FILES = st.lists(st.tuples(st.lists(_LINES, max_size=9), st.booleans(), _PACKINGS), min_size=1, max_size=4)


@settings(max_examples=examples(100))
@given(
    files=_FILES,
    named=st.booleans(),
    sizes=st.sampled_from([(50, 40), (150, 40), (500, 40), (400, 300)]),
    lookahead=st.sampled_from([1, 3, 100]),
)
def test_a_preview_is_the_same_whoever_reads_a_part(
    crew: Patient,
    files: list[tuple[list[bytes], bool, Callable[[bytes], bytes]]],
    named: bool,
    sizes: tuple[int, int],
    lookahead: int,
) -> None:
    """Requests with their events, outcomes, problems with places and dropped traits, for bad lines and batches too.

    Of one file or many, plain or packed; whole, torn, damaged or no event file at all; with lines longer than a part.
    """
    size, block = sizes
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name in ("BLOCK", "_PACKED_BLOCK"):
            patch.setattr(unpack, name, block)
        for number, (found, ended, packed) in enumerate(files):
            text = b"\n".join(found) + (b"\n" if ended else b"")
            Path(folder, f"{number}.ndjson").write_bytes(packed(text))
        source = Path(folder, "0.ndjson") if named else Path(folder)
        alone = _previewed(source, lookahead)
        with shared(crew, size, block=block):
            assert _previewed(source, lookahead) == alone


_ROWS = st.sampled_from(
    [
        "a,1,x,y",
        'b,2,"x, ""y""",z',
        'c,3,"two\nlines\n",""',
        'a,4,12",steel',
        'b,5,"no end',
        "c,6",
        "",
        "id,time,role,Ö",
    ]
)


@settings(max_examples=examples(80))
@given(
    found=st.lists(_ROWS, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
    size=st.sampled_from([4, 60, 200]),
    begin=st.sampled_from(["", "\ufeff", "sep=,\n"]),
)
def test_a_table_is_the_same_whoever_reads_a_part(
    crew: Patient, found: list[str], end: str, ended: bool, size: int, begin: str
) -> None:
    """Also where cells hold line ends or lone quotes, so that it is cut within a row: that shows, and costs time."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "people.csv")
        text = begin + end.join(["id,time,role,Ö", *found]) + (end if ended else "")
        source.write_bytes(text.encode())
        form = RowForm("identify", "id", "time")
        alone = _previewed(source, 100, form)
        with shared(crew, size):
            assert _previewed(source, 100, form) == alone


@settings(max_examples=examples(100))
@given(
    found=st.lists(st.sampled_from([b"", b"{}", b"x" * 9, b'"\n"', b"y" * 500]), max_size=9),
    size=st.integers(1, 90),
    block=st.sampled_from([3, 50]),
    table=st.booleans(),
)
def test_parts_are_whole_lines_and_leave_nothing_out(found: list[bytes], size: int, block: int, table: bool) -> None:
    """Each goes on where the one before ends, behind a line; unless the line is much longer than a part should be."""
    text = b"\n".join(found)
    source = Source("s", named=True, size=len(text), rows=RowForm("identify", "id", "time") if table else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpack, "BLOCK", block)
        patch.setattr(unpack, "_PACKED_BLOCK", block)
        parts = list(text_parts(source, io.BytesIO(text), size))
    texts = [b"".join(part) for part in parts]
    assert b"".join(texts) == text
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.begins for part in parts] == [True, *[part.ends for part in parts[:-1]]]
    for part, one in zip(parts[:-1], texts, strict=False):
        assert part.ends is one.endswith(b"\n") or len(one) >= 4 * size
        assert len(one) < 4 * size + 2 * block
        assert not (table and part.begins and part.ends) or one.count(b'"') % 2 == 0


@settings(max_examples=examples(50))
@given(found=st.lists(st.sampled_from([b"", b"{}", b"x" * 9, b"y" * 5000]), max_size=9), size=st.integers(1, 40))
def test_parts_of_a_file_are_whole_lines_and_leave_nothing_out(found: list[bytes], size: int) -> None:
    """Each begins where the one before ends, behind the end of a line; the last one has no end."""
    with tempfile.TemporaryFile(buffering=0) as file:
        text = b"\n".join(found)
        file.write(text)
        cut = parts_of(Source("s", named=True, size=None), file, size)
        assert [part.start for part in cut] == [0, *[part.end for part in cut[:-1]]]
        assert cut[-1].end is None
        assert all(text[part.start - 1 : part.start] == b"\n" for part in cut[1:])


def test_a_replay_is_the_same_whoever_reads_a_part(tmp_path: Path, crew: Patient) -> None:
    """Outcomes, records and the rejects file with its bytes; then all are known, and nothing is sent."""
    text = lines(ALL) + b"{\n" + lines([identify("u9", 9, visible_to="nobody", role="x")]) + b'{"type": 1}'
    seen = []
    for name, cores in (("alone", 1), ("shared", 2)):
        (tmp_path / name).mkdir()
        scene = Scene(tmp_path / name)
        rejects = tmp_path / name / "rejects.ndjson"
        with shared(crew, 400, cores):
            before = crew.taken
            summary = _told(scene.run(text, rejects=rejects))
            assert (crew.taken > before) is (cores > 1)
            again = scene.run(text)
            assert scene.writes == []
        for problem in summary["problems"]:
            for example in problem["examples"]:
                example.pop("file", None)
        kept = [json.loads(line) for line in rejects.read_bytes().splitlines()]
        for each in kept:
            each["_pipedrive_cli"]["file"] = ""
        seen.append((summary["events"], summary["problems"], scene.names("persons"), kept, again.events))
    assert seen[0] == seen[1]


def test_an_event_that_was_delivered_before_its_user_refused_is_a_duplicate(tmp_path: Path, crew: Patient) -> None:
    """Whoever reads it, and that one is told; an event that is new is skipped, and nothing is told of it."""
    refused = {"consentManagement": {"provider": "oneTrust", "deniedConsentIds": ["Sales"]}}
    events = [identify("allowed", 1), *({**identify(f"u{n}", n, name="N"), "context": refused} for n in range(60))]
    asking = msgspec.structs.replace(CONFIG, privacy=Privacy(consent=ConsentAsked(purposes=("Sales",))))
    for name, cores in (("alone", 1), ("shared", 2)):
        (tmp_path / name).mkdir()
        scene = Scene(tmp_path / name)
        scene.run(events[1::6])
        scene.config = asking
        results = tmp_path / name / "results.ndjson"
        with shared(crew, 400, cores):
            counted = scene.run(events, results=results).events
        assert (counted.delivered, counted.duplicate, counted.skipped) == (1, 10, 50)
        told = [json.loads(line)["message_id"] for line in results.read_bytes().splitlines()]
        assert sorted(filter(None, told)) == sorted(each["messageId"] for each in (events[0], *events[1::6]))


def test_known_files_are_passed_over_and_grown_ones_go_on(tmp_path: Path, crew: Patient) -> None:
    """Also where files are opened before their turn."""
    folder = tmp_path / "export"
    folder.mkdir()
    for number in range(6):
        text = lines(identify(f"u{number}-{n}", n, name="N") for n in range(4))
        (folder / f"{number}.ndjson").write_bytes(gzip.compress(text) if number % 2 else text)
    (folder / "7.ndjson").write_bytes(lines([identify("u7", 7)]) + b'{"type": "ident')
    scene = Scene(tmp_path)
    read, passed_over = [], []
    with shared(crew, 400):
        before = crew.taken
        for added in ("2", "4", ""):
            read.append(scene.run(folder).events.read)
            passed_over.append(scene.last.live_figures.files_passed_over)
            with (folder / f"{added or 'other'}.ndjson").open("ab") as file:
                file.write(lines([identify(f"new-{added}", 9, name="N")]))
        assert crew.taken > before
    assert (read, passed_over) == ([25, 2, 2], [0, 5, 5])


@pytest.mark.parametrize("files", [1, 59])
def test_an_option_that_was_added_since_is_found_by_helpers_too(tmp_path: Path, crew: Patient, files: int) -> None:
    """The part with the first value that does not fit is read here, and processes go on with what is known now."""
    scene = Scene(tmp_path, config=msgspec.structs.replace(CONFIG, fields=Fields(persons={"plan": "Plan"})))
    plan = scene.sandbox.add_field("persons", name="Plan", field_type="enum", options=("Free",))
    scene.run([identify("u0", plan="Free")])
    fields = scene.sandbox.account.fields
    fields.add_option(fields["persons"].custom[plan], "Pro", 0)
    events = [identify(f"u{n}", plan="Free" if n < 31 else "Pro") for n in range(1, 60)]
    folder = tmp_path / "export"
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:02}.ndjson").write_bytes(lines(events[number::files]))
    with shared(crew, 150 if files == 1 else 600):
        before = crew.taken
        summary = scene.run(folder)
    assert (summary.events.delivered, summary.events.rejected) == (59, 0)
    assert crew.taken > before + (20 if files == 1 else 8), "most parts, before that value and behind it"
    assert scene.sent.count("GET /api/v2/personFields") == 1


def test_a_helper_that_dies_costs_nothing_but_time(tmp_path: Path) -> None:
    """Killed before the first part or in the middle: the run goes on in its own process."""
    source = tmp_path / "events.ndjson"
    source.write_bytes(lines(identify(f"u{n}", n, name=f"N{n}") for n in range(300)))
    alone = _previewed(source, 1000)
    for parts_made in (0, 5):
        crew = Dying(parts_made)
        with shared(crew, 500):
            assert _previewed(source, 1000) == alone
        assert crew.taken >= parts_made
        assert crew.refused > 0


class Dying(Patient):
    """Its process is killed when it has made so many parts."""

    def __init__(self, after: int) -> None:
        super().__init__(1)
        self._after = after

    def made(self, number: int) -> bytes:
        if self.taken >= self._after:
            self._processes[0].kill()
        if self._processes[0].alive():
            return super().made(number)
        made = ReadingProcesses.made(self, number)
        self.refused += not made
        return made

    def close(self) -> None:
        ReadingProcesses.close(self)


def _task(text: bytes) -> PartTask:
    return PartTask(Source("", named=True, size=0), TextPart([text], True, True, True, True, None, 0), NOW)


def test_a_helper_leaves_what_it_was_not_told_of() -> None:
    """Whoever has started it asks the account for the fields of a kind that comes for the first time."""
    maker = PartReader(MappingBrief(CONFIG, None, frozenset({"persons"}), False))
    assert len(maker.make(_task(lines([identify("b", 2)]))).rows) == 1
    with pytest.raises(NotOurs):
        maker.make(_task(lines([identify("b", 2), viewed("a", "p", 1, name="P")])))


def test_what_was_made_by_an_old_mapping_is_not_used() -> None:
    """A part that is under way when its processes are told anew is made once more, unless it was read here by then."""
    crew = ReadingProcesses(0)
    crew.tell(MappingBrief(CONFIG, None, frozenset(), False))
    for task in range(9):
        crew.give(task, [_task(b"")])
    found = crew._next()
    assert found is not None
    generation, number, _, _ = found
    crew.tell(MappingBrief(CONFIG, None, frozenset({"persons"}), False))
    crew._keep(generation, number, b"old")
    assert crew._made == {}
    again = crew._next()
    assert again is not None
    assert again[1] == number
    crew._keep(again[0], number, b"new")
    assert crew.made(number) == b"new"
    assert crew.made(number + 1) == b""
    crew._keep(again[0], number + 1, b"too late")
    assert crew._made == {}


def test_what_is_known_is_left_to_nobody(tmp_path: Path, crew: Patient) -> None:
    """Of known events no more is read than who they are, and that is done here."""
    scene = Scene(tmp_path)
    events = [identify(f"u{n}", n, name="N") for n in range(60)]
    scene.run(events)
    with shared(crew, 400):
        before = crew.taken + crew.refused
        assert scene.run([identify("new", 1, name="N"), *events]).events.duplicate == 60
    assert crew.taken + crew.refused == before


def test_no_process_is_started_for_little_that_is_new(tmp_path: Path) -> None:
    """However large the files are that earlier runs have read."""
    source = tmp_path / "events.ndjson"
    source.write_bytes(lines(ALL))
    alone = _previewed(source, 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "WORTH", -(1 << 30))
        patch.setattr(parts, "cores", lambda: 2)
        patch.setattr(shared_reading, "ReadingProcesses", pytest.fail)
        assert _previewed(source, 100) == alone


def test_little_is_opened_and_held_before_its_turn(tmp_path: Path) -> None:
    """Of a line without an end, and of thousands of files with nothing in them."""
    (tmp_path / "0.ndjson").write_bytes(b"[" + b"x" * 100_000)
    for number in range(1, 300):
        (tmp_path / f"{number}.ndjson").touch()
    mapping = cast(RunMapping, SimpleNamespace(kinds=(), compiled=None))
    found = resolve_sources((str(tmp_path),))
    with shared(ReadingProcesses(0), 1_000), pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_reading, "_PART_ITSELF", 100)
        for sources, held in ((found, 9_000), (found[1:], 6_000)):
            reading = SharedInput(iter(sources), 0, mapping, lambda: 0, bodies=True)
            next(reading.readings())
            assert 0 < reading._size < held
            assert len(reading._ahead) < 50
            reading.close()


@pytest.mark.parametrize("packed", [True, False])
def test_a_table_that_cannot_be_cut_is_read_bit_by_bit(tmp_path: Path, packed: bool) -> None:
    """It is packed, or a lone quote leaves open where its rows end: it is not held in memory whole."""
    noise = random.Random(1)
    rows = "".join(f"u{n},2024-01-01,{noise.randbytes(30).hex()}\n" for n in range(20_000)).replace("5", '5" ', 1)
    text = f"id,t,note\n{rows}".encode()
    path = tmp_path / "rows.csv"
    path.write_bytes(gzip.compress(text, 1) if packed else text)
    mapping = cast(RunMapping, SimpleNamespace(kinds=(), compiled=None))
    form = RowForm("identify", "id", "t")
    sources = iter(resolve_sources((str(path),), rows=form))
    shared_input = SharedInput(sources, 0, mapping, lambda: 0, bodies=True)
    reading = next(shared_input.readings())
    assert len(next(reading.batches())) > 0
    assert 0 < reading.bytes_read < path.stat().st_size
    shared_input.close()


def test_what_was_read_is_let_go_at_once(tmp_path: Path) -> None:
    """A preview collects no garbage: a reading that held itself would keep its text in memory."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(lines([identify("a", 1)]))
    mapping = cast(RunMapping, SimpleNamespace(kinds=(), compiled=None))
    shared_input = SharedInput(iter(resolve_sources((str(path),))), 0, mapping, lambda: 0, bodies=True)
    readings = shared_input.readings()
    reading = next(readings)
    assert [len(batch) for batch in reading.batches()] == [1]
    seen = weakref.ref(reading)
    gc.disable()
    try:
        del reading
        assert next(readings, None) is None
        assert seen() is None
    finally:
        gc.enable()
