"""Sending with patience: what is tried again, what stops, and what is said about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from pipedrive_cli import virtual_time
from pipedrive_cli.delivery.budget import Day, Pace
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.retry import Doubt, Failure, KindStops
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.answer import Answer, NoAnswer
from pipedrive_cli.pipedrive.catalog import Call, create, get, listing, update

GOOD = Answer(200, {}, {"success": True, "data": {"id": 1}})
LIST = Answer(200, {}, {"success": True, "data": []})
SILENCE = NoAnswer("no answer", may_have_arrived=True)
UNSENT = NoAnswer("no connection", may_have_arrived=False)
POST = create("persons", {"name": "Ann"})
PATCH = update("persons", 1, {"name": "Ann"})
GET = get("persons", 1)


def error(status: int, text: str = "no", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, _failed(text))


def _failed(text: str) -> dict[str, Any]:
    return {"success": False, "error": text}


class Script:
    """Answers in the order given; the last one for ever."""

    def __init__(self, outcomes: Sequence[Answer | NoAnswer]) -> None:
        self.outcomes = list(outcomes)
        self.times: list[float] = []

    async def send(self, call: Call) -> Answer:
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, NoAnswer):
            raise outcome
        return outcome


def run(
    outcomes: Sequence[Answer | NoAnswer], what: Callable[[Sender], Awaitable[None]], **more: Any
) -> tuple[Script, LiveFigures]:
    """Runs `what` with a sender that is answered by the script."""
    script, live_figures = Script(outcomes), LiveFigures()

    async def main() -> None:
        settings: dict[str, Any] = {"max_attempts": 4, "jitter": lambda: 0.5, **more}
        await what(Sender(script, Pace(1_000), Day(None), live_figures, **settings))

    virtual_time.run(main())
    return script, live_figures


def raises(kind: type[Exception], call: Call) -> Callable[[Sender], Awaitable[None]]:
    async def what(sender: Sender) -> None:
        with pytest.raises(kind):
            await sender.send(call)

    return what


@pytest.mark.parametrize("trouble", [SILENCE, UNSENT, error(500), error(503), Answer(200, {}, None, "<html>")])
@pytest.mark.parametrize("call", [PATCH, GET])
def test_what_may_be_repeated_is_repeated(call: Call, trouble: Answer | NoAnswer) -> None:
    """A GET and a PATCH are sent again after a pause, as often as the config says, and then given up."""

    async def what(sender: Sender) -> None:
        assert (await sender.send(call)) is GOOD

    script, live_figures = run([trouble, trouble, GOOD], what)
    assert (len(script.times), live_figures.retried) == (3, 2)
    script, _ = run([trouble], raises(Failure, call))
    assert len(script.times) == 4


@pytest.mark.parametrize("trouble", [SILENCE, error(500), error(504), Answer(200, {}, None, "<html>")])
def test_a_creation_that_may_have_been_done_is_never_sent_again(trouble: Answer | NoAnswer) -> None:
    """It is in doubt after one attempt: whoever sent it looks first."""
    script, _ = run([trouble], raises(Doubt, POST))
    assert len(script.times) == 1


def test_a_creation_that_never_left_is_sent_again() -> None:
    """No connection means that nothing was done."""

    async def what(sender: Sender) -> None:
        assert (await sender.send(POST)) is GOOD

    assert len(run([UNSENT, UNSENT, GOOD], what)[0].times) == 3


@pytest.mark.parametrize(("trouble", "spent"), [(UNSENT, 0), (SILENCE, 4)], ids=["never arrived", "may have arrived"])
def test_what_never_reached_pipedrive_costs_no_tokens(trouble: NoAnswer, spent: int) -> None:
    """A call that may have arrived may have been paid."""
    days: list[Day] = []

    async def what(sender: Sender) -> None:
        days.append(sender._day)
        with pytest.raises(Failure):
            await sender.send(GET)

    script, live_figures = run([trouble], what)
    assert (len(script.times), live_figures.tokens_spent) == (4, spent * GET.tokens)
    assert (live_figures.tokens[GET.label], days[0].spent) == (spent * GET.tokens, spent * GET.tokens)


def test_a_burst_429_slows_everybody_down_and_costs_no_attempt() -> None:
    """All requests wait for the time that the answer names, and ten 429 are not ten attempts."""

    async def what(sender: Sender) -> None:
        async def other() -> None:
            await asyncio.sleep(1)
            await sender.send(GET)

        await asyncio.gather(sender.send(POST), other())

    script, _ = run([error(429, retry_after="3"), GOOD], what)
    assert script.times[0] == 0
    assert min(script.times[1:]) >= 3
    limited = [error(429, retry_after="2")] * 10
    assert len(run([*limited, GOOD], lambda sender: _send(sender, POST))[0].times) == 11


def test_a_minute_of_nothing_but_429_is_a_spent_day() -> None:
    """Whatever the answers call it, the run stops and does not knock for ever."""

    async def what(sender: Sender) -> None:
        with pytest.raises(StopRun) as stopped:
            await sender.send(GET)
        assert stopped.value.code == "day_spent"
        assert asyncio.get_running_loop().time() < 75

    run([error(429, retry_after="2")], what)


def test_a_spent_day_stops_everybody_with_the_time_to_come_back() -> None:
    """After the daily 429 nothing is sent any more."""

    async def what(sender: Sender) -> None:
        for _ in range(3):
            with pytest.raises(StopRun) as stopped:
                await sender.send(GET)
            assert (stopped.value.code, stopped.value.exit_code) == ("day_spent", 4)
            assert stopped.value.resume_in == 7200

    script, _ = run([error(429, "daily request budget exceeded", retry_after="7200")], what)
    assert len(script.times) == 1


def test_a_stop_ends_pauses_at_once() -> None:
    """Whoever waits to try again does not keep an interrupted run alive."""

    async def what(sender: Sender) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1, sender.stop, StopRun("interrupted", code="interrupted", exit_code=130))
        with pytest.raises(StopRun) as stopped:
            await sender.send(GET)
        assert stopped.value.exit_code == 130
        assert loop.time() < 2

    run([error(503, retry_after="40")], what)


def test_the_first_reason_to_stop_counts() -> None:
    """What happens on the way out does not change the exit code."""

    async def what(sender: Sender) -> None:
        sender.stop(StopRun("first", code="interrupted", exit_code=130))
        sender.stop(StopRun("second", code="deadline", exit_code=3))
        assert sender.stopped is not None
        assert sender.stopped.code == "interrupted"

    run([GOOD], what)


@pytest.mark.parametrize(
    ("first", "answer", "code", "exit_code"),
    [
        (POST, error(401, "unauthorized access"), "credentials_refused", 3),
        (POST, error(402, "payment required"), "account_closed", 4),
        (GET, Answer(403, {}, None, "<html>denied</html>"), "firewall", 4),
    ],
)
def test_what_concerns_the_account_stops_the_run(first: Call, answer: Answer, code: str, exit_code: int) -> None:
    """A dead key, an unpaid account, a firewall that shuts out a look: one request, then none."""

    async def what(sender: Sender) -> None:
        for call in (first, POST, GET):
            with pytest.raises(StopRun) as stopped:
                await sender.send(call)
            assert (stopped.value.code, stopped.value.exit_code) == (code, exit_code)

    assert len(run([answer], what)[0].times) == 1


def test_a_refusal_concerns_its_record_or_its_kind() -> None:
    """400 is about the record, a missing scope about the kind; other records go on."""
    run([error(400, "Validation failed: name: too long")], raises(Refusal, POST))
    run([error(403, "Scope and URL mismatch")], raises(KindStops, POST))
    run([error(404, "not found")], raises(Refusal, PATCH))


def test_ten_calls_without_any_answer_stop_the_run() -> None:
    """An answer in between begins the count anew."""

    async def what(sender: Sender) -> None:
        for _ in range(10):
            assert sender.stopped is None
            with pytest.raises(Failure):
                await sender.send(GET)
        assert sender.stopped is not None
        assert sender.stopped.code == "unreachable"

    run([SILENCE], what, max_attempts=1)

    async def with_an_answer(sender: Sender) -> None:
        for number in range(19):
            if number == 9:
                await sender.send(GET)
                continue
            with pytest.raises(Failure):
                await sender.send(GET)
        assert sender.stopped is None

    run([*[SILENCE] * 9, GOOD, SILENCE], with_an_answer, max_attempts=1)


def test_max_tokens_is_counted_when_a_request_leaves() -> None:
    """What fails may cost as much as what succeeds; the next request that would go over it is not sent."""

    async def what(sender: Sender) -> None:
        await sender.send(listing("persons"))
        await sender.send(listing("persons"))
        with pytest.raises(StopRun) as stopped:
            await sender.send(listing("persons"))
        assert stopped.value.code == "max_tokens"

    script, live_figures = run([LIST], what, max_tokens=29)
    assert (len(script.times), live_figures.tokens_spent) == (2, 20)


async def _send(sender: Sender, call: Call) -> None:
    await sender.send(call)


@pytest.mark.parametrize("trouble", [error(503, retry_after="86400"), error(429, x_ratelimit_reset="1000000")])
def test_what_asks_for_a_long_wait_ends_the_run_with_the_time_to_come_back(trouble: Answer) -> None:
    """Nobody sleeps for hours with the journal held; a day is the most that is believed."""

    async def what(sender: Sender) -> None:
        for _ in range(2):
            with pytest.raises(StopRun) as stopped:
                await sender.send(PATCH)
            assert (stopped.value.code, stopped.value.exit_code) == ("asked_to_wait", 4)
            assert stopped.value.resume_in == 86_400
        assert asyncio.get_running_loop().time() < 1

    assert len(run([trouble], what)[0].times) == 1


def test_with_wait_a_long_wait_is_slept_for_and_shown() -> None:
    """Nobody else knocks meanwhile, the screen says for what, and the call is sent again afterwards."""

    async def what(sender: Sender) -> None:
        async def other() -> None:
            await asyncio.sleep(5)
            await sender.send(GET)

        await asyncio.gather(sender.send(PATCH), other())

    script, figures = run([error(503, retry_after="7200"), GOOD], what, wait_for_budget=True)
    assert min(script.times[1:]) >= 7200
    assert figures.waiting_for == "the wait that Pipedrive asks for"
    assert figures.waiting_until == pytest.approx(7200.1)


def test_a_spent_day_is_never_slept_for_longer_than_a_day() -> None:
    """With --wait a budget that is said to come back in a year is asked for again tomorrow."""

    async def what(sender: Sender) -> None:
        await sender.send(GET)

    spent = error(429, "daily request budget exceeded", retry_after="31536000")
    script, _ = run([spent, GOOD], what, wait_for_budget=True)
    assert script.times[1] == pytest.approx(86_400, abs=1)
