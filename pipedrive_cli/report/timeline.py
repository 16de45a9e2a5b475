"""How a run went over time: a few hundred looks at its tally, however long it takes, for the pictures of its page.

Pure: the clock is passed in. Whoever runs calls `look` as often as it likes, and pays one comparison for most calls.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome

MOST = 240  # a picture is some 600 points wide, and the journal keeps this of every run
FIRST_INTERVAL = 0.01  # seconds; a run over a small file is over in less than one
_LARGEST = 1 << 20  # bytes of an unpacked course: a damaged journal must not fill the memory


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """One look at a run under way: `at` is seconds since its start, the counts are those from its start to then.

    `requests_allowed` is Pipedrive's limit in requests per 2 s, None while it is unknown; `slowed` counts the answers
    that said "too many requests".
    """

    at: float
    outcomes: dict[Outcome, int] = {}
    requests: int = 0
    tokens_spent: int = 0
    tokens_left_today: int | None = None
    requests_allowed: int | None = None
    slowed: int = 0


class Timeline:
    """Moments of one run, at most `most`: when they are so many, every second one goes, the next come half as often.

    `began` is the loop's time at the run's start, seconds.
    """

    def __init__(self, began: float, *, most: int = MOST, interval: float = FIRST_INTERVAL) -> None:
        self._began = began
        self._most = most
        self._interval = interval
        self._due = began
        self._moments: list[Moment] = []

    @property
    def moments(self) -> tuple[Moment, ...]:
        """In the order of time."""
        return tuple(self._moments)

    def add_moment(self, now: float, live_figures: LiveFigures) -> None:
        """Remembers this moment, if it is time for one."""
        if now < self._due:
            return
        if len(self._moments) >= self._most:
            del self._moments[1::2]
            # Where answers come less often than asked for, twice that would still be too often, and thin out the start.
            self._interval = max(2 * self._interval, (now - self._began) / len(self._moments))
        self._moments.append(_moment(now - self._began, live_figures))
        self._due = now + self._interval

    def add_end(self, now: float, live_figures: LiveFigures) -> None:
        """Remembers how the run ended, whether it is time for that or not."""
        last = _moment(now - self._began, live_figures)
        if len(self._moments) >= self._most or (self._moments and self._moments[-1].at >= last.at):
            self._moments.pop()
        self._moments.append(last)


def packed(moments: Sequence[Moment]) -> bytes:
    """As the journal keeps it: about 10 bytes a moment."""
    return zlib.compress(msgspec.msgpack.encode(moments), 9)


def unpacked(content: bytes | None) -> tuple[Moment, ...]:
    """What `packed` made; nothing where there is nothing, or something else."""
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
