"""With `--json` a command that comes to nothing prints one JSON object too: a script reads why instead of nothing."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeAlias

import typer

from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import ConfigProblems, PipedriveCliError, interrupted
from pipedrive_cli.report.summary import VERSION, ProblemGroup, Summary, config_group, problem_group
from pipedrive_cli.run.results import cut_short, new_run_name

P = ParamSpec("P")
Command: TypeAlias = Callable[P, int]


@contextlib.contextmanager
def told_as_json(as_json: bool, told: Callable[[PipedriveCliError], Any] | None = None) -> Iterator[None]:
    """Prints what `told` makes of an error (a plain object by default) and lets it go on: people read it on stderr.

    Ctrl-C counts as one. What is within must print nothing itself.
    """
    try:
        yield
    except PipedriveCliError as error:
        if as_json:
            print_json((told or plain_summary)(error))
        raise
    except (KeyboardInterrupt, typer.Abort):
        if as_json:
            print_json((told or plain_summary)(interrupted()))
        raise


def tells_stops(told: Callable[[PipedriveCliError], Any] | None = None) -> Callable[[Command[P]], Command[P]]:
    """`told_as_json` around a command that is called with `as_json=`."""

    def around(command: Command[P]) -> Command[P]:
        @functools.wraps(command)
        def telling(*args: P.args, **named_args: P.kwargs) -> int:
            with told_as_json(bool(named_args.get("as_json")), told):
                return command(*args, **named_args)

        return telling

    return around


def stopped_summary(error: PipedriveCliError, live_figures: LiveFigures | None = None) -> Summary:
    """For commands that give one: no run came of it, or not to its end."""
    counted = live_figures or LiveFigures()
    return cut_short(error, problems_of_stop(error), counted, counted.run or new_run_name(datetime.now(UTC)))


def plain_summary(error: PipedriveCliError) -> dict[str, Any]:
    """For commands that give no summary."""
    return {
        "version": VERSION,
        "status": "stopped",
        "exit_code": error.exit_code,
        "reason": error.code,
        "problems": problems_of_stop(error),
    }


def problems_of_stop(error: PipedriveCliError) -> tuple[ProblemGroup, ...]:
    """An error as a report's problems: every mistake of a config, or the one thing that went wrong."""
    if isinstance(error, ConfigProblems):
        return tuple(config_group(error.file, problem) for problem in error.problems)
    return (problem_group(error.code, None, 1, message=error.message, hint=error.hint),)
