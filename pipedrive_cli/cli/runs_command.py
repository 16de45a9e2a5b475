"""The commands `runs`, `runs show` and `runs prune`: list past runs, show one, forget old ones."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipedrive_cli.cli.json_errors import prints_errors
from pipedrive_cli.cli.printing import print_bytes, print_json
from pipedrive_cli.config import Config, load
from pipedrive_cli.delivery.journal.past import journal_is_there
from pipedrive_cli.errors import PipedriveCliError, UserMistake
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.console import EXAMPLES_SHOWN, show_note, show_summary
from pipedrive_cli.report.redact import Redactor, redactor_if
from pipedrive_cli.report.summary import EXAMPLES, EventCounts, to_json
from pipedrive_cli.report.tables import show_runs, show_table
from pipedrive_cli.report.wording import count, meaning
from pipedrive_cli.report.written_file import keep_apart, write_file
from pipedrive_cli.run.event_history import EventKnown, RecordKnown, known_event, known_user
from pipedrive_cli.run.filtering import seconds
from pipedrive_cli.run.past import (
    History,
    Past,
    chosen_runs,
    created,
    find_journal,
    history,
    prune,
    run_context_of,
    run_names,
    there,
)
from pipedrive_cli.secret import bytes_without_secrets

DEFAULT_CONFIG = Path("config.yaml")
_UNDONE = {"complete": "undone", "partial": "undone in part"}


class RunRow(msgspec.Struct, frozen=True):
    """One run in a list. `ended` is False if the run left no report; then the numbers are its last counts.

    `undone` is None for a run that was not undone, else whether something of it is left.
    """

    run: str
    started: str  # 2026-11-23T09:15:02Z
    status: str
    ended: bool
    exit_code: int
    events: EventCounts
    records_created: int
    tokens: int
    seconds: float
    undone: Literal["complete", "partial"] | None = None


@prints_errors()
def show_runs_list(state: Path | None, config_file: Path | None, *, as_json: bool) -> int:
    """Shows all runs of a journal, newest first."""
    past, _ = _past(state, config_file)
    rows = tuple(_row(run) for run in past.runs)
    if as_json:
        print_json({"version": 1, "runs": rows})
        return 0
    _show_company(past, state)
    if not rows:
        show_note("there are no runs yet")
        return 0
    show_runs(
        (
            row.run,
            row.started[:16].replace("T", " "),
            _UNDONE[row.undone] if row.undone is not None else row.status if row.ended else "no report",
            row.events.read,
            row.events.rejected,
            row.records_created,
            row.tokens,
        )
        for row in rows
    )
    return 0


@prints_errors()
def show_one_run(
    wanted: str | None,
    state: Path | None,
    config_file: Path | None,
    *,
    as_json: bool,
    page: Path | None,
    records: bool,
    verbose: bool,
    redact: bool = False,
) -> int:
    """Shows the report of a run, or the records that it created; of the latest run if none is named."""
    past, config = _past(state, config_file)
    run = chosen_runs(past, wanted)
    context = run_context_of(past, run)
    redactor = redactor_if(redact or (config is not None and config.report.redact))
    if redactor is not None:
        run = msgspec.structs.replace(run, summary=redactor.summary(run.summary))
        context = redactor.context(context)
    if page is not None:
        from pipedrive_cli.report.html import render_page  # noqa: PLC0415 - only for those who ask for a page

        keep_apart(
            [("--html", page)], [(past.path, "is the journal"), (config_file or DEFAULT_CONFIG, "is the config")]
        )
        write_file("--html", page, bytes_without_secrets(render_page(run.summary, context).encode()))
        show_note(f"wrote {page}")
    if records:
        _show_records(past, run, config, redactor, as_json=as_json)
    elif as_json:
        print_bytes(to_json(run.summary))
    elif page is None:
        _show_company(past, state)
        show_note(f"run {run.name}")
        if run.undone is not None:
            left = "; something of it is left, see `runs undo --dry-run`" if run.undoable else ""
            show_note(f"it was undone on {run.undone}{left}")
        show_summary(
            run.summary,
            examples=EXAMPLES if verbose else EXAMPLES_SHOWN,
            scene=context.scene,
            passed_over=context.passed_over,
        )
    return 0


@prints_errors()
def show_known(
    message_id: str | None, user: str | None, state: Path | None, config_file: Path | None, *, as_json: bool
) -> int:
    """Shows what the journal knows of one event, or of one user."""
    if (message_id is None) == (user is None):
        raise UserMistake("name a message id, or a user with --user", code="usage")
    path = there(asyncio.run(find_journal(state, _config(config_file))), state)
    known = known_event(path, message_id) if message_id is not None else known_user(path, user or "")
    if known is None:
        what = f"the event {message_id}" if message_id is not None else f"the user {user}"
        is_user = message_id is not None and known_user(path, message_id) is not None
        user_meant = f", and this is a user's: `pipedrive-cli runs events --user {message_id}`" if is_user else ""
        raise UserMistake(
            f"{path} knows nothing of {what}",
            code="not_known",
            hint=f"ids are compared exactly{user_meant}; another account has a journal of its own (--state, or a "
            "config with -c)",
        )
    if as_json:
        print_json({"version": 1, "event" if message_id is not None else "user": known})
    elif isinstance(known, EventKnown):
        _show_event(known)
    else:
        _show_record(known)
    return 0


def _show_event(known: EventKnown) -> None:
    run = f"run {known.run}" if known.run is not None else "a run that was forgotten"
    when = f", {known.started[:16].replace('T', ' ')} UTC" if known.started else ""
    outcome = next(each for each in Outcome if each.value == known.outcome)
    rows = [("event", known.message_id), ("outcome", f"{known.outcome}: {meaning(outcome)}"), ("in", run + when)]
    if known.place is not None:
        rows.append(("from", known.place))
    for problem in known.problems:
        field = "" if problem.field is None else f"{problem.field}: "
        rows.append((problem.outcome or "noticed", f"{field}{problem.message} ({problem.code})"))
    for record in known.records:
        fields = f": {', '.join(record.fields)}" if record.fields else ""
        rows.append((record.kind, f"{record.url or record.id}{fields}"))
    if known.outcome in {"delivered", "unchanged"} and not known.records:
        rows.append(("records", "none shows what it said now; newer events, or people, have set those fields since"))
    if known.waiting:
        rows.append(("waits", "`pipedrive-cli retry` sends it again"))
    show_table(("", ""), rows)


def _show_record(known: RecordKnown) -> None:
    show_table(("", ""), [("person", str(known.id)), ("names", ", ".join(known.names))])
    for alias in known.aliases:
        show_note(
            f"{alias['previous']} is another name of {alias['current']} since {alias['time'] or 'some time'}",
            file=sys.stdout,
        )
    rows = [(e.field, _value_words(e.value), e.time or "", e.event or "", e.source) for e in known.fields]
    show_table(("field", "value", "time of the event (UTC)", "event", "from"), rows)


def _value_words(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def prune_old_runs(
    state: Path | None, config_file: Path | None, *, keep: int | None, older_than: str | None, undoable: bool = False
) -> int:
    """Forgets old runs, and says what it did."""
    age = seconds("--older-than", older_than)
    if keep is None and age is None:
        raise UserMistake(
            "nothing says which runs to forget", code="usage", hint="give --keep N, or --older-than 90d, or both"
        )
    path = asyncio.run(find_journal(state, _config(config_file)))
    done = prune(path, keep=keep or 1, older_than=age, now=datetime.now(UTC), undoable=undoable)
    show_note(f"{count(len(done.forgotten), 'run')} forgotten; what events came to is still known")
    if done.unfinished:
        show_note(
            f"{count(len(done.unfinished), 'old run')} kept, for something of them is unfinished "
            f"(`pipedrive-cli retry` sends it): {', '.join(done.unfinished)}"
        )
    if done.undoable:
        show_note(
            f"{count(len(done.undoable), 'run')} of the last 30 days kept, for `runs undo` can take them back; "
            "with --undoable they are forgotten too"
        )
    return 0


def names(state: Path | None, config_file: Path | None) -> list[str]:
    """Names of runs for the shell's completion, newest first. Asks nothing and reports no errors."""
    try:
        config = None if state is not None else _config(config_file)
        return run_names(state or (None if config is None else config.state))
    except PipedriveCliError:
        return []


