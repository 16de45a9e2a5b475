"""COMMAND LINE: parse, call, render, exit. Decides nothing; what only some commands need is imported late."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script `pipedrive-cli`."""
    if sys.argv[1:] == ["--version"]:
        from pipedrive_cli import __version__  # noqa: PLC0415 - answers without loading anything else

        sys.stdout.write(f"pipedrive-cli {__version__}\n")
        return
    from pipedrive_cli.cli.app import run  # noqa: PLC0415 - see above

    sys.exit(run())
