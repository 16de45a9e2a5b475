"""The command `check`: shows the problems of a run before it begins; the exit code says whether it can begin."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipedrive_cli.cli.json_errors import errors_as_json, problems_of_stop
from pipedrive_cli.cli.printing import print_json, standard_input
from pipedrive_cli.cli.reading_shown import ReadingShown
from pipedrive_cli.config import load, notes
from pipedrive_cli.errors import EXIT_OK, EXIT_USAGE, ConfigProblems, PipedriveCliError, UserMistake
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.pipedrive.catalog import UNLIMITED, WINDOW_SECONDS
from pipedrive_cli.report.console import EXAMPLES_SHOWN, show_note
from pipedrive_cli.report.redact import redactor_if
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.summary import EXAMPLES
from pipedrive_cli.report.tables import show_findings
from pipedrive_cli.report.wording import count, duration_words, first_of
from pipedrive_cli.run.check import AccountCheck, AccountFound, Checked
from pipedrive_cli.run.filtering import Columns, row_form
from pipedrive_cli.run.first_events import ENOUGH
from pipedrive_cli.run.left_files import stop_of
from pipedrive_cli.run.reading_needs import ReadingProposal
from pipedrive_cli.run.sample import UNMAPPED, SampleFound

PURPOSES_SHOWN, PURPOSE_LENGTH = 5, 40
_UNKNOWN = "aliases of people whom nobody knows"
LINES_NAMED = 10  # lines of the config that must be changed


def run_check(
    config_file: Path,
    sources: Sequence[str],
    *,
    sandbox: bool,
    offline: bool,
    every: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    redact: bool = False,
    reread: bool = False,
    columns: Columns = (None, None, None, None),
) -> int:
    """Checks, shows the result, and returns the exit code. Raises UserMistake for missing sources.

    `every`: all events are read, however many there are. `columns` are the options for tables.
    """
    with errors_as_json(as_json, stopped_check):
        if offline and sandbox:
            raise UserMistake("--offline and --sandbox: the one asks nobody, the other the sandbox", code="usage")
        rows = row_form(*columns)
        checked = _checked(
            config_file,
            sources,
            ReadingShown(quiet=quiet),
            sandbox=sandbox,
            offline=offline,
            every=every,
            redact=redact,
            reread=reread,
            rows=rows,
        )
    if as_json:
        print_json(_object(checked))
        if checked.unchecked is not None:
            show_note(f"the account was not checked: {checked.unchecked}")
    elif not (quiet and checked.exit_code == EXIT_OK):
        steps = _steps(checked, config_file, sources, sandbox, columns)
        show_checked(checked, config_file, steps, examples=EXAMPLES if verbose else EXAMPLES_SHOWN)
    return checked.exit_code


def stopped_check(error: PipedriveCliError) -> dict[str, object]:
    """The object for `--json` when nothing was checked."""
    return _object(Checked(problems_of_stop(error), exit_code=error.exit_code))


def _object(checked: Checked) -> dict[str, object]:
    """The object for `--json`. Its keys and their order are a contract; problems are as in a run's summary."""
    return {
        "version": 1,
        "ok": checked.ok,
        "problems": checked.problems,
        "unchecked": checked.unchecked,
        "account": checked.account,
        "events": None if checked.events is None else _plain(checked.events),
    }


def _checked(
    config_file: Path,
    sources: Sequence[str],
    reading_shown: ReadingShown,
    *,
    sandbox: bool,
    offline: bool,
    every: bool,
    redact: bool,
    reread: bool,
    rows: RowForm | None,
) -> Checked:
    try:
        config = load(config_file, os.environ, sandbox=sandbox or offline)
    except ConfigProblems as error:
        return Checked(problems_of_stop(error), exit_code=EXIT_USAGE, unchecked="the config comes first")
    for warning in notes(config):
        show_note(warning)
    job = AccountCheck(
        config,
        str(config_file),
        sources,
        sandbox=sandbox,
        stdin=standard_input(),
        note=reading_shown.note,
        live_figures=reading_shown.figures,
        most=None if every else ENOUGH,
        offline=offline,
        rows=rows,
        reread=reread,
    )
    with reading_shown:
        checked = asyncio.run(job.run())
    if (redactor := redactor_if(redact or config.report.redact)) is None:
        return checked
    return replace(
        checked,
        obstacles=tuple(map(redactor.problem, checked.obstacles)),
        warnings=tuple(map(redactor.problem, checked.warnings)),
        others=tuple(map(redactor.problem, checked.others)),
    )


