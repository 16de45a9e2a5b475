"""COMMAND LINE: parse, call, render, exit. Decides nothing; what only some commands need is imported late."""

from __future__ import annotations

import os
import sys

from pipedrive_cli import __version__
from pipedrive_cli.report.unread import flush


def main() -> None:
    """The console script `pipedrive-cli`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: what is written there goes nowhere
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"pipedrive-cli {__version__}\n")  # answers without loading anything else
        code = 0
    else:
        from pipedrive_cli.cli.app import run  # noqa: PLC0415 - see above

        code = run()
    if (why := flush(sys.stdout)) is not None:
        sys.stderr.write(f"the output could not be written: {why}\n")
        code = code or 1
    sys.exit(code)
