"""Limits: requests per two seconds, tokens per day, searches, and the firewall."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Answer, Desk

ME = "/v1/users/me"


def _statuses(desk: Desk, times: int, path: str = ME, **query: object) -> list[int]:
    return [desk.get(path, **query).status for _ in range(times)]


@pytest.mark.parametrize(
    ("plan", "limit", "oauth"),
    [
        ("lite", 20, 80),
        ("growth", 40, 160),
        ("premium", 100, 400),
        ("ultimate", 120, 480),
        ("essential", 20, 80),
        ("professional", 100, 400),
    ],
)
def test_a_plan_allows_so_many_requests_in_two_seconds(plan: str, limit: int, oauth: int) -> None:
    """The window rolls; one request too many is a 429 and counts for nothing."""
    desk = Desk(SandboxOptions(plan=plan, firewall_after=0))
    assert _statuses(desk, limit + 1) == [200] * limit + [429]
    bearer = {"authorization": "Bearer sandbox-oauth"}
    assert [desk.send("GET", ME, headers=bearer).status for _ in range(oauth + 1)] == [200] * oauth + [429]
    desk.clock.advance(2)
    assert _statuses(desk, 1) == [200]


def test_the_window_rolls() -> None:
    """Requests leave the window two seconds after they came, one by one."""
    desk = Desk(SandboxOptions(plan="lite"))
    _statuses(desk, 10)
    desk.clock.advance(1)
    _statuses(desk, 10)
    desk.clock.advance(1)
    assert _statuses(desk, 11) == [200] * 10 + [429]


def test_searches_have_a_window_of_their_own() -> None:
    """Ten searches in two seconds, whatever the plan; other requests go on."""
    desk = Desk(SandboxOptions(plan="ultimate"))
    path = "/api/v2/persons/search"
    assert _statuses(desk, 11, path, term="jane") == [200] * 10 + [429]
    assert _statuses(desk, 1) == [200]
    desk.clock.advance(2)
    assert _statuses(desk, 1, path, term="jane") == [200]


def test_headers_tell_what_is_left() -> None:
    """Answers carry both limits; the reset is in seconds."""
    desk = Desk(SandboxOptions(plan="growth", seats=2))
    desk.get(ME)
    desk.clock.advance(0.5)
    headers = desk.get("/api/v2/persons").headers
    assert headers["x-ratelimit-limit"] == "40"
    assert headers["x-ratelimit-remaining"] == "38"
    assert headers["x-ratelimit-reset"] == "2"
    assert headers["x-daily-ratelimit-token-limit"] == "120000"
    assert headers["x-daily-ratelimit-token-remaining"] == str(120_000 - 2 - 10)


def test_a_burst_refusal_names_its_wait() -> None:
    """A 429 for too many requests has the gateway's body and the seconds to wait, where that is chosen."""
    for retry_after in (True, False):
        desk = Desk(SandboxOptions(plan="lite", burst_retry_after=retry_after))
        _statuses(desk, 20)
        got = desk.get(ME)
        assert got.json["errorCode"] == 429
        assert "daily" not in got.json["error"]
        assert got.headers["x-ratelimit-remaining"] == "0"
        assert got.headers["x-ratelimit-reset"] == "2"
        assert got.headers.get("retry-after") == ("2" if retry_after else None)


def test_headers_can_be_left_out() -> None:
    """Without headers neither answers nor refusals tell a limit."""
    desk = Desk(SandboxOptions(plan="lite", headers=False, daily_tokens=41))
    answers = [desk.get(ME) for _ in range(22)]
    assert {got.status for got in answers} == {200, 429}
    assert {name for got in answers for name in got.headers} == {"content-type", "date"}


@pytest.mark.parametrize(
    ("plan", "seats", "budget"),
    [("lite", 1, 30_000), ("growth", 3, 180_000), ("premium", 1, 150_000), ("ultimate", 2, 420_000)],
)
def test_the_day_has_a_budget_by_plan_and_seats(plan: str, seats: int, budget: int) -> None:
    """30,000 tokens times the plan's factor times the seats."""
    assert SandboxOptions(plan=plan, seats=seats).day_budget == budget


def _spend(desk: Desk) -> Answer:
    """Lists persons, ten tokens a time, until that is refused."""
    while (got := desk.get("/api/v2/persons")).status == 200:
        desk.clock.advance(0.2)
    return got


def test_a_spent_day_refuses_everything_until_midnight() -> None:
    """Past the budget every call is a 429 that names the seconds to midnight; then the budget is whole again."""
    desk = Desk(SandboxOptions(plan="lite", daily_tokens=25))
    got = _spend(desk)
    assert got.json["error"] == "daily request budget exceeded"
    assert got.headers["retry-after"] == str(12 * 3600)
    assert got.headers["x-daily-ratelimit-token-remaining"] == "0"
    assert desk.sandbox.tokens_spent == 20
    assert _statuses(desk, 1) == [429]
    desk.clock.advance(12 * 3600)
    assert desk.get(ME).headers["x-daily-ratelimit-token-remaining"] == "23"


