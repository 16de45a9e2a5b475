"""The commands and their options. A command parses, calls, renders and exits; nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipedrive_cli.cli import (
    check_options,
    compact_options,
    forget_options,
    groups,
    init_options,
    sandbox_options,
    schedule_options,
)
from pipedrive_cli.cli.options import (
    PLANS,
    RUN_CODES,
    AsJson,
    Commands,
    ConfigFile,
    Deadline,
    IdColumn,
    Limit,
    LogFormat,
    Logged,
    MaxCreated,
    MaxDeleted,
    MaxFailures,
    MaxMerged,
    MaxTokens,
    MaxUpdated,
    MessageIdColumn,
    MetricsFile,
    Names,
    PlainCommand,
    Quiet,
    Redacted,
    Refill,
    Rejects,
    Reports,
    Reread,
    Results,
    RowsAs,
    Sandboxed,
    Since,
    Sources,
    State,
    TimeColumn,
    Types,
    Until,
    Users,
    Verbose,
    Waiting,
    brakes,
    complete_run,
    completing,
    epilog,
    typed_options,
)
from pipedrive_cli.report.safe_stdout import put
from pipedrive_cli.version import __version__

app = typer.Typer(
    cls=Commands,
    name="pipedrive-cli",
    help="Replay files of customer events (RudderStack, Segment, NDJSON) into the CRM Pipedrive: no duplicates, "
    "within the API budget, and every event accounted for.",
    epilog=epilog(
        "init events.ndjson",
        "preview events.ndjson",
        "replay events.ndjson --limit 20",
        codes="Each command says more: pipedrive-cli replay --help.",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables could show an API token
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        put(sys.stdout, f"pipedrive-cli {__version__}\n")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


@app.command(
    cls=PlainCommand,
    epilog=epilog(
        "replay events.ndjson --limit 20",
        "replay exports/ --rejects bad.rejects.ndjson --report run.html",
        "replay exports/ --quiet --metrics pipedrive.prom",
        "replay - --json < events.ndjson",
        "replay people.csv --as identify --id user_id --time updated_at",
        codes=RUN_CODES,
    ),
)
def replay(
    sources: Sources,
    config: ConfigFile = Path("config.yaml"),
    sandbox: Sandboxed = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `preview`: nothing is sent.")] = False,
    state: State = None,
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    type_: Types = None,
    event: Names = None,
    user: Users = None,
    rows_as: RowsAs = None,
    id_: IdColumn = None,
    time_: TimeColumn = None,
    message_id: MessageIdColumn = None,
    reread: Reread = False,
    refill: Refill = False,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="PLAN", help="Send the plan that `preview --online` has named, or nothing."),
    ] = None,
    rejects: Rejects = None,
    results: Results = None,
    report: Reports = None,
    redact: Redacted = False,
    max_tokens: MaxTokens = None,
    deadline: Deadline = None,
    max_failures: MaxFailures = None,
    max_created: MaxCreated = None,
    max_updated: MaxUpdated = None,
    max_merged: MaxMerged = None,
    max_deleted: MaxDeleted = None,
    wait: Waiting = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: Logged = LogFormat.text,
    metrics: MetricsFile = None,
) -> int:
    """Bring events into Pipedrive.

    Run it again at any time: what is done is not done twice.
    """
    from pipedrive_cli.cli import json_errors, output, replay_command  # noqa: PLC0415 - the other commands need none of it
    from pipedrive_cli.run import filtering  # noqa: PLC0415 - as above
    from pipedrive_cli.run.options import RunOptions  # noqa: PLC0415 - as above

    with json_errors.errors_as_json(as_json, json_errors.stopped_summary):
        within = filtering.seconds("--deadline", deadline)
        filters = filtering.filters(since=since, until=until, types=type_, names=event, users=user)
        rows = filtering.row_form(rows_as, id_, time_, message_id)
    shared: dict[str, Any] = {"sources": tuple(sources), "limit": limit, "filters": filters, "rows": rows}
    if dry_run:
        from pipedrive_cli.cli.preview_command import left_aside, preview_events  # noqa: PLC0415 - as above

        left_aside(expect=expect, rejects=rejects, results=results, report=report, metrics=metrics)
        return preview_events(
            config,
            sandbox=sandbox,
            refill=refill,
            state=state,
            reread=reread,
            as_json=as_json,
            verbose=verbose,
            redact=redact,
            **shared,
        )
    return replay_command.run_replay(
        config,
        RunOptions(
            sandbox=sandbox,
            state=state,
            rejects=rejects,
            results=results,
            max_tokens=max_tokens,
            deadline=within,
            max_failures=max_failures,
            brakes=brakes(created=max_created, updated=max_updated, merged=max_merged, deleted=max_deleted),
            wait=wait,
            reread=reread,
            refill=refill,
            expect=expect,
            typed=typed_options(),
            **shared,
        ),
        output.OutputOptions(
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
            reports=tuple(report or ()),
            json_log=log_format is LogFormat.json,
            redact=redact,
            metrics=metrics,
        ),
    )


@app.command(cls=PlainCommand, epilog=epilog("retry", "retry --rejects still.rejects.ndjson", codes=RUN_CODES))
def retry(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            autocompletion=complete_run,
            help="Only what this run left: its name, the beginning or end of it, or `last`.",
        ),
    ] = None,
    config: ConfigFile = Path("config.yaml"),
    state: State = None,
    rejects: Rejects = None,
    results: Results = None,
    report: Reports = None,
    redact: Redacted = False,
    max_tokens: MaxTokens = None,
    deadline: Deadline = None,
    max_failures: MaxFailures = None,
    max_created: MaxCreated = None,
    max_updated: MaxUpdated = None,
    max_merged: MaxMerged = None,
    max_deleted: MaxDeleted = None,
    wait: Waiting = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: Logged = LogFormat.text,
    metrics: MetricsFile = None,
) -> int:
    """Send again what runs left failed or pending.

    Needs no files: the journal keeps those events until they are delivered.
    """
    from pipedrive_cli.cli import json_errors, output, replay_command  # noqa: PLC0415 - the other commands need none of it
    from pipedrive_cli.run import filtering  # noqa: PLC0415 - as above
    from pipedrive_cli.run.options import RunOptions  # noqa: PLC0415 - as above

    with json_errors.errors_as_json(as_json, json_errors.stopped_summary):
        within = filtering.seconds("--deadline", deadline)
    return replay_command.run_replay(
        config,
        RunOptions(
            sources=(),
            retry=True,
            retry_run=run,
            state=state,
            rejects=rejects,
            results=results,
            max_tokens=max_tokens,
            deadline=within,
            max_failures=max_failures,
            brakes=brakes(created=max_created, updated=max_updated, merged=max_merged, deleted=max_deleted),
            wait=wait,
            typed=typed_options(),
        ),
        output.OutputOptions(
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
            reports=tuple(report or ()),
            json_log=log_format is LogFormat.json,
            redact=redact,
            metrics=metrics,
        ),
    )


@app.command(
    cls=PlainCommand,
    epilog=epilog(
        "preview events.ndjson --user u-1003",
        "preview events.ndjson --online",
        "preview exports/ --summary",
        "preview events.ndjson --format curl > requests.sh",
    ),
)
def preview(
    sources: Sources,
    config: ConfigFile = Path("config.yaml"),
    online: Annotated[
        bool, typer.Option("--online", help="Look at the account (read-only): real ids, and old -> new per field.")
    ] = False,
    sandbox: Sandboxed = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            autocompletion=completing("text", "ndjson", "http", "curl"),
            help="text, ndjson, http or curl: how requests are written.",
        ),
    ] = "text",
    refill: Refill = False,
    summary: Annotated[bool, typer.Option("--summary", help="The counts alone.")] = False,
    state: State = None,
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    type_: Types = None,
    event: Names = None,
    user: Users = None,
    rows_as: RowsAs = None,
    id_: IdColumn = None,
    time_: TimeColumn = None,
    message_id: MessageIdColumn = None,
    redact: Redacted = False,
    reread: Reread = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Show the requests that `replay` would send, and send none. Without --online nobody is asked anything."""
    from pipedrive_cli.cli import json_errors, preview_command  # noqa: PLC0415 - the other commands need none of it
    from pipedrive_cli.run import filtering  # noqa: PLC0415 - as above

    with json_errors.errors_as_json(as_json, json_errors.stopped_summary):
        filters = filtering.filters(since=since, until=until, types=type_, names=event, users=user)
        rows = filtering.row_form(rows_as, id_, time_, message_id)
    return preview_command.preview_events(
        config,
        sources=tuple(sources),
        online=online,
        sandbox=sandbox,
        refill=refill,
        state=state,
        limit=limit,
        filters=filters,
        rows=rows,
        form=form,
        counts_only=summary,
        reread=reread,
        as_json=as_json,
        verbose=verbose,
        redact=redact,
    )


