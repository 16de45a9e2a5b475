"""Archives compacted: replaying the file leaves what the archive would have left."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config import Config
from pipedrive_cli.config.privacy import ConsentAsked, Privacy
from pipedrive_cli.errors import StateHeld, UserMistake
from pipedrive_cli.events.source import Source
from pipedrive_cli.run.archive_part import ArchivePart, Counted, Folded
from pipedrive_cli.run.beside import Beside
from pipedrive_cli.run.compact import Compact, Compacted, CompactOptions
from pipedrive_cli.run.fold_store import FoldStore
from pipedrive_cli.run.folding import fold_part, fold_parts
from pipedrive_cli.run.options import Filters
from tests.examples import examples
from tests.harness import (
    CONFIG,
    Event,
    Scene,
    alias,
    event,
    group,
    identify,
    lines,
    ordered,
    outcomes,
    track,
    viewed,
    with_identity,
)
from tests.run.events_of_all_kinds import ALL, comparable
from tests.s3_server import S3Server

USERS = ("u0", "u1", "u2", "u3")
KINDS = ("identify", "identify", "identify", "group", "track", "viewed", "ordered", "page")


def compact(folder: Path, sources: Sequence[Path], config: Config = CONFIG, **more: Any) -> Compacted:
    options = CompactOptions(tuple(map(str, sources)), folder / "small.ndjson.gz", offline=True, **more)
    return Compact(config, "config.yaml", options).run()


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((folder / "small.ndjson.gz").read_bytes()).splitlines()]


@st.composite
def archives(draw: st.DrawFn) -> list[Event]:
    """Events of all kinds with ties, copies, late ones and chains of aliases, in any order."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 14))):
        kind = draw(
            st.sampled_from(["identify", "identify", "identify", "group", "track", "viewed", "ordered", "page"])
        )
        user, time = draw(st.sampled_from(USERS)), draw(st.integers(0, 4))
        if kind == "identify":
            traits = draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "role": st.sampled_from(["r1", "r2"]),
                        "city": st.sampled_from(["c1", "c2"]),
                        "name": st.sampled_from(["N1", "N2"]),
                        "firstName": st.just(f"F{number}"),
                        "email": st.sampled_from([f"{user}@x.example", f"{user}@y.example"]),
                    },
                )
            )
            events.append(identify(user, time, **traits))
        elif kind == "group":
            # Of equal times the persons' events stay in order, not those of their organizations.
            team = draw(st.sampled_from(["g0", "g1"]))
            events.append(group(user, team, time, name=f"Team {team} {time}", industry=f"i{time}"))
        elif kind == "track":
            more = {"context": {"traits": {"role": "by track", "city": f"c{time}"}}}
            events.append(track(user, "Signed up", time) | more)
        elif kind == "viewed":
            events.append(viewed(user, "p1", time, name=f"P{time}", price=time, currency="EUR", quantity=time))
        elif kind == "ordered":
            events.append(
                ordered(user, [{"product_id": "p2", "name": f"Q{time}", "price": time}], time, currency="EUR")
            )
        else:
            events.append(event("page", time, userId=user))
    for previous, current in draw(st.sampled_from([[], [("u1", "u0")], [("u1", "u0"), ("u3", "u1")], [("u2", "u3")]])):
        events.insert(draw(st.integers(0, len(events))), alias(previous, current, draw(st.integers(0, 4))))
    return events + draw(st.lists(st.sampled_from(events), max_size=3))


