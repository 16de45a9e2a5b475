"""The command `forget` with its options. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated

import typer

from pipedrive_cli.cli.options import ConfigFile, MaxDeleted, MaxTokens, State, brakes


def forget(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ID|EMAIL...]", help="User ids and emails of people.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A file of them, in the form of `privacy.suppress`.")
    ] = None,
    config: ConfigFile = Path("config.yaml"),
    state: State = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    max_tokens: MaxTokens = None,
    max_deleted: MaxDeleted = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON object.")] = False,
) -> int:
    """Forget people who asked for it.

    They go out of Pipedrive, out of the journal, and out of every later run.
    It deletes the persons and the leads that this tool made for them, and shows them before it asks. Run it again to
    go on where it ended.
    """
    from pipedrive_cli.cli import forget_command  # noqa: PLC0415 - the other commands need none of it

    return forget_command.run_forget(
        config,
        tuple(names or ()),
        file,
        state=state,
        dry_run=dry_run,
        yes=yes,
        max_tokens=max_tokens,
        brakes=brakes(deleted=max_deleted),
        as_json=as_json,
    )
