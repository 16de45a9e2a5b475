"""What one run was asked for on the command line, checked and in units: times in microseconds, spans in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipedrive_cli.delivery.brakes import Done
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.model import Event
from pipedrive_cli.report.wording import Scene
from pipedrive_cli.secret import without_keys
from pipedrive_cli.text_forms import caseless_form


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events of the input are read at all. All of them must hold; `since` <= time < `until`."""

    since: int | None = None
    until: int | None = None
    types: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.since is not None or self.until is not None or self.types or self.names or self.users)


def passes(event: Event, filters: Filters) -> bool:
    """Whether the filter options let this event through; without a time it is in no time range."""
    if filters.since is not None and (event.time is None or event.time < filters.since):
        return False
    if filters.until is not None and (event.time is None or event.time >= filters.until):
        return False
    if filters.types and event.type not in filters.types:
        return False
    if filters.names and caseless_form(event.name or "") not in filters.names:
        return False
    return not filters.users or not filters.users.isdisjoint({event.user_id, event.anonymous_id})


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `replay`."""

    sources: tuple[str, ...]
    sandbox: bool = False
    state: Path | None = None
    limit: int | None = None
    filters: Filters = field(default_factory=Filters)
    rows: RowForm | None = None  # the sources are tables, and their rows are events in this form
    rejects: Path | None = None
    results: Path | None = None
    outputs: tuple[tuple[str, Path], ...] = ()  # what the command writes after the run: options and files
    max_tokens: int | None = None
    deadline: float | None = None
    max_failures: int | None = None
    expect: str | None = None  # the name of the plan that is to be sent, or nothing
    brakes: Mapping[Done, int] = field(default_factory=dict)  # above those of the config
    wait: bool = False
    reread: bool = False
    refill: bool = False  # events that were handled under another mapping are taken up again
    retry: bool = False  # no sources: the unfinished events that the journal keeps
    retry_run: str | None = None  # of this run alone
    rehearsal: bool = False  # in virtual time: what it reports has not happened
    typed: str = ""  # the options, as somebody typed them

    @property
    def written(self) -> tuple[tuple[str, Path], ...]:
        """All files that options name to be written, with their options."""
        named = (("--rejects", self.rejects), ("--results", self.results))
        return (*((option, path) for option, path in named if path is not None), *self.outputs)

    @property
    def command(self) -> str:
        """The command as it was typed, without its sources."""
        name = f"retry {self.retry_run or ''}" if self.retry else "rehearse" if self.rehearsal else "replay"
        return without_keys(f"{name.strip()} {self.typed}".strip())

    @property
    def scene(self) -> Scene:
        """Where the run's writes happen."""
        return "foretold" if self.rehearsal else "sandbox" if self.sandbox else "account"