@settings(max_examples=examples(100))
@given(archives(), st.integers(0, 17))
def test_replaying_the_compacted_file_leaves_what_the_archive_leaves(events: list[Event], cut: int) -> None:
    """The rule, for archives of all kinds in two files; and the compacted file compacted is itself."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("whole", "small"):
            (folder / part).mkdir()
        whole, small = Scene(folder / "whole"), Scene(folder / "small")
        paths = [whole.write("a.ndjson", events[:cut]), whole.write("b.ndjson", events[cut:])]
        compact(folder, paths)
        both = whole.write("both.ndjson", events)
        whole.run(both)
        small.run(folder / "small.ndjson.gz")
        assert comparable(small.contents()) == comparable(whole.contents())
        first = [line.get("messageId") for line in kept(folder)]
        (folder / "small.ndjson.gz").rename(folder / "once.ndjson.gz")
        compact(folder, [folder / "once.ndjson.gz"])
        assert [line.get("messageId") for line in kept(folder)] == first


def test_each_line_is_as_in_a_rejects_file_and_what_cannot_be_used_is_kept(tmp_path: Path) -> None:
    """Event, file, line, index, identity and time; rejected events and unreadable lines are told by the replay."""
    path = tmp_path / "a.ndjson"
    pair = [identify("u1", 1, role="old") | {"messageId": "m1"}, identify("u1", 2, role="new") | {"messageId": "m2"}]
    batch = {"batch": pair}
    nobody = {"type": "identify", "messageId": "m3"}
    deep = event("page", 3, userId="u1", properties=json.loads('{"in":' * 70 + "1" + "}" * 70))
    first, then = json.dumps(batch).encode() + b"\n{broken\n", [nobody, event("page", 3, userId="u1"), deep]
    path.write_bytes(first + lines(then))
    result = compact(tmp_path, [path])
    assert result.events == {"read": 6, "kept": 5, "left_out": 1}
    assert [(each.code, each.value, each.count) for each in result.left_out] == [("type_not_supported", "page", 1)]
    notes = [line["_pipedrive_cli"] for line in kept(tmp_path)]
    assert [(note["line"], note.get("index"), note.get("identity")) for note in notes] == [
        (1, 0, "m1"),
        (1, 1, "m2"),
        (2, None, None),
        (3, None, "m3"),
        (5, None, deep["messageId"]),
    ]
    assert {note["file"] for note in notes} == {str(path)}
    assert notes[0]["time"] == 1709294401000000
    summary = Scene(tmp_path).run(tmp_path / "small.ndjson.gz")
    assert outcomes(summary) == {"delivered": 2, "rejected": 3}
    assert sorted(problem.code for problem in summary.problems) == ["bad_json", "missing_user_id", "too_deep"]


def test_who_refused_consent_and_who_is_suppressed_is_in_no_output(tmp_path: Path) -> None:
    """Consent and suppression come first: an older event that may be sent takes the place."""
    suppressed = tmp_path / "no.txt"
    suppressed.write_text("bo@x.example\n")
    privacy = Privacy(consent=ConsentAsked(purposes=("crm",)), suppress=suppressed)
    config = msgspec.structs.replace(CONFIG, privacy=privacy)
    refused = {"context": {"consentManagement": {"provider": "oneTrust", "deniedConsentIds": ["crm"]}}}
    events = [
        identify("u1", 1, role="old"),
        identify("u1", 2, role="canary") | refused,
        identify("u2", 3, role="canary"),
        identify("u2", 4, email="bo@x.example"),
    ]
    result = compact(tmp_path, [Scene(tmp_path).write("a.ndjson", events)], config)
    assert {each.code: each.count for each in result.left_out} == {"consent_denied": 1, "suppressed": 2}
    assert [line["traits"] for line in kept(tmp_path)] == [{"role": "old"}]
    assert b"canary" not in gzip.decompress((tmp_path / "small.ndjson.gz").read_bytes())


def test_all_traits_keeps_the_newest_event_of_each_trait_that_is_not_mapped(tmp_path: Path) -> None:
    """So that a mapping can be tried on the compacted file."""
    events = [
        identify("u1", time, role=f"r{time}", **({"shoe": 40 + time} if time in (3, 4) else {})) for time in range(8)
    ]
    path = Scene(tmp_path).write("a.ndjson", events)
    compact(tmp_path, [path])
    assert [line["traits"]["role"] for line in kept(tmp_path)] == ["r0", "r7"]
    compact(tmp_path, [path], all_traits=True)
    assert [line["traits"]["role"] for line in kept(tmp_path)] == ["r0", "r4", "r7"]


def test_filters_leave_out_what_they_leave_out_of_a_replay(tmp_path: Path) -> None:
    """Events that a filter leaves out are one number, and nothing of them is kept."""
    path = Scene(tmp_path).write("a.ndjson", ALL)
    result = compact(tmp_path, [path], filters=Filters(types=frozenset({"group"})))
    assert (result.filtered, result.events["read"]) == (len(ALL) - 2, 2)
    assert {line["type"] for line in kept(tmp_path)} == {"group"}


def test_a_killed_fold_goes_on_part_by_part_and_ends_the_same(tmp_path: Path) -> None:
    """What was folded is not read again, and the file is there whole or not at all."""
    paths = [Scene(tmp_path).write(f"{name}.ndjson", ALL[at::3]) for at, name in enumerate("abc")]
    compact(tmp_path, paths)
    target, whole = tmp_path / "small.ndjson.gz", (tmp_path / "small.ndjson.gz").read_bytes()
    target.unlink()
    read: list[int] = []

    def dies(store: Any, brief: Any, tasks: Sequence[ArchivePart], tell: Any) -> None:
        for task in tasks:
            if len(read) == 2:
                raise KeyboardInterrupt
            read.append(task.number)
            tell(task, fold_part(store, brief, task))

    def goes_on(store: Any, brief: Any, tasks: Sequence[ArchivePart], tell: Any) -> None:
        read.extend(task.number for task in tasks)
        fold_parts(store, brief, tasks, tell)

    options = CompactOptions(tuple(map(str, paths)), target, offline=True)
    with pytest.raises(KeyboardInterrupt):
        Compact(CONFIG, "config.yaml", options, fold=dies).run()
    assert not target.exists()
    Compact(CONFIG, "config.yaml", options, fold=goes_on).run()
    assert read == [0, 1, 2]
    assert target.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_processes_beside_this_one_fold_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is cut into parts, and its lines keep their numbers."""
    path = Scene(tmp_path).write("a.ndjson", [identify(f"u{n % 9}", n, role=f"r{n}") for n in range(300)])
    compact(tmp_path, [path])
    one = kept(tmp_path)
    monkeypatch.setattr("pipedrive_cli.run.folding.WORTH", 1)
    monkeypatch.setattr("pipedrive_cli.run.folding.MUCH", 1)
    monkeypatch.setattr("pipedrive_cli.run.folding.PART", 9_000)
    monkeypatch.setattr("pipedrive_cli.run.folding.cores", lambda: 2)
    parts: list[Counted] = []
    options = CompactOptions((str(path),), tmp_path / "small.ndjson.gz", offline=True)
    Compact(CONFIG, "config.yaml", options, tell=lambda progress: parts.append(Counted(progress.parts_done))).run()
    assert len(parts) > 3
    assert kept(tmp_path) == one


