"""Whether a spent day is over is asked when it may be, and a few times a night."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli import virtual_time
from pipedrive_cli.delivery.budget import DAY, HOUR, Day, Pace, seconds_until_asking
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call, listing

NIGHT = 1_790_000_000 // DAY * DAY  # a midnight of UTC


@given(st.floats(0, 4e9))
def test_a_night_has_at_most_seven_questions_and_none_is_far(now: float) -> None:
    """From any moment on: never at once, never more than six hours away, and seven in any day."""
    asked, moment = 0, now
    while moment < now + DAY:
        wait = seconds_until_asking(moment, None)
        assert 0 < wait <= 6 * HOUR + 1
        moment += wait
        asked += moment < now + DAY
    assert asked <= 7


def test_a_midnight_that_was_seen_is_waited_for() -> None:
    """Once the hour is known there is one question a night."""
    assert seconds_until_asking(NIGHT + 7 * HOUR, NIGHT + 2 * HOUR + 5) == 19 * HOUR + 5


class Company:
    """Pipedrive with 100 tokens a day, in a zone where it is midnight at `reset` seconds after that of UTC."""

    def __init__(self, reset: float) -> None:
        self.reset, self.day, self.spent = reset, 0, 0
        self.asked: Counter[int] = Counter()  # questions by day

    def clock(self) -> float:
        return NIGHT + 6 * HOUR + asyncio.get_running_loop().time()

    async def send(self, call: Call) -> Answer:
        day = int((self.clock() - NIGHT - self.reset) // DAY)
        if day != self.day:
            self.day, self.spent = day, 0
        if call.label.endswith("users/me"):
            self.asked[day] += 1
        self.spent += call.tokens
        headers = {"x-daily-ratelimit-token-limit": "100", "x-daily-ratelimit-token-remaining": str(100 - self.spent)}
        return Answer(200, headers, {"success": True, "data": []})


def test_nights_that_the_reserve_ends_cost_little() -> None:
    """Nobody is told how long it lasts where the company has tokens left: the first night finds out, others know."""
    company = Company(reset=4 * HOUR)

    async def main() -> None:
        day = Day(None, leave=0.5)
        sender = Sender(
            company,
            Pace(1_000),
            day,
            LiveFigures(),
            max_attempts=4,
            jitter=lambda: 0.5,
            wait_for_budget=True,
            server_time=company.clock,
        )
        for _ in range(20):
            await sender.send(listing("persons"))

    virtual_time.run(main())
    assert company.day >= 4
    nights = [company.asked[day] for day in range(company.day + 1)]
    assert max(nights) <= 7
    assert nights[3:] == [1] * (company.day - 2)
