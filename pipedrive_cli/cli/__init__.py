"""COMMAND LINE: parse, call, render, exit. Decides nothing; what only some commands need is imported late."""

from __future__ import annotations

import gc
import os
import sys

from pipedrive_cli import __version__
from pipedrive_cli.report.safe_stdout import put

RARELY = 100_000  # objects made between two looks for garbage


def main() -> None:
    """The console script `pipedrive-cli`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: what is written there goes nowhere
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    if sys.argv[1:] == ["--version"]:
        put(sys.stdout, f"pipedrive-cli {__version__}\n")  # answers without loading anything else
        return
    gc.set_threshold(RARELY)  # what modules are made of is no garbage, however often one looks
    from pipedrive_cli.cli.command_line import run  # noqa: PLC0415 - see above

    code = run()
    gc.freeze()  # nor is it worth a last look: whoever opens something closes it
    sys.exit(code)
