"""Past runs, from the journal: which journal, which run, and the report of a run that died without one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.befores import KEPT_DAYS, can_be_undone, undone_at
from pipedrive_cli.delivery.journal.past import forget_runs, journal_is_there, reading, unfinished_runs
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.model import Kind
from pipedrive_cli.report.run_context import RunContext, scene_named
from pipedrive_cli.report.summary import Summary, from_json
from pipedrive_cli.report.timeline import unpacked
from pipedrive_cli.report.wording import Scene, first_of
from pipedrive_cli.run.connection import connected, site_of, whose_key
from pipedrive_cli.run.journal_file import default_path, journals_there, locked
from pipedrive_cli.run.results import summary_of

# Where a person finds a record in Pipedrive's web app.
PAGES: dict[Kind, str] = {
    "persons": "person",
    "organizations": "organization",
    "products": "product",
    "leads": "leads/inbox",
}


class Past(msgspec.Struct, frozen=True):
    """One run. `started` is ISO 8601 UTC; `ended` is False for one that died, or is still under way.

    `undone` is when it was undone, ISO 8601 UTC; `undoable`: something of it can be taken back.
    """

    number: int
    name: str
    started: str
    ended: bool
    summary: Summary
    scene: Scene = "account"
    undone: str | None = None
    undoable: bool = False


class Created(msgspec.Struct, frozen=True):
    """A record that a run created. `url` is None where the company's address is not known."""

    kind: Kind
    id: int | str
    key: str | None
    url: str | None


async def find_journal(state: Path | None, config: Config | None) -> Path:
    """The journal to read, which need not exist.

    `state` first, then the config's own; then the only one in the user's state folder; where there are several, that
    of the company whose key the config has, for which Pipedrive is asked once. Raises UserMistake where nothing tells
    which one, and StopRun where Pipedrive could not be asked.
    """
    given = state or (config.state if config is not None else None)
    if given is not None:
        return given
    journals = journals_there()
    if len(journals) == 1:
        return journals[0]
    if not journals:
        return default_path(0)
    if config is None:
        newest = sorted(journals, key=lambda path: path.stat().st_mtime, reverse=True)
        raise UserMistake(
            f"there are {len(journals)} journals, one per company: {first_of([str(path) for path in newest], 3)}",
            code="journal",
            hint="name one with --state, or a config with -c",
        )
    async with connected(config) as connection:
        account = await whose_key(connection)
    return default_path(account.company_id or 0)


def there(path: Path, state: Path | None) -> Path:
    """The journal that `find_journal` has found. Raises UserMistake where nothing has been replayed yet."""
    if state is None and not journal_is_there(path):
        raise UserMistake("there are no runs yet", code="no_runs")
    return path


LATEST = "last"  # what stands for the name of the newest run


@dataclass(frozen=True, slots=True)
class History:
    """The runs of one journal, newest first, and whose journal it is."""

    path: Path
    company: str | None
    runs: tuple[Past, ...]


def history(path: Path) -> History:
    """All runs of a journal. Raises UserMistake."""
    with reading(path) as journal:
        owner = journal.fact("company", tuple[int, str])
        company = None if owner is None else owner[1] or str(owner[0])
        known = can_be_undone(journal)
        runs = (_past(journal, *row) for row in journal.runs())
        return History(
            path,
            company,
            tuple(
                msgspec.structs.replace(run, undone=undone_at(journal, run.number), undoable=run.number in known)
                for run in runs
            ),
        )


def run_names(path: Path | None) -> list[str]:
    """The names of a journal's runs, newest first; of all journals in the state folder where none is named."""
    journals = [path] if path is not None else sorted(default_path(0).parent.glob("*.sqlite"))
    names: list[str] = []
    for each in journals:
        with reading(each) as journal:
            names += [name for _, name, *_ in journal.runs()]
    return sorted(names, reverse=True)


def chosen_runs(past: History, wanted: str | None) -> Past:
    """The run of that name, or of a beginning or end of it that no other run has; the latest for None."""
    if not past.runs:
        raise UserMistake("there are no runs yet", code="no_runs")
    if wanted is None:
        return past.runs[0]
    name = name_meant([run.name for run in past.runs], wanted)
    return next(run for run in past.runs if run.name == name)


