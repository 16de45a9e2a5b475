"""Files that a command writes: whole, or not there; and nobody else's to read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pipedrive_cli.cli.printing import write_file
from pipedrive_cli.cli.running import write_report
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.replay import Finished

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
    with pytest.raises(UserMistake, match=r"--html .*No such file"):
        write_file("--html", tmp_path / "none" / "run.html", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
