"""Reads the real account before a rehearsal on top of it: with the look-ups that a run would make, and no writes.

It is a preview whose answers are kept: listings as far as they are worth it, exact look-ups beyond. With them a sandbox
is filled so that the rehearsed run finds what the real one would find, page for page, and pays as much for it.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.journal import Journal, SeenRecord
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.listing import Listing
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.window import KEYED
from pipedrive_cli.errors import StopCode, StopRun, UserMistake
from pipedrive_cli.events.event_files import is_url
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.model import KINDS, JsonObject, Kind, Value
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.bodies import body_of, rows_of
from pipedrive_cli.pipedrive.catalog import ARCHIVED_LEADS, FACTS, Call
from pipedrive_cli.run.journal_file import default_path
from pipedrive_cli.run.online_account import looking
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.preview import Preview, PreviewOptions
from pipedrive_cli.run.settings import day_budget
from pipedrive_cli.run.spool import no_temporary_file

if TYPE_CHECKING:
    from pipedrive_cli.sandbox import Sandbox

Row = JsonObject
ELSEWHERE = "a record that was not listed"


@dataclass(slots=True)
class AccountSnapshot:
    """What was read: records as Pipedrive showed them, by kind and id, and what reading them has cost."""

    account: Account = field(default_factory=Account)
    rows: dict[Kind, dict[int | str, Row]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    goes_on: frozenset[Kind] = frozenset()  # kinds of which Pipedrive has more records than were listed
    places: dict[str, int] = field(default_factory=dict)  # Pipedrive's cursors -> the id after which each goes on
    daily_tokens: int | None = None  # as Pipedrive tells it
    live_figures: LiveFigures = field(default_factory=LiveFigures)  # of the reading itself
    state: Path | None = None  # the account's own journal
    trouble: Exception | None = None  # what could not be read
    _gone: set[tuple[Kind, int | str]] = field(default_factory=set)

    def note_answer(self, call: Call, answer: Answer | Exception) -> None:
        """Keeps what an answer shows."""
        kind = call.endpoint.kind
        if isinstance(answer, Exception):
            if isinstance(answer, Refusal) and answer.gone and kind is not None and call.id is not None:
                self._gone.add((kind, call.id))
            elif not isinstance(answer, StopRun):
                self.trouble = self.trouble or answer
            return
        if kind is None:
            return
        limit = answer.headers.get("x-daily-ratelimit-token-limit", "")
        if limit.isascii() and limit.isdigit() and len(limit) < 19:
            self.daily_tokens = int(limit)
        if call.endpoint is FACTS[kind].get and isinstance(answer.data, Mapping):
            self._take(kind, rows_of(kind, [answer.data]))
        elif call.endpoint in {FACTS[kind].list, ARCHIVED_LEADS}:
            shelf = {"is_archived": call.endpoint is ARCHIVED_LEADS} if kind == "leads" else {}
            rows = [{**row, **shelf} for row in rows_of(kind, answer.rows or ())]
            if rows and (cursor := call.query.get("cursor")) is not None and kind != "leads":
                self.places[cursor] = int(rows[0]["id"]) - 1
            self._take(kind, rows)

    def add_known(self, journal: Journal) -> None:
        """Adds what the journal knows, so that it did not have to be read."""
        for kind in KINDS:
            known = self.rows[kind]
            for record in journal.records(kind):
                if record.id not in known and (kind, record.id) not in self._gone:
                    known[record.id] = _row(kind, record)
        self.goes_on = frozenset(
            kind
            for kind in KEYED
            if (listing := journal.fact(f"listing {kind}", Listing)) is not None and not listing.complete
        )

    def _take(self, kind: Kind, rows: Iterable[Row]) -> None:
        known = self.rows[kind]
        for row in rows:
            old = known.get(row["id"])
            fields = None if old is None else old.get("custom_fields")
            if isinstance(fields, Mapping):
                # A page shows the fields that a run reads, a GET of one record shows all.
                known[row["id"]] = {**row, "custom_fields": {**fields, **(row.get("custom_fields") or {})}}
            else:
                known[row["id"]] = row


async def look_at_account(
    config: Config,
    config_file: str,
    options: RunOptions,
    stdin: BinaryIO | None,
    watch: Callable[[LiveFigures], contextlib.AbstractAsyncContextManager[None]],
) -> AccountSnapshot:
    """Reads what a run of `options` would read, for no more than `options.max_tokens`.

    Raises `UserMistake`, `ConfigProblems`, and `StopRun` where the account cannot be read to the end.
    """
    looked, state = AccountSnapshot(), options.state or config.state
    looked.live_figures.phase = "looking at the account"
    chosen = PreviewOptions(
        options.sources, online=True, state=state, limit=options.limit, filters=options.filters, rows=options.rows
    )
    preview = Preview(config, config_file, chosen, stdin, live_figures=looked.live_figures, foretells=False)
    async with looking(
        config,
        sandbox=False,
        state=state,
        tell=preview.log.look,
        warn=lambda kind, key, ids: None,  # the rehearsed run warns
        note_answer=looked.note_answer,
        day=day_budget(config),
        max_tokens=options.max_tokens,
        live_figures=looked.live_figures,
    ) as seen:
        async with watch(looked.live_figures):
            summary = await preview.on(seen)
        why = next((problem.message for problem in summary.problems if problem.code == summary.reason), None)
        if why is not None or looked.trouble is not None:
            raise StopRun(
                f"the look at the account did not come to its end: {why or looked.trouble} "
                f"({looked.live_figures.tokens_spent:,} API tokens were spent on it)",
                code=cast(StopCode, summary.reason or "look_up_failed"),  # of a run of today
                hint="nothing was written; without --online a rehearsal needs no look",
            )
        looked.account = seen.knowledge.account
        looked.state = state or default_path(looked.account.company_id or 0)
        looked.add_known(seen.journal)
    return looked


def company(account: Account) -> dict[str, Value]:
    """Options of a sandbox that stands for this company."""
    known: dict[str, Value] = {
        "company_id": account.company_id,
        "company_name": account.company_name,
        "company_domain": account.company_domain,
        "user_name": account.user_name,
        "default_currency": account.default_currency,
    }
    options = {name: value for name, value in known.items() if value is not None}
    if account.currencies is not None:
        default = {account.default_currency} if account.default_currency else account.currencies or {"EUR"}
        options["currencies"] = tuple(sorted(account.currencies | default))
        options.setdefault("default_currency", options["currencies"][0])
    elif account.default_currency is not None:
        options["currencies"] = (account.default_currency,)
    return {**options, "admin": account.admin is not False}


def fill(sandbox: Sandbox, looked: AccountSnapshot) -> None:
    """Fills a new sandbox with what was read, in the place of an empty account."""
    account = looked.account
    for kind, fields in account.fields.items():
        sandbox.load_fields("deals" if kind == "leads" else kind, [_field_row(field) for field in fields])
    if account.lead_labels is not None:
        sandbox.load_lead_labels([{"id": label.id, "name": label.name} for label in account.lead_labels])
    for kind in KINDS:
        rows = looked.rows[kind]
        sandbox.load_records(kind, rows.values())
        if kind in looked.goes_on:
            # Pipedrive had another page: without a further record the list would seem complete.
            sandbox.load_records(kind, [{"id": max(map(int, rows), default=0) + 1, "name": ELSEWHERE}])
    sandbox.index_now()


def journal_for(looked: AccountSnapshot, sandbox: Sandbox) -> Journal:
    """A copy of the account's journal, for a run in this sandbox."""
    journal = scratch(looked.state)
    for kind in KEYED:
        listing = journal.fact(f"listing {kind}", Listing)
        if listing is not None and listing.cursor in looked.places:
            listing.cursor = sandbox.cursor_after(looked.places[listing.cursor])
            with journal.transaction():
                journal.set_fact(f"listing {kind}", listing)
    return journal


