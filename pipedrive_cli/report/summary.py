"""What one run did, as the JSON that scripts read (`--json`, `--report x.json`, `runs show --json`), version 1.

Keys, nesting and order are a contract: a change that a script could notice makes a new version. Pure data: it knows
neither the journal nor the terminal, and takes every number from whoever ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import KINDS, Kind, Outcome, cause_of
from pipedrive_cli.report.json_line import json_line
from pipedrive_cli.report.problems import words_for

VERSION: Literal[1] = 1
EXAMPLES = 5  # a problem is understood from a few; the rejects file has them all

Cause: TypeAlias = tuple[str, Outcome | None, str | None]  # code, outcome, and the field where that is the cause
Status: TypeAlias = Literal["complete", "partial", "stopped"]


class EventCounts(msgspec.Struct, frozen=True):
    """Events by outcome. `read` is the sum of the others; where it is not, the run has a bug and says so."""

    read: int = 0
    delivered: int = 0
    unchanged: int = 0
    duplicate: int = 0
    skipped: int = 0
    rejected: int = 0
    failed: int = 0
    pending: int = 0

    @classmethod
    def of(cls, read: int, outcomes: Mapping[Outcome, int]) -> EventCounts:
        """The counts as whoever ran has them: a number per outcome, nothing for those that did not occur."""
        return cls(read=read, **{outcome.value: count for outcome, count in outcomes.items()})

    def by_outcome(self) -> dict[Outcome, int]:
        """All seven, in the order of the contract."""
        return {outcome: getattr(self, outcome.value) for outcome in Outcome}


class RecordCounts(msgspec.Struct, frozen=True):
    """What became of the records of one kind: each record once, by the most that happened to it."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0


class Records(msgspec.Struct, frozen=True):
    """Every kind with all its numbers, zeros included, so that a script need not ask whether a key is there."""

    persons: RecordCounts = RecordCounts()
    organizations: RecordCounts = RecordCounts()
    products: RecordCounts = RecordCounts()
    leads: RecordCounts = RecordCounts()

    @classmethod
    def of(cls, counts: Mapping[tuple[Kind, str], int]) -> Records:
        """From `(kind, created | updated | unchanged | merged)` -> how many records."""
        return cls(
            **{
                kind: RecordCounts(**{what: count for (its_kind, what), count in counts.items() if its_kind == kind})
                for kind in KINDS
            }
        )

    def by_kind(self) -> dict[Kind, RecordCounts]:
        """All four, in the order of the contract."""
        return {kind: getattr(self, kind) for kind in KINDS}


class Requests(msgspec.Struct, frozen=True):
    """HTTP requests that left, repetitions among them; `by_endpoint` is "METHOD path" -> how many."""

    total: int = 0
    retried: int = 0
    by_endpoint: dict[str, int] = {}


