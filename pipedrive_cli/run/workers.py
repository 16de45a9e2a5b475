"""How many records are delivered at once: as many as the limit on requests and the answers' latency can use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipedrive_cli.delivery.budget import Pace, concurrency

LATENCY = 0.15  # seconds an answer takes, until some have been measured
SLOW_ANSWER = 0.6  # seconds that an answer may take without the limit going unused
MOST_WORKERS = 128
HIGHEST_LIMIT = 480  # requests per 2 s that any plan allows; a sandbox without limits gets no more workers


@dataclass(frozen=True, slots=True)
class Workers:
    """`wish` is the config's `delivery.concurrency`; `pace` knows the limit and how long answers take."""

    pace: Pace
    wish: int | Literal["auto"] = "auto"

    def number(self) -> int:
        """How many workers the next window gets."""
        if self.wish != "auto":
            return self.wish
        # More than the usual latency needs: the limit, not the number of workers, sets the pace.
        latency = max(SLOW_ANSWER, 2 * self.pace.usual)
        return min(MOST_WORKERS, concurrency(min(self.pace.limit, HIGHEST_LIMIT), latency) + 8)
