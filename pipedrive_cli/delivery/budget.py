"""When a request may be sent: the limits of the last two seconds (`Pace`) and of the day (`Day`).

Pure: the time is handed in, in seconds of the event loop, and nothing waits here. The limits come from the plan until
the headers of an answer give others.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Mapping

import msgspec

from pipedrive_cli.pipedrive.catalog import SEARCHES_PER_WINDOW, WINDOW_SECONDS

# Seconds that a request is allowed for its way: long enough to set up a connection. Where all answers are slow, not the
# way is slow but Pipedrive: then only MOST_GIVEN_AWAY is allowed, which loses 0.2 s of every 2.2 s.
LONGEST_WAY = 1.0
MOST_GIVEN_AWAY = 0.2
# Seconds by which one answer moves the estimate of the usual time.
LEARNING_STEP = 0.005
# The next request needs time to arrive, too: at least this part of the fastest answer's time.
LEAST_WAY = 0.25
# Seconds for the grain of two clocks, and for a server that counts the very end of its window in.
EDGE = 0.01
# A shorter wait would not move a clock in floating point, and so would never end.
SHORTEST_WAIT = 1e-6
# A burst 429 means that others use the limit, too: our share shrinks by this factor; a quiet window adds to it.
SHARE_AFTER_429 = 0.8
SHARE_REGAINED = 0.05
# More places than any plan has: headers that claim a billion must not fill the memory.
MOST_OF_OTHERS = 1_000


def concurrency(limit: int, latency: float) -> int:
    """Requests in flight that use `limit` requests per 2 s when each takes `latency` seconds: 36 for 480 at 0.15 s."""
    return max(2, math.ceil(limit / WINDOW_SECONDS * latency))


class Pace:
    """The burst limits: so many requests in any 2 s, and so many searches among them.

    Pipedrive counts a request when it arrives; we know when it left and when its answer came. So it fills a place
    from its departure until 2 s after its answer (or after LONGEST_WAY, if that is sooner), less the least time that
    the next request needs to arrive. By then Pipedrive's own place is free, wherever its window begins. A free place
    is filled at once, without even spacing: an unused place is lost.
    """

    def __init__(self, limit: int, search_limit: int = SEARCHES_PER_WINDOW) -> None:
        self._all = _Window(limit)
        self._searches = _Window(search_limit)
        self._paused_until = -math.inf
        self._refused_since: float | None = None
        self._usual = 0.0  # about the median
        self._fastest = math.inf  # seconds from a request to its answer

    @property
    def limit(self) -> int:
        """Requests per 2 s, as last learned."""
        return self._all.limit

    @property
    def usual(self) -> float:
        """Seconds that about half of all requests take to be answered; 0 before the first answers."""
        return self._usual

    def wait(self, now: float, search: bool = False) -> float:
        """0 when a request may be sent now, else the seconds after which to ask again."""
        wait = max(self._paused_until - now, self._all.wait(now, self._patience))
        if search:
            wait = max(wait, self._searches.wait(now, self._patience))
        return max(0.0, wait)

    def sent(self, now: float, search: bool = False) -> Sending:
        """A request leaves now. Its answer goes to `learn` together with what this returns."""
        return Sending(self._all.fill(now), self._searches.fill(now) if search else None)

    def learn(self, now: float, headers: Mapping[str, str], sending: Sending, *, limited: bool = False) -> None:
        """An answer came, with these headers (lower-case names). `limited`: it was a burst 429."""
        took = now - sending.place.sent_at
        self._fastest = min(self._fastest, took)
        on_its_way = min(took, self._patience) - self._fastest * LEAST_WAY
        self._all.answered(sending.place, on_its_way)
        if sending.search_place is not None:
            self._searches.answered(sending.search_place, on_its_way)
        self._usual += LEARNING_STEP if took > self._usual else -LEARNING_STEP

        # A search counts in both windows; a limit this low is that of searches.
        limit = _count(headers.get("x-ratelimit-limit"))
        window, place = self._all, sending.place
        if sending.search_place is not None and limit is not None and limit <= SEARCHES_PER_WINDOW:
            window, place = self._searches, sending.search_place
        if limit:
            window.limit = limit
        remaining = _count(headers.get("x-ratelimit-remaining"))
        if remaining is not None and (limit or sending.search_place is None):
            window.share_with_others(now, place, remaining)

        if not limited:
            self._refused_since = None
            self._all.relent(now)
            self._searches.relent(now)
            return
        if self._refused_since is None:
            self._refused_since = now
        if sending.search_place is None:
            self._all.blame(now, sending.place)
        else:
            self._searches.blame(now, sending.search_place)

    def slow_down(self, now: float, seconds: float) -> None:
        """Nothing is sent for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)

    def refused_for(self, now: float) -> float:
        """Seconds since the first of an unbroken row of burst 429s; 0 without one. A minute of them is a spent day."""
        return 0.0 if self._refused_since is None else now - self._refused_since

    @property
    def _patience(self) -> float:
        """Seconds that a request is allowed for its way."""
        return LONGEST_WAY if self._usual <= MOST_GIVEN_AWAY else MOST_GIVEN_AWAY