class Tokens(msgspec.Struct, frozen=True):
    """Pipedrive's API tokens; `left_today` is None until Pipedrive or the config has said how many a day has.

    `by_endpoint` is "METHOD path" -> tokens spent there. Runs of versions that did not count that have none.
    """

    spent: int = 0
    left_today: int | None = None
    by_endpoint: dict[str, int] = {}


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event that has a problem. The first four keys are always written, the others where there is something.

    `file` and `line` are None where the problem is the account's and no event's. `index` is the place within a batch
    line (from 0), `user` the user or anonymous id, `value` a short form of the offending value, `message` what was
    said of this very event (Pipedrive's own words). All are event data: hostile.
    """

    file: str | None
    line: int | None
    message_id: str | None
    field: str | None
    index: int | None = None
    user: str | None = None
    value: str | None = None
    message: str | None = None


class ProblemGroup(msgspec.Struct, frozen=True):
    """All events with one problem and one outcome. `outcome` is None for what was counted and cost no event."""

    code: str
    outcome: Outcome | None
    count: int
    message: str
    hint: str | None
    examples: tuple[Example, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `reason` is the code of what stopped it (None otherwise); the problem of that code has the words.

    `run` begins with the start in UTC; `filtered` counts events that a filter option left out; `input_complete` is
    False where the run ended before its input did; `seconds` is the run's time, foretold in a rehearsal.
    """

    version: Literal[1] = VERSION
    run: str
    status: Status
    exit_code: int
    reason: str | None = None
    input_complete: bool = True
    filtered: int = 0
    events: EventCounts = EventCounts()
    records: Records = Records()
    requests: Requests = Requests()
    tokens: Tokens = Tokens()
    problems: tuple[ProblemGroup, ...] = ()
    dropped_traits: dict[Kind, dict[str, int]] = {}
    seconds: float = 0.0


def problem_group(
    code: str,
    outcome: Outcome | None,
    count: int,
    examples: Iterable[Example] = (),
    *,
    message: str | None = None,
    hint: str | None = None,
) -> ProblemGroup:
    """A group in the words `problems.PROBLEMS` has for its code, unless others are given; five examples are kept."""
    known = words_for(code)
    kept = tuple(example for example, _ in zip(examples, range(EXAMPLES), strict=False))
    return ProblemGroup(code, outcome, count, message or known.message, hint or known.hint, kept)


def config_group(file: str, problem: ConfigProblem, code: str = "config") -> ProblemGroup:
    """What is to be said of one line of the config as a group of its own: its place is the only example."""
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
    example = Example(file=file, line=problem.line, message_id=None, field=problem.path or None)
    return ProblemGroup(code, None, 1, message, problem.hint, (example,))


def problem_groups(
    counts: Mapping[Cause, int], examples: Iterable[tuple[str, Outcome | None, Example]]
) -> tuple[ProblemGroup, ...]:
    """All groups of a run, worst first, from their numbers by cause and the examples kept."""
    kept: dict[Cause, list[Example]] = {}
    for code, outcome, example in examples:
        kept.setdefault((code, outcome, cause_of(code, example.field)), []).append(example)
    return worst_first(
        problem_group(code, outcome, count, varied(kept.get((code, outcome, where), ())), message=heading(code, where))
        for (code, outcome, where), count in counts.items()
    )


def heading(code: str, where: str | None) -> str:
    """What happened, with the field where that is the cause."""
    return words_for(code).message if where is None else f"{words_for(code).message}: {where}"


def varied(examples: Iterable[Example]) -> list[Example]:
    """The examples with those first that show a value for the first time: five of one value teach less than two."""
    ranks: dict[str | None, int] = {}
    ranked = []
    for example in examples:
        ranks[example.value] = rank = ranks.get(example.value, -1) + 1
        ranked.append((rank, example))
    return [example for _, example in sorted(ranked, key=lambda pair: pair[0])]


def worst_first(problems: Iterable[ProblemGroup]) -> tuple[ProblemGroup, ...]:
    """Rejected and failed events first, then pending, skipped, what cost nothing; in each the most frequent first."""
    return tuple(sorted(problems, key=lambda problem: (_weight(problem.outcome), -problem.count, problem.code)))


def adds_up(summary: Summary) -> bool:
    """Whether every event read ended in exactly one outcome."""
    return summary.events.read == sum(summary.events.by_outcome().values())


def mismatch(summary: Summary) -> str | None:
    """The sentence for a run whose events do not add up; None where they do."""
    if adds_up(summary):
        return None
    settled = sum(summary.events.by_outcome().values())
    return (
        f"This report does not add up: {summary.events.read:,} events were read, {settled:,} have an outcome. "
        "That is a bug in pipedrive-cli; please report it with this report."
    )


def to_json(summary: Summary) -> bytes:
    """The contract, as one line."""
    return json_line(summary)


def from_json(data: bytes | str) -> Summary:
    """A summary that `to_json` wrote. Raises `msgspec.ValidationError` for anything else."""
    return msgspec.json.decode(data, type=Summary)


def _weight(outcome: Outcome | None) -> int:
    order = (Outcome.REJECTED, Outcome.FAILED), (Outcome.PENDING,), (Outcome.SKIPPED,)
    return next((weight for weight, outcomes in enumerate(order) if outcome in outcomes), len(order))
