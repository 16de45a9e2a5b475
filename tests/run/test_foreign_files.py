"""Files that cannot be read: every run names each of them, and the others are delivered."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.options import Filters
from tests.harness import Scene, identify, lines, outcomes

MANY = lines([identify(f"u{number}", number, name=f"Name {number}") for number in range(200)])
DAMAGED = gzip.compress(MANY)[:-8] + bytes(8)  # another checksum


class Folder:
    """A folder of exports that is replayed again and again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.path = scene.folder / "exports"
        self.path.mkdir()

    def put(self, name: str, content: bytes) -> Path:
        path = self.path / name
        path.write_bytes(content)
        return path

    def run(self, **more: Any) -> Summary:
        return self.scene.run(self.path, **more)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(Scene(tmp_path))


def told(summary: Summary) -> list[str]:
    return sorted(problem.code for problem in summary.problems)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04rest of it", "not_events"),
        (MANY.decode().encode("utf-16"), "not_events"),
        (json.dumps([identify("u1", 1, name="Ann")], indent=2).encode(), "not_events"),
        (gzip.compress(b"PK\x03\x04rest of it"), "not_events"),
        (DAMAGED, "gzip_broken"),
    ],
    ids=["zip", "utf-16", "pretty", "zip-in-gzip", "damaged"],
)
def test_a_found_file_that_cannot_be_read_is_told_by_every_run(folder: Folder, content: bytes, code: str) -> None:
    """At once and each time, with exit code 1; the file beside it is delivered, once."""
    folder.put("a.json", content)
    folder.put("b.json", lines([identify("other", 1, name="Bo")]))
    first = folder.run()
    assert (first.exit_code, first.status, told(first), first.input_complete) == (1, "partial", [code], False)
    assert first.problems[0].message.startswith(str(folder.path / "a.json"))
    assert "Bo" in folder.scene.names("persons")
    again = folder.run()
    assert (again.exit_code, told(again), again.events.delivered) == (1, [code], 0)


@pytest.mark.parametrize(
    ("content", "code"),
    [(gzip.compress(MANY)[:500], "gzip_broken"), (MANY[:-20], "cut_off")],
    ids=["gzip", "text"],
)
def test_a_torn_end_is_excused_only_while_the_file_changes(folder: Folder, content: bytes, code: str) -> None:
    """Its writer may be at work: once for each state of it. Then it is a problem, also where it is only touched."""
    path = folder.put("a.json.gz", content)
    first = folder.run()
    assert (first.exit_code, told(first), first.input_complete) == (0, ["unfinished_line"], False)
    path.write_bytes(content)  # another date
    assert (folder.run().exit_code, told(folder.run())) == (1, [code])
    longer = gzip.compress(MANY)[:900] if code == "gzip_broken" else MANY[:-10]
    folder.put("a.json.gz", longer)
    assert folder.run().exit_code == 0
    assert folder.run().exit_code == 1
    folder.put("a.json.gz", gzip.compress(MANY) if code == "gzip_broken" else MANY)
    assert folder.run().exit_code == 0
    assert len(folder.scene.names("persons")) == 200


def test_a_torn_end_is_remembered_by_runs_that_read_a_part(folder: Folder) -> None:
    """With a filter no file becomes known, and what breaks off is told all the same."""
    folder.put("a.json", MANY[:-20])
    chosen = Filters(users=frozenset({"u1"}))
    assert [folder.run(filters=chosen).exit_code for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("content", "code"),
    [(gzip.compress(MANY)[:500], "gzip_broken"), (b"PK\x03\x04rest", "not_events")],
    ids=["cut", "zip"],
)
def test_a_named_file_that_cannot_be_read_to_its_end_stops_the_run(folder: Folder, content: bytes, code: str) -> None:
    """Exit code 4, and the input is not complete: whoever names a file wants all of it."""
    path = folder.put("a.json", content)
    summary = folder.scene.run(path)
    assert (summary.exit_code, summary.reason, summary.input_complete) == (4, "input_unread", False)
    assert code in told(summary)
    assert summary.events.rejected == 0


def test_of_many_files_every_bad_one_is_named_and_the_others_arrive(folder: Folder) -> None:
    """A folder of 200 with 20 bad ones: each is a problem of its own. The second run reads nothing else."""
    for number in range(200):
        bad = number % 10 == 0
        content = b"PK\x03\x04" if bad else lines([identify(f"p{number}", number, name=f"P {number}")])
        folder.put(f"{number:03}.json", content)
    summary = folder.run()
    assert outcomes(summary) == {"delivered": 180}
    again = folder.run()
    assert again.events.read == 0
    for each in (summary, again):
        named = {problem.examples[0].file for problem in each.problems if problem.code == "not_events"}
        assert named == {str(folder.path / f"{number:03}.json") for number in range(0, 200, 10)}
        assert each.exit_code == 1


def test_what_is_no_file_costs_nothing_but_a_word(folder: Folder) -> None:
    """A link to itself in the folder: named, exit code 1, and the event beside it is there."""
    (folder.path / "loop.ndjson").symlink_to("loop.ndjson")
    folder.put("a.json", lines([identify("u1", 1, name="Ann")]))
    summary = folder.run()
    assert (summary.exit_code, told(summary), folder.scene.names("persons")) == (1, ["not_a_file"], ["Ann"])
