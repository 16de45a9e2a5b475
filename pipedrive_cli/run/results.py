"""A run's summary, made from what the journal has counted. The journal, not memory, is the truth."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, cast

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.run_log import FILES_UNREAD, LiveFigures
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, PipedriveCliError, StopRun
from pipedrive_cli.model import UNSETTLED, Complaint, Kind, Outcome
from pipedrive_cli.report.summary import (
    Cause,
    EventCounts,
    Example,
    ProblemGroup,
    Records,
    Requests,
    Summary,
    Tokens,
    problem_group,
    problem_groups,
    worst_first,
)
from pipedrive_cli.report.wording import CURED_BY_REPEATING

DAY = 86_400.0


def new_run_name(started: datetime) -> str:
    """A run's name: when it began in UTC, and a suffix that tells it from others of that second."""
    return f"{started:%Y-%m-%dT%H-%M-%SZ}-{secrets.token_hex(2)}"


def twin_records(kind: Kind, key: str, ids: Sequence[int]) -> Complaint:
    """The warning about several records with one key."""
    listed = ", ".join(str(record) for record in ids[:10])
    return Complaint("twin_records", f"{kind} {listed} all bear {key!r}; the oldest, {ids[0]}, is taken", value=key)


def clock_wrong(ahead: float) -> Complaint | None:
    """The warning about this machine's clock, which is `ahead` seconds ahead of Pipedrive's; None for up to a day."""
    days = round(abs(ahead) / DAY)
    if abs(ahead) <= DAY:
        return None
    way = "ahead of" if ahead > 0 else "behind"
    return Complaint("own_clock_wrong", f"this machine's clock is {days:,} day{'s' * (days != 1)} {way} Pipedrive's")


_ANEW = "nothing of a run in the sandbox is kept: the same command begins anew"


def summary_of(
    journal: Journal,
    run: int,
    name: str,
    stopped: StopRun | None,
    *,
    input_complete: bool,
    live_figures: LiveFigures,
    seconds: float,
    lost_track: bool = False,
    anew: bool = False,
) -> Summary:
    """What one run did. `lost_track`: it could not record all of it; what has no outcome is pending.

    `anew`: nothing of it is kept, so that the same command begins again and does not go on.
    """
    figures = journal.counts(run, "run")
    outcomes = {Outcome(word): n for word, n in journal.counts(run, "outcome").items()}
    if lost_track:
        figures = {**figures, "read": live_figures.events_read}
        missing = live_figures.events_read - sum(outcomes.values())
        outcomes[Outcome.PENDING] = outcomes.get(Outcome.PENDING, 0) + max(0, missing)
    unsettled = figures.get(FILES_UNREAD, 0) > 0 or any(outcomes.get(outcome) for outcome in UNSETTLED)
    status: Literal["complete", "partial", "stopped"] = "stopped" if stopped else "partial" if unsettled else "complete"
    exit_code = stopped.exit_code if stopped else EXIT_PARTIAL if unsettled else EXIT_OK
    requests = journal.counts(run, "request")
    problems = problem_groups(_problem_counts(journal.counts(run, "problem")), _examples(journal, run))
    if stopped is not None:
        pending = outcomes.get(Outcome.PENDING, 0)
        hint = _ANEW if anew and stopped.code in CURED_BY_REPEATING else stopped.hint
        group = problem_group(stopped.code, Outcome.PENDING, pending, message=stopped.message, hint=hint)
        problems = worst_first((group, *(p for p in problems if p.code != stopped.code)))
    return Summary(
        run=name,
        status=status,
        exit_code=exit_code,
        reason=stopped.code if stopped else None,
        input_complete=input_complete,
        filtered=figures.get("filtered", 0),
        events=EventCounts.of(figures.get("read", 0), outcomes),
        records=Records.of(_records(journal.counts(run, "record"))),
        requests=Requests(sum(requests.values()), figures.get("retried", 0), requests),
        tokens=Tokens(
            figures.get("tokens", 0), live_figures.tokens_left_today, _without_zeros(journal.counts(run, "token"))
        ),
        problems=tuple(problems),
        dropped_traits=_dropped(journal.counts(run, "dropped")),
        seconds=round(seconds, 3),
    )


def cut_short(
    error: PipedriveCliError, problems: tuple[ProblemGroup, ...], live_figures: LiveFigures, name: str
) -> Summary:
    """The summary of a run that an error ended outside of its journal: what had been counted until then."""
    outcomes = dict(live_figures.outcomes)
    outcomes[Outcome.PENDING] = 0
    outcomes[Outcome.PENDING] = max(0, live_figures.events_read - sum(outcomes.values()))
    return Summary(
        run=name,
        status="stopped",
        exit_code=error.exit_code,
        reason=error.code,
        input_complete=False,
        events=EventCounts.of(live_figures.events_read, outcomes),
        records=Records.of(live_figures.records),
        requests=_sent(live_figures),
        tokens=_spent(live_figures),
        problems=problems,
    )


def _sent(live_figures: LiveFigures) -> Requests:
    requests = _without_zeros(live_figures.requests)
    return Requests(sum(requests.values()), live_figures.retried, requests)


def _spent(live_figures: LiveFigures) -> Tokens:
    return Tokens(live_figures.tokens_spent, live_figures.tokens_left_today, _without_zeros(live_figures.tokens))


def _without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {label: n for label, n in counts.items() if n}


def _problem_counts(counts: Mapping[str, int]) -> dict[Cause, int]:
    found: dict[Cause, int] = {}
    for name, n in counts.items():
        problem, _, cause = name.partition("\t")
        code, _, outcome = problem.rpartition(" ")
        found[code, Outcome(outcome) if outcome else None, cause or None] = n
    return found


def _examples(journal: Journal, run: int) -> list[tuple[str, Outcome | None, Example]]:
    rows = []
    for code, outcome, message, file, line, place, message_id, user, field, value in journal.examples(run):
        example = Example(
            file=file,
            line=line,
            message_id=message_id or None,
            field=field,
            index=place,
            user=user,
            value=value,
            message=message,
        )
        rows.append((code, Outcome(outcome) if outcome else None, example))
    return rows


def _records(counts: Mapping[str, int]) -> dict[tuple[Kind, str], int]:
    found: dict[tuple[Kind, str], int] = {}
    for name, n in counts.items():
        kind, _, action = name.partition(" ")
        found[cast(Kind, kind), action] = n
    return found


def _dropped(counts: Mapping[str, int]) -> dict[Kind, dict[str, int]]:
    dropped: dict[Kind, dict[str, int]] = {}
    for name, n in sorted(counts.items(), key=lambda item: -item[1]):
        kind, _, trait = name.partition(" ")
        dropped.setdefault(cast(Kind, kind), {})[trait] = n
    return dropped