@contextlib.contextmanager
def read_twice(stdin: BinaryIO | None, sources: Sequence[str]) -> Iterator[BinaryIO | None]:
    """Standard input as a file that can be read again from its start. Raises UserMistake for a pipe with a name."""
    named = resolve_sources([source for source in sources if not is_url(source)], stdin)  # a cloud can be read twice
    for source in named:
        if source.path is not None and source.size is None:
            raise UserMistake(
                f"{source.name} is a pipe, and with --online the events are read twice",
                code="usage",
                hint="name a file, or pipe the events into standard input and name `-`",
            )
    if stdin is None or all(source.stream is None for source in named):
        yield stdin
        return
    with contextlib.ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stdin, copy)
        except OSError as error:
            raise no_temporary_file(error) from error
        copy.seek(0)
        yield cast(BinaryIO, copy)


def _field_row(field: Field) -> Row:
    options = [{"id": option.id, "label": option.label} for option in field.options]
    return {
        "field_code": field.key,
        "field_name": field.name,
        "field_type": field.type,
        "is_custom_field": field.custom,
        "options": options or None,
    }


def _row(kind: Kind, record: SeenRecord) -> Row:
    """What the journal knows of a record, as the API would show it."""
    return {**body_of(kind, record.values), "id": record.id, "update_time": record.updated}
