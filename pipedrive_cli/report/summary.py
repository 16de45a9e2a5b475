"""The summary of one run, as the JSON that scripts read (`--json`, `--report x.json`, `runs show --json`), version 1.

Keys, nesting and order are a contract: a change that a script could notice makes a new version. Pure data: knows
neither the journal nor the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import FILE_PROBLEMS, KINDS, Kind, Outcome, cause_of
from pipedrive_cli.report.json_line import json_line
from pipedrive_cli.report.problems import words_for

VERSION: Literal[1] = 1
EXAMPLES = 5  # a few explain a problem; the rejects file has all events

Cause: TypeAlias = tuple[str, Outcome | None, str | None]  # code, outcome, and the field if it is the cause
Status: TypeAlias = Literal["complete", "partial", "stopped"]


class EventCounts(msgspec.Struct, frozen=True):
    """Events by outcome. `read` must be the sum of the others; otherwise there is a bug, and the report says so."""

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
        """From a number per outcome; outcomes that did not occur may be missing."""
        return cls(read=read, **{outcome.value: count for outcome, count in outcomes.items()})

    def by_outcome(self) -> dict[Outcome, int]:
        """All seven, in the order of the contract."""
        return {outcome: getattr(self, outcome.value) for outcome in Outcome}


class RecordCounts(msgspec.Struct, frozen=True):
    """The records of one kind by what was done: each record counts once, by the most that was done to it."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0


class Records(msgspec.Struct, frozen=True):
    """All kinds with all numbers, zeros included, so that scripts need not check whether a key exists."""

    persons: RecordCounts = RecordCounts()
    organizations: RecordCounts = RecordCounts()
    products: RecordCounts = RecordCounts()
    leads: RecordCounts = RecordCounts()

    @classmethod
    def of(cls, counts: Mapping[tuple[Kind, str], int]) -> Records:
        """From `(kind, created | updated | unchanged | merged)` -> number of records."""
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
    """HTTP requests that were sent, including repetitions; `by_endpoint` is "METHOD path" -> number."""

    total: int = 0
    retried: int = 0
    by_endpoint: dict[str, int] = {}


class Tokens(msgspec.Struct, frozen=True):
    """Pipedrive's API tokens; `left_today` is None while the day's number is unknown.

    `by_endpoint` is "METHOD path" -> spent tokens. It is empty for runs of versions that did not count them.
    """

    spent: int = 0
    left_today: int | None = None
    by_endpoint: dict[str, int] = {}


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event with a problem. The first four keys are always written, the others only with a value.

    `file` and `line` are None for a problem of the account. `index` is the place within a batch line (from 0), `user`
    the user or anonymous id, `value` a short form of the bad value, `message` the message about this very event
    (Pipedrive's own words). All are hostile event data.
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
    """All events with one problem and one outcome. With `outcome` None the problem is only counted."""

    code: str
    outcome: Outcome | None
    count: int
    message: str
    hint: str | None
    examples: tuple[Example, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `reason` is the code of the problem that stopped it, None if nothing did.

    `run` begins with the start in UTC. `filtered` counts events that a filter option left out. `input_complete` is
    False if the run ended before it had read its input. `seconds` is the run's duration, in a rehearsal the estimate.
    `plan` is there for previews of an account alone: the name of the writes that they show.
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
    plan: str | msgspec.UnsetType = msgspec.UNSET

    def as_dict(self) -> dict[str, Any]:
        """The same as plain dictionaries, lists, texts and numbers: what `--json` prints."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def problem_group(
    code: str,
    outcome: Outcome | None,
    count: int,
    examples: Iterable[Example] = (),
    *,
    message: str | None = None,
    hint: str | None = None,
) -> ProblemGroup:
    """A group with the words of `problems.PROBLEMS` for its code, unless others are given; keeps five examples."""
    known = words_for(code)
    kept = tuple(example for example, _ in zip(examples, range(EXAMPLES), strict=False))
    return ProblemGroup(code, outcome, count, message or known.message, hint or known.hint, kept)


def config_group(file: str, problem: ConfigProblem, code: str = "config") -> ProblemGroup:
    """A problem of one line of the config as a group; the line is its only example."""
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
    example = Example(file=file, line=problem.line, message_id=None, field=problem.path or None)
    return ProblemGroup(code, None, 1, message, problem.hint, (example,))


def problem_groups(
    counts: Mapping[Cause, int], examples: Iterable[tuple[str, Outcome | None, Example]]
) -> tuple[ProblemGroup, ...]:
    """All groups of a run, worst first, from the numbers by cause and the examples."""
    kept: dict[Cause, list[Example]] = {}
    for code, outcome, example in examples:
        kept.setdefault((code, outcome, cause_of(code, example.field, example.file, example.value)), []).append(example)
    return worst_first(
        problem_group(code, outcome, count, found, message=heading(code, where, found))
        for (code, outcome, where), count, found in (
            (cause, count, varied(kept.get(cause, ()))) for cause, count in counts.items()
        )
    )


def heading(code: str, where: str | None, examples: Sequence[Example] = ()) -> str:
    """The message of a code, with the field if it is the cause; of a file its name, and what is wrong with it."""
    if code in FILE_PROBLEMS and where is not None and examples:
        return f"{where}: {examples[0].message}"
    return words_for(code).message if where is None else f"{words_for(code).message}: {where}"


def varied(examples: Iterable[Example]) -> list[Example]:
    """The examples, sorted so that different values come first: five examples of one value teach little."""
    ranks: dict[str | None, int] = {}
    ranked = []
    for example in examples:
        ranks[example.value] = rank = ranks.get(example.value, -1) + 1
        ranked.append((rank, example))
    return [example for _, example in sorted(ranked, key=lambda pair: pair[0])]


def worst_first(problems: Iterable[ProblemGroup]) -> tuple[ProblemGroup, ...]:
    """Files, rejected and failed events first, then pending, skipped, only counted; the most frequent first."""
    return tuple(sorted(problems, key=lambda problem: (_weight(problem), -problem.count, problem.code)))


def adds_up(summary: Summary) -> bool:
    """Whether every event that was read has exactly one outcome."""
    return summary.events.read == sum(summary.events.by_outcome().values())


def mismatch(summary: Summary) -> str | None:
    """The sentence for a run whose events do not add up; None if they do."""
    if adds_up(summary):
        return None
    settled = sum(summary.events.by_outcome().values())
    return (
        f"This report does not add up: {summary.events.read:,} events were read, {settled:,} have an outcome. "
        "That is a bug in pipedrive-cli; please report it with this report."
    )


def to_json(summary: Summary) -> bytes:
    """The summary as one line of JSON."""
    return json_line(summary)


def from_json(data: bytes | str) -> Summary:
    """A summary that `to_json` wrote. Raises `msgspec.ValidationError` for anything else."""
    return msgspec.json.decode(data, type=Summary)


def _weight(problem: ProblemGroup) -> int:
    if problem.code in FILE_PROBLEMS:
        return -1
    order = (Outcome.REJECTED, Outcome.FAILED), (Outcome.PENDING,), (Outcome.SKIPPED,)
    return next((weight for weight, outcomes in enumerate(order) if problem.outcome in outcomes), len(order))