def test_the_last_token_can_be_spent() -> None:
    """A call that costs exactly what is left is answered."""
    desk = Desk(SandboxOptions(plan="lite", daily_tokens=20))
    _spend(desk)
    assert desk.sandbox.tokens_spent == 20


def test_midnight_is_where_the_server_is() -> None:
    """The reset follows the chosen time zone, daylight saving included."""
    desk = Desk(SandboxOptions(plan="lite", daily_tokens=5, reset_timezone="America/New_York"))
    assert _spend(desk).headers["retry-after"] == str(17 * 3600)
    assert desk.sandbox.day_ends() == datetime(2026, 11, 24, 5, tzinfo=UTC)


def test_failed_requests_cost_what_they_cost() -> None:
    """What reached the application is charged, even if refused there; what did not is free."""
    desk = Desk(SandboxOptions(plan="lite"))
    desk.post("/api/v2/persons", {})
    assert desk.sandbox.tokens_spent == 5
    desk.send("GET", ME, headers={})
    desk.get("/nowhere")
    assert desk.sandbox.tokens_spent == 5


def test_the_older_limit_of_writes_counts_down_and_ends() -> None:
    """With daily_requests, POST and PUT say how many are left, and none are taken when none are."""
    desk = Desk(SandboxOptions(plan="lite", daily_requests=2))
    left = [desk.post("/api/v2/persons", {"name": "Jane"}).headers["x-daily-requests-left"] for _ in range(2)]
    assert left == ["1", "0"]
    assert desk.post("/api/v2/persons", {"name": "Jane"}).status == 429
    got = desk.get("/api/v2/persons")
    assert got.status == 200
    assert "x-daily-requests-left" not in got.headers


def test_an_unlimited_plan_says_so_in_very_large_numbers() -> None:
    """Without limits the headers are there, and never run low."""
    desk = Desk(SandboxOptions(plan="unlimited"))
    assert set(_statuses(desk, 2000, "/api/v2/persons/search", term="jane")) == {200}
    headers = desk.get(ME).headers
    assert int(headers["x-ratelimit-remaining"]) > 10**8
    assert int(headers["x-daily-ratelimit-token-remaining"]) > 10**9


def test_the_firewall_comes_down_on_those_who_hammer() -> None:
    """After so many refusals in a minute everything is an HTML 403 for a while."""
    desk = Desk(SandboxOptions(plan="lite", firewall_after=5, firewall_seconds=60))
    assert _statuses(desk, 26) == [200] * 20 + [429] * 6
    got = desk.get(ME)
    assert (got.status, got.json) == (403, None)
    assert got.headers["content-type"].startswith("text/html")
    desk.clock.advance(59)
    assert _statuses(desk, 1) == [403]
    desk.clock.advance(1)
    assert _statuses(desk, 1) == [200]


def test_refusals_long_ago_do_not_bring_the_firewall_down() -> None:
    """Only the last minute counts."""
    desk = Desk(SandboxOptions(plan="lite", firewall_after=5))
    for _ in range(10):
        assert _statuses(desk, 21) == [200] * 20 + [429]
        desk.clock.advance(20)


PRICES = [
    ("GET", "/api/v2/persons", 10),
    ("GET", "/api/v2/persons/1", 1),
    ("POST", "/api/v2/organizations", 5),
    ("PATCH", "/api/v2/products/1", 5),
    ("DELETE", "/api/v2/products/1", 3),
    ("GET", "/api/v2/persons/search", 20),
    ("GET", "/api/v2/leads/search", 20),
    ("GET", "/api/v2/itemSearch", 20),
    ("GET", "/api/v2/itemSearch/field", 20),
    ("POST", "/v1/leads", 10),
    ("PATCH", "/v1/leads/x", 10),
    ("GET", "/v1/leads", 20),
    ("GET", "/v1/leads/x", 2),
    ("GET", "/v1/leads/archived", 40),
    ("DELETE", "/v1/leads/x", 6),
    ("PUT", "/v1/persons/1/merge", 40),
    ("PUT", "/v1/organizations/1/merge", 40),
    ("GET", "/api/v2/personFields", 10),
    ("GET", "/api/v2/dealFields/x", 1),
    ("POST", "/api/v2/productFields", 5),
    ("DELETE", "/api/v2/productFields/x", 3),
    ("POST", "/api/v2/personFields/x/options", 5),
    ("DELETE", "/api/v2/personFields/x/options", 3),
    ("GET", "/v1/leadFields", 20),
    ("GET", "/v1/leadLabels", 10),
    ("POST", "/v1/leadLabels", 10),
    ("DELETE", "/v1/leadLabels/x", 6),
    ("GET", "/v1/leadSources", 2),
    ("GET", "/v1/currencies", 20),
    ("GET", "/v1/users", 20),
    ("GET", "/v1/users/me", 2),
]


@pytest.mark.parametrize(("method", "path", "tokens"), PRICES)
def test_a_call_costs_what_the_specification_says(method: str, path: str, tokens: int) -> None:
    """Each endpoint has its price in tokens."""
    desk = Desk()
    desk.send(method, path)
    assert desk.sandbox.tokens_spent == tokens
