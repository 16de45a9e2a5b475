"""No room for the run's temporary file or its rejects file: the run ends early, says so, and loses nothing."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.rejects import RejectsWriter
from pipedrive_cli.run import spool
from tests.harness import Event, Scene, alias, group, identify, options, outcomes, with_delivery

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class SmallDisk:
    """A file that takes so many bytes, and what was told of it."""

    def __init__(self, file: object, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, data: memoryview) -> int:
        if self._room <= 0:
            raise FULL
        taken = data[: self._room]
        self._room -= len(taken)
        self._file.write(taken)  # type: ignore[attr-defined]  # whatever file it is
        return len(taken)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def people(number: int) -> list[Event]:
    return [identify(f"u{n}", n, name=f"N {n} " + "x" * 100) for n in range(number)]


@pytest.mark.parametrize(("room", "lookahead"), [(0, 100_000), (10_000, 200), (40_000, 200)])
def test_a_full_folder_for_temporary_files_ends_the_run_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, lookahead: int
) -> None:
    """What was read is pending, and is sent by the next run. The events that wait for others are, too."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=lookahead))
    waiting = [alias(f"nobody {n}", f"u{n}", 5_000 + n) for n in range(20)]
    with monkeypatch.context() as patch:
        real = tempfile.TemporaryFile
        patch.setattr(tempfile, "TemporaryFile", lambda **more: SmallDisk(real(**more), room))
        patch.setattr(spool, "UNWRITTEN", 4_096)
        summary = scene.run([*waiting, *people(300)])
    assert (summary.status, summary.reason, summary.exit_code) == ("stopped", "temporary_file", 4)
    assert not summary.input_complete
    (problem, *_) = summary.problems
    assert "No space left on device" in problem.message
    assert "TMPDIR" in (problem.hint or "")
    again = scene.run([*waiting, *people(300)])
    assert again.exit_code == 1
    assert again.events.rejected == 20
    assert len(scene.contents()["persons"]) == 300


class DyingDisk(SmallDisk):
    """A file that takes all and gives nothing back."""

    def read(self, _: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("lookahead", [50, 100_000])
def test_a_temporary_file_that_cannot_be_read_ends_the_run_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lookahead: int
) -> None:
    """What nobody can look up any more is pending: the next run reads it again."""
    scene = Scene(tmp_path, options(latency=0.1), config=with_delivery(lookahead=lookahead))
    folder = tmp_path / "events"
    folder.mkdir()
    scene.write("events/a.ndjson", people(300))
    with monkeypatch.context() as patch:
        real = tempfile.TemporaryFile
        patch.setattr(tempfile, "TemporaryFile", lambda **more: DyingDisk(real(**more), 1 << 30))
        patch.setattr(spool, "UNWRITTEN", 4_096)
        summary = scene.run(folder)
    assert (summary.status, summary.reason, summary.exit_code) == ("stopped", "temporary_file", 4)
    assert summary.events.pending > 0
    assert scene.run(folder).exit_code == 0
    assert len(scene.contents()["persons"]) == 300


def test_where_no_temporary_file_can_be_made_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no run is noted that would look as if it had died."""
    scene = Scene(tmp_path)

    def none(**_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", none)
        with pytest.raises(UserMistake) as refused:
            scene.run(people(1))
    assert refused.value.code == "temporary_file"
    assert scene.sent == ["GET /api/v1/users/me"]
    assert outcomes(scene.run(people(1))) == {"delivered": 1}


def bad(number: int) -> list[Event]:
    """Some are refused when they are read, some by Pipedrive."""
    half = number // 2
    return [{"type": "track", "messageId": f"b{n}"} for n in range(half)] + [
        group(None, f"g{n}", n, name="A Ltd", industry="x" * 300) for n in range(half)
    ]


@pytest.mark.parametrize("when", ["add", "close"])
def test_without_room_for_the_rejects_no_file_counts_as_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The next run reads them again, and its rejects file has them all. Nothing half-written stays behind."""
    scene = Scene(tmp_path)
    folder = tmp_path / "events"
    folder.mkdir()
    scene.write("events/a.ndjson", [*people(3), *bad(40)])
    rejects = tmp_path / "rejects.ndjson"

    def full(*_: object, **__: object) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        if when == "add":
            patch.setattr("pipedrive_cli.report.rejects.reject_line", full)
        else:
            patch.setattr("pipedrive_cli.report.rejects.os.fsync", full)
        summary = scene.run(folder, rejects=rejects)
    assert (summary.status, summary.reason, summary.exit_code) == ("stopped", "rejects_file", 4)
    assert [path.name for path in tmp_path.iterdir() if "rejects" in path.name] == []
    scene.run(folder, rejects=rejects)
    assert len(rejects.read_bytes().splitlines()) == 40
    assert len(scene.contents()["persons"]) == 3


def test_the_rejects_are_in_their_place_before_files_count_as_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed between the two must not find a file passed over whose rejects are nowhere."""
    scene = Scene(tmp_path)
    folder = tmp_path / "events"
    folder.mkdir()
    scene.write("events/a.ndjson", bad(4))
    rejects = tmp_path / "rejects.ndjson"

    def killed(_: RejectsWriter, since: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(RejectsWriter, "close", killed)
        with pytest.raises(SystemExit):
            scene.run(folder, rejects=rejects)
    assert scene.run(folder, rejects=rejects).events.rejected == 4
    assert len(rejects.read_bytes().splitlines()) == 4
