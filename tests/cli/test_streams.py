"""Streams that are closed, full, or left by their reader: no traceback, and an exit code that means something."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipedrive_cli.cli.command_line import json_log_wanted
from pipedrive_cli.report.safe_stdout import put
from tests.harness import identify

from .desk_for_commands import event_file, pipedrive_cli, written_config

FIELDS = "identity: {user_id_field: User id}\n"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither /dev/full nor pipes that tell")


def started(*arguments: str | Path, out: int | None, err: int | None = subprocess.PIPE) -> tuple[int, str]:
    """A process of its own; exit code and what stood on stderr."""
    command = [sys.executable, "-m", "pipedrive_cli", *map(str, arguments)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False, timeout=60)
    return ended.returncode, (ended.stderr or b"").decode()


@pytest.fixture
def broken() -> int:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def job(folder: Path) -> tuple[str | Path, ...]:
    """A replay that goes well."""
    config = written_config(folder, FIELDS)
    return "replay", event_file(folder, identify("u1", name="A")), "-c", config, "--sandbox"


@POSIX
@pytest.mark.parametrize("command", [["--version"], ["replay", "--help"], ["schema"]], ids=" ".join)
def test_a_reader_that_has_what_it_wanted_is_no_error(command: list[str], broken: int) -> None:
    """As in `pipedrive-cli schema | head -1`."""
    code, err = started(*command, out=broken)
    assert (code, "Traceback" in err) == (0, False)


@POSIX
@pytest.mark.parametrize("form", [[], pytest.param(["--json"], marks=pytest.mark.slow)], ids=["report", "json"])
def test_a_run_whose_report_nobody_reads_ends_as_it_would(tmp_path: Path, form: list[str], broken: int) -> None:
    """0 for a good one."""
    assert started(*job(tmp_path), *form, out=broken) == (0, "")


@POSIX
@pytest.mark.slow
def test_a_log_that_nobody_reads_ends_no_run(tmp_path: Path, broken: int) -> None:
    """stderr may go at any time, in either form."""
    for form in ("text", "json"):
        assert started(*job(tmp_path), "--log-format", form, out=subprocess.DEVNULL, err=broken)[0] == 0
    assert started("replay", out=subprocess.DEVNULL, err=broken)[0] == 2


@POSIX
@pytest.mark.slow
def test_a_full_disk_under_the_report_is_told(tmp_path: Path) -> None:
    """With exit code 1 and a sentence: whoever reads the report must not take half of it for the whole."""
    with Path("/dev/full").open("wb") as full:
        for command in (job(tmp_path), ("schema",)):
            code, err = started(*command, out=full.fileno())
            assert code == 1
            assert err.startswith("Error: the output could not be written: No space left on device\n")
        assert started("schema", out=full.fileno(), err=full.fileno())[0] == 1, "nor that nobody can be told"


def test_a_terminal_that_was_closed_is_a_reader_that_has_gone() -> None:
    """It answers with an error of its own; what is written to it afterwards is dropped."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    put(Closed(), "finished")


@POSIX
@pytest.mark.parametrize("closed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_closed_streams_are_no_error(tmp_path: Path, closed: int) -> None:
    """As some schedulers start us."""
    words = [sys.executable, "-m", "pipedrive_cli", *map(str, job(tmp_path))]
    line = f'exec {closed}>&-; exec "$@"'
    ended = subprocess.run(["sh", "-c", line, "sh", *words], capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr


def test_the_schema_is_utf8_whatever_the_locale() -> None:
    """A redirected schema is a file for editors."""
    assert "…" not in pipedrive_cli("schema").err
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-m", "pipedrive_cli", "schema"]
    ended = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    assert ended.stdout.decode() == pipedrive_cli("schema").out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["replay", "--log-format", "json"], True),
        (["replay", "--log-format=json", "x"], True),
        (["replay", "--log-format", "text", "json"], False),
        (["replay", "--event", "json"], False),
        ([], False),
    ],
)
def test_the_form_of_the_log_is_known_before_the_words_are_understood(words: list[str], wanted: bool) -> None:
    """A line with a mistake in it says it, too."""
    assert json_log_wanted(words) is wanted
