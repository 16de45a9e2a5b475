"""The command `compact` with its options. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated

import typer

from pipedrive_cli.cli.options import (
    ConfigFile,
    IdColumn,
    MessageIdColumn,
    Names,
    Quiet,
    RowsAs,
    Sandboxed,
    Since,
    Sources,
    TimeColumn,
    Types,
    Until,
    Users,
)


def compact(
    sources: Sources,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write: events.ndjson.gz, or .ndjson.")
    ],
    config: ConfigFile = Path("config.yaml"),
    sandbox: Sandboxed = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no account what its fields take. So it is without a key, too.")
    ] = False,
    all_traits: Annotated[
        bool, typer.Option("--all-traits", help="Keep the newest event of every trait that is not mapped, too.")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Fold on the Dask cluster with this scheduler, such as tcp://host:8786. Its workers read the archive.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    type_: Types = None,
    event: Names = None,
    user: Users = None,
    rows_as: RowsAs = None,
    id_: IdColumn = None,
    time_: TimeColumn = None,
    message_id: MessageIdColumn = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON object.")] = False,
    quiet: Quiet = False,
) -> int:
    """Fold an archive into the smallest file with the same effect.

    What the config does not use and what newer events say anew is left out. Replay the file under the same config. The
    same command goes on where a killed one ended.
    """
    from pipedrive_cli.cli import compact_command  # noqa: PLC0415 - the other commands need none of it
    from pipedrive_cli.cli.json_errors import errors_as_json  # noqa: PLC0415 - as above
    from pipedrive_cli.run import filtering  # noqa: PLC0415 - as above
    from pipedrive_cli.run.compact import CompactOptions  # noqa: PLC0415 - as above

    with errors_as_json(as_json, compact_command.stopped_compaction):
        filters = filtering.filters(since=since, until=until, types=type_, names=event, users=user)
        rows = filtering.row_form(rows_as, id_, time_, message_id)
    return compact_command.run_compact(
        config,
        CompactOptions(
            tuple(sources),
            output,
            sandbox=sandbox,
            offline=offline,
            filters=filters,
            rows=rows,
            all_traits=all_traits,
            dask=dask,
        ),
        as_json=as_json,
        quiet=quiet,
    )
