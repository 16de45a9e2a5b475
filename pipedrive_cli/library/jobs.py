"""The jobs of the library: load a config, replay, preview, check; as on the command line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import msgspec

from pipedrive_cli.config import Config, load
from pipedrive_cli.config.load import CREDENTIALS, with_pipedrive
from pipedrive_cli.config.values import BadValue, secret
from pipedrive_cli.config.variables import TOKEN_VARIABLE
from pipedrive_cli.delivery.brakes import Done
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.library.given import PreviewedRequest, RunProgress, whole
from pipedrive_cli.library.waiting import Waiting
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run import filtering
from pipedrive_cli.run.check import AccountCheck, Checked
from pipedrive_cli.run.first_events import ENOUGH
from pipedrive_cli.run.notice import run_and_tell
from pipedrive_cli.run.options import Filters, RunOptions
from pipedrive_cli.run.plan_name import PlanNaming, keep, plans_folder
from pipedrive_cli.run.preview import Preview, PreviewOptions
from pipedrive_cli.run.replay import Replay

Place: TypeAlias = "str | Path"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A config file, checked. Load it where it is used: it may hold the key, and so cannot be pickled."""

    file: Path
    config: Config = field(repr=False)


def load_config(
    file: Place = "config.yaml",
    *,
    api_token: str | None = None,
    environ: Mapping[str, str] | None = None,
    sandbox: bool = False,
) -> LoadedConfig:
    """The config in a file. Raises ConfigProblems, with every mistake.

    `api_token` counts instead of the file's and the environment's. `environ` stands for the environment. With `sandbox`
    no key is needed, and no variable that holds one.
    """
    path, variables = Path(file), dict(os.environ if environ is None else environ)
    if api_token is None:
        return LoadedConfig(path, load(path, variables, sandbox=sandbox))
    try:
        key = secret(api_token)
    except BadValue as refusal:
        raise UserMistake(f"api_token {refusal.message}", code="api_token", hint=refusal.hint) from None
    config = load(path, {**variables, TOKEN_VARIABLE: key.reveal()}, sandbox=sandbox)
    return LoadedConfig(path, with_pipedrive(config, **{**dict.fromkeys(CREDENTIALS), "api_token": key}))


def replay(
    config: LoadedConfig,
    sources: Place | Iterable[Place],
    *,
    sandbox: bool = False,
    state: Place | None = None,
    limit: int | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    types: Iterable[str] = (),
    events: Iterable[str] = (),
    users: Iterable[str] = (),
    reread: bool = False,
    refill: bool = False,
    expect: str | msgspec.UnsetType | None = None,
    rejects: Place | None = None,
    results: Place | None = None,
    max_tokens: int | None = None,
    deadline: timedelta | None = None,
    max_failures: int | None = None,
    max_created: int | None = None,
    max_updated: int | None = None,
    max_merged: int | None = None,
    wait: bool = False,
    progress: Callable[[RunProgress], object] | None = None,
    progress_every: timedelta = timedelta(seconds=1),
    note: Callable[[str], object] | None = None,
) -> Summary:
    """Brings events into Pipedrive, as the command `replay` does with the options of these names.

    Returns when every event has an outcome: the summary's status is complete, or partial where some were rejected or
    failed. Raises UserMistake (nothing was sent), KeyRefused, RunStopped (call again), StateHeld (another run is under
    way) and ToolFault. Whatever is raised in the caller's thread while it waits, by a signal or by `progress`, stops
    the run in order, and then goes on to the caller. `note` gets messages for people.
    """
    _must_be(LoadedConfig, "what load_config gives", config=config)
    _must_be(timedelta, "such as timedelta(minutes=50)", deadline=deadline)
    if expect is msgspec.UNSET:
        raise UserMistake("expect: this preview has no plan", code="usage", hint="preview with online=True")
    _at_least(1, limit=limit, max_tokens=max_tokens, max_failures=max_failures)
    _at_least(0, max_created=max_created, max_updated=max_updated, max_merged=max_merged)
    brakes: dict[Done, int | None] = {"created": max_created, "updated": max_updated, "merged": max_merged}
    options = RunOptions(
        _at_least_one(sources),
        sandbox=sandbox,
        state=_path(state),
        limit=limit,
        filters=_filters(since, until, types, events, users),
        rejects=_path(rejects),
        results=_path(results),
        max_tokens=max_tokens,
        deadline=None if deadline is None else deadline.total_seconds(),
        max_failures=max_failures,
        expect=expect,
        brakes={done: most for done, most in brakes.items() if most is not None},
        wait=wait,
        reread=reread,
        refill=refill,
    )
    waiting = Waiting(progress, progress_every, note)
    job = Replay(config.config, str(config.file), options, note=waiting.messages.put, live_figures=waiting.live_figures)
    interrupt = StopRun("interrupted: what was in flight is finished and recorded", code="interrupted")
    waiting.notes(config.config)
    finished = waiting.result(lambda: run_and_tell(job, waiting.messages.put), lambda _: job.stop(interrupt))
    return whole(finished.summary, finished.resume_in)


