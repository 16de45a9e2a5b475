"""When to ask whether a spent day is over. Pure: the time is passed in, as seconds since 1970 by Pipedrive's clock.

The budget comes back "at midnight in the server's timezone", and Pipedrive names neither; only a 429 may tell how long
it is until then. Where nobody told, it is asked after the midnights that are likely, and a few hours later at most.
"""

from __future__ import annotations

HOUR, DAY = 3_600.0, 86_400.0
# Hours of UTC: midnight there, in the middle of Europe and in the east of America, summer and winter, and what lies
# more than six hours from all of them. Seven questions a day, where one every quarter of an hour would be 96.
LIKELY = (0, 4, 5, 10, 16, 22, 23)
AFTER = 20.0  # seconds: no two clocks agree


def until_question(now: float, came: float | None) -> float:
    """Seconds from `now` until it is worth asking. `came`: when the budget of an earlier day was found to be back."""
    if came is not None:
        return _until(now, came % DAY)
    return min(_until(now, hour * HOUR + AFTER) for hour in LIKELY)


def _until(now: float, second: float) -> float:
    """Seconds until this second of the day comes; a whole day more if it is now."""
    left = DAY - (now - second) % DAY
    return left if left > 1.0 else left + DAY
