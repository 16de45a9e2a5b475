"""`--metrics FILE`: writes the file at the end of a run, however the run ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipedrive_cli.cli.endings import told
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.report.written_file import place_of, write_file
from pipedrive_cli.secret import without_keys

OURS = b"# HELP pipedrive_cli_"  # how each of these files begins
FOR_ALL = 0o644  # node_exporter runs as another user, and the file holds no data of events


class FinishedRun:
    """Holds a run's summary for the file that is written after the run."""

    def __init__(self) -> None:
        self.summary: Summary | None = None


@contextlib.contextmanager
def writing_metrics(path: Path | None, note: Callable[[str], None]) -> Iterator[FinishedRun]:
    """Writes the file once the run has come to a summary, if there is a path. Raises UserMistake for a bad path.

    If the file cannot be written at the end, `note` says so, and the run keeps its exit code.
    """
    found = FinishedRun()
    if path is not None:
        check_metrics_path(path)
    yield found
    if path is not None and found.summary is not None:
        _write(path, found.summary, found.summary.exit_code, note)


def write_metrics_of_error(path: Path, exit_code: int, note: Callable[[str], None]) -> None:
    """Writes the file of a command that ended without a summary. A path that it must not have is left alone."""
    try:
        check_metrics_path(path)
    except UserMistake:
        return
    _write(path, None, exit_code, note)


def check_metrics_path(path: Path) -> None:
    """Raises UserMistake for a --metrics that cannot be written at the end."""
    if path.suffix != ".prom":
        raise UserMistake(
            f"--metrics {path}: the name must end in .prom, or node_exporter passes it over", code="usage"
        )
    place = place_of("--metrics", path)
    with contextlib.suppress(OSError), place.open("rb") as file:
        begin = file.read(len(OURS))
        if begin and begin != OURS:
            raise UserMistake(
                f"--metrics {path}: another file has that name",
                code="usage",
                hint="name one for the figures alone",
            )


def _write(path: Path, summary: Summary | None, exit_code: int, note: Callable[[str], None]) -> None:
    from pipedrive_cli.report.metrics import Ended, exposition  # noqa: PLC0415 - as above
    from pipedrive_cli.report.safe_text import encodable  # noqa: PLC0415 - only for those who ask for it

    told.get().metrics = True
    before = None
    with contextlib.suppress(OSError):
        before = path.read_bytes()
    content = exposition(without_keys(encodable(path.stem)), Ended(summary, exit_code, time.time()), before)
    try:
        write_file("--metrics", path, content, mode=FOR_ALL)
    except UserMistake as mistake:
        note(mistake.message)
