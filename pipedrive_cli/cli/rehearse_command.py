"""The command `rehearse`: rehearses a run, shows the result, and returns the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from pipedrive_cli.cli.json_errors import errors_as_json, stopped_summary
from pipedrive_cli.cli.output import Output, OutputOptions
from pipedrive_cli.cli.printing import standard_input
from pipedrive_cli.cli.replay_command import REFRESH, check_report, collect_rarely, write_report
from pipedrive_cli.config import PlanName, load, notes
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.live_view import LINE_EVERY
from pipedrive_cli.report.wording import UNLOOKED, count, duration_words
from pipedrive_cli.run.filtering import seconds
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.rehearse import Rehearsal, Rehearsed, plan_limits
from pipedrive_cli.virtual_time import VirtualTimeLoop

DAYS_NAMED = 7  # of longer runs only the first and the last day are named


@dataclass(frozen=True, slots=True)
class PricePlanChoice:
    """The options for the plan to rehearse on, as they were written; None: the config's value counts."""

    plan: str | None = None
    seats: int | None = None
    latency: str | None = None
    online: bool = False


def run_rehearsal(
    config_file: Path, options: RunOptions, choice: PricePlanChoice, output_options: OutputOptions
) -> int:
    """Rehearses, shows the forecast, and returns the exit code that the run would have."""
    output = Output(output_options)
    with errors_as_json(output_options.as_json, stopped_summary):
        rehearsed = _rehearsed(config_file, options, choice, output_options, output)
    means = describe_forecast(rehearsed)
    ignorance = [describe_known(rehearsed)] if rehearsed.looked is None else []
    finished = output.redacted(rehearsed.finished)
    unlooked = UNLOOKED if rehearsed.looked is None else None
    output.show_result(finished, more=["", *means, *ignorance], unlooked=unlooked)
    for report in output_options.reports:
        write_report(report, finished, [describe_known(rehearsed), *means])
    return rehearsed.finished.summary.exit_code


def _rehearsed(
    config_file: Path, options: RunOptions, choice: PricePlanChoice, output_options: OutputOptions, output: Output
) -> Rehearsed:
    plan = _plan(choice.plan)
    latency = seconds("--latency", choice.latency)
    if options.max_tokens is not None and not choice.online:
        raise UserMistake(
            "--max-tokens is what a look at the account may cost, and without --online there is none", code="usage"
        )
    config = load(config_file, os.environ, sandbox=not choice.online)
    output.follow(config)
    for report in output_options.reports:
        check_report(report)
    for warning in notes(config):
        output.note(warning)

    @contextlib.contextmanager
    def progress(live_figures: LiveFigures) -> Iterator[Callable[[], None]]:
        every = REFRESH if sys.stderr.isatty() else LINE_EVERY
        virtual = isinstance(asyncio.get_running_loop(), VirtualTimeLoop)  # the account is read in real time
        with output.watching(live_figures, _real_time, virtual=virtual) as view:
            drawn = time.monotonic()

            def show() -> None:
                nonlocal drawn
                if time.monotonic() - drawn >= every:
                    drawn = time.monotonic()
                    view.refresh()

            yield show

    limits = plan_limits(config, plan=plan, seats=choice.seats, latency=latency)
    collect_rarely()
    rehearsal = Rehearsal(
        config,
        str(config_file),
        replace(options, outputs=output_options.files),
        limits,
        standard_input(),
        output.note,
        progress,
        online=choice.online,
    )
    rehearsed = rehearsal.run()
    if rehearsed.looked is not None:
        output.note(describe_look(rehearsed.looked))
    return rehearsed


def _real_time() -> float:
    """The real time. It is later than any virtual time, so that the view shows no waiting."""
    return time.time()


def describe_look(live_figures: LiveFigures) -> str:
    """What reading the account has cost, in a sentence."""
    left = "" if live_figures.tokens_left_today is None else f"; {live_figures.tokens_left_today:,} are left of today's"
    return (
        f"Looking at the account has cost {count(live_figures.tokens_spent, 'API token')} "
        f"({count(live_figures.requests.total(), 'request')}, no writes){left}. "
        "The figures below are those of a replay."
    )


def describe_known(rehearsed: Rehearsed) -> str:
    """What the rehearsal knew about the account, in a sentence."""
    if rehearsed.looked is None:
        return "It knew nothing of what your account holds and its fields take: `rehearse --online` looks first."
    return describe_look(rehearsed.looked)


def describe_forecast(rehearsed: Rehearsed) -> list[str]:
    """Duration and cost on this plan, in sentences."""
    limits, days = rehearsed.limits, [tokens for tokens in rehearsed.tokens_by_day if tokens]
    summary = rehearsed.finished.summary
    on_seats = f" with {count(limits.seats or 1, 'seat')}" if limits.daily_tokens is None else ""
    lines = [
        f"On the plan {limits.plan}{on_seats}, with {rehearsed.day_budget:,} API tokens a day, it would take "
        f"{duration_words(summary.seconds)}."
    ]
    if len(days) > 1:
        lines.append(
            f"The day's tokens would be spent {count(len(days) - 1, 'time')}, so it is {count(len(days), 'day')}: "
            f"{_by_day(days)} tokens. `replay --wait` does it in one go; without, each day's run goes on from the last."
        )
    if limits.assumed:
        lines.append("One seat is assumed: give --seats, or set pipedrive.seats in the config, for your own budget.")
    return lines


def _by_day(days: list[int]) -> str:
    if len(days) > DAYS_NAMED:
        return f"{days[0]:,} on the first, {days[-1]:,} on the last, about {max(days):,} on those between"
    return ", ".join(f"{tokens:,}" for tokens in days)


def _plan(name: str | None) -> PlanName | None:
    if name is None:
        return None
    plans = get_args(PlanName)
    if name not in plans:
        raise UserMistake(f"--plan {name}: there is no such plan", code="usage", hint=f"one of {', '.join(plans)}")
    return cast(PlanName, name)
