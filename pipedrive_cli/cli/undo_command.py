"""The command `runs undo`: shows what would be undone, asks, undoes it, and tells what was kept and why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from pipedrive_cli.cli.conversation import at_the_terminal
from pipedrive_cli.cli.json_errors import errors_as_json
from pipedrive_cli.cli.options import brakes
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import load
from pipedrive_cli.delivery.brakes import BrakeCounter
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.undoing import KeptRecord
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, UserMistake
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.tables import show_rows
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.connection import connected, whose_key
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.run.past import chosen_runs, find_journal, history
from pipedrive_cli.run.settings import brake_limits, day_budget
from pipedrive_cli.run.undo import Undoing, UndoPlan

SHOWN = 20  # kept records that are named one by one
WHY = {
    "changed_since": "somebody has changed it since",
    "later_run": "a later run has written it",
    "something_hangs_on_it": "a deal, an activity or a note hangs on it, or may",
    "not_known_before": "what it held before was not known",
    "merged": "another record was merged into it, which nothing undoes",
    "not_seen": "it is not there any more, or not to be seen",
    "refused": "Pipedrive refused it",
}


@dataclass(frozen=True, slots=True)
class UndoOptions:
    """The options of `runs undo`, as they were written."""

    run: str
    dry_run: bool = False
    kinds: tuple[str, ...] = ()
    max_tokens: int | None = None
    max_deleted: int | None = None
    max_updated: int | None = None
    yes: bool = False
    as_json: bool = False


def take_back(state: Path | None, config_file: Path, options: UndoOptions) -> int:
    """Undoes a run, and returns the exit code: 1 where something of it was kept."""
    with errors_as_json(options.as_json):
        return asyncio.run(_undo(state, config_file, options))


async def _undo(state: Path | None, config_file: Path, options: UndoOptions) -> int:
    kinds = frozenset(options.kinds or KINDS)
    if not kinds <= set(KINDS):
        raise UserMistake(f"--kinds: one of {', '.join(KINDS)}", code="usage")
    config = load(config_file, os.environ)
    path = await find_journal(state, config)
    run = chosen_runs(history(path), options.run)
    if run.scene != "account":
        raise UserMistake(f"the run {run.name} was in a sandbox: there is nothing to undo", code="no_such_run")
    began = datetime.fromisoformat(run.started).astimezone(UTC)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(path))
        journal = stack.enter_context(contextlib.closing(Journal.open(path)))
        async with connected(config, day=day_budget(config), max_tokens=options.max_tokens) as connection:
            account = await whose_key(connection)
            journal.must_be_of(account.company_id or 0, account.company_name)
            job = Undoing(
                config,
                journal,
                AccountKnowledge(account, journal, connection.send, time.time()),
                connection.send,
                run.number,
                run.name,
                began,
                began + timedelta(seconds=run.summary.seconds),
                cast(frozenset[Kind], kinds),
            )
            plan = await job.plan()
            if not options.as_json:
                _show(plan)
            refused: list[KeptRecord] = []
            if not options.dry_run and plan.todo and _agreed(options, plan):
                limits = brake_limits(config, brakes(deleted=options.max_deleted, updated=options.max_updated))
                await job.carry_out(plan, BrakeCounter(limits), refused.append)
    kept = [*plan.kept, *refused]
    if options.as_json:
        print_json(_as_json(plan, kept, done=not options.dry_run))
    elif not options.dry_run:
        show_note(_told(plan, kept), file=sys.stdout)
    return EXIT_PARTIAL if kept or plan.merges else EXIT_OK


def _agreed(options: UndoOptions, plan: UndoPlan) -> bool:
    if options.yes:
        return True
    conversation = at_the_terminal(yes=False)
    if options.as_json or not conversation.live:
        raise UserMistake("nobody is there to be asked", code="usage", hint="--yes undoes it; --dry-run shows it")
    total = sum(plan.deleted.values()) + sum(plan.restored.values())
    if not conversation.confirm(f"Undo {count(total, 'record')} of the run {plan.name}?", default=False):
        raise UserMistake("nothing was undone", code="usage")
    return True


def _show(plan: UndoPlan) -> None:
    """What would be undone, and what is kept, on stderr: it is read before a question."""
    kept = Counter(each.kind for each in plan.kept)
    rows = [
        (kind, f"{plan.deleted.get(kind, 0):,}", f"{plan.restored.get(kind, 0):,}", f"{kept.get(kind, 0):,}")
        for kind in KINDS
    ]
    show_rows(("", "to delete", "to give back", "kept"), rows, right=("to delete", "to give back", "kept"))
    for each in plan.kept[:SHOWN]:
        show_note(f"{each.kind} {each.id}{f', {each.field}' if each.field else ''} stays: {WHY[each.why]}")
    if len(plan.kept) > SHOWN:
        show_note(f"and {len(plan.kept) - SHOWN:,} more: `--dry-run --json` has them all")
    if not plan.todo:
        show_note(f"There is nothing to undo in the run {plan.name}.")


def _told(plan: UndoPlan, kept: Sequence[KeptRecord]) -> str:
    deleted, restored = sum(plan.deleted.values()), sum(plan.restored.values())
    return (
        f"Undone: {count(deleted, 'record')} deleted, {count(restored, 'record')} given back what they had, "
        f"{len(kept):,} kept. The run's events count as not handled: replay them with a config that is right."
    )


def _as_json(plan: UndoPlan, kept: Sequence[KeptRecord], *, done: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "run": plan.name,
        "done": done,
        "deleted": {kind: plan.deleted.get(kind, 0) for kind in KINDS},
        "restored": {kind: plan.restored.get(kind, 0) for kind in KINDS},
        "merges": plan.merges,
        "kept": [{"kind": each.kind, "id": each.id, "field": each.field, "code": each.why} for each in kept],
    }
