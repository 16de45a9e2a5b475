"""The command `runs undo`: shows what would be undone, asks, undoes it, and tells what was kept and why."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipedrive_cli.cli.conversation import at_the_terminal
from pipedrive_cli.cli.interrupts import pass_over_signals, signal_of
from pipedrive_cli.cli.json_errors import errors_as_json
from pipedrive_cli.cli.options import brakes
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import load
from pipedrive_cli.delivery.undoing import KeptRecord
from pipedrive_cli.errors import UserMistake, interrupted
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.report.console import show_error, show_note
from pipedrive_cli.report.tables import show_rows, show_table
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.past import Past, chosen_runs, find_journal, history, there
from pipedrive_cli.run.undo import undo_past_run
from pipedrive_cli.run.undo_plan import UndoOptions, UndoPlan, UndoResult

EVERY = 5.0  # seconds between two lines of progress
SHOWN = 20  # kept records that are named one by one
WHY = {
    "changed_since": "somebody has changed it since",
    "later_run": "a later run has written it",
    "something_hangs_on_it": "a lead, a person, a deal, an activity or a note hangs on it, or may",
    "not_known_before": "what it held before was not known",
    "merged": "another record was merged into it, which nothing undoes",
    "not_seen": "it is not there any more, or not to be seen",
    "refused": "Pipedrive refused it",
    "in_doubt": "Pipedrive did not say whether it was done",
}


@dataclass(frozen=True, slots=True)
class UndoAsked:
    """The options of `runs undo`, as they were written."""

    run: str
    dry_run: bool = False
    kinds: tuple[str, ...] = ()
    max_tokens: int | None = None
    max_deleted: int | None = None
    max_updated: int | None = None
    yes: bool = False
    as_json: bool = False


def take_back(state: Path | None, config_file: Path, asked: UndoAsked) -> int:
    """Undoes a run, and returns the exit code: 1 where something of it was kept."""
    result = UndoResult()
    with errors_as_json(asked.as_json):
        conversation = at_the_terminal(yes=asked.yes)
        if not (asked.dry_run or asked.yes) and (asked.as_json or not conversation.live):
            raise UserMistake("nobody is there to be asked", code="usage", hint="--yes undoes it; --dry-run shows it")
        if not set(asked.kinds) <= set(KINDS):
            raise UserMistake(f"--kinds: one of {', '.join(KINDS)}", code="usage")
        config = load(config_file, os.environ)
        path = there(asyncio.run(find_journal(state, config)), state)
        run = _chosen(path, asked.run)
        options = UndoOptions(
            run,
            asked.dry_run,
            cast(frozenset[Kind], frozenset(asked.kinds or KINDS)),
            asked.max_tokens,
            brakes(deleted=asked.max_deleted, updated=asked.max_updated),
        )

        def agree(plan: UndoPlan) -> bool:
            if asked.yes:
                return True
            _show(plan)
            if not conversation.confirm(_question(run, plan), default=False):
                raise UserMistake("nothing was undone", code="usage")
            return True

        try:
            asyncio.run(_watched(undo_past_run(config, path, options, agree, result), result))
        except KeyboardInterrupt as interrupt:
            if not result.records:
                raise
            pass_over_signals()
            told = f"{count(result.records, 'record')} had been undone; the same command goes on"
            result.stopped = interrupted(signal_of(interrupt), told)
    if asked.as_json:
        print_json(_as_json(run, asked, result))
    else:
        _tell(run, asked, result)
        if result.stopped is not None:
            show_error(result.stopped)
    return result.exit_code


async def _watched(undoing: Coroutine[Any, Any, None], result: UndoResult) -> None:
    """Says on stderr now and then how far the undo is."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(EVERY)
            show_note(_how_far(result))

    teller = asyncio.create_task(tell())
    try:
        await undoing
    finally:
        teller.cancel()


def _how_far(result: UndoResult) -> str:
    if not result.plan.todo:
        return f"looking at what the run wrote: {count(sum(result.figures.requests.values()), 'request')} so far"
    planned = sum(result.plan.deleted.values()) + sum(result.plan.restored.values())
    return f"{result.records:,} of {count(planned, 'record')} undone"


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
        return (
            f"Nothing of the run {run.name} can be taken back. Count its {count(plan.events, 'event')} as not handled?"
        )
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


def _tell(run: Past, asked: UndoAsked, result: UndoResult) -> None:
    """What came of it, on stdout."""
    out, plan = sys.stdout, result.plan
    if plan.empty:
        _show_forgotten(plan, file=out)
        if plan.undone is not None:
            show_note(f"The run {run.name} was undone already, on {plan.undone}: nothing of it is left.", file=out)
        elif not plan.forgotten:
            show_note(f"The run {run.name} wrote nothing that is still known: there is nothing to undo.", file=out)
        return
    if asked.dry_run:
        _show(plan, out=True)
        return
    if asked.yes:
        _show_kept(result.kept, file=sys.stderr, all_of_them="`--json` has them all")
        _show_forgotten(plan, file=sys.stderr)
    else:  # the others were shown before the question
        _show_kept(result.refused, file=sys.stderr, all_of_them="`--json` has them all")
    done = "Undone" if result.complete else "Undone so far"
    counts = f"{count(result.deleted.total(), 'record')} deleted"
    if restored := result.restored.total():
        counts += f", {count(restored, 'record')} given back what they had"
    after = ""
    if result.complete and plan.events:
        events = count(plan.events, "event")
        after = (
            f" {events} of the run count as not handled: replay them with a config that is right; under the same "
            "config, files found in a folder are read again with --reread."
        )
    show_note(f"{done}: {counts}, {len(result.kept):,} kept.{after}", file=out)


def _as_json(run: Past, asked: UndoAsked, result: UndoResult) -> dict[str, Any]:
    """The object for `--json`. Its keys are a contract."""
    plan, figures = result.plan, result.figures
    deleted, restored = (plan.deleted, plan.restored) if asked.dry_run else (result.deleted, result.restored)
    return {
        "version": 1,
        "run": run.name,
        "status": "stopped" if result.stopped else "partial" if result.exit_code else "complete",
        "exit_code": result.exit_code,
        "reason": None if result.stopped is None else result.stopped.code,
        "message": None if result.stopped is None else result.stopped.message,
        "dry_run": asked.dry_run,
        "done": result.complete or (plan.empty and not asked.dry_run),
        "undone_before": plan.undone,
        "deleted": {kind: deleted.get(kind, 0) for kind in KINDS},
        "restored": {kind: restored.get(kind, 0) for kind in KINDS},
        "merges": plan.merges,
        "forgotten": plan.forgotten,
        "events": plan.events,
        "kept": [
            {"kind": each.kind, "id": each.id, "field": each.field, "code": each.why, "message": each.message}
            for each in result.kept
        ],
        "requests": {"total": sum(figures.requests.values())},
        "tokens": {"spent": figures.tokens_spent, "left_today": figures.tokens_left_today},
    }
