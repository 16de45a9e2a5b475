"""Files that a command writes: whole, or not there; and nobody else's to read."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipedrive_cli.cli.replay_command import write_report
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.report.written_file import write_file
from pipedrive_cli.run.replay import Finished
from tests.harness import identify

from .desk_for_commands import event_file, written_config

SUMMARY = Summary(run="r", status="complete", exit_code=0)


@pytest.mark.parametrize("name", ["run.html", "run.json"])
def test_a_report_is_its_owners_alone(tmp_path: Path, name: str) -> None:
    """Examples name persons: the mode is 0600, as a rejects file's."""
    write_report(tmp_path / name, Finished(SUMMARY))
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_cannot_be_written_is_told_by_its_option(tmp_path: Path) -> None:
    """No traceback, and nothing left behind."""
    (tmp_path / "run.json").mkdir()
    with pytest.raises(UserMistake, match=r"--report .*run\.json: "):
        write_report(tmp_path / "run.json", Finished(SUMMARY))
    with pytest.raises(UserMistake, match=r"--html .*its folder does not exist"):
        write_file("--html", tmp_path / "none" / "run.html", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["--help"], "False"),
        (["replay", "--report", "run.json"], "False"),
        pytest.param(["replay", "--report", "run.html"], "True", marks=pytest.mark.slow),
    ],
    ids=["help", "json", "page"],
)
def test_templates_are_loaded_by_those_who_ask_for_a_page(tmp_path: Path, words: list[str], loaded: str) -> None:
    """Everybody else would wait a tenth of a second for them."""
    config, file = written_config(tmp_path, "identity: {user_id_field: User id}\n"), event_file(tmp_path, identify("u"))
    if words[0] == "replay":
        words = [*words, str(file), "-c", str(config), "--sandbox"]
    code = (
        "import sys, pipedrive_cli.cli.command_line as line; "
        f"sys.argv[1:] = {words!r}; assert line.run() == 0; print('jinja2' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == loaded