@app.command(
    cls=PlainCommand, epilog=epilog("rehearse events.ndjson", "rehearse events.ndjson --plan growth --seats 5")
)
def rehearse(
    sources: Sources,
    config: ConfigFile = Path("config.yaml"),
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan", metavar="PLAN", autocompletion=PLANS, help="Instead of the config's: lite, growth, premium, ..."
        ),
    ] = None,
    seats: Annotated[
        int | None, typer.Option("--seats", min=1, metavar="N", help="With the plan, the day's API tokens.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option("--latency", metavar="DURATION", help="How long each answer takes, 0.15s by default.")
    ] = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Look at the account first, read-only, and rehearse on top of what it holds."),
    ] = False,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", min=1, metavar="N", help="With --online: what looking may cost in API tokens."),
    ] = None,
    state: State = None,
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    type_: Types = None,
    event: Names = None,
    user: Users = None,
    rows_as: RowsAs = None,
    id_: IdColumn = None,
    time_: TimeColumn = None,
    message_id: MessageIdColumn = None,
    rejects: Rejects = None,
    report: Reports = None,
    redact: Redacted = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: Logged = LogFormat.text,
) -> int:
    """Say what a replay would create, cost and take.

    The whole run against an empty Pipedrive of our own that has your plan's limits, in seconds. Nothing is written,
    save to files that options name.
    """
    from pipedrive_cli.cli import json_errors, output, rehearse_command  # noqa: PLC0415 - the other commands need none of it
    from pipedrive_cli.run import filtering  # noqa: PLC0415 - as above
    from pipedrive_cli.run.options import RunOptions  # noqa: PLC0415 - as above

    with json_errors.errors_as_json(as_json, json_errors.stopped_summary):
        filters = filtering.filters(since=since, until=until, types=type_, names=event, users=user)
        rows = filtering.row_form(rows_as, id_, time_, message_id)
    return rehearse_command.run_rehearsal(
        config,
        RunOptions(
            tuple(sources),
            sandbox=True,
            state=state,
            limit=limit,
            filters=filters,
            rows=rows,
            rejects=rejects,
            max_tokens=max_tokens,
            wait=True,
            typed=typed_options(),
        ),
        rehearse_command.PricePlanChoice(plan, seats, latency, online),
        output.OutputOptions(
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
            reports=tuple(report or ()),
            json_log=log_format is LogFormat.json,
            redact=redact,
        ),
    )


