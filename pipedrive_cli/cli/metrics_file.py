"""`--metrics FILE`: writes the file at the end of a run, however the run ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipedrive_cli.cli.printing import write_file
from pipedrive_cli.errors import PipedriveCliError, UserMistake
from pipedrive_cli.report.summary import Summary

FOR_ALL = 0o644  # node_exporter runs as another user, and the file holds no data of events


class FinishedRun:
    """Holds a run's summary for the file that is written after the run."""

    def __init__(self) -> None:
        self.summary: Summary | None = None


@contextlib.contextmanager
def writing_metrics(path: Path | None, note: Callable[[str], None]) -> Iterator[FinishedRun]:
    """Writes the file at the end, if there is a path. Raises UserMistake for a bad path.

    If the file cannot be written at the end, `note` says so, and the run keeps its exit code.
    """
    found = FinishedRun()
    if path is None:
        yield found
        return
    if path.suffix != ".prom":
        raise UserMistake(
            f"--metrics {path}: the name must end in .prom, or node_exporter passes it over", code="usage"
        )
    if not path.absolute().parent.is_dir():
        raise UserMistake(f"--metrics {path}: its folder does not exist", code="usage")
    try:
        yield found
    except PipedriveCliError as error:
        _write(path, None, error.exit_code, note)
        raise
    if found.summary is not None:
        _write(path, found.summary, found.summary.exit_code, note)


def _write(path: Path, summary: Summary | None, exit_code: int, note: Callable[[str], None]) -> None:
    from pipedrive_cli.report.metrics import Ended, exposition  # noqa: PLC0415 - as above
    from pipedrive_cli.report.safe_text import encodable  # noqa: PLC0415 - only for those who ask for it

    before = None
    with contextlib.suppress(OSError):
        before = path.read_bytes()
    content = exposition(encodable(path.stem), Ended(summary, exit_code, time.time()), before)
    try:
        write_file("--metrics", path, content, mode=FOR_ALL)
    except UserMistake as mistake:
        note(mistake.message)
