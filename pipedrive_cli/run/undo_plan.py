"""What an undo is asked for, what it comes to, and what it has done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipedrive_cli.delivery.brakes import Done
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.undoing import KeptRecord, Undone
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, StopRun
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.run.past import Past


@dataclass(slots=True)
class UndoPlan:
    """What undoing a run comes to, before anything is written.

    `forgotten` is how many records the run wrote of which the journal does not know any more what they held before.
    `undone` is when the run was undone before, ISO 8601; `events` are those that will count as not handled, `refilled`
    those that will count as handled by an earlier run.
    """

    todo: list[Undone] = field(default_factory=list)
    kept: list[KeptRecord] = field(default_factory=list)
    merges: int = 0
    forgotten: int = 0
    undone: str | None = None
    events: int = 0
    refilled: int = 0

    @property
    def deleted(self) -> dict[Kind, int]:
        return dict(Counter(each.kind for each in self.todo if each.delete))

    @property
    def restored(self) -> dict[Kind, int]:
        return dict(Counter(each.kind for each in self.todo if each.body))

    @property
    def empty(self) -> bool:
        """Whether the journal knows nothing of the run that could be undone."""
        return not (self.todo or self.kept or self.events or self.refilled)


@dataclass(slots=True)
class UndoResult:
    """What an undo has found and done so far, and why it stopped early, if so."""

    plan: UndoPlan = field(default_factory=UndoPlan)
    deleted: Counter[Kind] = field(default_factory=Counter)
    restored: Counter[Kind] = field(default_factory=Counter)
    refused: list[KeptRecord] = field(default_factory=list)
    complete: bool = False
    stopped: StopRun | None = None
    figures: LiveFigures = field(default_factory=LiveFigures)

    @property
    def records(self) -> int:
        return self.deleted.total() + self.restored.total()

    @property
    def kept(self) -> list[KeptRecord]:
        return [*self.plan.kept, *self.refused]

    @property
    def exit_code(self) -> int:
        """4 where it stopped early, 1 where something is kept."""
        if self.stopped is not None:
            return self.stopped.exit_code
        return EXIT_PARTIAL if self.kept or self.plan.forgotten else EXIT_OK


@dataclass(frozen=True, slots=True)
class UndoOptions:
    """What is to be undone. `kinds` are those of the records."""

    run: Past
    dry_run: bool = False
    kinds: frozenset[Kind] = frozenset(KINDS)
    max_tokens: int | None = None
    brakes: Mapping[Done, int] = field(default_factory=dict)