def name_meant(names: Sequence[str], wanted: str) -> str:
    """The run's name that `wanted` is, or a beginning or end of that no other name has; `last` is the first of them.

    `names` are the newest first. Raises UserMistake.
    """
    if wanted == LATEST and names:
        return names[0]
    exact = [name for name in names if name == wanted]
    near = exact or [name for name in names if wanted and (name.startswith(wanted) or name.endswith(wanted))]
    if len(near) == 1:
        return near[0]
    message = f"there is no run {wanted}" if not near else f"{len(near)} runs are called {wanted}"
    raise UserMistake(message, code="no_such_run", hint="`pipedrive-cli runs` lists them")


def run_context_of(past: History, run: Past) -> RunContext:
    """What the run's page shows besides its summary. Raises UserMistake."""
    with reading(past.path) as journal:
        command, scene = journal.setting_of(run.number)
        return RunContext(
            scene=scene_named(scene),
            command=f"{command} {journal.sources_of(run.number)}".strip(),
            company=past.company,
            started=_moment(run.started).astimezone(UTC),
            moments=unpacked(journal.timeline_of(run.number)),
            passed_over=journal.counts(run.number, "run").get("passed_over", 0),
        )


def created(past: History, run: Past, config: Config | None) -> tuple[Created, ...]:
    """The records that a run created."""
    with reading(past.path) as journal:
        # The journal's own site before the config's, which may be another company's.
        site = None if run.scene != "account" else journal.fact("site", str) or (config and site_of(config))
        return tuple(
            Created(kind, number, key, None if site is None else f"{site}/{PAGES[kind]}/{number}")
            for kind, number, key in journal.created(run.number)
        )


@dataclass(frozen=True, slots=True)
class Pruned:
    """Names of runs that were forgotten, and of those that were kept: something of them is unfinished, or `runs undo`
    can still take them back.
    """

    forgotten: tuple[str, ...]
    unfinished: tuple[str, ...]
    undoable: tuple[str, ...] = ()


def prune(path: Path, *, keep: int, older_than: float | None, now: datetime, undoable: bool = False) -> Pruned:
    """Forgets runs beyond the newest `keep` (at least one) that are older than so many seconds, if that is given.

    Runs of the last 30 days that can be undone are forgotten with `undoable` alone. Raises StateHeld while a run is
    under way, and UserMistake.
    """
    if not journal_is_there(path):
        raise UserMistake("there are no runs yet", code="no_runs")
    with locked(path):
        with reading(path) as journal:
            rows = journal.runs()[max(1, keep) :]
            known = frozenset() if undoable else can_be_undone(journal)
        if older_than is not None:
            before = now - timedelta(seconds=older_than)
            rows = [row for row in rows if _moment(row[2]) < before]
        needed = unfinished_runs(path)
        young = now - timedelta(days=KEPT_DAYS)
        to_undo = {row[0] for row in rows if row[0] in known and _moment(row[2]) > young} - needed
        gone = [row for row in rows if row[0] not in needed | to_undo]
        forget_runs(path, [row[0] for row in gone])
    return Pruned(
        tuple(row[1] for row in gone),
        tuple(row[1] for row in rows if row[0] in needed),
        tuple(row[1] for row in rows if row[0] in to_undo),
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _past(journal: Journal, number: int, name: str, started: str, summary: bytes | None) -> Past:
    scene = scene_named(journal.setting_of(number)[1])
    if summary is not None:
        with contextlib.suppress(msgspec.ValidationError):
            return Past(number, name, started, True, from_json(summary), scene)
    return Past(number, name, started, False, _as_far_as_counted(journal, number, name), scene)


def _as_far_as_counted(journal: Journal, number: int, name: str) -> Summary:
    """The report of a run that wrote none: what the journal counted until then."""
    stopped = StopRun(
        "the run left no report: it is still under way, or its process was ended from outside",
        code="stopped",
        hint="if it is not under way, run the same command again; what arrived is not sent twice",
    )
    summary = summary_of(journal, number, name, stopped, input_complete=False, live_figures=LiveFigures(), seconds=0.0)
    events = summary.events
    open_ = max(0, events.read - sum(events.by_outcome().values()))
    return msgspec.structs.replace(summary, events=msgspec.structs.replace(events, pending=events.pending + open_))


__all__ = [
    "Created",
    "History",
    "Past",
    "Pruned",
    "chosen_runs",
    "created",
    "find_journal",
    "history",
    "name_meant",
    "prune",
    "run_context_of",
    "run_names",
]
