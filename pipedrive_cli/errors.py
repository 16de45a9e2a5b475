"""Errors, named by what happens next.

::

    PipedriveCliError
    ├── UserMistake          the user must act: nothing was sent (exit 2)
    │   ├── ConfigProblems   every mistake of a config at once
    │   └── SourceMissing    a file that is not there
    ├── StopRun              the run ends here, its work is recorded (the exit code says why)
    ├── StateHeld            another run of this account is under way (exit 5)
    └── ToolFault            nobody has foreseen this: a fault of the tool itself (exit 70)
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pipedrive_cli.secret import without_keys

# The codes of errors, which name why a command did not begin or a run stopped. Scripts match on them.
StopCode: TypeAlias = Literal[
    "usage", "config", "case", "output", "port", "no_stdin", "no_runs", "no_such_run", "not_known", "field_alike",
    "refused", "in_doubt",
    "no_account", "no_credentials", "credentials_unreadable", "keyring_missing", "api_token", "base_url",
    "suppress_file", "source_missing", "source_unreadable", "source_unreachable", "url_not_supported", "cloud_missing",
    "cluster", "dask_missing",
    "input_unread", "input_left", "journal", "journal_of_another_company", "rejects_file", "temporary_file",
    "state_held", "no_pipedrive", "unreachable", "firewall", "firewall_content", "asked_to_wait",
    "credentials_refused", "account_closed", "kind_refused", "look_up_failed", "day_spent", "max_tokens",
    "max_failures", "brake", "plan_changed", "deadline", "interrupted", "stopped",
    "proxy", "certificates", "folder_gone", "tool_fault",
]  # fmt: skip

EXIT_OK = 0
EXIT_PARTIAL = 1
EXIT_USAGE = 2
EXIT_CREDENTIALS = 3
EXIT_STOPPED = 4
EXIT_STATE_HELD = 5
EXIT_FAULT = 70
SIGINT = 2  # whoever a signal has ended has its number and 128 as exit code


class PipedriveCliError(Exception):
    """An error that this tool raises on purpose: a message for people, a stable code for scripts, a hint what to do."""

    exit_code = EXIT_PARTIAL

    def __init__(self, message: str, *, code: StopCode, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Programs hand errors from one process to another, and these are made with keywords, which pickle does not."""
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(kind: type[PipedriveCliError], args: tuple[Any, ...], state: dict[str, Any]) -> PipedriveCliError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UserMistake(PipedriveCliError):
    """A mistake that the user can correct. Nothing was sent.

    Its words may quote what the user wrote, a key in the wrong place too: what looks like one is not repeated.
    """

    exit_code = EXIT_USAGE

    def __init__(self, message: str, *, code: StopCode, hint: str | None = None) -> None:
        names_fields = code == "field_alike"
        super().__init__(
            message if names_fields else without_keys(message),
            code=code,
            hint=hint if hint is None or names_fields else without_keys(hint),
        )


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake in the config: `path` as in `delivery.timeout`, `line` counted from 1 where it is known."""

    path: str
    message: str
    line: int | None = None
    hint: str | None = None


class ConfigProblems(UserMistake):
    """Every mistake of a config file, or of a case of its tests, which is written in the same way."""

    def __init__(self, file: str, problems: list[ConfigProblem], *, what: Literal["config", "case"] = "config") -> None:
        count = len(problems)
        file = without_keys(file)
        super().__init__(f"{file}: {count} problem{'' if count == 1 else 's'}", code=what)
        self.file = file
        self.problems = [_without_keys(problem) for problem in problems]

    def __str__(self) -> str:
        """For a traceback: every mistake with its line."""
        lines = [
            f"line {each.line}: " * (each.line is not None) + f"{each.path}: {each.message}" for each in self.problems
        ]
        return "\n  ".join([self.message, *lines])


# Sections whose problems name fields by their keys, which look like API tokens.
NAME_FIELDS = ("fields", "identity", "leads", "products", "new_records")


def _without_keys(problem: ConfigProblem) -> ConfigProblem:
    path = without_keys(problem.path)
    if problem.path.startswith(NAME_FIELDS):
        return replace(problem, path=path)
    hint = None if problem.hint is None else without_keys(problem.hint)
    return replace(problem, path=path, message=without_keys(problem.message), hint=hint)


class SourceMissing(UserMistake):
    """A file, folder or glob named on the command line is not there."""


class StopRun(PipedriveCliError):
    """The run stops: what was sent is recorded, the rest is pending.

    `resume_in` is how many seconds to wait before the next run, None where that is unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        code: StopCode,
        exit_code: int = EXIT_STOPPED,
        hint: str | None = None,
        resume_in: float | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.exit_code = exit_code
        self.resume_in = resume_in


class StateHeld(PipedriveCliError):
    """Another run holds this account's journal."""

    exit_code = EXIT_STATE_HELD


class ToolFault(PipedriveCliError):
    """An exception that nobody has foreseen. `kind` is its type, `place` where in our code it came up.

    Its own text is not told: it may hold data of events, or the key.
    """

    exit_code = EXIT_FAULT

    def __init__(self, kind: str, place: str) -> None:
        super().__init__(
            f"pipedrive-cli has met a fault of its own: {kind} in {place}",
            code="tool_fault",
            hint="please report it as an issue of pipedrive-cli, with this line, the version and the command. "
            "Nothing is lost: what was sent is in the journal, and the same command goes on from there",
        )


OURS = Path(__file__).parent


def fault_of(exception: BaseException) -> ToolFault:
    """An exception that nobody has foreseen, as an error with the place in our code where it came up."""
    for frame in reversed(traceback.extract_tb(exception.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(OURS):
            return ToolFault(type(exception).__name__, f"{file.relative_to(OURS).as_posix()}:{frame.lineno}")
    return ToolFault(type(exception).__name__, "a library")


def error_in(exception: BaseException) -> PipedriveCliError:
    """The error that an exception is or holds: one that was foreseen before a fault of the tool itself."""
    if isinstance(exception, BaseExceptionGroup):
        found = [error_in(each) for each in exception.exceptions]
        return next((each for each in found if not isinstance(each, ToolFault)), found[0])
    return exception if isinstance(exception, PipedriveCliError) else fault_of(exception)


def interrupted(signal: int = SIGINT, told: str = "nothing was sent") -> StopRun:
    """The error for a signal that ends a command. `told` is what had been done by then."""
    return StopRun(f"interrupted: {told}", code="interrupted", exit_code=128 + signal)
