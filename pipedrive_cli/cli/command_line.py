"""Runs one command and turns every way in which it can end into a message and an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import typer

from pipedrive_cli.cli.app import app
from pipedrive_cli.cli.endings import Told, error_of, told
from pipedrive_cli.cli.interrupts import pass_over_signals, raise_signals
from pipedrive_cli.cli.options import LogFormat
from pipedrive_cli.errors import PipedriveCliError, ToolFault, UserMistake
from pipedrive_cli.report.safe_stdout import abandon, put
from pipedrive_cli.secret import without_keys

LEAST_SIZE = 10  # columns or lines
_GIVE_SUMMARY = frozenset({"replay", "retry", "preview", "rehearse"})


def run() -> int:
    """Runs one command; returns the exit code."""
    told.set(Told())
    try:
        raise_signals()
        must_have_folder()
        forget_odd_sizes()
        code = app(prog_name=app.info.name, standalone_mode=False)
        pass_over_signals()
        put(sys.stdout, "")  # flushes: an error in Python's own flush at exit would show a traceback
    except typer.Exit as end:
        return end.exit_code
    except (BrokenPipeError, SystemExit):  # Typer turns a BrokenPipeError that it sees into SystemExit
        abandon(sys.stdout)  # the reader of our output has gone, and has read what it wanted
        return 0
    except BaseException as exception:  # noqa: BLE001 - every end has its message and its exit code
        pass_over_signals()
        return _tell(exception, sys.argv[1:])
    return int(code or 0)


def must_have_folder() -> None:
    """Raises UserMistake where the folder in which the command was started is gone: no relative name means anything."""
    try:
        Path.cwd()
    except OSError:
        raise UserMistake(
            "the folder in which this was started does not exist any more",
            code="folder_gone",
            hint="cd to one that does",
        ) from None


def forget_odd_sizes() -> None:
    """Takes sizes that are none out of the environment: libraries take every digit of any script for a number."""
    for name in ("COLUMNS", "LINES"):
        text = os.environ.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) >= LEAST_SIZE):
            os.environ.pop(name, None)


def _tell(exception: BaseException, words: Sequence[str]) -> int:
    """Tells people and programs why a command came to nothing; returns the exit code.

    Reads the words of the command line, which may be wrong itself.
    """
    error = error_of(exception) or ToolFault(type(exception).__name__, "its end")
    if error.code == "output":
        abandon(sys.stdout)
    elif "--json" in words and not told.get().json:
        _print_json(error, words)
    if (path := _value_of("--metrics", words)) is not None and not told.get().metrics:
        from pipedrive_cli.cli.metrics_file import write_metrics_of_error  # noqa: PLC0415 - few want it

        write_metrics_of_error(Path(path), error.exit_code, _note)
    usage = None if json_log_wanted(words) else _usage_error(exception)
    try:
        if usage is None:
            _show(error)
        else:
            put(sys.stderr, without_keys(usage))
    except OSError:
        abandon(sys.stderr)  # there is nobody left to be told
    return error.exit_code


def _show(error: PipedriveCliError) -> None:
    """Shows an error on stderr, as text or JSON."""
    if json_log_wanted(sys.argv[1:]):
        from pipedrive_cli.report.log import JsonLog  # noqa: PLC0415 - few want it

        JsonLog().error(error)
        return
    from pipedrive_cli.report.console import show_error  # noqa: PLC0415 - rich is for those who need it

    show_error(error)


def _note(text: str) -> None:
    from pipedrive_cli.report.console import show_note  # noqa: PLC0415 - as above

    show_note(text)


def _print_json(error: PipedriveCliError, words: Sequence[str]) -> None:
    """Prints the object for `--json` of a command that could not print its own."""
    from pipedrive_cli.cli import check_command, json_errors  # noqa: PLC0415 - only who calls a command wrongly needs them
    from pipedrive_cli.cli.printing import print_json  # noqa: PLC0415 - as above

    command = next((word for word in words if not word.startswith("-")), None)
    describe = (
        check_command.stopped_check
        if command == "check"
        else json_errors.stopped_summary
        if command in _GIVE_SUMMARY
        else json_errors.plain_summary
    )
    print_json(describe(error))


def _value_of(option: str, words: Sequence[str]) -> str | None:
    """The value that a command line gives to an option, if any; the last one counts."""
    values = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    values += [value for word, value in pairwise(words) if word == option]
    return values[-1] if values else None


def json_log_wanted(words: Sequence[str]) -> bool:
    """Whether `--log-format json` is among the words of a command line."""
    wanted = LogFormat.json.value
    return f"--log-format={wanted}" in words or ("--log-format", wanted) in pairwise(words)


def _usage_error(error: BaseException) -> str | None:
    """The message for a mistake on the command line; None for any other error."""
    show = getattr(error, "format_message", None)
    if show is None:
        return None
    if show().startswith("Usage:"):  # without any argument the message is the whole help
        return f"{show()}\n"
    context = getattr(error, "ctx", None)
    usage = f"{context.get_usage()}\n" if context is not None else ""
    message = _elsewhere(error) or re.sub(r"is not a valid int(eger|)( range|)\.", "is no whole number.", show())
    where = f" (see `{context.command_path} --help`)" if context is not None else ""
    return f"{usage}{message}{where}\n"


def _elsewhere(error: BaseException) -> str | None:
    """The message for an option that other commands have; None where no command has it, or it is no such mistake."""
    option = getattr(error, "option_name", None)
    if option is None or not hasattr(error, "possibilities"):
        return None
    having = [
        f"`{name}`"
        for name, command in getattr(typer.main.get_command(app), "commands", {}).items()
        if any(option in parameter.opts for parameter in command.params)
    ]
    return f"No such option: {option}. It is one of {', '.join(having)}." if having else None
