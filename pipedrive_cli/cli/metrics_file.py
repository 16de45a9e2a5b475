"""`--metrics FILE`: written at the end of a run, however it ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipedrive_cli.cli.printing import write_file
from pipedrive_cli.errors import PipedriveCliError, UserMistake
from pipedrive_cli.report.summary import Summary

FOR_ALL = 0o644  # node_exporter is another user, and the file holds nothing of any event


class Measured:
    """Where a run leaves its summary, for the file that is written after it."""

    def __init__(self) -> None:
        self.summary: Summary | None = None


@contextlib.contextmanager
def measured(path: Path | None, note: Callable[[str], None]) -> Iterator[Measured]:
    """Writes the file at the end; without a path nothing. Raises UserMistake for a path that cannot be.

    A file that cannot be written at the end is told by `note`: the run's own exit code says more.
    """
    found = Measured()
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
