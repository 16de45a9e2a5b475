"""With `--json` a command that fails prints one JSON object, too, so that a script can read the reason."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeAlias

from pipedrive_cli.cli.endings import error_of
from pipedrive_cli.cli.interrupts import pass_over_signals
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import ConfigProblems, PipedriveCliError
from pipedrive_cli.report.summary import VERSION, ProblemGroup, Summary, config_group, problem_group
from pipedrive_cli.run.results import cut_short, new_run_name

P = ParamSpec("P")
Command: TypeAlias = Callable[P, int]
Describe: TypeAlias = Callable[[PipedriveCliError], Any]


@contextlib.contextmanager
def errors_as_json(as_json: bool, describe: Describe | None = None) -> Iterator[None]:
    """Prints an error as JSON, in the form of `describe` (by default `plain_summary`), and raises it again.

    Every exception counts as an error, a signal and a fault of our own too. The code within must not print to stdout.
    """
    try:
        yield
    except BaseException as exception:
        error = error_of(exception)
        if error is None:
            raise
        pass_over_signals()
        if as_json:
            print_json((describe or plain_summary)(error))
        if error is exception:
            raise
        raise error from exception


def prints_errors(describe: Describe | None = None) -> Callable[[Command[P]], Command[P]]:
    """Wraps a command that has a parameter `as_json` in `errors_as_json`."""

    def decorator(command: Command[P]) -> Command[P]:
        @functools.wraps(command)
        def wrapper(*args: P.args, **named_args: P.kwargs) -> int:
            with errors_as_json(bool(named_args.get("as_json")), describe):
                return command(*args, **named_args)

        return wrapper

    return decorator


def stopped_summary(error: PipedriveCliError, live_figures: LiveFigures | None = None) -> Summary:
    """The summary of a run that stopped early or never began, for commands that print a summary."""
    counted = live_figures or LiveFigures()
    return cut_short(error, problems_of_stop(error), counted, counted.run or new_run_name(datetime.now(UTC)))


def plain_summary(error: PipedriveCliError) -> dict[str, Any]:
    """The object for commands that print no summary."""
    return {
        "version": VERSION,
        "status": "stopped",
        "exit_code": error.exit_code,
        "reason": error.code,
        "problems": problems_of_stop(error),
    }


def problems_of_stop(error: PipedriveCliError) -> tuple[ProblemGroup, ...]:
    """An error as problems of a report: every mistake of a config, or the one error."""
    if isinstance(error, ConfigProblems):
        return tuple(config_group(error.file, problem, error.code) for problem in error.problems)
    return (problem_group(error.code, None, 1, message=error.message, hint=error.hint),)