def _config(config_file: Path | None) -> Config | None:
    """The config that was named, else the default one if it exists; past runs can be shown without a config."""
    if config_file is None and not DEFAULT_CONFIG.is_file():
        return None
    return load(config_file or DEFAULT_CONFIG, os.environ)


def _past(state: Path | None, config_file: Path | None) -> tuple[History, Config | None]:
    config = _config(config_file)
    path = asyncio.run(find_journal(state, config))
    if state is None and not journal_is_there(path):
        return History(path, None, ()), config  # nothing has been replayed yet: no error
    return history(path), config


def _show_company(past: History, state: Path | None) -> None:
    if state is None and past.company is not None:
        show_note(f"runs of {past.company}, from {past.path}")


def _row(run: Past) -> RunRow:
    summary = run.summary
    started = datetime.fromisoformat(run.started)
    return RunRow(
        run=run.name,
        started=f"{started.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        status=summary.status,
        ended=run.ended,
        exit_code=summary.exit_code,
        events=summary.events,
        records_created=sum(counts.created for counts in summary.records.by_kind().values()),
        tokens=summary.tokens.spent,
        seconds=summary.seconds,
        undone=None if run.undone is None else "partial" if run.undoable else "complete",
    )


def _show_records(past: History, run: Past, config: Config | None, redactor: Redactor | None, *, as_json: bool) -> None:
    rows = created(past, run, config)
    if redactor is not None:
        rows = tuple(msgspec.structs.replace(row, key=row.key and redactor.hash(row.key)) for row in rows)
    if as_json:
        print_json({"version": 1, "run": run.name, "records": rows})
        return
    if not rows:
        show_note(f"run {run.name} created no records")
        return
    if run.scene != "account":
        show_note("these records were in a sandbox: there is no page of them in Pipedrive")
    elif config is None and any(row.url is None for row in rows):
        show_note("for links to Pipedrive name the company's config with -c")
    show_table(("kind", "key", "in Pipedrive"), [(row.kind, row.key or "", row.url or str(row.id)) for row in rows])