def show_checked(checked: Checked, config_file: Path, steps: Sequence[str], *, examples: int = EXAMPLES_SHOWN) -> None:
    """Shows what a check found, on stdout, and the next steps."""
    account = checked.account
    rows = [] if account is None else _account(account)
    if checked.unchecked:
        told_below = any(problem.message == checked.unchecked for problem in checked.obstacles)
        rows = [("not checked", "what is to be put right comes first" if told_below else checked.unchecked)]
    events = checked.events
    sections = [
        ("Account", rows),
        ("Events", [] if events is None else _events(events, checked)),
        ("Cost of a replay", [] if events is None else _cost(events, account)),
    ]
    show_findings(
        sections,
        obstacles=checked.obstacles,
        warnings=checked.warnings,
        problems=[problem for problem in checked.others if problem.code != UNMAPPED],
        dropped={} if events is None else events.dropped,
        traits=[problem for problem in checked.others if problem.code == UNMAPPED],
        verdict=_verdict(checked, config_file),
        steps=steps,
        ok=checked.ok,
        examples=examples,
    )


def _verdict(checked: Checked, config_file: Path) -> str:
    mistakes = [problem for problem in checked.obstacles if problem.code == "config"]
    if mistakes:
        if not config_file.exists():
            return f"There is no {config_file} yet."
        lines = sorted({example.line for problem in mistakes for example in problem.examples if example.line})
        listed = first_of([str(line) for line in lines], LINES_NAMED)
        # With many problems their lines have scrolled away.
        where = f", line{'s' if len(lines) > 1 else ''} {listed}," if lines else ""
        return f"{count(len(mistakes), 'thing')} must be changed in {config_file}{where} before a run."
    if not checked.ok:
        stops = [problem.message for problem in checked.obstacles]
        if checked.events is not None and (unread_file := stop_of(checked.events.left)) is not None:
            stops.append(unread_file.message)
        more = f", and {count(len(stops) - 1, 'thing')} more that stands above" if len(stops) > 1 else ""
        return f"A run could not begin now: {stops[0]}{more}."
    events = checked.events
    unread = 0 if events is None else sum(left.verdict != "excused" for left in events.left)
    of_those = "" if events is None or events.whole else f" of the {events.read:,} looked at"
    # Only a run finds out whether the previous id of an alias belongs to a person.
    least = "At least " if events is not None and "alias" in events.by_kind else ""
    also = (
        f" {least}{count(events.rejected, 'event')}{of_those} would be rejected." if events and events.rejected else ""
    )
    if unread:
        also += f" {count(unread, 'file')} could not be read to the end."
    if checked.unchecked:
        return f"{config_file} is well-formed; whether it fits the account was not checked.{also}"
    return f"{config_file} is in order.{also}"


def _steps(checked: Checked, config_file: Path, sources: Sequence[str], sandbox: bool, columns: Columns) -> list[str]:
    """The next steps, with commands that can be copied."""
    named = " ".join(shlex.quote(source) for source in sources) or "SOURCE"
    given = [("--as", columns[0]), ("--id", columns[1]), ("--time", columns[2]), ("--message-id", columns[3])]
    named += "".join(f" {option} {shlex.quote(value)}" for option, value in given if value is not None)
    config = "" if str(config_file) == "config.yaml" else f" -c {shlex.quote(str(config_file))}"
    again = f"pipedrive-cli check{f' {named}' if sources else ''}{config}"
    if any(problem.code == "config" for problem in checked.obstacles):
        if not config_file.exists():
            return [f"`pipedrive-cli init {named}{config}` writes it, and says what `{again}` would say."]
        rest = "" if checked.account else "; what the account and the events say comes then"
        return [f"Mend the lines above, then run `{again}` again{rest}."]
    if not checked.ok:
        return [f"Put that right, then run `{again}` again."]
    if checked.unchecked:
        return [f"`pipedrive-cli check {named}{config}` without --offline asks the account: it alone knows its fields."]
    if sandbox:
        return [f"`pipedrive-cli rehearse {named}{config}` plays the whole run and says what it costs."]
    if not sources:
        return [f"`pipedrive-cli check SOURCE{config}` looks at events too; SOURCE is a file or folder of them."]
    if "-" in sources:
        return []
    if (found := checked.events) is not None and _all_handled(found):
        if any(problem.code == "other_mapping" for problem in checked.others):
            return [
                f"Nothing is new. `pipedrive-cli preview {named}{config} --refill --online` shows what a refill would "
                "fill of what the mapping has gained."
            ]
        return [
            f"Nothing is new: a replay would send nothing. `pipedrive-cli runs show{config}` has the last one's report."
        ]
    rejected = checked.events is not None and checked.events.rejected
    kept = "; what is rejected stands in that file, to be mended" if rejected else ""
    return [
        f"`pipedrive-cli preview {named}{config} --online` shows every request and sends none, "
        "with --summary the counts alone.",
        f"`pipedrive-cli replay {named}{config}{' --rejects rejected.rejects.ndjson' if rejected else ''}` sends them; "
        f"`--limit 10` begins with ten events{kept}.",
    ]


def _all_handled(found: SampleFound) -> bool:
    """Whether a replay would send nothing: earlier runs have handled all, or read it to its end."""
    done = found.duplicate + found.skipped
    return found.whole and bool(found.passed_over or found.duplicate) and done == found.read


