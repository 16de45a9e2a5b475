"""Sends one call: within both limits, again where a repetition is right, and never once the run has stopped.

What it raises says what happens next: `Refusal` concerns the record, `Failure` sets the events aside for another run,
`Doubt` means look before you send again, `KindStops` ends a kind of record, `StopRun` the run.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn, Protocol

from pipedrive_cli.delivery.budget import Day, Pace, Sending, Spending, seconds_until_asking
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.retry import (
    LONGEST_WAIT,
    Again,
    ComeBack,
    DaySpent,
    Done,
    Doubt,
    Failure,
    GiveUp,
    Gone,
    InDoubt,
    KindStops,
    Refused,
    SlowDown,
    Verdict,
    decide_retry,
    in_words,
)
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_CREDENTIALS, EXIT_STOPPED, StopRun
from pipedrive_cli.pipedrive.answer import BELIEVABLE_YEARS, Answer, NoAnswer
from pipedrive_cli.pipedrive.catalog import Call, me
from pipedrive_cli.timestamps import shown_moment

SPENT_AFTER = 60.0  # seconds of nothing but 429: then the day is spent, whatever the answers call it
ENDLESS = 1_000_000_000  # tokens: no budget at all, as the sandbox has it
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  # no answer to this program is older, whatever its date says
AGREED = 60.0  # seconds by which two clocks may differ that are right
UNREACHABLE_AFTER = 10  # calls in a row that nobody answered
MOST_ASKED = 86_400.0  # seconds: whatever a server says, after a day it is asked again


class Sends(Protocol):
    """The client, as this module needs it."""

    async def send(self, call: Call) -> Answer: ...


class AnswerObserver(Protocol):
    """Is told of every answer, whatever the answer says."""

    def note_answer(self, call: Call, answer: Answer) -> None: ...


class ServerClock:
    """Pipedrive's clock as its answers tell it. Until one has told it, the clock of this machine (`wall`) counts."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._offset: float | None = None  # seconds from the loop's time to Pipedrive's
        self._ours: float | None = None  # the same to this machine's
        self._latest: float | None = None  # the greatest of all offsets
        self.shown = math.inf  # the newest time that Pipedrive gave to a record that we wrote, seconds since 1970

    def note_answer(self, call: Call, answer: Answer) -> None:
        """Takes the time from an answer, and the one that a write has left in its record."""
        if (date := answer.date) is not None:
            self._offset = offset = date.timestamp() - answer.received_at
            if (self._latest is None or offset > self._latest) and date >= EARLIEST:
                self._latest = offset
        if call.method != "GET" and isinstance(data := answer.data, dict):
            shown = _moment(data.get("update_time"))
            if shown is not None:
                self.shown = shown if math.isinf(self.shown) else max(shown, self.shown)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.ours() if self._offset is None else asyncio.get_running_loop().time() + self._offset

    def ours(self) -> float:
        """The time of this machine in seconds since 1970. Nobody who sets its clock moves it while a run goes on."""
        loop_time = asyncio.get_running_loop().time()
        if self._ours is None:
            self._ours = self._wall() - loop_time
        return self._ours + loop_time

    def latest(self) -> float:
        """The time in seconds since 1970 that no event is later than: Pipedrive's, ours until it has been heard.

        One answer of somebody between with an older date changes nothing. Where both clocks agree it is the later one:
        a `Date` has whole seconds, and was on its way.
        """
        if self._latest is None:
            return self.ours()
        heard = asyncio.get_running_loop().time() + self._latest + 1
        return max(heard, self.ours()) if abs(self.ours() - heard) < AGREED else heard

    def ahead(self) -> float:
        """How many seconds this machine's clock is ahead of Pipedrive's; 0 until that has been heard."""
        return 0.0 if self._latest is None else self.ours() - asyncio.get_running_loop().time() - self._latest

    def written(self) -> float:
        """The newest time in seconds since 1970 that Pipedrive gave to a record that we wrote; else now."""
        return self.now() if math.isinf(self.shown) else self.shown


