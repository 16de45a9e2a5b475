"""Runs one command and turns every way in which it can end into a message and an exit code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from itertools import pairwise

import typer

from pipedrive_cli.cli.app import app
from pipedrive_cli.cli.options import LogFormat
from pipedrive_cli.errors import EXIT_INTERRUPTED, EXIT_PARTIAL, EXIT_USAGE, PipedriveCliError, UserMistake, interrupted
from pipedrive_cli.report.safe_stdout import abandon, put

_OUTPUT_LOST = {errno.ENOSPC, errno.EIO, errno.EDQUOT}
_GIVE_SUMMARY = frozenset({"replay", "retry", "preview", "rehearse"})


def run() -> int:
    """Runs one command; returns the exit code."""
    try:
        code = app(prog_name=app.info.name, standalone_mode=False)
        put(sys.stdout, "")  # flushes: an error in Python's own flush at exit would show a traceback
    except PipedriveCliError as error:
        _show(error)
        return error.exit_code
    except typer.Exit as end:
        return end.exit_code
    except (BrokenPipeError, SystemExit):  # Typer turns a BrokenPipeError that it sees into SystemExit
        abandon(sys.stdout)  # the reader of our output has gone, and has read what it wanted
        return 0
    except (KeyboardInterrupt, typer.Abort):
        _show(interrupted())
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno not in _OUTPUT_LOST:
            raise
        abandon(sys.stdout)
        lost = f"the output could not be written: {error.strerror}"
        _show(PipedriveCliError(lost, code="output", hint="if it was a run, `pipedrive-cli runs show` has its report"))
        return EXIT_PARTIAL
    except Exception as error:
        usage = _usage_error(error)
        if usage is None:
            raise
        mistake = UserMistake(getattr(error, "format_message", str)(), code="usage")
        if "--json" in sys.argv[1:]:
            _print_json(mistake, getattr(getattr(error, "ctx", None), "info_name", None))
        if json_log_wanted(sys.argv[1:]):
            _show(mistake)
        else:
            put(sys.stderr, usage)
        return EXIT_USAGE
    return int(code or 0)


def _show(error: PipedriveCliError) -> None:
    """Shows an error on stderr, as text or JSON. Reads sys.argv, because the command line itself may be wrong."""
    if json_log_wanted(sys.argv[1:]):
        from pipedrive_cli.report.log import JsonLog  # noqa: PLC0415 - few want it

        JsonLog().error(error)
        return
    from pipedrive_cli.report.console import show_error  # noqa: PLC0415 - rich is for those who need it

    show_error(error)


def _print_json(mistake: UserMistake, command: str | None) -> None:
    """Prints the object for `--json` of a command that was called wrongly."""
    from pipedrive_cli.cli import check_command, json_errors  # noqa: PLC0415 - only who calls a command wrongly needs them
    from pipedrive_cli.cli.printing import print_json  # noqa: PLC0415 - as above

    describe = (
        check_command.stopped_check
        if command == "check"
        else json_errors.stopped_summary
        if command in _GIVE_SUMMARY
        else json_errors.plain_summary
    )
    print_json(describe(mistake))


def json_log_wanted(words: Sequence[str]) -> bool:
    """Whether `--log-format json` is among the words of a command line."""
    wanted = LogFormat.json.value
    return f"--log-format={wanted}" in words or ("--log-format", wanted) in pairwise(words)


def _usage_error(error: Exception) -> str | None:
    """The message for a mistake on the command line; None for any other error."""
    show = getattr(error, "format_message", None)
    if show is None:
        return None
    if show().startswith("Usage:"):  # without any argument the message is the whole help
        return f"{show()}\n"
    context = getattr(error, "ctx", None)
    usage = f"{context.get_usage()}\n" if context is not None else ""
    where = f" (see `{context.command_path} --help`)" if context is not None else ""
    return f"{usage}{show()}{where}\n"
