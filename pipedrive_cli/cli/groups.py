"""The commands with subcommands: `runs` and `fields`. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipedrive_cli.cli.options import (
    MaxDeleted,
    MaxTokens,
    MaxUpdated,
    PlainCommand,
    Redacted,
    complete_run,
    completing,
    epilog,
)

DEFAULT_CONFIG = Path("config.yaml")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="PIPEDRIVE_CLI_CONFIG",
        metavar="FILE",
        help="The config file; config.yaml unless another is named.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", help="The journal; by default the config's, or the only one there is."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class ListsByDefault(TyperGroup):
    """A group whose default command is `list`: `runs --json` means `runs list --json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (self._meant(args[0]) or args[0] in ctx.help_option_names)
        undecided = ctx.resilient_parsing and not args  # the shell is completing the first word
        return super().parse_args(ctx, args if named or undecided else ["list", *args])

    def _meant(self, word: str) -> bool:
        """Whether a first word is a command, or can only be a slip of one."""
        from difflib import get_close_matches  # noqa: PLC0415 - only words that are no command need it

        takes_words = any(parameter.param_type_name == "argument" for parameter in self.commands["list"].params)
        return word in self.commands or (
            not word.startswith("-") and (not takes_words or bool(get_close_matches(word, self.commands)))
        )

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Completions of the first word: a command, or a word or option of the default command `list`."""
        unnamed = self.commands["list"]
        inner = unnamed.make_context("list", [], parent=ctx, resilient_parsing=True)
        offered = [*super().shell_complete(ctx, incomplete), *unnamed.shell_complete(inner, incomplete)]
        for parameter in unnamed.params:
            if parameter.param_type_name == "argument" and not incomplete.startswith("-"):
                offered += parameter.shell_complete(inner, incomplete)
        return list({item.value: item for item in offered}.values())


runs = typer.Typer(
    cls=ListsByDefault,
    help="Past runs: list, show, undo, forget them; find an event.",
    rich_markup_mode=None,
    epilog=epilog("runs", "runs show", "runs show --html last-run.html"),
)


@runs.command("list", cls=PlainCommand, epilog=epilog("runs", "runs --json"))
def list_runs(state: State = None, config: Config = None, as_json: AsJson = False) -> int:
    """List past runs, newest first. It is what `runs` alone does."""
    from pipedrive_cli.cli import runs_command  # noqa: PLC0415 - the other commands need none of it

    return runs_command.show_runs_list(state, config, as_json=as_json)


@runs.command("show", cls=PlainCommand, epilog=epilog("runs show --records", "runs show 7f3a --html run.html"))
def show_run(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            autocompletion=complete_run,
            help="Its name, the beginning or end of it, or `last`. [default: the latest]",
        ),
    ] = None,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page.")] = None,
    records: Annotated[bool, typer.Option("--records", help="Show the records it created, with links.")] = False,
    redact: Redacted = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every known example of a problem.")] = False,
) -> int:
    """Show a run's report as it was at its end."""
    from pipedrive_cli.cli import runs_command  # noqa: PLC0415 - the other commands need none of it

    return runs_command.show_one_run(
        run, state, config, as_json=as_json, page=html, records=records, verbose=verbose, redact=redact
    )


@runs.command("events", cls=PlainCommand, epilog=epilog("runs events m-1003", "runs events --user u-17 --json"))
def show_events(
    message_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The message id of an event.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="A user id: the record, its names, and what was written.")
    ] = None,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Show what became of an event, or what is known of a user.

    Of a user: the record, its names, and each field with its time.
    """
    from pipedrive_cli.cli import runs_command  # noqa: PLC0415 - the other commands need none of it

    return runs_command.show_known(message_id, user, state, config, as_json=as_json)


@runs.command("undo", cls=PlainCommand, epilog=epilog("runs undo 7f3a --dry-run", "runs undo 7f3a --kinds leads"))
def undo_run(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", autocompletion=complete_run, help="Its name, the beginning or end of it, or `last`."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be undone and kept, and write nothing.")
    ] = False,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kinds", metavar="KIND", help="Only this kind of record; may be given again."),
    ] = None,
    max_tokens: MaxTokens = None,
    max_deleted: MaxDeleted = None,
    max_updated: MaxUpdated = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Take a run back.

    What it created is deleted, and what it replaced is given back. What was touched since is kept.
    """
    from pipedrive_cli.cli.undo_command import UndoAsked, take_back  # noqa: PLC0415 - the other commands need none of it

    asked = UndoAsked(run, dry_run, tuple(kinds or ()), max_tokens, max_deleted, max_updated, yes, as_json)
    return take_back(state, config or DEFAULT_CONFIG, asked)


@runs.command("prune", cls=PlainCommand, epilog=epilog("runs prune --keep 50 --older-than 90d"))
def prune_runs(
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="N", help="Forget none of the newest N runs.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Forget only runs older than this: 90d, 12w.")
    ] = None,
    undoable: Annotated[
        bool, typer.Option("--undoable", help="Forget runs too that `runs undo` could still take back.")
    ] = False,
    state: State = None,
    config: Config = None,
) -> int:
    """Forget old runs' reports. What events came to stays known: nothing is sent twice because of this.

    Runs of the last 30 days that `runs undo` can take back are kept.
    """
    from pipedrive_cli.cli import runs_command  # noqa: PLC0415 - the other commands need none of it

    return runs_command.prune_old_runs(state, config, keep=keep, older_than=older_than, undoable=undoable)


fields = typer.Typer(
    cls=ListsByDefault,
    help="The account's custom fields: list them, make missing ones.",
    rich_markup_mode=None,
    epilog=epilog("fields", "fields persons", "fields create"),
)


@fields.command("list", cls=PlainCommand, epilog=epilog("fields persons --json"))
def list_fields(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            autocompletion=completing("persons", "organizations", "products", "leads"),
            help="persons, organizations, products or leads. [default: all]",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """List custom fields with keys, types and options. It is what `fields` alone does."""
    from pipedrive_cli.cli import fields_command  # noqa: PLC0415 - the other commands need none of it

    return fields_command.show_fields(config or DEFAULT_CONFIG, kind, as_json=as_json)


@fields.command(
    "create",
    cls=PlainCommand,
    epilog=epilog("fields create", "fields create --type 'Plan=enum:Free,Pro'", "fields create exports/ --options"),
)
def create_fields(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE...]", help="With --options: the events that need them.")
    ] = None,
    options: Annotated[
        bool, typer.Option("--options", help="Also make the options that the events need and a field lacks.")
    ] = False,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="NAME=TYPE",
            help="What is not to be text: Age=double, 'Plan=enum:Free,Pro'. May be given again.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Make the fields that the config names and the account lacks. It looks first and makes nothing twice."""
    from pipedrive_cli.cli import fields_command  # noqa: PLC0415 - the other commands need none of it

    asked = fields_command.Asked(tuple(types or ()), tuple(sources or ()), options=options)
    return fields_command.make_fields(config or DEFAULT_CONFIG, asked, yes=yes, as_json=as_json)
