"""Runs to tell of: one where everything happened, and names that strangers chose with bad intent."""

from __future__ import annotations

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.summary import (
    EventCounts,
    Example,
    RecordCounts,
    Records,
    Requests,
    Summary,
    Tokens,
    problem_group,
)

HOSTILE = (
    "[bold]x[/bold]",
    "[link=https://evil.example]click[/link]",
    "\x1b]0;owned\x07\x1b[2J",
    "line one\nEverything is fine.\r\n",
    "tab\there",
    "\u202egnp.exe",
    "\u2066isolated\u2069",
    "zero\u200bwidth\ufeff",
    "\x9b31mC1",
    "lone \ud800 surrogate",
)


def eventful() -> Summary:
    """A partial run in which every outcome, every kind of record and several problems occur."""
    return Summary(
        run="2026-11-23T09-15-02Z-7f3a",
        status="partial",
        exit_code=1,
        filtered=12,
        events=EventCounts(
            read=12_345, delivered=10_000, unchanged=2_000, duplicate=300, skipped=35, rejected=6, failed=1, pending=3
        ),
        records=Records(
            persons=RecordCounts(created=900, updated=100, unchanged=20, merged=2),
            organizations=RecordCounts(created=12),
            leads=RecordCounts(created=1_500),
        ),
        requests=Requests(total=2_514, retried=4, by_endpoint={"POST /v1/leads": 1_500, "POST /api/v2/persons": 900}),
        tokens=Tokens(spent=24_015, left_today=5_985),
        problems=(
            problem_group("clock_ahead", None, 4, [Example("export/2026-03-01.ndjson", 88, "m-88", "timestamp")]),
            problem_group(
                "missing_user_id",
                Outcome.REJECTED,
                5,
                [
                    Example("export/2026-03-01.ndjson", 17, "f3b0c442-98fc-4c14-9afb-4c8996fb9242", None),
                    Example("export/2026-03-01.ndjson", 18, None, None),
                    Example("export/2026-03-02.ndjson", 3, "m-3", None, index=4),
                    Example("export/2026-03-02.ndjson", 9, "m-9", None),
                    Example("export/2026-03-02.ndjson", 10, "m-10", None),
                ],
            ),
            problem_group(
                "bad_value",
                Outcome.REJECTED,
                1,
                [
                    Example(
                        "顧客/データ.ndjson",
                        123_456,
                        "m-77",
                        "traits.age",
                        user="用户-二十七",
                        value="'twenty-seven'",
                        message="Age holds numbers",
                    )
                ],
            ),
            problem_group(
                "gave_up",
                Outcome.FAILED,
                1,
                [Example("export/2026-03-02.ndjson", 44, "m-44", None, user="u9", message="503 Service Unavailable")],
            ),
        ),
        dropped_traits={
            "persons": {"favourite_color": 12, **{f"trait {n:02}": 11 - n for n in range(11)}},
            "leads": {},
        },
        seconds=754.2,
    )


def hostile() -> Summary:
    """A run whose every text that can come from outside is hostile."""
    groups = tuple(
        problem_group(
            "bad_value",
            Outcome.REJECTED,
            1,
            [Example(text, 1, text, text, user=text, value=text, message=f"{text} is no number")],
            message=text,
            hint=text,
        )
        for text in HOSTILE
    )
    return Summary(
        run="r",
        status="partial",
        exit_code=1,
        events=EventCounts(read=len(groups), rejected=len(groups)),
        problems=groups,
        dropped_traits={"persons": dict.fromkeys(HOSTILE, 1)},
    )
