"""One run at a time per journal."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pipedrive_cli.errors import StateHeld, UserMistake
from pipedrive_cli.run.journal_file import default_path, locked
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
