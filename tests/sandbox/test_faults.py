"""Faults: read from a plan, the same for the same seed, before the work or after it."""

from __future__ import annotations

from collections import Counter

import pytest

from pipedrive_cli.sandbox import SandboxOptions
from pipedrive_cli.sandbox.faults import FaultPlanError, parse

from .desk import Answer, Desk


def _desk(faults: str, seed: int = 0) -> Desk:
    return Desk(SandboxOptions(plan="unlimited", search_lag=0, faults=faults, seed=seed))


def _post(desk: Desk) -> Answer:
    return desk.post("/api/v2/persons", {"name": "Jane"})


def _made(desk: Desk) -> int:
    return len(desk.sandbox.contents()["persons"])


SURE: list[tuple[str, int, str, int]] = [
    # plan, status, how it ends, persons made
    ("429", 429, "complete", 0),
    ("429-daily", 429, "complete", 0),
    ("500", 500, "complete", 0),
    ("500-before", 500, "complete", 0),
    ("500-after", 500, "complete", 1),
    ("502-after", 502, "complete", 1),
    ("503-before", 503, "complete", 0),
    ("504-after", 504, "complete", 1),
    ("reset-before", 0, "reset", 0),
    ("reset-after", 0, "reset", 1),
    ("refused", 0, "refused", 0),
    ("unreachable", 0, "unreachable", 0),
    ("silence-before", 0, "silence", 0),
    ("silence-after", 0, "silence", 1),
    ("garbage", 200, "complete", 1),
    ("garbage-before", 200, "complete", 0),
    ("empty", 200, "complete", 1),
    ("empty-before", 200, "complete", 0),
    ("success-false", 200, "complete", 0),
    ("success-false-after", 200, "complete", 1),
    ("html403", 403, "complete", 0),
    ("slow", 200, "complete", 1),
]


@pytest.mark.parametrize(("plan", "status", "ending", "made"), SURE)
def test_a_fault_strikes_before_the_work_or_after_it(plan: str, status: int, ending: str, made: int) -> None:
    """Each effect gives its answer, and the work is done exactly when the fault comes after it."""
    desk = _desk(plan)
    got = _post(desk)
    assert (got.status, got.ending, _made(desk)) == (status, ending, made)


def test_what_a_fault_answers_looks_like_pipedrive() -> None:
    """The two kinds of 429 can be told apart, firewall and gateway speak HTML, garbage is no JSON."""
    daily = _post(_desk("429-daily"))
    assert daily.json["error"] == "daily request budget exceeded"
    assert int(daily.headers["retry-after"]) > 60
    assert "daily" not in _post(_desk("429")).json["error"]
    assert _post(_desk("html403")).headers["content-type"].startswith("text/html")
    assert _post(_desk("500")).json["code"] == "ERR_UNKNOWN"
    assert _post(_desk("success-false")).json["success"] is False
    for plan in ("garbage", "empty", "502"):
        assert _post(_desk(plan)).json is None


def test_slow_answers_take_their_time() -> None:
    """A slow answer waits for the plan's seconds, or for the sandbox's own."""
    assert _post(_desk("slow=40")).delay == 40
    assert _post(_desk("slow")).delay == 10


def test_an_exact_count_strikes_that_call_alone() -> None:
    """#3 is the third matching call, #2-3 the second and third."""
    desk = _desk("500-after@POST /api/v2/persons#3")
    statuses = []
    for _ in range(4):
        desk.get("/api/v2/persons")
        statuses.append(_post(desk).status)
    assert statuses == [200, 200, 500, 200]
    assert _made(desk) == 4
    desk = _desk("500#2-3")
    assert [_post(desk).status for _ in range(4)] == [200, 500, 500, 200]


@pytest.mark.parametrize(
    ("target", "hit"),
    [
        ("GET /api/v2/persons/{id}", "/api/v2/persons/1"),
        ("* /api/v2/*", "/api/v2/persons"),
        ("GET /v1/leads", "/api/v1/leads"),
        ("GET /api/v1/leads", "/v1/leads"),
        ("GET *", "/v1/users/me"),
    ],
)
def test_a_target_names_methods_and_paths(target: str, hit: str) -> None:
    """{id} stands for one part, * for anything, and v1's two prefixes are one."""
    desk = _desk(f"500@{target}")
    assert desk.get(hit).status == 500
    assert desk.send("POST", "/v1/leadLabels", {"name": "N", "color": "red"}).status == 200


def test_chances_come_true_and_repeat() -> None:
    """The same seed gives the same faults, another seed others, in about the chosen share."""

    def run(seed: int) -> list[int]:
        desk = _desk("429:0.1, 500-after:0.2", seed)
        return [_post(desk).status for _ in range(1000)]

    first = run(1)
    assert first == run(1)
    assert first != run(2)
    count = Counter(first)
    assert 60 < count[429] < 140
    assert 130 < count[500] < 240


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("599", "there is no '599'; there are 429, 429-daily, 500"),
        ("429-after", "'429' can only strike 'before' the work"),
        ("slow-before", "'slow' can only strike 'after' the work"),
        ("500:2", "the chance 2 is not between 0 and 1"),
        ("500:1.2.3", "'1.2.3' is no number"),
        ("500#0", "counts begin at 1"),
        ("500#3-2", "counts begin at 1 and do not go backwards"),
        ("500=3", "only late, misdated, slow and .-later. take"),
        ("500@/api/v2/persons", "cannot be read"),
        ("429:0.1, 500 sometimes", "fault '500 sometimes' cannot be read"),
    ],
)
def test_a_plan_that_cannot_be_read_says_where_and_what_is_allowed(plan: str, message: str) -> None:
    """Mistakes in a plan are told with the wrong part and what could stand there."""
    with pytest.raises(FaultPlanError, match=message.replace("(", r"\(")):
        parse(plan, 0)


def test_an_empty_plan_is_no_plan() -> None:
    """Nothing, and commas around nothing, mean no faults."""
    assert parse("", 0) == parse(" , ", 0) == []
