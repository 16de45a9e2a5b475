"""The options that several commands share, and the form of a command's help."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from pipedrive_cli.cli.endings import error_of
from pipedrive_cli.report.safe_text import encodable

RUN_CODES = """\
Exit codes: 0 every event is handled; 1 some were rejected or failed; 2 a mistake on the command line or in the config,
nothing was sent; 3 the key was refused; 4 stopped early, the report ends with what to do; 5 another run is under way;
130 or 143 interrupted, run again."""


def epilog(*examples: str, codes: str = "") -> str:
    """The text below the options in a command's help: examples, one a line, and exit codes."""
    lines = "".join(f"\n  pipedrive-cli {example}" for example in examples)
    return f"\b\nExamples:{lines}" + (f"\n\n{codes}" if codes else "")


def brakes(
    *, created: int | None = None, updated: int | None = None, merged: int | None = None, deleted: int | None = None
) -> dict[Any, int]:
    """The brakes that were given on the command line."""
    given = {"created": created, "updated": updated, "merged": merged, "deleted": deleted}
    return {done: limit for done, limit in given.items() if limit is not None}


def completing(*words: str) -> Callable[[str], list[str]]:
    """A function with which the shell completes a word to one of `words`."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completes the name of a run: runs of the journal that is named, else of all journals, the newest first."""
    from pipedrive_cli.cli.runs_command import names  # noqa: PLC0415 - only where the shell asks for them

    # Not every version of Typer converts the values of a line that is being completed.
    state, config = (None if given is None else Path(given) for given in map(ctx.params.get, ("state", "config")))
    return [name for name in names(state, config) if name.startswith(incomplete)]


PLANS = completing("lite", "growth", "premium", "ultimate")

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...", help="Files, folders, globs, s3://, gs:// or az:// URLs, or - for standard input."
    ),
]
ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="PIPEDRIVE_CLI_CONFIG", help="The config file.", metavar="FILE")
]
Sandboxed = Annotated[
    bool, typer.Option("--sandbox", help="Use an embedded, empty Pipedrive instead of an account: no key, no network.")
]
State = Annotated[Path | None, typer.Option("--state", metavar="FILE", help="Where the journal lives.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="Take up at most N events not handled before.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="T", help="Only events from T on: ISO 8601, or an age such as 24h.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="T", help="Only events before T.")]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        autocompletion=completing("identify", "group", "alias", "track", "page", "screen"),
        help="Only events of this type: identify, group, alias, track. May be given again.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="NAME", help="Only track events of this name. May be given again."),
]
Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="ID", help="Only events of this user. May be given again.")
]
RowsAs = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="TYPE",
        autocompletion=completing("identify", "group", "track"),
        help="The sources are tables (CSV, Parquet): each row is an event of this type, its columns are the traits.",
    ),
]
IdColumn = Annotated[
    str | None, typer.Option("--id", metavar="COLUMN", help="With --as: the column of the user id (group id).")
]
TimeColumn = Annotated[str | None, typer.Option("--time", metavar="COLUMN", help="With --as: the column of the time.")]
MessageIdColumn = Annotated[
    str | None,
    typer.Option(
        "--message-id", metavar="COLUMN", help="With --as: the column by which a row is known again. Track needs it."
    ),
]
Refill = Annotated[bool, typer.Option("--refill", help="Take up again events that were handled under another mapping.")]
Rejects = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Write rejected and failed events here, to be mended and replayed."),
]
Results = Annotated[
    Path | None,
    typer.Option("--results", metavar="FILE", help="Write one line of JSON for each event here: what became of it."),
]
Redacted = Annotated[
    bool,
    typer.Option("--redact", help="Show users and values as short hashes: in reports, in the log and on the terminal."),
]
Reread = Annotated[
    bool, typer.Option("--reread", help="Read files again that were found in a folder and read to their end before.")
]
Reports = Annotated[
    list[Path] | None,
    typer.Option("--report", metavar="FILE", help="Write the report here too: .json or .html. May be given again."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, metavar="N", help="Stop before spending more API tokens.")
]
Deadline = Annotated[
    str | None, typer.Option("--deadline", metavar="DURATION", help="Stop after this long: 90s, 30m, 2h.")
]
MaxFailures = Annotated[
    int | None, typer.Option("--max-failures", min=1, metavar="N", help="Stop once N events have failed.")
]
MaxCreated = Annotated[
    int | None, typer.Option("--max-created", min=0, metavar="N", help="Stop before creating more records than N.")
]
MaxUpdated = Annotated[
    int | None, typer.Option("--max-updated", min=0, metavar="N", help="Stop before updating more records than N.")
]
MaxMerged = Annotated[
    int | None, typer.Option("--max-merged", min=0, metavar="N", help="Stop before merging more records than N.")
]
MaxDeleted = Annotated[
    int | None, typer.Option("--max-deleted", min=0, metavar="N", help="Stop before deleting more records than N.")
]
Waiting = Annotated[
    bool, typer.Option("--wait", help="When the day's budget is spent, sleep until it is back instead of stopping.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing when all goes well.")]
