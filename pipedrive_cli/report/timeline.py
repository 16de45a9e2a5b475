"""A run over time: a few hundred moments of its live figures, however long it takes, for the pictures of its page.

Pure: the time is passed in. `add_moment` may be called often: most calls cost one comparison.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome

MOST = 240  # moments: a picture is some 600 points wide, and the journal keeps the moments of every run
FIRST_INTERVAL = 0.01  # seconds; a run over a small file takes less than one
ENDLESS = 1_000_000  # requests in 2 s, by which the sandbox says that there is no limit
_LARGEST = 1 << 20  # bytes of an unpacked timeline: a damaged journal must not fill the memory


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """The figures of a run at one moment: `at` is in seconds since the start, all counts are since the start.

    `requests_allowed` is Pipedrive's limit in requests per 2 s, None while it is unknown; `slowed` counts the answers
    "too many requests".
    """

    at: float
    outcomes: dict[Outcome, int] = {}
    requests: int = 0
    tokens_spent: int = 0
    tokens_left_today: int | None = None
    requests_allowed: int | None = None
    slowed: int = 0


class Timeline:
    """At most `most` moments of one run. When there are so many, every second one is deleted and the interval doubled.

    `began` is the event loop's time at the run's start, in seconds.
    """

    def __init__(self, began: float, *, most: int = MOST, interval: float = FIRST_INTERVAL) -> None:
        self._began = began
        self._most = most
        self._interval = interval
        self._due = began
        self._moments: list[Moment] = []

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The moments in the order of time."""
        return tuple(self._moments)

    def add_moment(self, now: float, live_figures: LiveFigures) -> None:
        """Adds the present moment, if the interval has passed."""
        if now < self._due:
            return
        if len(self._moments) >= self._most:
            del self._moments[1::2]
            # If moments come more rarely than the interval, doubling it is not enough: only the start would be thinned.
            self._interval = max(2 * self._interval, (now - self._began) / len(self._moments))
        self._moments.append(_moment(now - self._began, live_figures))
        self._due = now + self._interval

    def add_end(self, now: float, live_figures: LiveFigures) -> None:
        """Adds the last moment of the run, even within the interval."""
        last = _moment(now - self._began, live_figures)
        if len(self._moments) >= self._most or (self._moments and self._moments[-1].at >= last.at):
            self._moments.pop()
        self._moments.append(last)


def packed(moments: Sequence[Moment]) -> bytes:
    """The moments as the journal stores them: about 10 bytes each."""
    return zlib.compress(msgspec.msgpack.encode(moments), 9)


def unpacked(content: bytes | None) -> tuple[Moment, ...]:
    """The moments that `packed` made; none if the content is missing or damaged."""
    if content is None:
        return ()
    try:
        raw = zlib.decompressobj().decompress(content, _LARGEST)
        return msgspec.msgpack.decode(raw, type=tuple[Moment, ...])
    except (zlib.error, msgspec.MsgspecError):
        return ()


def _moment(at: float, live_figures: LiveFigures) -> Moment:
    return Moment(
        at=round(at, 3),
        outcomes=dict(live_figures.outcomes),
        requests=live_figures.requests.total(),
        tokens_spent=live_figures.tokens_spent,
        tokens_left_today=live_figures.tokens_left_today,
        requests_allowed=live_figures.requests_allowed,
        slowed=live_figures.slowed_down,
    )