class Sender:
    """Knows both limits, the day's budget, and whether the run goes on. `jitter` gives numbers in [0, 1).

    `server_time` is Pipedrive's clock, seconds since 1970; whoever waits for another day needs it.
    """

    def __init__(
        self,
        client: Sends,
        pace: Pace,
        day: Day,
        live_figures: LiveFigures,
        *,
        max_attempts: int,
        jitter: Callable[[], float],
        max_tokens: int | None = None,
        wait_for_budget: bool = False,
        server_time: Callable[[], float] = lambda: 0.0,
        observers: Sequence[AnswerObserver] = (),
    ) -> None:
        self._client = client
        self._pace = pace
        self._day = day
        self._live_figures = live_figures
        self._max_attempts = max_attempts
        self._jitter = jitter
        self._max_tokens = max_tokens
        self._wait_for_budget = wait_for_budget
        self._server_time = server_time
        self._came_back: float | None = None  # when the budget of an earlier day was found to be back
        self._stopped: StopRun | None = None
        self._pauses: set[asyncio.Future[None]] = set()  # which the end of the run cuts short
        self._turns = {search: asyncio.Lock() for search in (False, True)}
        self._renewal: asyncio.Task[None] | None = None
        self._unanswered = 0
        self._observers = observers
        self.names: Mapping[str, str] = {}  # of custom fields, by key: for Pipedrive's messages

    @property
    def stopped(self) -> StopRun | None:
        """Why nothing more is sent, if so."""
        return self._stopped

    def stop(self, why: StopRun) -> None:
        """From here on nothing new is sent; what is in flight is finished. The first reason counts."""
        if self._stopped is None:
            self._stopped = why
            for pause in self._pauses:
                _end_pause(pause)

    async def send(self, call: Call, leaving: Callable[[], Awaitable[None]] | None = None) -> Answer:
        """Returns the acknowledged answer, or raises as the module says. `leaving` is awaited each time it leaves."""
        attempt, sent = 1, 0
        while True:
            sending, spending = await self._admitted(call)
            if leaving is not None:
                await leaving()
            outcome = await self._once(call, again=sent > 0)
            sent += 1
            verdict = decide_retry(call, outcome, attempt, max_attempts=self._max_attempts, jitter=self._jitter())
            self._learn(call, outcome, verdict, sending, spending)
            match verdict:
                case Done(answer):
                    return answer
                case Again(after):
                    attempt += 1
                    self._live_figures.trouble = _trouble(call, outcome)
                    await self._sleep(after)
                case SlowDown() | ComeBack():
                    self._live_figures.trouble = _trouble(call, outcome)
                    self._hold_back(verdict)
                case DaySpent(resume_in):
                    await self._day_spent(resume_in, 0)
                case InDoubt(reason, refused, blocked):
                    self._note_silence(outcome)
                    raise Doubt(reason, None if refused is None else self._readable(refused), blocked=blocked)
                case Gone():
                    raise Refusal("gone", "the record is not in Pipedrive any more", gone=True)
                case Refused("firewall") if call.endpoint.search:
                    await self._send_probe(call)
                case Refused():
                    self._refused(call, self._readable(verdict))
                case GiveUp(reason):
                    reason = in_words(reason, self.names)
                    self._note_silence(outcome)
                    raise Failure("gave_up", reason if call.label in reason else f"{call.label}: {reason}")

    async def _send_probe(self, call: Call) -> NoReturn:
        """A firewall has refused a search, which holds what somebody has written. Is it that, or this client?"""
        await self.send(me())  # shut out, too: this stops the run
        raise Failure(
            "firewall_content",
            f"a firewall refused {call.label} with a page (HTTP 403), and let the next request through: "
            "it dislikes what is searched for",
        )

    async def _admitted(self, call: Call) -> tuple[Sending, Spending]:
        """Waits for a place within the limits. Raises StopRun once the run has stopped."""
        loop = asyncio.get_running_loop()
        write, search = call.method != "GET", call.endpoint.search
        # One call at a time waits for a place: if each place woke all of them, most would wake in vain.
        async with self._turns[search]:
            while True:
                self._go_on()
                now = loop.time()
                if (wait := self._pace.wait(now, search)) > 0:
                    await self._sleep(wait)
                elif not self._day.may_spend(call.tokens, write=write):
                    for_others = self._day.left is not None and self._day.left < call.tokens
                    await self._day_spent(None, (self._day.remaining or 0) if for_others else 0)
                else:
                    break
            return self._depart(call, now, write=write)

    def _depart(self, call: Call, now: float, *, write: bool) -> tuple[Sending, Spending]:
        """A call leaves now. Raises StopRun where it would cost more than the run may spend."""
        if self._max_tokens is not None and self._live_figures.tokens_spent + call.tokens > self._max_tokens:
            self.stop(
                StopRun(
                    f"the run has spent {self._live_figures.tokens_spent} of its {self._max_tokens} tokens",
                    code="max_tokens",
                    hint="run again to continue, with another --max-tokens",
                )
            )
        self._go_on()
        self._pay(call, call.tokens)
        return self._pace.sent(now, call.endpoint.search), self._day.spend(call.tokens, write=write)

    def _pay(self, call: Call, tokens: int) -> None:
        """Counts a call's tokens when it leaves: a failed call may cost as much."""
        self._live_figures.tokens_spent += tokens
        self._live_figures.tokens[call.label] += tokens

    async def _once(self, call: Call, *, again: bool) -> Answer | NoAnswer:
        live_figures = self._live_figures
        live_figures.requests[call.label] += 1
        live_figures.retried += again
        live_figures.in_flight += 1
        outcome: Answer | NoAnswer
        try:
            outcome = await self._client.send(call)
        except NoAnswer as none:
            outcome = none
        finally:
            live_figures.in_flight -= 1
        if isinstance(outcome, Answer):
            for observer in self._observers:
                observer.note_answer(call, outcome)
        return outcome

    def _learn(
        self, call: Call, outcome: Answer | NoAnswer, verdict: Verdict, sending: Sending, spending: Spending
    ) -> None:
        """Learns the limits from an answer. Without one the tokens may be spent, unless the call never arrived."""
        if isinstance(outcome, NoAnswer):
            if outcome.may_have_arrived:
                self._day.lost(spending)
            else:
                self._day.unsent(spending)
                self._pay(call, -call.tokens)
            return
        self._pace.learn(outcome.received_at, outcome.headers, sending, limited=isinstance(verdict, SlowDown))
        self._day.learn(outcome.headers, spending)
        left = self._day.remaining
        self._live_figures.tokens_left_today = None if left is None or left > ENDLESS else left
        self._live_figures.requests_allowed = self._pace.limit
        self._unanswered = 0

    def _hold_back(self, verdict: SlowDown | ComeBack) -> None:
        if isinstance(verdict, SlowDown):
            self._slow_down(verdict.after)
        else:
            self._come_back(verdict.after, in_words(verdict.reason, self.names))

    def _slow_down(self, after: float) -> None:
        now = asyncio.get_running_loop().time()
        self._pace.slow_down(now, after)
        self._live_figures.slowed_down += 1
        self._live_figures.waiting_for, self._live_figures.waiting_until = "Pipedrive's limit of requests", now + after
        if self._pace.refused_for(now) > SPENT_AFTER:
            self._day.found_spent()
            self.stop(_spent(None, 0))

    def _come_back(self, after: float, reason: str) -> None:
        """The server asks for a long wait: stop, or with --wait send nothing until it is over, a day at most."""
        after = min(after, MOST_ASKED)
        if self._wait_for_budget:
            now = asyncio.get_running_loop().time()
            self._pace.slow_down(now, after)
            self._live_figures.waiting_for = "the wait that Pipedrive asks for"
            self._live_figures.waiting_until = now + after
            return
        self.stop(
            StopRun(
                f"Pipedrive asks to wait longer than {LONGEST_WAIT / 60:.0f} minutes: {reason}",
                code="asked_to_wait",
                hint="run again when it is over (or run with --wait); everything done so far is kept",
                resume_in=after,
            )
        )

    async def pause(self, seconds: float) -> None:
        """A pause. Raises StopRun once the run has stopped, and is cut short by that."""
        await self._sleep(seconds)
        self._go_on()

    async def _sleep(self, seconds: float) -> None:
        """A pause that the end of the run cuts short."""
        if self._stopped is not None:
            return
        loop = asyncio.get_running_loop()
        pause: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _end_pause, pause)
        self._pauses.add(pause)
        try:
            await pause
        finally:
            timer.cancel()
            self._pauses.discard(pause)

    async def _day_spent(self, resume_in: float | None, left: int) -> None:
        """The day's budget is used up: stop, or with --wait sleep until `users/me` is answered again.

        `left` tokens are there, and are not for us.
        """
        if left:
            self._day.hold()
        else:
            self._day.found_spent()
        resume_in = None if resume_in is None else min(resume_in, MOST_ASKED)
        if not self._wait_for_budget:
            self.stop(_spent(resume_in, left))
            self._go_on()
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().create_task(self._renewed(resume_in))
        await asyncio.shield(self._renewal)
        self._go_on()

    async def _renewed(self, resume_in: float | None) -> None:
        """Sleeps until the budget is back. All calls that wait share one task and one cheap request."""
        loop = asyncio.get_running_loop()
        while self._stopped is None:
            now = self._server_time()
            wait = seconds_until_asking(now, self._came_back) if resume_in is None else resume_in
            self._live_figures.waiting_for, self._live_figures.waiting_until = "tomorrow's budget", loop.time() + wait
            await self._sleep(wait)
            if self._stopped is not None:
                break
            call = me()
            sending, spending = self._pace.sent(loop.time()), self._day.spend(call.tokens)
            self._pay(call, call.tokens)
            outcome = await self._once(call, again=False)
            verdict = decide_retry(call, outcome, 1, max_attempts=self._max_attempts, jitter=self._jitter())
            if isinstance(verdict, DaySpent | ComeBack):
                named = verdict.resume_in if isinstance(verdict, DaySpent) else verdict.after
                resume_in, self._came_back = None if named is None else min(named, MOST_ASKED), None
                self._day.lost(spending)
                continue
            self._day.renew()
            self._learn(call, outcome, verdict, sending, spending)
            self._came_back = self._server_time() if self._day.may_spend(call.tokens) else None
            break
        self._renewal = None
        self._live_figures.waiting_for = self._live_figures.waiting_until = None

    def _readable(self, refused: Refused) -> Refused:
        return replace(refused, message=in_words(refused.message, self.names))

    def _go_on(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _refused(self, call: Call, refused: Refused) -> None:
        match refused.cause:
            case "record":
                raise _as_refusal(refused)
            case "kind" if call.endpoint.kind is not None:
                raise KindStops(call.endpoint.kind, refused.code, refused.message)
            case "credentials":
                self.stop(
                    StopRun(
                        f"Pipedrive refused the credentials: {refused.message}",
                        code="credentials_refused",
                        exit_code=EXIT_CREDENTIALS,
                        hint="check the API token (Pipedrive: Settings > Personal preferences > API) and the company; "
                        "an OAuth access token is good for an hour",
                    )
                )
            case "account":
                self.stop(
                    StopRun(
                        f"the Pipedrive account is not open: {refused.message}",
                        code="account_closed",
                        hint="its trial may be over or a payment due; run again once it is open",
                    )
                )
            case "firewall":
                self.stop(
                    StopRun(
                        "Pipedrive's firewall has shut this client out",
                        code="firewall",
                        hint="wait at least 15 minutes before running again; knocking makes it longer",
                        resume_in=900.0,
                    )
                )
            case _:
                raise _as_refusal(refused)
        self._go_on()

    def _note_silence(self, outcome: Answer | NoAnswer) -> None:
        """A call is not sent again. After some in a row without any answer Pipedrive counts as unreachable."""
        if isinstance(outcome, Answer):
            return
        self._unanswered += 1
        if self._unanswered >= UNREACHABLE_AFTER:
            self.stop(
                StopRun(
                    f"Pipedrive did not answer {self._unanswered} calls in a row",
                    code="unreachable",
                    exit_code=EXIT_STOPPED,
                    hint="check the network and pipedrive.base_url, then run again to continue",
                )
            )


def _as_refusal(refused: Refused) -> Refusal:
    return Refusal(refused.code, refused.message, refused.fields, forbidden=refused.forbidden)


def _moment(text: object) -> float | None:
    """A record's time as Pipedrive shows it, in seconds since 1970; None for anything else."""
    moment = shown_moment(text)
    return None if moment is None or moment.year not in BELIEVABLE_YEARS else moment.timestamp()


def _trouble(call: Call, outcome: Answer | NoAnswer) -> str:
    """What came of a call that has to be repeated, in one line."""
    if isinstance(outcome, Answer):
        return f"{call.label} was answered {outcome.status}"
    return outcome.message if call.label in outcome.message else f"{call.label}: {outcome.message}"


def _spent(resume_in: float | None, left: int) -> StopRun:
    what = "the company's API budget of today is spent"
    if left:
        what += f", but for {left:,} tokens that are left to other integrations (delivery.leave_tokens)"
    return StopRun(
        what,
        code="day_spent",
        hint="run again when it is back (or run with --wait); everything done so far is kept",
        resume_in=resume_in,
    )


def _end_pause(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
