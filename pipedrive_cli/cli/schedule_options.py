"""The command `schedule` with its options. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated

import typer

from pipedrive_cli.cli.options import ConfigFile, Sources, State, completing


def schedule(
    scheduler: Annotated[
        str,
        typer.Argument(
            metavar="SCHEDULER",
            autocompletion=completing("cron", "systemd", "kubernetes", "github"),
            help="cron, systemd, kubernetes or github.",
        ),
    ],
    sources: Sources,
    config: ConfigFile = Path("config.yaml"),
    state: State = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="FOLDER", help="For the log, the figures and rejected events. [default: the config's]"
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What the schedule and its files are called.")
    ] = "pipedrive-import",
    image: Annotated[
        str, typer.Option("--image", metavar="IMAGE", help="For kubernetes: an image with pipedrive-cli in it.")
    ] = "pipedrive-cli",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it here, a file or a folder, instead of printing it."
        ),
    ] = None,
) -> int:
    """Print what runs a replay every hour, for cron and others.

    With the absolute paths of this machine. The key is not in it: its comments say where it goes.
    """
    from pipedrive_cli.cli.schedule_command import ScheduleOptions, run_schedule  # noqa: PLC0415 - the other commands need none of it

    return run_schedule(scheduler, sources, config, ScheduleOptions(state, folder, name, image, output))