@pytest.mark.parametrize("gives", [None, b""])
def test_a_process_that_dies_or_fails_costs_nothing_but_time(
    gives: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has begun of a part goes, a part that it has ended counts, the rest is folded here: the same bytes."""
    path = Scene(tmp_path).write("a.ndjson", [identify(f"u{n % 9}", n, role=f"r{n}") for n in range(300)])
    compact(tmp_path, [path])
    whole = (tmp_path / "small.ndjson.gz").read_bytes()
    asked: list[int] = []

    class Thread(Beside):
        """It does its work in this process, and gives nothing for the third part: it has folded it, or cannot do so."""

        def __init__(self, work: Callable[[Any], Callable[[Any], bytes]]) -> None:
            self._work = work

        def done(self, brief: Any, task: ArchivePart) -> bytes | None:
            asked.append(task.number)
            if len(asked) == 3 and gives is not None:
                FoldStore(brief.path).add(task.number, Folded([("2ku1", b"")], [], []))
                return gives
            made = self._work(brief)(task)
            return None if len(asked) == 3 else made

        def kill(self) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr("pipedrive_cli.run.beside.Beside", Thread)
    monkeypatch.setattr("pipedrive_cli.run.folding.WORTH", 1)
    monkeypatch.setattr("pipedrive_cli.run.folding.PART", 9_000)
    monkeypatch.setattr("pipedrive_cli.run.folding.cores", lambda: 2)
    compact(tmp_path, [path])
    assert len(asked) >= 3
    assert (tmp_path / "small.ndjson.gz").read_bytes() == whole


def test_an_output_for_which_there_is_no_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing runs a little behind; what goes wrong there is met, no file is left, and the fold goes on from there."""
    path = Scene(tmp_path).write("a.ndjson", [identify("u1", 1, role="r")])

    def full(self: gzip.GzipFile, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(gzip.GzipFile, "write", full)
        with pytest.raises(UserMistake, match="No space left"):
            compact(tmp_path, [path])
    assert not (tmp_path / "small.ndjson.gz").exists()
    compact(tmp_path, [path])
    assert len(kept(tmp_path)) == 1


def test_the_output_is_never_a_source(tmp_path: Path) -> None:
    """Whatever it is called by."""
    path = tmp_path / "small.ndjson.gz"
    path.write_bytes(lines(ALL))
    with pytest.raises(UserMistake):
        compact(tmp_path, [path])
    assert path.read_bytes() == lines(ALL)


def test_an_input_that_cannot_be_read_to_its_end_gives_no_output(tmp_path: Path) -> None:
    """Half an archive must not pass for the whole; a found file that is damaged is named beside the output."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines(ALL))
    (folder / "b.json.gz").write_bytes(gzip.compress(lines(ALL))[:-8] + bytes(8))
    named = compact(tmp_path, [folder / "b.json.gz"])
    assert (named.exit_code, named.output, (tmp_path / "small.ndjson.gz").exists()) == (4, None, False)
    found = compact(tmp_path, [folder])
    assert (found.exit_code, found.problems[0].code, (tmp_path / "small.ndjson.gz").exists()) == (
        1,
        "gzip_broken",
        True,
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_file_that_could_not_be_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command goes on when what was out of reach is there again, unchanged."""
    path = Scene(tmp_path).write("a.ndjson", ALL)
    with monkeypatch.context() as patch:
        patch.setattr(Source, "open", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        assert compact(tmp_path, [path]).status == "stopped"
    assert compact(tmp_path, [path]).status == "complete"


@pytest.mark.cloud
def test_objects_of_a_store_are_folded_by_processes_that_read_them(
    bucket: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process opens its own objects; the bytes are those of files on disk, save for their names."""
    import s3fs

    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(3):
        content = gzip.compress(lines(ALL[number::3]))
        (folder / f"{number}.json.gz").write_bytes(content)
        s3fs.S3FileSystem().pipe(f"{bucket}/a/{number}.json.gz", content)
    compact(tmp_path, [folder])
    here = [line.get("messageId") for line in kept(tmp_path)]
    monkeypatch.setattr("pipedrive_cli.run.folding.WORTH", 1)
    monkeypatch.setattr("pipedrive_cli.run.folding.cores", lambda: 2)
    options = CompactOptions((f"s3://{bucket}/a/",), tmp_path / "small.ndjson.gz", offline=True)
    result = Compact(CONFIG, "config.yaml", options).run()
    assert result.events["read"] == len(ALL)
    assert [line.get("messageId") for line in kept(tmp_path)] == here


@pytest.mark.parametrize("config", [CONFIG, with_identity(alias="rekey")])
def test_aliases_that_contradict_each_other_keep_their_order(config: Config, tmp_path: Path) -> None:
    """A ring of aliases ends with the person whom the first one in the input names, whatever their times."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "small").mkdir()
    whole, small = Scene(tmp_path / "whole", config=config), Scene(tmp_path / "small", config=config)
    events = [alias("u0", "u2", 3), identify("u0", 1, city="c"), alias("u2", "u0", 0), alias("u1", "u2", 0)]
    path = whole.write("a.ndjson", [*events, identify("u1", 2, role="r")])
    compact(tmp_path, [path], config)
    whole.run(path)
    small.run(tmp_path / "small.ndjson.gz")
    assert comparable(small.contents()) == comparable(whole.contents())


def test_an_event_that_names_a_person_who_is_not_there_takes_no_place(tmp_path: Path) -> None:
    """It is rejected by the replay alone; what the others say is kept beside it."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "small").mkdir()
    whole, small = Scene(tmp_path / "whole"), Scene(tmp_path / "small")
    stranger = {"context": {"externalId": [{"type": "pipedrivePersonId", "id": "77"}]}}
    events = [identify("u0", 1, role="r"), identify("u0", 2, city="c"), identify("u0", 3, city="d") | stranger]
    path = whole.write("a.ndjson", events)
    compact(tmp_path, [path])
    whole.run(path)
    small.run(tmp_path / "small.ndjson.gz")
    assert comparable(small.contents()) == comparable(whole.contents())


def test_one_output_has_one_compact_at_a_time(tmp_path: Path) -> None:
    """Two would take away from each other what they have folded."""
    path = Scene(tmp_path).write("a.ndjson", ALL)

    def meets_another(*_: Any) -> None:
        with pytest.raises(StateHeld):
            compact(tmp_path, [path])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        options = CompactOptions((str(path),), tmp_path / "small.ndjson.gz", offline=True)
        Compact(CONFIG, "config.yaml", options, fold=meets_another).run()
    assert compact(tmp_path, [path]).status == "complete"
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".")] == []


def test_a_store_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A full disk or a damaged file is no fault of the tool, and standard output has no place to be renamed to."""
    path = Scene(tmp_path).write("a.ndjson", ALL)
    (tmp_path / ".small.ndjson.gz.compacting").write_bytes(b"damaged" * 99)
    with pytest.raises(UserMistake, match="compacting: file is not a database"):
        compact(tmp_path, [path])
    with pytest.raises(UserMistake, match="needs a name"):
        Compact(CONFIG, "config.yaml", CompactOptions((str(path),), Path("-"), offline=True)).run()
