"""Brakes: how many records a run may create, update, merge or delete before it stops. Pure.

A wrong `user_id_field` makes every person a second time, with exit code 0. A brake ends that before the first write:
the run counts on paper what a window would write (`run.paper_pass`), and stops where that is too much. Each write is
counted once more when it leaves, for people change the account in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pipedrive_cli.errors import StopRun

Done: TypeAlias = Literal["created", "updated", "merged", "deleted"]

# What each kind of write counts as.
COUNTS_AS: Mapping[str, Done] = {"create": "created", "update": "updated", "merge": "merged", "delete": "deleted"}


@dataclass(slots=True)
class BrakeCounter:
    """The brakes of one run. `limits` are over all kinds of record; what is not in it has no limit."""

    limits: Mapping[Done, int]
    look: str = "preview --online"  # what shows beforehand what would be written
    counted: Counter[Done] = field(default_factory=Counter)  # what was sent, and not refused

    def __bool__(self) -> bool:
        return bool(self.limits)

    def stop_before(self, more: Mapping[Done, int]) -> StopRun | None:
        """Why the run must stop before it writes `more` records, or None."""
        for done, limit in self.limits.items():
            total = self.counted[done] + more.get(done, 0)
            if total > limit:
                return self._too_many(done, total, limit)
        return None

    def begin(self, action: str) -> None:
        """Counts a write that is about to leave. Raises `StopRun` if it would be one too many."""
        done = COUNTS_AS[action]
        limit = self.limits.get(done)
        if limit is not None and self.counted[done] >= limit:
            raise self._too_many(done, limit + 1, limit)
        self.counted[done] += 1

    def take_back(self, action: str) -> None:
        """The write was refused: it does not count."""
        self.counted[COUNTS_AS[action]] -= 1

    def _too_many(self, done: Done, total: int, limit: int) -> StopRun:
        records, allowed = "record" if total == 1 else "records", "is" if limit == 1 else "are"
        return StopRun(
            f"the brake: this run would have {done} at least {total:,} {records}, and {limit:,} {allowed} allowed",
            code="brake",
            hint=f"look at `{self.look}`. If it is right, raise --max-{done} or delivery.brakes.{done}, and run again",
        )
