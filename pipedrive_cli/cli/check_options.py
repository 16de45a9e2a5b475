"""The command `check` with its options. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated

import typer

from pipedrive_cli.cli.options import (
    ConfigFile,
    IdColumn,
    MessageIdColumn,
    Quiet,
    Redacted,
    Reread,
    RowsAs,
    Sandboxed,
    TimeColumn,
    Verbose,
)


def check(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help="Events to look at too: files, folders, globs, or -."),
    ] = None,
    config: ConfigFile = Path("config.yaml"),
    sandbox: Sandboxed = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at the config, and at events, without the account: needs no key.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Look at every event; otherwise at some 50,000, from the beginnings of files.")
    ] = False,
    reread: Reread = False,
    rows_as: RowsAs = None,
    id_: IdColumn = None,
    time_: TimeColumn = None,
    message_id: MessageIdColumn = None,
    redact: Redacted = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON object.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Say before a run what would fail in it.

    The config, the API token, the account, and the events of SOURCE... if any. It writes nothing. Without a key it ends
    with exit code 2, unless --offline is given.
    """
    from pipedrive_cli.cli import check_command  # noqa: PLC0415 - the other commands need none of it

    return check_command.run_check(
        config,
        sources or (),
        sandbox=sandbox,
        offline=offline,
        every=every,
        as_json=as_json,
        quiet=quiet,
        verbose=verbose,
        redact=redact,
        reread=reread,
        columns=(rows_as, id_, time_, message_id),
    )
