"""What `check` does: look, and tell what was found; the exit code says whether a run may begin."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from pipedrive_cli.cli.printing import print_json, standard_input
from pipedrive_cli.config import load, notes
from pipedrive_cli.errors import EXIT_USAGE, ConfigProblems
from pipedrive_cli.pipedrive.catalog import UNLIMITED
from pipedrive_cli.report.console import EXAMPLES_SHOWN, show_note
from pipedrive_cli.report.summary import EXAMPLES
from pipedrive_cli.report.tables import show_findings
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.check import AccountFound, Check, Checked, of_config
from pipedrive_cli.run.sample import UNMAPPED, SampleFound


def check(
    config_file: Path, sources: Sequence[str], *, sandbox: bool, as_json: bool, quiet: bool, verbose: bool
) -> int:
    """Checks, tells, and returns the exit code. Raises UserMistake for sources that are not there."""
    checked = _checked(config_file, sources, sandbox=sandbox)
    if as_json:
        # A contract: these keys, in this order; problems are as in a run's summary.
        print_json({"version": 1, "ok": checked.ok, "problems": checked.problems})
        if checked.unchecked is not None:
            show_note(f"the account was not checked: {checked.unchecked}")
    elif not (quiet and checked.ok):
        _tell(checked, config_file, examples=EXAMPLES if verbose else EXAMPLES_SHOWN)
    return checked.exit_code


def _checked(config_file: Path, sources: Sequence[str], *, sandbox: bool) -> Checked:
    try:
        config = load(config_file, os.environ, sandbox=sandbox)
    except ConfigProblems as error:
        mistakes = tuple(of_config(error.file, problem) for problem in error.problems)
        return Checked(mistakes, exit_code=EXIT_USAGE, unchecked="the config comes first")
    for warning in notes(config):
        show_note(warning)
    job = Check(config, str(config_file), sources, sandbox=sandbox, stdin=standard_input(), note=show_note)
    return asyncio.run(job.run())


def _tell(checked: Checked, config_file: Path, *, examples: int) -> None:
    account = checked.account
    rows = [("not checked", checked.unchecked)] if checked.unchecked else [] if account is None else _account(account)
    sections = [("Account", rows), ("Events", [] if checked.events is None else _events(checked.events))]
    show_findings(
        sections,
        obstacles=checked.obstacles,
        problems=[problem for problem in checked.others if problem.code != UNMAPPED],
        dropped={} if checked.events is None else checked.events.dropped,
        traits=[problem for problem in checked.others if problem.code == UNMAPPED],
        verdict=_verdict(checked, config_file),
        ok=checked.ok,
        examples=examples,
    )


def _verdict(checked: Checked, config_file: Path) -> str:
    mistakes = sum(problem.code == "config" for problem in checked.obstacles)
    if mistakes:
        return f"{count(mistakes, 'thing')} must be changed in {config_file} before a run can begin."
    if not checked.ok:
        return "A run could not begin now: see above."
    rejected = 0 if checked.events is None else checked.events.rejected
    also = f" {count(rejected, 'event')} would be rejected." if rejected else ""
    if checked.unchecked:
        return f"{config_file} is well-formed; whether it fits the account was not checked.{also}"
    return f"{config_file} is in order.{also}"


def _account(found: AccountFound) -> list[tuple[str, str]]:
    where = f" ({found.domain})" if found.domain else ""
    admin = {True: "an admin", False: "no admin", None: "whether an admin is not known"}[found.admin]
    return [
        ("company", f"{found.company}{where}"),
        ("user", f"{found.user or 'unnamed'}, {admin}"),
        ("limit", _limit(found.requests_allowed, found.requests_expected)),
        ("budget", _budget(found)),
    ]


def _limit(told: int | None, expected: int | None) -> str:
    if told is None:
        return (
            f"not told; a run starts from the {expected:,} requests in 2 s of the config's plan"
            if expected
            else "no limit"
        )
    if told >= UNLIMITED:
        return "no limit"
    other = f"; the config's plan has {expected:,}" if expected not in (None, told) else ""
    return f"{told:,} requests in 2 s{other}"


def _budget(found: AccountFound) -> str:
    if found.tokens_left is None:
        return "Pipedrive does not tell how many API tokens are left today"
    if found.tokens_a_day is not None and found.tokens_a_day >= UNLIMITED:
        return "no limit"
    a_day = "" if found.tokens_a_day is None else f" of {found.tokens_a_day:,}"
    usable = found.tokens_usable
    kept = "" if usable is None else f"; a run may spend {usable:,} of them (see delivery.leave_tokens)"
    return f"{found.tokens_left:,}{a_day} API tokens left today{kept}"


def _events(found: SampleFound) -> list[tuple[str, str]]:
    kinds = [(kind, f"{number:,}") for kind, number in found.by_kind.items()]
    return [("read", f"{found.read:,}"), *kinds, ("rejected", f"{found.rejected:,}"), ("skipped", f"{found.skipped:,}")]
