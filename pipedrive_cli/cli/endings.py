"""However a command ends: any exception as an error with a message and an exit code, and what has been told already."""

from __future__ import annotations

import errno
from contextvars import ContextVar
from dataclasses import dataclass

import typer

from pipedrive_cli.cli.interrupts import signal_of
from pipedrive_cli.errors import PipedriveCliError, ToolFault, UserMistake, fault_of, interrupted

OUTPUT_LOST = {errno.ENOSPC, errno.EIO, errno.EDQUOT}


@dataclass(slots=True)
class Told:
    """What one command has told programs: its JSON object, its metrics. Each is told once, however the command ends."""

    json: bool = False
    metrics: bool = False


told: ContextVar[Told] = ContextVar("told", default=Told())  # noqa: B039 - a command sets its own


def error_of(exception: BaseException) -> PipedriveCliError | None:
    """The error that an exception stands for; None where the command ends in order (help, a reader who has gone)."""
    match exception:
        case BaseExceptionGroup():
            errors = [error_of(each) for each in exception.exceptions]
            # What somebody has foreseen, or asked for, tells more than what it led to.
            return next((error for error in errors if not isinstance(error, ToolFault)), errors[0])
        case PipedriveCliError():
            return exception
        case KeyboardInterrupt() | typer.Abort():
            return interrupted(signal_of(exception))
        case typer.Exit() | SystemExit() | BrokenPipeError():
            return None
        case OSError() if exception.errno in OUTPUT_LOST:
            lost = f"the output could not be written: {exception.strerror}"
            return PipedriveCliError(
                lost, code="output", hint="if it was a run, `pipedrive-cli runs show` has its report"
            )
        case _ if (message := getattr(exception, "format_message", None)) is not None:  # the parser's
            return UserMistake(message(), code="usage")
        case _:
            return fault_of(exception)
