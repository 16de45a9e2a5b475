"""How fast a run is, what is left of it, and how long that takes, told from its tally. Pure: the clock is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.outcomes import Outcome
from pipedrive_cli.report.escape import plain
from pipedrive_cli.report.problems import words
from pipedrive_cli.report.wording import count, data_size, duration

RATE_WINDOW = 5.0  # seconds over which requests per second are averaged
PACE_WINDOW = 60.0  # the same for the time left: folded writes settle events in leaps
SAMPLE_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """One moment of a run. `fraction` (0 to 1) and `seconds_left` are None while nobody can know them."""

    fraction: float | None
    settled: int
    requests_per_second: float
    allowed_per_second: float | None
    seconds_left: float | None
    waiting_seconds: float | None


class Meter:
    """Watches a tally: `look` now and then, with the event loop's time in seconds."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._samples: deque[tuple[float, int, float]] = deque()  # time, requests, fraction settled

    def look(self, now: float) -> Figures:
        """The figures of this moment; remembers it for the rates of later ones."""
        tally = self._tally
        fraction = _settled_fraction(tally)
        requests = tally.requests.total()
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_EVERY:
            self._samples.append((now, requests, fraction or 0.0))
        while now - self._samples[0][0] > PACE_WINDOW:
            self._samples.popleft()
        waiting = None if tally.waiting_until is None else max(0.0, tally.waiting_until - now)
        return Figures(
            fraction=_read_fraction(tally),
            settled=tally.outcomes.total(),
            requests_per_second=self._rate(now, requests),
            allowed_per_second=None if tally.requests_allowed is None else tally.requests_allowed / 2,
            seconds_left=self._left(now, fraction, waiting or 0.0),
            waiting_seconds=waiting,
        )

    def _rate(self, now: float, requests: int) -> float:
        since, before, _ = next(
            (sample for sample in self._samples if now - sample[0] <= RATE_WINDOW), (now, requests, 0.0)
        )
        return (requests - before) / (now - since) if now > since else 0.0

    def _left(self, now: float, fraction: float | None, waiting: float) -> float | None:
        if fraction is None:
            return None
        since, _, before = self._samples[0]
        gained = fraction - before
        if gained <= 0 or now - since < 2.0:  # two seconds say nothing yet
            return None
        return (1.0 - fraction) * (now - since) / gained + waiting


def lines(tally: Tally, figures: Figures) -> list[tuple[str, str]]:
    """What to show below the bar: a label and its text, most important first; nothing that is empty."""
    outcomes = [f"{tally.outcomes[outcome]:,} {outcome.value}" for outcome in Outcome if tally.outcomes[outcome]]
    shown = [("events", " · ".join([f"{tally.events_read:,} read", *outcomes]))]
    rate = f"{figures.requests_per_second:.1f}/s"
    if figures.allowed_per_second is not None:
        rate += f" of {figures.allowed_per_second:g}/s"
    parts = [rate, f"{tally.requests.total():,} sent", f"{tally.in_flight} in flight"]
    if tally.retried:
        parts.append(f"{tally.retried:,} repeated")
    shown.append(("requests", " · ".join(parts)))
    left = "" if tally.tokens_left_today is None else f" · {tally.tokens_left_today:,} left today"
    shown.append(("tokens", f"{tally.tokens_spent:,} spent{left}"))
    if tally.problems:
        named = [f"{number:,} × {words(code).message}" for code, number in tally.problems.most_common()]
        shown.append(("problems", " · ".join(named)))
    if figures.waiting_seconds is not None:
        shown.append(("waiting", f"{plain(tally.waiting_for or 'Pipedrive')}: {countdown(figures.waiting_seconds)}"))
    return shown


def amount(tally: Tally, figures: Figures) -> str:
    """How far the reading is, and when all is done: `1.2 of 2.3 MB, 40 s left`."""
    parts = [data_size(tally.bytes_read)]
    if tally.bytes_total is not None:
        parts = [f"{data_size(tally.bytes_read)} of {data_size(tally.bytes_total)}"]
    if tally.backlog_records:
        parts.append(f"{count(tally.backlog_records, 'record')} to write")
    if figures.seconds_left is not None:
        parts.append(f"about {duration(max(1.0, figures.seconds_left))} left")
    return " · ".join(parts)


def one_line(tally: Tally, figures: Figures) -> str:
    """Everything on one line, for a log: no control characters, whatever the events held."""
    done = "" if figures.fraction is None else f"{figures.fraction:.0%} read · "
    rest = "; ".join(f"{label}: {text}" for label, text in lines(tally, figures))
    return f"{plain(tally.phase)}: {done}{amount(tally, figures)}; {rest}"


def countdown(seconds: float) -> str:
    """A time to wait as a clock shows it: `0:07`, `12:30`, `3:12:30`."""
    minutes, second = divmod(int(seconds + 0.999), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _read_fraction(tally: Tally) -> float | None:
    if tally.bytes_total is None:
        return None
    return min(1.0, tally.bytes_read / tally.bytes_total) if tally.bytes_total else 1.0


def _settled_fraction(tally: Tally) -> float | None:
    """The share of the whole input that has an outcome; what is still to be read is taken to be like the rest."""
    read = _read_fraction(tally)
    if read is None or not tally.events_read:
        return None
    return min(1.0, tally.outcomes.total() / tally.events_read) * read
