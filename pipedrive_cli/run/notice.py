"""Tells the address that the config names as `notify` of a run that failed, and of the first success after it.

The message has counts, codes and the run's name, nothing of any event. Whatever becomes of it, the run ends as it would
have ended. That a run has failed is remembered in the journal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.past import journal_is_there
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_OK, EXIT_STATE_HELD, PipedriveCliError, error_in
from pipedrive_cli.pipedrive.webhook import post_json
from pipedrive_cli.report.summary import EventCounts, Status, Summary
from pipedrive_cli.run.journal_file import locked, only_journal
from pipedrive_cli.run.replay import Finished, Replay

FAILED = "failed"  # the journal's fact: the exit code of the last run that was no success
SIGNAL = 128  # whoever stops a run knows of it
UNTOLD = "notify: nobody could be told how the run ended"


class Message(msgspec.Struct, frozen=True):
    """What is sent, as JSON. `text` is a sentence, which chats show; `reason` is a problem code."""

    text: str
    run: str | None
    status: Status
    exit_code: int
    reason: str | None
    events: EventCounts
    version: int = 1


async def run_and_tell(job: Replay, warn: Callable[[str], None]) -> Finished:
    """Runs the job to its end, and tells it. Raises what the job raises. `warn` gets a sentence if that fails."""
    try:
        finished = await job.run()
    except Exception as exception:
        error = error_in(exception)
        failure = message(error.exit_code, "stopped", error.code, job.live_figures.run, _counted(job.live_figures))
        await tell(job, failure, warn)
        raise
    await tell(job, message_of(finished.summary), warn)
    return finished


async def tell(job: Replay, said: Message, warn: Callable[[str], None]) -> None:
    """Sends a failure, and a success that follows one; nothing else, and nothing of a sandbox."""
    address, asked = job.config.notify, job.options
    if address is None or asked.sandbox or asked.rehearsal or said.exit_code == EXIT_STATE_HELD:
        return
    if said.exit_code > SIGNAL:
        return
    journal = job.used_journal or _likely_journal(job.config, asked.state)
    if said.exit_code == EXIT_OK and not _failed_before(journal):
        return
    untold = await post_json(address, msgspec.json.encode(said))
    if untold is not None:
        warn(f"{UNTOLD}: {untold}")
    if said.exit_code != EXIT_OK or untold is None:
        _remember(journal, said.exit_code)


def message_of(summary: Summary) -> Message:
    """The message about a run that has a summary."""
    return message(summary.exit_code, summary.status, summary.reason, summary.run, summary.events)


def message(exit_code: int, status: Status, reason: str | None, run: str | None, events: EventCounts) -> Message:
    """The message with its sentence."""
    why = f" ({reason})" if reason is not None else ""
    ended = "succeeded again" if exit_code == EXIT_OK else f"{status}{why}, exit code {exit_code}"
    counts = ", ".join(f"{n:,} {outcome.value}" for outcome, n in events.by_outcome().items() if n)
    text = f"Pipedrive import {ended}: {events.read:,} events read{f', {counts}' if counts else ''}."
    return Message(text if run is None else f"{text} Run {run}.", run, status, exit_code, reason, events)


def _counted(figures: LiveFigures) -> EventCounts:
    return EventCounts.of(figures.events_read, dict(figures.outcomes))


def _likely_journal(config: Config, named: Path | None) -> Path | None:
    """The journal that the run would have used: the one that is named, or the only one there is."""
    return named or config.state or only_journal()


def _failed_before(path: Path | None) -> bool:
    with contextlib.suppress(PipedriveCliError, OSError):
        if path is not None and journal_is_there(path):
            with contextlib.closing(Journal.open(path)) as journal:
                return journal.fact(FAILED, int) is not None
    return False


def _remember(path: Path | None, exit_code: int) -> None:
    """Notes a failure, or with 0 forgets it. Where no journal is there, or its disk refuses, nothing is noted."""
    with contextlib.suppress(PipedriveCliError, OSError):
        if path is not None and journal_is_there(path):
            with locked(path), contextlib.closing(Journal.open(path)) as journal, journal.transaction():
                journal.set_fact(FAILED, exit_code or None)