class Sending(msgspec.Struct, frozen=True):
    """A request on its way, as `Pace` remembers it."""

    place: _Place
    search_place: _Place | None


class _Place(msgspec.Struct, frozen=True):
    sent_at: float
    serial: int
    crowd: int  # our requests, this one included, that Pipedrive may have counted when this one left


class _Window:
    """The places of one limit: those of unanswered requests, of answered ones, and of this user's other clients."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._share = 1.0
        self._share_changed = -math.inf
        self._serial = 0
        self._open: dict[int, _Place] = {}  # in the order of sending
        self._free_at: list[float] = []  # heaps of the times at which places become free
        self._others_free_at: list[float] = []

    def wait(self, now: float, patience: float) -> float:
        self._clear(now, patience)
        ours = len(self._open) + len(self._free_at)
        if ours + len(self._others_free_at) < max(1, int(self.limit * self._share)):
            return 0.0
        known = [times[0] for times in (self._free_at, self._others_free_at) if times]
        if self._open:
            # If it is answered now, its place is free in 2 s; without an answer, later.
            known.append(min(now, next(iter(self._open.values())).sent_at + patience) + WINDOW_SECONDS + EDGE)
        return max(SHORTEST_WAIT, min(known) - now)

    def fill(self, now: float) -> _Place:
        self._serial += 1
        place = _Place(now, self._serial, len(self._open) + len(self._free_at) + 1)
        self._open[place.serial] = place
        return place

    def answered(self, place: _Place, took: float) -> None:
        if self._open.pop(place.serial, None):
            heapq.heappush(self._free_at, place.sent_at + WINDOW_SECONDS + took + EDGE)

    def share_with_others(self, now: float, place: _Place, remaining: int) -> None:
        """Pipedrive counted more requests than ours: others use this limit. Their places are free in 2 s at most."""
        most_of_ours = place.crowd + self._serial - place.serial
        theirs = min(self.limit - remaining - most_of_ours, MOST_OF_OTHERS)
        for _ in range(theirs - len(self._others_free_at)):
            heapq.heappush(self._others_free_at, now + WINDOW_SECONDS)

    def blame(self, now: float, place: _Place) -> None:
        """A 429: use less of the limit for a while. A request that left before the last cut tells nothing new."""
        if place.sent_at > self._share_changed or self._share == 1.0:
            self._share = max(self._share * SHARE_AFTER_429, 1 / self.limit)
            self._share_changed = now

    def relent(self, now: float) -> None:
        if self._share < 1.0 and now - self._share_changed >= WINDOW_SECONDS:
            self._share = min(1.0, self._share + SHARE_REGAINED)
            self._share_changed = now

    def _clear(self, now: float, patience: float) -> None:
        for times in (self._free_at, self._others_free_at):
            while times and times[0] <= now:
                heapq.heappop(times)
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.sent_at + WINDOW_SECONDS + patience + EDGE > now:
                return
            del self._open[oldest.serial]


class Day:
    """The day's budget of tokens, and of writing requests where Pipedrive still counts those.

    `limit`: tokens a day to start from, None for unknown. `leave` is left to the company's other integrations: below 1
    a share of the limit, else tokens. Every request reserves its tokens with `spend` before it leaves, and its
    answer settles them, so that tokens in flight are never spent twice.
    """

    def __init__(self, limit: int | None, leave: float = 0.1) -> None:
        self._limit = limit
        self._leave = leave
        self._tokens = _Meter(limit)
        self._writes = _Meter(None)
        self._held = False

    @property
    def limit(self) -> int | None:
        """Tokens a day, None while unknown."""
        return self._limit

    @property
    def remaining(self) -> int | None:
        """Tokens that the company has left today, None while unknown."""
        left = self._tokens.left
        return None if left is None else max(0, left)

    @property
    def left(self) -> int | None:
        """Tokens that we may still spend today, None while unknown."""
        left = self._tokens.left
        return None if left is None else max(0, left - self._left_to_others)

    @property
    def spent(self) -> int:
        """Tokens of everything that was sent, answered or not."""
        return self._tokens.sent

    def may_spend(self, tokens: int, *, write: bool = False) -> bool:
        """Whether a request of so many tokens may be sent; always while nothing is known. `write`: it is no GET."""
        left, writes = self.left, self._writes.left
        return not self._held and (left is None or left >= tokens) and (not write or writes is None or writes >= 1)

    def spend(self, tokens: int, *, write: bool = False) -> Spending:
        """A request is about to leave. Keep what this returns for `learn`, `lost` or `unsent`."""
        return Spending(self._tokens.reserve(tokens), self._writes.reserve(1 if write else 0))

    def learn(self, headers: Mapping[str, str], spending: Spending) -> None:
        """An answer came, with these headers (lower-case names)."""
        limit = _count(headers.get("x-daily-ratelimit-token-limit"))
        if limit:
            self._limit = limit
        self._tokens.answered(spending.tokens, _count(headers.get("x-daily-ratelimit-token-remaining")))
        self._writes.answered(spending.writes, _count(headers.get("x-daily-requests-left")))

    def lost(self, spending: Spending) -> None:
        """No answer came: the tokens count as spent until the headers of another answer tell."""
        self.learn({}, spending)

    def unsent(self, spending: Spending) -> None:
        """The request did not reach Pipedrive: nothing is spent."""
        self._tokens.give_back(spending.tokens)
        self._writes.give_back(spending.writes)

    def hold(self) -> None:
        """What is left is not for us: nothing may be spent until a new day has begun."""
        self._held = True

    def found_spent(self) -> None:
        """Pipedrive says that the day's budget is used up."""
        self._tokens.set(0)

    def renew(self) -> None:
        """A new day has begun: after a spent day a request was answered again."""
        self._held = False
        self._tokens.set(self._limit)
        self._writes.set(None)

    @property
    def _left_to_others(self) -> int:
        if self._leave >= 1:
            return int(self._leave)
        return math.ceil((self._limit or self._tokens.most) * self._leave)