MetricsFile = Annotated[
    Path | None,
    typer.Option("--metrics", metavar="FILE", help="Write figures for Prometheus here: a textfile, for node_exporter."),
]


class LogFormat(StrEnum):
    """The format of stderr."""

    text = "text"
    json = "json"


Logged = Annotated[
    LogFormat,
    typer.Option("--log-format", metavar="FORMAT", help="text, or json: stderr becomes one JSON object a line."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show every known example of a problem.")]

_BRACKETED = re.compile(r"^[{\[]+([A-Z]+(?:\.\.\.)?)[}\]]+(?:\.\.\.)?$")
_PYTHON_TYPE = re.compile(r" <(?:list\[)?str\]?>")


_typed: ContextVar[str] = ContextVar("typed", default="")


def typed_options() -> str:
    """The options of the command that runs, as one would type them; the arguments are not among them."""
    return _typed.get()


def _options_of(ctx: Any) -> str:
    words: list[str] = []
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name)
        if parameter.param_type_name != "option" or source is None or source.name != "COMMANDLINE":
            continue
        name, value = max(parameter.opts, key=len), ctx.params[parameter.name]
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [name] if parameter.is_flag else [name, shlex.quote(encodable(str(each)))]
    return " ".join(words)


class PlainCommand(TyperCommand):
    """A command whose help has arguments as people write them: without Python's types, and each bracket once.

    Typer writes `{SOURCE...}...` and `<list[str]>`; older versions of it do neither.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [_BRACKETED.sub(_argument, piece) for piece in super().collect_usage_pieces(ctx)]

    def invoke(self, ctx: Any) -> Any:
        _typed.set(_options_of(ctx))
        return super().invoke(ctx)

    def get_help(self, ctx: Any) -> str:
        return _PYTHON_TYPE.sub(lambda found: " " * len(found[0]), super().get_help(ctx))


ORDER = [
    "init",
    "check",
    "preview",
    "rehearse",
    "replay",
    "retry",
    "test",
    "runs",
    "schedule",
    "compact",
    "forget",
    "fields",
    "sandbox",
    "schema",
]


class Commands(TyperGroup):
    """All commands; help lists them in the order in which people need them.

    A signal becomes an error here, while the command line is read as while a command runs: Typer would make an exit
    code of its own of it, the same for Ctrl-C and SIGTERM, and nobody would be told.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def make_context(self, *args: Any, **named_args: Any) -> Any:
        with _signals_as_errors():
            return super().make_context(*args, **named_args)

    def invoke(self, ctx: Any) -> Any:
        with _signals_as_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def _signals_as_errors() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise error_of(interrupt) or interrupt from interrupt


def _argument(found: re.Match[str]) -> str:
    return found[1] if found[0].startswith("{") else f"[{found[1]}]"