def _account(found: AccountFound) -> list[tuple[str, str]]:
    where = f" ({found.domain})" if found.domain else ""
    admin = {True: "an admin", False: "no admin", None: "whether an admin is not known"}[found.admin]
    return [
        ("company", f"{found.company}{where}"),
        ("user", f"{found.user or 'unnamed'}, {admin}"),
        ("limit", _limit(found.requests_allowed, found.requests_expected)),
        ("budget", _budget(found)),
    ]


def _limit(allowed: int | None, expected: int | None) -> str:
    if allowed is None:
        return (
            f"not told; a run starts from the {expected:,} requests in 2 s of the config's plan"
            if expected
            else "no limit"
        )
    if allowed >= UNLIMITED:
        return "no limit"
    other = f"; the config's plan has {expected:,}" if expected not in (None, allowed) else ""
    return f"{allowed:,} requests in 2 s{other}"


def _budget(found: AccountFound) -> str:
    if found.tokens_left is None:
        return "Pipedrive does not tell how many API tokens are left today"
    if found.tokens_a_day is not None and found.tokens_a_day >= UNLIMITED:
        return "no limit"
    a_day = "" if found.tokens_a_day is None else f" of {found.tokens_a_day:,}"
    usable = found.tokens_usable
    kept = "" if usable is None else f"; a run may spend {usable:,} of them (see delivery.leave_tokens)"
    return f"{found.tokens_left:,}{a_day} API tokens left today{kept}"


def _events(found: SampleFound, checked: Checked) -> list[tuple[str, str]]:
    kinds = [(kind, f"{number:,}") for kind, number in found.by_kind.items()]
    where = "" if found.whole else f" from the beginnings of {count(found.files, 'file')}; --all reads every event"
    where += "" if found.knows_past else "; whether earlier runs have handled them is not known without the account"
    if found.passed_over:
        where += f"; {count(found.passed_over, 'file')} passed over, as a replay does: --reread looks at them, too"
    outcomes = [
        ("duplicate", f"{found.duplicate:,}"),
        ("rejected", f"{found.rejected:,}{_besides(found, checked)}"),
        ("skipped", f"{found.skipped:,}"),
    ]
    purposes = [
        f"{visible_text(purpose, PURPOSE_LENGTH)} refused by {refused:,} of {named:,}"
        for purpose, (named, refused) in found.purposes.items()
    ]
    consent = [("consent", first_of(purposes, PURPOSES_SHOWN))]
    there = [
        ("recognised", "not looked at: `preview --online` counts who is there by email, and what it would overwrite")
    ]
    persons = found.cost is not None and "persons" in found.cost.records
    return [
        ("read", f"{found.read:,}{where}"),
        *kinds,
        *outcomes,
        *(consent if purposes else []),
        *(there if persons else []),
    ]


def _besides(found: SampleFound, checked: Checked) -> str:
    """What the number of rejected events leaves out."""
    missing = ["values that no field takes" if checked.unchecked else "", _UNKNOWN if "alias" in found.by_kind else ""]
    listed = " and ".join(each for each in missing if each)
    return f"; {listed} are not looked at" if listed else ""


def _cost(found: SampleFound, account: AccountFound | None) -> list[tuple[str, str]]:
    """The highest possible cost, if all records are new; nothing if the events change nothing."""
    cost = found.cost
    if cost is None or not cost.written:
        return []
    different = [count(number, kind.removesuffix("s")) for kind, number in cost.records.items()]
    different += [count(cost.merges, "merge")] if cost.merges else []
    leads = ", besides listing the leads that are there" if "leads" in cost.records else ""
    about = "" if found.whole else ", by the size of the files,"
    rows = [
        ("writing", f"at most about {cost.written:,} API tokens{about} if all is new: {', '.join(different)}"),
        ("looking up", f"{cost.looked_up:,} in an empty account, at most about {cost.looked_up_most:,} in any{leads}"),
    ]
    pace = None if account is None else account.requests_allowed or account.requests_expected
    if pace and pace < UNLIMITED:
        rows.append(
            ("time", f"at least {duration_words(cost.requests / pace * WINDOW_SECONDS)} at the account's limit")
        )
    return rows


def _settings(needed: ReadingProposal) -> Iterator[tuple[str, object]]:
    """The settings of `values` that are proposed, by key."""
    for line in needed.lines:
        name = line.partition(":")[0]
        yield name, getattr(needed.values, name)


def _plain(found: SampleFound) -> dict[str, object]:
    """The events in the object for `--json`."""
    return {
        "read": found.read,
        "whole": found.whole,
        "files": found.files,
        "by_kind": found.by_kind,
        "rejected": found.rejected,
        "skipped": found.skipped,
        "duplicate": found.duplicate,
        "passed_over": found.passed_over,
        "consent": {purpose: {"events": n, "refused": refused} for purpose, (n, refused) in found.purposes.items()},
        "dropped_traits": found.dropped,
        "values": None if found.reading is None else dict(_settings(found.reading)),
        "tokens_at_most": None if found.cost is None else found.cost.most,
        "records_at_most": {} if found.cost is None else found.cost.records,
    }
