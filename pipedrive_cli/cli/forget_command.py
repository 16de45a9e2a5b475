"""The command `forget`: takes people out of Pipedrive and the journal, after showing what it will do."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipedrive_cli.cli.conversation import at_the_terminal
from pipedrive_cli.cli.json_errors import prints_errors
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import load
from pipedrive_cli.delivery.brakes import Done
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.console import show_error, show_note
from pipedrive_cli.report.tables import show_rows, show_table
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.forget import ForgetOptions, Forgetting, forget_people, names_meant

SHOWN = 20  # rows
NOT_TOUCHED = (
    "Not touched, so look yourself: the files of events, and the rejects, results, reports and logs that earlier runs "
    "were asked to write"
)


@prints_errors()
def run_forget(
    config_file: Path,
    names: Sequence[str],
    file: Path | None,
    *,
    state: Path | None,
    dry_run: bool,
    yes: bool,
    max_tokens: int | None,
    brakes: Mapping[Done, int],
    as_json: bool,
) -> int:
    """Forgets the people, and says what was done and what stays. Returns the exit code."""
    meant = names_meant(tuple(names), file)
    config = load(config_file, os.environ)
    conversation = at_the_terminal(yes=yes)
    if not (dry_run or yes or conversation.live):
        raise UserMistake(
            "people would be deleted, and nobody is there to agree", code="usage", hint="add --yes, or --dry-run"
        )
    options = ForgetOptions(meant, state, dry_run, max_tokens, brakes)

    def agree(found: Forgetting) -> bool:
        if not yes:
            _show_plan(found, file=sys.stderr)
        return yes or conversation.confirm(_question(found), default=False)

    found = asyncio.run(forget_people(config, options, agree))
    if as_json:
        print_json(_object(found))
    elif dry_run:
        _show_plan(found, file=sys.stdout)
    elif not found.agreed:
        show_note("nothing was done")
    else:
        _show_done(found)
    if found.stopped is not None:
        show_error(found.stopped)
    return found.exit_code


def _question(found: Forgetting) -> str:
    records = [count(len(found.persons), "person"), count(len(found.leads), "lead")]
    return f"Delete {' and '.join(records)} in Pipedrive, and forget these people?"


def _show_plan(found: Forgetting, *, file: object) -> None:
    show = show_table if file is sys.stdout else show_rows
    show(("", ""), _plan_rows(found))


def _plan_rows(found: Forgetting) -> list[tuple[str, str]]:
    rows = [
        ("known by", f"{count(found.ids, 'user id')}, {count(found.emails, 'email')}"),
        ("persons to delete", _listed(found.persons)),
        ("leads to delete", _listed(found.leads)),
        ("journal", str(found.journal)),
    ]
    rows += [("kept", f"{_named(each.kind, each.id)}: {each.why}") for each in found.kept[:SHOWN]]
    if len(found.kept) > SHOWN:
        rows.append(("kept", f"{len(found.kept) - SHOWN} more"))
    rows += [("not touched", each) for each in found.sources]
    return rows


def _show_done(found: Forgetting) -> None:
    deleted = ", ".join(count(n, kind[:-1]) for kind, n in found.deleted.items())
    rows = sum(found.rows.values())
    if not (rows or found.persons or found.leads or found.kept):
        show_note(
            "nobody is known by these ids and emails, here or in Pipedrive: they were forgotten before, or are spelled "
            "in another way"
        )
    show_note(f"deleted in Pipedrive: {deleted}; {count(rows, 'row')} of the journal wiped; later runs skip them")
    for each in found.kept:
        show_note(f"kept: {_named(each.kind, each.id)}: {each.why}")
    show_note(NOT_TOUCHED + (":" if found.sources else ""))
    for source in found.sources:  # all of them: somebody has to look at each
        show_note(f"  {source}")


def _named(kind: str, record: int | str | None) -> str:
    return kind if record is None else f"{kind[:-1]} {record}"


def _listed(records: Sequence[object]) -> str:
    shown = ", ".join(map(str, records[:SHOWN]))
    more = len(records) - SHOWN
    return "none" if not records else shown if more <= 0 else f"{shown} and {more} more"


def _object(found: Forgetting) -> dict[str, object]:
    """The object for `--json`. Its keys are a contract."""
    return {
        "version": 1,
        "status": "stopped" if found.stopped else "partial" if found.exit_code else "complete",
        "exit_code": found.exit_code,
        "reason": None if found.stopped is None else found.stopped.code,
        "message": None if found.stopped is None else found.stopped.message,
        "dry_run": found.dry_run,
        "known_by": {"ids": found.ids, "emails": found.emails},
        "found": {"persons": found.persons, "leads": found.leads},
        "deleted": dict(found.deleted),
        "kept": [{"kind": each.kind, "id": each.id, "code": each.code, "why": each.why} for each in found.kept],
        "journal": {"file": str(found.journal), "rows": dict(found.rows)},
        "not_touched": found.sources,
        "requests": {"total": sum(found.figures.requests.values())},
        "tokens": {"spent": found.figures.tokens_spent, "left_today": found.figures.tokens_left_today},
    }