class Spending(msgspec.Struct, frozen=True):
    """A request on its way, as `Day` remembers it."""

    tokens: _Reserved
    writes: _Reserved


class _Reserved(msgspec.Struct, frozen=True):
    serial: int
    amount: int


class _Meter:
    """What is left of an amount: what Pipedrive last reported, less what was sent since.

    Within a day the rest only falls. So of overlapping answers the one with the lowest number was made last, whatever
    the order in which they come. That number includes every request whose own answer showed a higher one, and every
    request that was answered before its own left. All others are subtracted, so that `left` can only be too low, by no
    more than what is in flight. A higher number in the answer to a later request means a new day.
    """

    def __init__(self, start: int | None) -> None:
        self.sent = 0
        self.most = start or 0  # the highest number reported
        self._serial = 0
        self._reported = start
        self._reported_serial = 0  # the last request sent when it was reported
        self._open: dict[int, int] = {}  # serial -> amount
        self._silent: deque[tuple[int, int]] = deque()  # answers without a number: last request sent by then, amount
        self._uncounted = 0  # the sum of `_open` and `_silent`

    @property
    def left(self) -> int | None:
        return None if self._reported is None else self._reported - self._uncounted

    def reserve(self, amount: int) -> _Reserved:
        self._serial += 1
        self.sent += amount
        self._uncounted += amount
        self._open[self._serial] = amount
        return _Reserved(self._serial, amount)

    def answered(self, reserved: _Reserved, reported: int | None) -> None:
        amount = self._open.pop(reserved.serial, None)
        if amount is None:
            return
        if reported is None:
            self._silent.append((self._serial, amount))
            self._merge_silent()
            return
        self._uncounted -= amount
        if self._reported is None or reported <= self._reported or reserved.serial > self._reported_serial:
            self._reported, self._reported_serial = reported, self._serial
            self.most = max(self.most, reported)
            while self._silent and self._silent[0][0] < reserved.serial:
                self._uncounted -= self._silent.popleft()[1]

    def give_back(self, reserved: _Reserved) -> None:
        """What was reserved is not spent after all."""
        if (amount := self._open.pop(reserved.serial, None)) is not None:
            self.sent -= amount
            self._uncounted -= amount

    def set(self, left: int | None) -> None:
        """Sets what is left, whatever was sent before."""
        self._reported, self._reported_serial = left, self._serial
        self._silent.clear()
        self._uncounted = sum(self._open.values())

    def _merge_silent(self) -> None:
        """Joins the entries older than every open request, for they are dropped together: hours without headers
        must not fill the memory.
        """
        oldest = next(iter(self._open), self._serial + 1)
        while len(self._silent) > 1 and self._silent[1][0] < oldest:
            _, amount = self._silent.popleft()
            serial, more = self._silent[0]
            self._silent[0] = (serial, amount + more)


def _count(text: str | None) -> int | None:
    """A whole number as a header gives it; anything else is as good as no header."""
    return int(text) if text and len(text) < 19 and text.isascii() and text.isdigit() else None


HOUR, DAY = 3_600.0, 86_400.0
# Hours (UTC) at which to ask for a new day: midnight in UTC, in central Europe and in eastern America, in summer and
# winter, and between those that are far apart. That is seven requests a day; every quarter of an hour would be 96.
LIKELY = (0, 4, 5, 10, 16, 22, 23)
AFTER = 20.0  # seconds: no two clocks agree


def seconds_until_asking(now: float, came: float | None) -> float:
    """Seconds from `now` until the next request for a new day. `came`: when an earlier day's budget was back."""
    if came is not None:
        return _until(now, came % DAY)
    return min(_until(now, hour * HOUR + AFTER) for hour in LIKELY)


def _until(now: float, second: float) -> float:
    """Seconds until this second of the day comes; a whole day more if it is now."""
    left = DAY - (now - second) % DAY
    return left if left > 1.0 else left + DAY
