"""The limits of two seconds and of a day, against a Pipedrive that counts arrivals."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.delivery.budget import Day, Pace, Sending, Spending, concurrency
from tests.examples import examples

Latency = tuple[float, float]


@dataclass
class Burst:
    """A rolling window of two seconds as a server keeps it: by arrival, for requests and for searches."""

    limit: int
    search_limit: int = 10
    refused: int = 0
    arrivals: deque[float] = field(default_factory=deque)
    searches: deque[float] = field(default_factory=deque)

    def arrive(self, at: float, search: bool) -> bool:
        """Whether the request is let in."""
        for window in (self.arrivals, self.searches):
            while window and window[0] <= at - 2:
                window.popleft()
        if len(self.arrivals) >= self.limit or (search and len(self.searches) >= self.search_limit):
            self.refused += 1
            return False
        self.arrivals.append(at)
        if search:
            self.searches.append(at)
        return True

    @property
    def headers(self) -> dict[str, str]:
        left = self.limit - len(self.arrivals)
        return {"x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(left)}


@dataclass
class Traffic:
    """Sends as fast as a pace lets it; every request has a way there and a way back of random length."""

    server: Burst
    pace: Pace
    there: Latency
    back: Latency
    in_flight: int
    seed: int = 0
    search_share: float = 0.0
    handshake: float = 0.0  # of the first request on each connection
    others: float = 0.0  # requests a second that another client sends

    def run(self, requests: int) -> float:
        """Seconds from the first arrival to the last one."""
        chance = random.Random(self.seed)
        now = chance.random() * 5
        # (at, serial, None for an arrival or whether the answer is a 429, the request, whether it is a search)
        queue: list[tuple[float, int, bool | None, Sending, bool]] = []
        flying = serial = connections = 0
        arrived: list[float] = []
        other_at = now
        search = chance.random() < self.search_share
        while requests or queue:
            wait = 0.0
            while requests and flying < self.in_flight:
                wait = self.pace.wait(now, search)
                if wait > 0:
                    break
                sending = self.pace.sent(now, search)
                requests, flying, serial = requests - 1, flying + 1, serial + 1
                way = chance.uniform(*self.there) + (self.handshake if connections < self.in_flight else 0.0)
                connections += 1
                heapq.heappush(queue, (now + way, serial, None, sending, search))
                search = chance.random() < self.search_share
            upcoming = [queue[0][0]] if queue else []
            if wait > 0:
                upcoming.append(now + wait)
            now = max(now, min(upcoming))
            while self.others and other_at <= now:
                self.server.arrive(other_at, False)
                other_at += 1 / self.others
            while queue and queue[0][0] <= now:
                at, number, refused, sending, was_search = heapq.heappop(queue)
                if refused is None:
                    refused = not self.server.arrive(at, was_search)
                    arrived.append(at)
                    heapq.heappush(queue, (at + chance.uniform(*self.back), number, refused, sending, was_search))
                    continue
                flying -= 1
                self.pace.learn(at, self.server.headers, sending, limited=refused)
                if refused:
                    self.pace.slow_down(at, 1.0)
        return arrived[-1] - arrived[0]


@pytest.mark.parametrize("limit", [20, 40, 120])
@pytest.mark.parametrize(
    ("there", "back"),
    [
        pytest.param((0.075, 0.075), (0.075, 0.075), id="150ms"),
        pytest.param((0.15, 0.15), (0.0, 0.0), id="150ms-on-the-way"),
        pytest.param((0.0, 0.0), (0.15, 0.15), id="150ms-thinking"),
        pytest.param((0.1, 0.25), (0.0, 0.0), id="100-to-250ms-on-the-way"),
        pytest.param((0.05, 0.125), (0.05, 0.125), id="100-to-250ms"),
        pytest.param((0.0, 0.0), (0.1, 0.25), id="100-to-250ms-thinking"),
    ],
)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_nine_tenths_are_used_and_nothing_is_refused(limit: int, there: Latency, back: Latency, seed: int) -> None:
    """At common latencies over 90 % of the limit is used from first to last, and the server refuses none."""
    server = Burst(limit)
    in_flight = concurrency(limit, (sum(there) + sum(back)) / 2)
    requests = limit * 30
    seconds = Traffic(server, Pace(limit), there, back, in_flight, seed).run(requests)
    assert server.refused == 0
    assert requests / (seconds * limit / 2) >= 0.9


@pytest.mark.parametrize("limit", [20, 40, 120])
def test_new_connections_cause_no_refusal(limit: int) -> None:
    """Requests that were held up by setting up their connections do not meet the quicker ones after them."""
    server = Burst(limit)
    in_flight = concurrency(limit, 0.15)
    traffic = Traffic(server, Pace(limit), (0.07, 0.08), (0.07, 0.08), in_flight, handshake=0.4)
    traffic.run(limit * 10)
    assert server.refused == 0


@given(
    limit=st.integers(1, 60),
    search_share=st.sampled_from([0.0, 0.3, 1.0]),
    there=st.tuples(st.floats(0, 0.1), st.floats(0.1, 0.3)),
    in_flight=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(60))
def test_no_window_ever_holds_more_than_its_limit(
    limit: int, search_share: float, there: Latency, in_flight: int, seed: int
) -> None:
    """Whatever the limit, the share of searches and the way, no two seconds see more arrivals than are allowed."""
    server = Burst(limit)
    Traffic(server, Pace(limit), there, (0.0, 0.0), in_flight, seed, search_share).run(limit * 4)
    # The next request is taken to need a quarter of the fastest one's time; a way that varies by all of its length
    # can undercut that now and then.
    assert server.refused <= (0 if there[0] >= 0.1 * there[1] else limit // 10 + 1)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), min_size=1, max_size=200), st.integers(1, 20))
def test_without_answers_no_two_seconds_hold_more_than_the_limit(steps: list[tuple[float, bool]], limit: int) -> None:
    """Departures alone, with no answer at all, keep both limits."""
    pace, now = Pace(limit), 0.0
    sent: list[tuple[float, bool]] = []
    for pause, search in steps:
        now += pause
        if pace.wait(now, search) == 0:
            pace.sent(now, search)
            sent.append((now, search))
        window = [is_search for at, is_search in sent if at > now - 2]
        assert len(window) <= limit
        assert sum(window) <= 10


def test_a_search_waits_for_its_own_window_alone() -> None:
    """Ten searches in two seconds stop searches, not other requests."""
    pace = Pace(40)
    for _ in range(10):
        pace.sent(0.0, search=True)
    assert pace.wait(0.5, search=True) > 0
    assert pace.wait(0.5) == 0


def test_the_wait_ends_when_a_place_is_free() -> None:
    """Asked again after the wait it gave, the pace lets a request leave."""
    pace = Pace(1)
    pace.learn(0.1, {}, pace.sent(0.0))
    wait = pace.wait(0.1)
    assert 1.9 <= wait <= 2.1
    assert pace.wait(0.1 + wait) == 0


def test_the_limit_is_learned_from_headers() -> None:
    """An answer's x-ratelimit-limit replaces the plan's; a search's own low limit leaves the other alone."""
    pace = Pace(20)
    pace.learn(0.1, {"x-ratelimit-limit": "120"}, pace.sent(0.0))
    assert pace.limit == 120
    pace.learn(0.1, {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9"}, pace.sent(0.0, search=True))
    assert pace.limit == 120
    pace.learn(0.1, {"x-ratelimit-limit": "0"}, pace.sent(0.0))
    pace.learn(0.1, {"x-ratelimit-limit": "many"}, pace.sent(0.0))
    assert pace.limit == 120


def test_what_others_use_is_not_ours() -> None:
    """Where Pipedrive has counted more than we sent, those places are taken for two seconds."""
    pace = Pace(20)
    pace.learn(0.1, {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "2"}, pace.sent(0.0))
    free = 0
    while pace.wait(0.2) == 0:
        pace.sent(0.2)
        free += 1
    assert free == 2
    assert pace.wait(2.3) == 0


def test_another_client_costs_few_refusals() -> None:
    """Beside another client that takes a quarter of the limit, we take little more than what it leaves."""
    server = Burst(40)
    seconds = Traffic(server, Pace(40), (0.05, 0.06), (0.05, 0.06), 3, others=5.0).run(800)
    assert server.refused <= 40
    assert 800 / seconds >= 10  # of 15 that are left


def test_a_burst_429_pauses_everybody_and_takes_less_for_a_while() -> None:
    """After slow_down nothing leaves until its end; after a 429 the limit is not used up again at once."""
    pace = Pace(20)
    sending = pace.sent(0.0)
    pace.learn(0.1, {}, sending, limited=True)
    pace.slow_down(0.1, 1.5)
    assert pace.wait(0.1) == pytest.approx(1.5)
    free = 0
    while pace.wait(5.0) == 0:
        pace.sent(5.0)
        free += 1
    assert free == 16
    for second in range(6, 30):
        pace.learn(float(second), {}, pace.sent(float(second)))
    free = 0
    while pace.wait(40.0) == 0:
        pace.sent(40.0)
        free += 1
    assert free == 20


def test_one_burst_of_429s_counts_once() -> None:
    """Thirty 429s for requests that left together lower the limit as one does."""
    pace = Pace(100)
    sendings = [pace.sent(0.0) for _ in range(30)]
    for sending in sendings:
        pace.learn(0.1, {}, sending, limited=True)
    free = 0
    while pace.wait(5.0) == 0:
        pace.sent(5.0)
        free += 1
    assert free == 80


def test_a_429_for_what_left_after_the_last_one_lowers_the_limit_again() -> None:
    """It was too much once more."""
    pace = Pace(100)
    for second in (0.0, 1.0):
        pace.learn(second + 0.1, {}, pace.sent(second + 0.05), limited=True)
    free = 0
    while pace.wait(5.0) == 0:
        pace.sent(5.0)
        free += 1
    assert free == 64


def test_a_row_of_429s_is_timed_and_a_success_ends_it() -> None:
    """How long Pipedrive has been refusing everything can be asked, and is nothing after a success."""
    pace = Pace(20)
    assert pace.refused_for(5.0) == 0
    pace.learn(10.0, {}, pace.sent(9.9), limited=True)
    pace.learn(30.0, {}, pace.sent(29.9), limited=True)
    assert pace.refused_for(71.0) == 61.0
    pace.learn(72.0, {}, pace.sent(71.9))
    assert pace.refused_for(73.0) == 0


def test_concurrency_follows_limit_and_latency() -> None:
    """240 requests a second at 150 ms need 36 in flight; there are always two."""
    assert concurrency(480, 0.15) == 36
    assert concurrency(20, 0.01) == 2


# --- the day ----------------------------------------------------------------------------------------------------------


def left(tokens: int, limit: int | None = None) -> dict[str, str]:
    """The headers that tell what is left."""
    headers = {"x-daily-ratelimit-token-remaining": str(tokens)}
    return headers if limit is None else {**headers, "x-daily-ratelimit-token-limit": str(limit)}


def test_an_unknown_day_allows_everything() -> None:
    """Without plan, seats or headers the budget is unknown until Pipedrive says that it is spent."""
    day = Day(None)
    assert (day.limit, day.left, day.remaining) == (None, None, None)
    assert day.may_spend(1_000_000)
    day.learn({}, day.spend(5))
    assert day.left is None
    day.found_spent()
    assert [day.left, day.remaining] == [0, 0]
    assert not day.may_spend(1)


def test_some_is_left_to_others() -> None:
    """A share of the limit, or a number of tokens, is not ours to spend."""
    assert Day(30_000, 0.1).left == 27_000
    assert Day(30_000, 500).left == 29_500
    assert Day(30_000, 0).left == 30_000
    assert Day(100, 1_000).left == 0
    day = Day(None, 0.1)
    day.learn(left(60_000, 60_000), day.spend(2))
    assert (day.limit, day.left, day.remaining) == (60_000, 54_000, 60_000)


def test_headers_are_believed_over_the_plan() -> None:
    """What Pipedrive says is left replaces our own count, upwards at midnight too."""
    day = Day(30_000, 0)
    day.learn(left(7), day.spend(5))
    assert day.left == 7
    day.learn(left(29_000), day.spend(5))
    assert day.left == 29_000


def test_what_is_in_flight_is_reserved() -> None:
    """A request may not be sent for tokens that others, under way, will have taken."""
    day = Day(100, 0)
    reservations = [day.spend(20) for _ in range(4)]
    assert day.left == 20
    assert day.may_spend(20)
    assert not day.may_spend(21)
    day.learn(left(90), reservations[0])  # the other three may or may not be counted in those 90
    assert day.left == 30
    assert day.spent == 80


def test_old_news_is_no_news() -> None:
    """The answer to an earlier request, coming late, does not bring tokens back."""
    day = Day(100, 0)
    first, second = day.spend(10), day.spend(10)
    day.learn(left(80), second)
    day.learn(left(90), first)
    assert day.left is not None
    assert day.left <= 80


def test_writes_have_a_count_of_their_own_where_it_is_sent() -> None:
    """x-daily-requests-left stops writes, and writes alone."""
    day = Day(None)
    assert day.may_spend(5, write=True)
    day.learn({"x-daily-requests-left": "1"}, day.spend(5, write=True))
    assert day.may_spend(5, write=True)
    day.spend(5, write=True)
    assert not day.may_spend(5, write=True)
    assert day.may_spend(10)


def test_a_new_day_starts_from_the_limit() -> None:
    """After a spent day, renewed, there is the whole limit again."""
    day = Day(1_000, 0)
    day.lost(day.spend(400))
    day.found_spent()
    assert day.left == 0
    day.renew()
    assert day.left == 1_000


@given(
    budget=st.integers(0, 400),
    known=st.booleans(),
    chance=st.randoms(use_true_random=False),
    in_flight=st.integers(1, 8),
    headers_in=st.sampled_from([1.0, 0.5]),
)
def test_the_day_is_never_overrun(
    budget: int, known: bool, chance: random.Random, in_flight: int, headers_in: float
) -> None:
    """Whatever the order of arrivals and answers, a known budget is kept, and all of it can be used.

    The first answer is waited for where the budget is unknown, as the run does with users/me.
    """
    day = Day(budget if known else None, 0)
    on_server = budget
    refused = 0
    going: list[tuple[int, Spending]] = []
    coming: list[tuple[Spending, dict[str, str]]] = []
    if not known:
        day.learn(left(on_server), day.spend(0))
    while True:
        cost = chance.choice([1, 5, 10, 20])
        if len(going) + len(coming) < in_flight and day.may_spend(cost):
            going.append((cost, day.spend(cost)))
        elif not going and not coming:
            break
        if going and chance.random() < 0.5:
            cost, spending = going.pop(chance.randrange(len(going)))
            refused += cost > on_server
            on_server = max(0, on_server - cost)
            coming.append((spending, left(on_server) if chance.random() < headers_in else {}))
        if coming and chance.random() < 0.5:
            spending, headers = coming.pop(chance.randrange(len(coming)))
            day.learn(headers, spending)
    assert refused == 0
    # Without a header in every answer, what is in doubt at the end may be left unused.
    assert on_server < (20 if headers_in == 1 else 20 + 20 * in_flight)


def test_headers_that_claim_a_billion_places_cost_no_memory() -> None:
    """An endless limit with nothing left, as a sandbox without limits tells of a 429, is taken in at once."""
    pace = Pace(1_000_000_000)
    headers = {"x-ratelimit-limit": "1000000000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    pace.learn(0.1, headers, pace.sent(0.0), limited=True)
    assert pace.wait(0.2) == 0.0


def test_what_is_not_for_us_is_held_back_until_the_next_day() -> None:
    """Whatever an answer says is left."""
    day = Day(1_000, 0)
    day.hold()
    day.learn(left(900, 1_000), day.spend(0))
    assert not day.may_spend(1)
    day.renew()
    assert day.may_spend(1_000)
