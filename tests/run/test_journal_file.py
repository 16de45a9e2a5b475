"""One run at a time per journal."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.errors import StateHeld, StopRun, UserMistake
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.run.journal_file import default_path, locked
from pipedrive_cli.run.replay import Replay
from tests.harness import Scene, identify


def test_a_journal_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    """A second run is told so at once, and may begin when the first one has ended."""
    path = tmp_path / "new folder" / "journal.sqlite"
    with locked(path):
        with pytest.raises(StateHeld) as refused, locked(path):
            pass
        assert refused.value.exit_code == 5
    with locked(path):
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_run_that_dies_lets_go(tmp_path: Path) -> None:
    """An exception frees the journal."""
    path = tmp_path / "journal.sqlite"
    with pytest.raises(KeyboardInterrupt), locked(path):
        raise KeyboardInterrupt
    with locked(path):
        pass


def test_a_place_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    """A file where a folder should be: exit code 2, with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserMistake, match="cannot use the journal") as refused, locked(tmp_path / "file" / "journal"):
        pass
    assert refused.value.exit_code == 2


def test_companies_have_journals_of_their_own() -> None:
    """The default path tells two companies apart."""
    assert default_path(1) != default_path(2)


def test_runs_that_draw_one_name_get_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names tell the second and little more; whoever begins in the same one draws again."""
    drawn = iter(["2026-11-23T09-15-02Z-7f3a", "2026-11-23T09-15-02Z-7f3a", "2026-11-23T09-15-02Z-0001"])
    monkeypatch.setattr("pipedrive_cli.run.replay.new_run_name", lambda _: next(drawn))
    scene = Scene(tmp_path)
    names = [scene.run([identify(f"u{n}", n, name="A")]).run for n in range(2)]
    assert names == ["2026-11-23T09-15-02Z-7f3a", "2026-11-23T09-15-02Z-0001"]


OTHER_NAMES = ("symbolic link", "link to a link", "linked folder", "hard link", "relative path", "path with dots")


def other_name(path: Path, how: str) -> Path:
    """Another name of the file at `path`."""
    match how:
        case "symbolic link" | "link to a link":
            link = path.with_name("link.sqlite")
            link.symlink_to(path)
            if how == "symbolic link":
                return link
            (second := path.with_name("second.sqlite")).symlink_to("link.sqlite")
            return second
        case "linked folder":
            (folder := path.parent.with_name("folder")).symlink_to(path.parent, target_is_directory=True)
            return folder / path.name
        case "hard link":
            (link := path.with_name("hard.sqlite")).hardlink_to(path)
            return link
        case "relative path":
            return Path(os.path.relpath(path))
        case _:
            return path.parent / ".." / path.parent.name / path.name


@pytest.mark.parametrize("how", OTHER_NAMES)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_journal_is_one_by_whatever_name(tmp_path: Path, how: str, swapped: bool) -> None:
    """The second run is turned away, whichever of the two names it uses; afterwards it may begin."""
    path = tmp_path / "state" / "journal.sqlite"
    path.parent.mkdir()
    Journal.open(path).close()
    names = [path, other_name(path, how)]
    if swapped:
        names.reverse()
    with locked(names[0]), pytest.raises(StateHeld), locked(names[1]):
        pass
    with locked(names[1]):
        pass


def test_the_lock_outlasts_what_sqlite_does_with_the_file(tmp_path: Path) -> None:
    """SQLite opens, locks and closes the same file, and the run still holds it."""
    path = tmp_path / "journal.sqlite"
    hard = tmp_path / "hard.sqlite"
    with locked(path):
        hard.hardlink_to(path)
        journal = Journal.open(path)
        scratch(path).close()
        with journal.transaction():
            journal.set_fact("a", 1)
        journal.close()
        with pytest.raises(StateHeld), locked(hard):
            pass


def test_two_journals_do_not_hold_each_other(tmp_path: Path) -> None:
    """Two accounts can be replayed at once."""
    with locked(tmp_path / "a.sqlite"), locked(tmp_path / "b.sqlite"):
        pass


@pytest.mark.parametrize("how", ["deleted", "replaced", "moved away", "folder deleted", "folder replaced"])
@pytest.mark.parametrize("moment", [2, 6])
def test_a_journal_that_is_taken_away_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, moment: int
) -> None:
    """Somebody's clean-up takes the journal while the run goes on: exit code 4, and a message with its path."""
    folder = tmp_path / "state"
    folder.mkdir()
    scene = Scene(tmp_path)
    scene.state = folder / "journal.sqlite"

    def take_away() -> None:
        match how:
            case "deleted":
                scene.state.unlink()
            case "replaced":
                shutil.copy(scene.state, copy := tmp_path / "copy")
                copy.replace(scene.state)
            case "moved away":
                scene.state.rename(tmp_path / "elsewhere")
            case "folder deleted":
                shutil.rmtree(folder)
            case _:
                folder.rename(tmp_path / "elsewhere")
                folder.mkdir()

    answers = 0
    real = Replay.note_answer

    def noted(job: Replay, call: Call, answer: Answer) -> None:
        nonlocal answers
        answers += 1
        if answers == moment:
            take_away()
        real(job, call, answer)

    monkeypatch.setattr(Replay, "note_answer", noted)
    with pytest.raises(StopRun) as told:
        scene.run([identify(f"u{n}", n, name="A") for n in range(5)])
    what = "was replaced by another file" if how == "replaced" else "was gone, and was written again"
    assert f"the journal {scene.state} {what}" in told.value.message
    assert (told.value.exit_code, told.value.code) == (4, "journal")
    if how == "replaced":
        return  # somebody else's journal stands there now
    scene.run([identify(f"u{n}", n, name="A") for n in range(5)])
    assert scene.last.journal is None
    assert scene.names("persons") == ["A"] * 5
    assert stat.S_IMODE(scene.state.stat().st_mode) == 0o600
    with contextlib.closing(Journal.open(scene.state)) as journal:
        assert len(journal.runs()) == 2