def preview(
    config: LoadedConfig,
    sources: Place | Iterable[Place],
    *,
    online: bool = False,
    sandbox: bool = False,
    state: Place | None = None,
    limit: int | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    types: Iterable[str] = (),
    events: Iterable[str] = (),
    users: Iterable[str] = (),
    reread: bool = False,
    refill: bool = False,
    request: Callable[[PreviewedRequest], object] | None = None,
    progress: Callable[[RunProgress], object] | None = None,
    progress_every: timedelta = timedelta(seconds=1),
    note: Callable[[str], object] | None = None,
) -> Summary:
    """What a replay would do, and sends nothing: the summary foretells outcomes, records, requests, tokens and time.

    `request` gets each request as it comes. With `online` the account is asked, read-only; the summary's `plan` is then
    what `replay` takes as `expect`. Raises as `replay` does.
    """
    _must_be(LoadedConfig, "what load_config gives", config=config)
    _at_least(1, limit=limit)
    options = PreviewOptions(
        _at_least_one(sources),
        online,
        sandbox,
        refill,
        _path(state),
        limit,
        _filters(since, until, types, events, users),
        reread,
    )
    waiting = Waiting(progress, progress_every, note, request)
    job = Preview(
        config.config,
        str(config.file),
        options,
        show=None if request is None else waiting.messages.put,
        note=waiting.messages.put,
        live_figures=waiting.live_figures,
        plan=PlanNaming() if online else None,
    )
    summary = whole(waiting.result(job.run, asyncio.Task.cancel), None)
    if job.plan is not None:
        keep(job.plan, plans_folder())
    return summary


def check(
    config: LoadedConfig,
    sources: Place | Iterable[Place] = (),
    *,
    sandbox: bool = False,
    offline: bool = False,
    every: bool = False,
    note: Callable[[str], object] | None = None,
) -> Checked:
    """What would fail in a run: in the config, the account and the events. Sends nothing but questions.

    `every`: all events are read, however many there are. Raises UserMistake for sources that are not there.
    """
    _must_be(LoadedConfig, "what load_config gives", config=config)
    waiting = Waiting(None, timedelta(seconds=1), note)
    job = AccountCheck(
        config.config,
        str(config.file),
        _listed(sources),
        sandbox=sandbox,
        note=waiting.messages.put,
        most=None if every else ENOUGH,
        offline=offline,
    )
    waiting.notes(config.config)
    return waiting.result(job.run, asyncio.Task.cancel)


def _must_be(kind: type, what: str, **given: object) -> None:
    """Raises UserMistake for an argument of another type: a path in the config's place is an easy slip."""
    for name, value in given.items():
        if value is not None and not isinstance(value, kind):
            wrong = f"{name}: must be {what}, a {kind.__name__}, and is a {type(value).__name__}"
            raise UserMistake(wrong, code="usage")


def _listed(sources: Place | Iterable[Place]) -> tuple[str, ...]:
    return (str(sources),) if isinstance(sources, str | Path) else tuple(map(str, sources))


def _at_least_one(sources: Place | Iterable[Place]) -> tuple[str, ...]:
    """Raises UserMistake where no source is named, as the command line does."""
    if not (listed := _listed(sources)):
        raise UserMistake("no source is named", code="usage", hint="a folder or pattern may be empty; a list may not")
    return listed


def _path(place: Place | None) -> Path | None:
    return None if place is None else Path(place)


def _at_least(least: int, **numbers: int | None) -> None:
    """Raises UserMistake for a number that the command line refuses, too."""
    for name, number in numbers.items():
        if number is not None and number < least:
            raise UserMistake(f"{name} is {number}: it must be {least} or more", code="usage")


def _filters(
    since: datetime | str | None,
    until: datetime | str | None,
    types: Iterable[str],
    events: Iterable[str],
    users: Iterable[str],
) -> Filters:
    return filtering.filters(
        since=_moment(since), until=_moment(until), types=_words(types), names=_words(events), users=_words(users)
    )


def _words(words: Iterable[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)


def _moment(moment: datetime | str | None) -> str | None:
    """A time as the command line takes it. One without a zone is UTC."""
    if not isinstance(moment, datetime):
        return moment
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()
