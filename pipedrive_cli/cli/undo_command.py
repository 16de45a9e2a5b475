"""The command `runs undo`: shows what would be undone, asks, undoes it, and tells what was kept and why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pipedrive_cli.cli.conversation import Conversation, at_the_terminal
from pipedrive_cli.cli.interrupts import pass_over_signals, signal_of
from pipedrive_cli.cli.json_errors import errors_as_json
from pipedrive_cli.cli.options import brakes
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import load
from pipedrive_cli.delivery.brakes import BrakeCounter
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.undoing import KeptRecord
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, UserMistake, interrupted
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.report.console import show_error, show_note
from pipedrive_cli.report.tables import show_rows, show_table
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.connection import connected, whose_key
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.run.past import Past, chosen_runs, find_journal, history
from pipedrive_cli.run.settings import brake_limits, day_budget
from pipedrive_cli.run.undo import Undoing, UndoPlan, UndoResult

SHOWN = 20  # kept records that are named one by one
WHY = {
    "changed_since": "somebody has changed it since",
    "later_run": "a later run has written it",
    "something_hangs_on_it": "a lead, a person, a deal, an activity or a note hangs on it, or may",
    "not_known_before": "what it held before was not known",
    "merged": "another record was merged into it, which nothing undoes",
    "not_seen": "it is not there any more, or not to be seen",
    "refused": "Pipedrive refused it",
    "in_doubt": "Pipedrive did not say whether it was done: run again",
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


@dataclass(slots=True)
class _Undo:
    """One undo, as far as it has come."""

    options: UndoOptions
    conversation: Conversation
    name: str = ""
    plan: UndoPlan | None = None
    result: UndoResult = field(default_factory=UndoResult)
    figures: LiveFigures = field(default_factory=LiveFigures)

    @property
    def kept(self) -> list[KeptRecord]:
        return [*(self.plan.kept if self.plan is not None else ()), *self.result.refused]

    @property
    def exit_code(self) -> int:
        """4 where it stopped early, 1 where something is kept."""
        if self.result.stopped is not None:
            return self.result.stopped.exit_code
        forgotten = self.plan is not None and self.plan.forgotten
        return EXIT_PARTIAL if self.kept or forgotten else EXIT_OK


def take_back(state: Path | None, config_file: Path, options: UndoOptions) -> int:
    """Undoes a run, and returns the exit code: 1 where something of it was kept."""
    with errors_as_json(options.as_json):
        undo = _Undo(options, at_the_terminal(yes=options.yes))
        if not (options.dry_run or options.yes) and (options.as_json or not undo.conversation.live):
            raise UserMistake("nobody is there to be asked", code="usage", hint="--yes undoes it; --dry-run shows it")
        try:
            asyncio.run(_undo(state, config_file, undo))
        except KeyboardInterrupt as interrupt:
            if undo.plan is None or not undo.result.records:
                raise
            pass_over_signals()
            told = f"{count(undo.result.records, 'record')} had been undone; the same command goes on"
            undo.result.stopped = interrupted(signal_of(interrupt), told)
    assert undo.plan is not None  # noqa: S101 - else it has raised
    if options.as_json:
        print_json(_as_json(undo, undo.plan))
    else:
        _tell(undo, undo.plan)
        if undo.result.stopped is not None:
            show_error(undo.result.stopped)
    return undo.exit_code


async def _undo(state: Path | None, config_file: Path, undo: _Undo) -> None:
    options = undo.options
    kinds = frozenset(options.kinds or KINDS)
    if not kinds <= set(KINDS):
        raise UserMistake(f"--kinds: one of {', '.join(KINDS)}", code="usage")
    config = load(config_file, os.environ)
    path = await find_journal(state, config)
    run = _chosen(path, options.run)
    undo.name = run.name
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(path))
        journal = stack.enter_context(contextlib.closing(Journal.open(path)))
        stack.enter_context(journal.in_use())
        async with connected(
            config, day=day_budget(config), max_tokens=options.max_tokens, live_figures=undo.figures
        ) as connection:
            account = await whose_key(connection)
            journal.must_be_of(account.company_id or 0, account.company_name)
            now = connection.clock.now()
            knowledge = AccountKnowledge(account, journal, connection.send, now)
            job = Undoing(
                config, journal, knowledge, connection.send, run, now, cast(frozenset[Kind], kinds), undo.result
            )
            undo.plan = plan = await job.plan()
            if options.dry_run or plan.empty:
                undo.result.complete = not options.dry_run
                return
            if not options.yes:
                _show(plan)
                if not undo.conversation.confirm(_question(run, plan), default=False):
                    raise UserMistake("nothing was undone", code="usage")
            limits = brake_limits(config, brakes(deleted=options.max_deleted, updated=options.max_updated))
            await job.carry_out(plan, BrakeCounter(limits, look=f"runs undo {run.name} --dry-run"))


def _chosen(path: Path, wanted: str) -> Past:
    past = history(path)
    try:
        run = chosen_runs(past, wanted)
    except UserMistake as mistake:
        forgotten = "one that `runs prune` has forgotten cannot be undone"
        mistake.hint = forgotten if mistake.hint is None else f"{mistake.hint}; {forgotten}"
        raise
    if run.scene != "account":
        raise UserMistake(f"the run {run.name} was in a sandbox: there is nothing to undo", code="no_such_run")
    return run


def _question(run: Past, plan: UndoPlan) -> str:
    deleted, restored = sum(plan.deleted.values()), sum(plan.restored.values())
    if not deleted + restored:
        return f"Nothing of the run {run.name} can be taken back. Count its events as not handled?"
    parts = [f"delete {count(deleted, 'record')}"] if deleted else []
    parts += [f"give {count(restored, 'record')} back what they had"] if restored else []
    return f"Undo the run {run.name}: {' and '.join(parts)}?"


def _show(plan: UndoPlan, *, out: bool = False) -> None:
    """What would be undone, and what is kept: on stderr before a question, on stdout where it is the result."""
    file = sys.stdout if out else sys.stderr
    kept = Counter(each.kind for each in plan.kept)
    rows = [
        (kind, f"{plan.deleted.get(kind, 0):,}", f"{plan.restored.get(kind, 0):,}", f"{kept.get(kind, 0):,}")
        for kind in KINDS
    ]
    (show_table if out else show_rows)(("", "to delete", "to give back", "kept"), rows)
    _show_kept(plan.kept, file=file, all_of_them="`--dry-run --json` has them all")
    _show_forgotten(plan, file=file)


def _show_kept(kept: Sequence[KeptRecord], *, file: Any, all_of_them: str) -> None:
    for each in kept[:SHOWN]:
        said = f" ({each.message})" if each.message else ""
        show_note(
            f"{each.kind} {each.id}{f', {each.field}' if each.field else ''} stays: {WHY[each.why]}{said}", file=file
        )
    if len(kept) > SHOWN:
        show_note(f"and {len(kept) - SHOWN:,} more: {all_of_them}", file=file)


def _show_forgotten(plan: UndoPlan, *, file: Any) -> None:
    if plan.forgotten:
        show_note(
            f"{count(plan.forgotten, 'record')} that the run updated stay as they are: what they held before is kept "
            "for 30 days, and not by every older version",
            file=file,
        )


def _tell(undo: _Undo, plan: UndoPlan) -> None:
    """What came of it, on stdout."""
    out = sys.stdout
    if plan.empty:
        _show_forgotten(plan, file=out)
        if plan.undone is not None:
            show_note(f"The run {undo.name} was undone already, on {plan.undone}: nothing of it is left.", file=out)
        elif not plan.forgotten:
            show_note(f"The run {undo.name} wrote nothing that is still known: there is nothing to undo.", file=out)
        return
    if undo.options.dry_run:
        _show(plan, out=True)
        return
    result = undo.result
    if undo.options.yes:
        _show_kept(undo.kept, file=sys.stderr, all_of_them="`--json` has them all")
        _show_forgotten(plan, file=sys.stderr)
    else:  # the others were shown before the question
        _show_kept(result.refused, file=sys.stderr, all_of_them="`--json` has them all")
    done = "Undone" if result.complete else "Undone so far"
    after = (
        " The run's events count as not handled: replay them with a config that is right." if result.complete else ""
    )
    show_note(
        f"{done}: {count(result.deleted.total(), 'record')} deleted, "
        f"{count(result.restored.total(), 'record')} given back what they had, {len(undo.kept):,} kept.{after}",
        file=out,
    )


def _as_json(undo: _Undo, plan: UndoPlan) -> dict[str, Any]:
    """The object for `--json`. Its keys are a contract."""
    result, dry_run = undo.result, undo.options.dry_run
    deleted, restored = (plan.deleted, plan.restored) if dry_run else (result.deleted, result.restored)
    return {
        "version": 1,
        "run": undo.name,
        "status": "stopped" if result.stopped else "partial" if undo.exit_code else "complete",
        "exit_code": undo.exit_code,
        "reason": None if result.stopped is None else result.stopped.code,
        "message": None if result.stopped is None else result.stopped.message,
        "dry_run": dry_run,
        "done": result.complete,
        "undone_before": plan.undone,
        "deleted": {kind: deleted.get(kind, 0) for kind in KINDS},
        "restored": {kind: restored.get(kind, 0) for kind in KINDS},
        "merges": plan.merges,
        "forgotten": plan.forgotten,
        "kept": [
            {"kind": each.kind, "id": each.id, "field": each.field, "code": each.why, "message": each.message}
            for each in undo.kept
        ],
        "requests": {"total": sum(undo.figures.requests.values())},
        "tokens": {"spent": undo.figures.tokens_spent, "left_today": undo.figures.tokens_left_today},
    }