@app.command(
    cls=PlainCommand, epilog=epilog("test tests/", "test tests/role.yaml --update", "test tests/ --junit r.xml")
)
def test(
    cases: Annotated[list[str], typer.Argument(metavar="CASE...", help="Cases: YAML files, or folders of them.")],
    config: ConfigFile = Path("config.yaml"),
    update: Annotated[
        bool, typer.Option("--update", help="Write what there is into the cases that differ, as what is expected.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit's XML, for CI servers.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")] = False,
    quiet: Quiet = False,
) -> int:
    """Run the config's own tests.

    In a sandbox: a case has events and records, and says what is to become of them. Exit code 1 where that differs.
    """
    from pipedrive_cli.cli.test_command import TestOptions, run_tests  # noqa: PLC0415 - the other commands need none of it

    return run_tests(config, cases, TestOptions(update=update, junit=junit, as_json=as_json, quiet=quiet))


@app.command(cls=PlainCommand, epilog=epilog("schema > config.schema.json"))
def schema() -> int:
    """Print the JSON Schema of the config file."""
    import json  # noqa: PLC0415 - only here

    from pipedrive_cli.cli.printing import print_bytes  # noqa: PLC0415 - only here
    from pipedrive_cli.config import schema as config_schema  # noqa: PLC0415 - only here

    print_bytes(json.dumps(config_schema(), indent=2, ensure_ascii=False).encode() + b"\n")
    return 0


app.command(cls=PlainCommand, epilog=epilog("check", "check events.ndjson", "check exports/"))(check_options.check)
app.command(cls=PlainCommand, epilog=epilog("init", "init events.ndjson"))(init_options.init)
app.command(cls=PlainCommand, epilog=epilog("compact exports/ -o small.ndjson.gz"))(compact_options.compact)
app.command(cls=PlainCommand, epilog=epilog("forget u-1003 --dry-run", "forget ann@acme.example --yes"))(
    forget_options.forget
)
app.command(
    cls=PlainCommand,
    epilog=epilog("schedule cron exports/", "schedule systemd exports/ -o /etc/systemd/system"),
)(schedule_options.schedule)
app.command(cls=PlainCommand, epilog=epilog("sandbox", "sandbox --port 8080 --plan lite --faults 429:0.05"))(
    sandbox_options.sandbox
)
app.add_typer(groups.runs, name="runs")
app.add_typer(groups.fields, name="fields")
