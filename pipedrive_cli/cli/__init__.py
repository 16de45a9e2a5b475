"""COMMAND LINE: parses, calls, renders, exits. Decides nothing. What only some commands need is imported late."""

from __future__ import annotations

import gc
import os
import sys

from pipedrive_cli.cli.interrupts import note_signals
from pipedrive_cli.version import __version__

RARELY = 100_000  # new objects between two garbage collections


def main() -> None:
    """The console script `pipedrive-cli`."""
    note_signals()  # before anything else is loaded
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process: output is dropped
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    if sys.argv[1:] == ["--version"]:
        _show_version()
        return
    for name in ("TYPER_USE_RICH", "TERMINAL_WIDTH"):  # only change the look of help, and some values stop the import
        os.environ.pop(name, None)
    gc.set_threshold(RARELY)  # importing modules makes many objects and no garbage
    from pipedrive_cli.cli.command_line import run  # noqa: PLC0415 - see above

    code = run()
    gc.freeze()  # no last collection at exit either: everything that was opened is closed already
    sys.exit(code)


def _show_version() -> None:
    """As `safe_stdout.put` would, which is loaded only where the reader has gone: fast, for nothing else is loaded."""
    try:
        sys.stdout.write(f"pipedrive-cli {__version__}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        from pipedrive_cli.report.safe_stdout import abandon  # noqa: PLC0415 - see above

        abandon(sys.stdout)
