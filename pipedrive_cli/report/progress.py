"""How fast a run is, what remains, and how long that takes, computed from its live figures. Pure: reads no clock."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.problems import words_for
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.timeline import ENDLESS
from pipedrive_cli.report.wording import count, data_size, duration_words, first_of

RATE_WINDOW = 5.0  # seconds over which requests per second are averaged
PACE_WINDOW = 60.0  # the same for the time left; longer, because folded writes settle many events at once
SAMPLE_EVERY = 0.5
FORECAST_FROM = 0.05  # the share that must be done before the cost of the rest is estimated
PROBLEMS_SHOWN = 4  # kinds of problem; the report has them all
ENDPOINTS_SHOWN = 3
BETWEEN = " · "  # the parts of one line


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one moment. Shares of the input (0 to 1), and estimates from them, are None while unknown.

    `read` is the share that was read, `settled` the share that is written or otherwise done. A run in virtual time has
    no requests per second: they would be measured in real time, but the limit beside them applies in virtual time.
    """

    read: float | None
    settled: float | None
    requests_per_second: float | None
    seconds_left: float | None
    tokens_to_come: int | None
    waiting_seconds: float | None
    doubt_seconds: float | None = None


class _Sample(NamedTuple):
    """One moment of a run. `worked` is the time up to it in which there was something to do but wait for doubts."""

    time: float
    worked: float
    requests: int
    done: float


class Meter:
    """Measures a run by its live figures: call `measure` now and then, with the event loop's time in seconds.

    With `virtual` the run is in virtual time, and `measure` is called with real time. With `reads_only` what was read
    is done: nothing is sent.
    """

    def __init__(self, live_figures: LiveFigures, *, virtual: bool = False, reads_only: bool = False) -> None:
        self._live_figures = live_figures
        self._reads_only = reads_only
        self._virtual = virtual
        self._samples: deque[_Sample] = deque()
        self._in_records = False
        self._last: float | None = None
        self._stood = 0.0  # seconds in which nothing could be done but wait for writes in doubt

    def measure(self, now: float) -> Figures:
        """The figures of this moment; remembers the moment, to compute rates from it later."""
        live_figures = self._live_figures
        settled = _read(live_figures) if self._reads_only else _settled(live_figures)
        done, to_do = _share(settled) if self._reads_only else _work(live_figures, settled)
        if live_figures.in_doubt and not live_figures.in_flight and self._last is not None:
            self._stood += now - self._last
        self._last = now
        worked = now - self._stood
        if self._in_records != bool(live_figures.records_planned):  # until now reading was measured, not writing
            self._in_records = True
            self._samples = deque(sample._replace(done=0.0) for sample in self._samples)
        requests = live_figures.requests.total()
        if not self._samples or now - self._samples[-1].time >= SAMPLE_EVERY:
            self._samples.append(_Sample(now, worked, requests, done))
        while worked - self._samples[0].worked > PACE_WINDOW:
            self._samples.popleft()
        waiting = None
        if live_figures.waiting_until is not None and live_figures.waiting_until > now:
            waiting = live_figures.waiting_until - now
        doubt = max((until - now for _, until in live_figures.in_doubt.values() if until > now), default=None)
        left = None if to_do is None else self._seconds_left(worked, done, to_do, waiting or 0.0)
        if to_do is not None and live_figures.in_doubt and to_do <= len(live_figures.in_doubt):
            left = doubt  # nothing else is left to do
        elif left is not None and doubt is not None:
            left = max(left, doubt)
        return Figures(
            read=_read(live_figures),
            settled=settled,
            requests_per_second=None if self._virtual else self._rate(now, requests),
            seconds_left=left,
            tokens_to_come=None if to_do is None else _tokens_to_come(live_figures.tokens_spent, done, to_do),
            waiting_seconds=waiting,
            doubt_seconds=doubt,
        )

    def _rate(self, now: float, requests: int) -> float:
        since = next((sample for sample in self._samples if now - sample.time <= RATE_WINDOW), None)
        return (requests - since.requests) / (now - since.time) if since is not None and now > since.time else 0.0

    def _seconds_left(self, worked: float, done: float, to_do: float, waiting: float) -> float | None:
        # From the last moment before there was any progress, so that reading does not count as slow writing.
        before = self._samples[0].done
        since = max(sample.worked for sample in self._samples if sample.done == before)
        gained = done - before
        if gained <= 0 or worked - since < 2.0:  # too short to measure
            return None
        return to_do * (worked - since) / gained + waiting


def progress_headline(live_figures: LiveFigures) -> tuple[str, str]:
    """The phase and the file: `writing`, `2 of 12: exports/b.ndjson`. Not escaped yet."""
    if not live_figures.file:
        return live_figures.phase, ""
    several = f"{live_figures.files_begun:,} of {live_figures.files_total:,}: " if live_figures.files_total > 1 else ""
    return live_figures.phase, several + live_figures.file


def time_left_words(figures: Figures, ends: str | None = None) -> str:
    """The time left: `about 12 min 40 s left, until 16:42`; empty while unknown. `ends` is the hour of the end."""
    if figures.seconds_left is None:
        return ""
    until = "" if ends is None else f", until {ends}"
    return f"about {duration_words(max(1.0, figures.seconds_left))} left{until}"


class Line(NamedTuple):
    """A line below the bar: a label, and parts that a narrow terminal shows in several rows.

    A blank label continues the line above. `weight` says what gives way on a low terminal: the smallest first.
    """

    label: str
    parts: tuple[str, ...]
    weight: int

    @property
    def text(self) -> str:
        """The whole line without its label."""
        return BETWEEN.join(self.parts)


def lines(live_figures: LiveFigures, figures: Figures, *, reads_only: bool = False) -> list[Line]:
    """The lines below the bar."""
    if reads_only:
        return [Line("events", tuple(_amounts(live_figures)), 9)]
    shown = [Line("events", (*_amounts(live_figures), *_outcomes(live_figures)), 9)]
    records: Counter[str] = Counter()
    for (_, action), number in live_figures.records.items():
        records[action] += number
    if live_figures.backlog_records or records:
        done = [f"{number:,} {action}" for action, number in records.items() if number]
        shown.append(Line("records", (f"{live_figures.backlog_records:,} to write", *done), 6))
    shown.append(Line("requests", _requests(live_figures, figures), 3))
    shown += _tokens(live_figures, figures)
    shown += _problems(live_figures)
    if live_figures.retried:
        why = () if live_figures.trouble is None else (f"last: {_short(visible_text(live_figures.trouble))}",)
        shown.append(Line("repeated", (f"{live_figures.retried:,}", *why), 2))
    if figures.waiting_seconds is not None:
        what = visible_text(live_figures.waiting_for or "Pipedrive")
        shown.append(Line("waiting", (f"{what}: {countdown(figures.waiting_seconds)}",), 8))
    if live_figures.in_doubt:
        shown.append(Line("in doubt", (_in_doubt(live_figures, figures),), 7))
    return shown


def _in_doubt(live_figures: LiveFigures, figures: Figures) -> str:
    """What is waited for, since its answer never came, and how long at most."""
    named = first_of([visible_text(name, 40) for name, _ in live_figures.in_doubt.values()], 1)
    left = (
        ""
        if figures.doubt_seconds is None or figures.doubt_seconds <= 0
        else f" (at most {countdown(figures.doubt_seconds)})"
    )
    return f"{named}: waiting to see whether it was done{left}"


def one_line(live_figures: LiveFigures, figures: Figures, ends: str | None = None) -> str:
    """All figures on one line, for a log, without control characters."""
    done = [] if figures.settled is None else [f"{figures.settled:.0%} done"]
    if time_left := time_left_words(figures, ends):
        done.append(time_left)
    rows: list[tuple[str, str]] = []
    for line in lines(live_figures, figures):
        if line.label:
            rows.append((line.label, line.text))
        else:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]}{BETWEEN}{line.text}")
    phase = visible_text(live_figures.phase)
    head = f"{phase}: {', '.join(done)}; " if done else f"{phase}: "
    return head + "; ".join(f"{label}: {text}" for label, text in rows)


def sample(live_figures: LiveFigures, figures: Figures) -> dict[str, Any]:
    """The figures as data, for the log of programs; the summary's names are used where it has the same figure."""
    waiting = None
    if figures.waiting_seconds is not None:
        waiting = {"for": live_figures.waiting_for, "seconds": round(figures.waiting_seconds, 1)}
    return {
        "phase": live_figures.phase,
        "file": live_figures.file or None,
        "bytes": {"read": live_figures.bytes_read, "total": live_figures.bytes_total},
        "events": {
            "read": live_figures.events_read,
            **{outcome.value: live_figures.outcomes[outcome] for outcome in Outcome},
        },
        "records_to_write": live_figures.backlog_records,
        "requests": {
            "total": live_figures.requests.total(),
            "retried": live_figures.retried,
            "in_flight": live_figures.in_flight,
            "per_second": None if figures.requests_per_second is None else round(figures.requests_per_second, 1),
            "allowed_per_2s": live_figures.requests_allowed,
        },
        "tokens": {"spent": live_figures.tokens_spent, "left_today": live_figures.tokens_left_today},
        "problems": dict(live_figures.problems.most_common()),
        "seconds_left": None if figures.seconds_left is None else round(figures.seconds_left),
        "waiting": waiting,
    }


def countdown(seconds: float) -> str:
    """A time to wait in the form of a clock: `0:07`, `12:30`, `3:12:30`."""
    minutes, second = divmod(int(seconds + 0.999), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _amounts(live_figures: LiveFigures) -> list[str]:
    of = ""
    if live_figures.bytes_total is None:
        of = f" ({data_size(live_figures.bytes_read)})"
    elif live_figures.bytes_read < live_figures.bytes_total:
        of = f" ({data_size(live_figures.bytes_read)} of {data_size(live_figures.bytes_total)})"
    return [f"{live_figures.events_read:,} read{of}"]


def _outcomes(live_figures: LiveFigures) -> list[str]:
    return [
        f"{live_figures.outcomes[outcome]:,} {outcome.value}" for outcome in Outcome if live_figures.outcomes[outcome]
    ]


def _requests(live_figures: LiveFigures, figures: Figures) -> tuple[str, ...]:
    counts = f"{live_figures.requests.total():,} sent", f"{live_figures.in_flight} in flight"
    if figures.requests_per_second is None:
        return counts
    allowed = live_figures.requests_allowed
    limit = "" if allowed is None or allowed >= ENDLESS else f" (limit {allowed:,} in 2 s)"
    return f"{figures.requests_per_second:.1f}/s{limit}", *counts


def _tokens(live_figures: LiveFigures, figures: Figures) -> list[Line]:
    parts = [f"{live_figures.tokens_spent:,} spent"]
    if figures.tokens_to_come:
        parts.append(f"about {figures.tokens_to_come:,} to come")
    if live_figures.tokens_left_today is not None:
        parts.append(f"{live_figures.tokens_left_today:,} left today")
    rows = [Line("tokens", tuple(parts), 5)]
    if len(live_figures.tokens) > 1:
        dearest = live_figures.tokens.most_common(ENDPOINTS_SHOWN)
        rows.append(Line("", tuple(f"{tokens:,} {_short(endpoint)}" for endpoint, tokens in dearest), 1))
    return rows


def _problems(live_figures: LiveFigures) -> list[Line]:
    named = [f"{number:,} × {words_for(code).message}" for code, number in live_figures.problems.most_common()]
    shown = named[:PROBLEMS_SHOWN]
    if len(named) > PROBLEMS_SHOWN:
        shown.append(f"and {count(len(named) - PROBLEMS_SHOWN, 'other kind')} of problem")
    return [Line("" if number else "problems", (text,), 4) for number, text in enumerate(shown)]


def _short(text: str) -> str:
    """An endpoint without `/api`, with which all paths begin: a row has room for three."""
    return text.replace(" /api/", " /")


def _read(live_figures: LiveFigures) -> float | None:
    """The share of the input that has been read; with --limit the share of the events that are wanted."""
    shares = []
    if live_figures.bytes_total is not None:
        shares.append(live_figures.bytes_read / live_figures.bytes_total if live_figures.bytes_total else 1.0)
    if live_figures.events_wanted is not None:
        shares.append(
            (live_figures.events_read - live_figures.outcomes[Outcome.DUPLICATE]) / live_figures.events_wanted
        )
    return min(1.0, max(shares)) if shares else None


def _settled(live_figures: LiveFigures) -> float | None:
    """The share of the whole input that is done; assumes that the unread part is like the part that was read."""
    read = _read(live_figures)
    if read is None or not live_figures.events_read:
        return None
    done: float = live_figures.outcomes.total()
    if live_figures.backlog_records and live_figures.window_records:
        # Time and tokens depend on records, and one record may settle a thousand events at once.
        done = (
            live_figures.events_read
            - live_figures.window_events * live_figures.backlog_records / live_figures.window_records
        )
    return min(1.0, done / live_figures.events_read) * read


def _share(done: float | None) -> tuple[float, float | None]:
    """A share of the input as work that is done, and the rest."""
    return done or 0.0, None if done is None else 1.0 - done


def _work(live_figures: LiveFigures, settled: float | None) -> tuple[float, float | None]:
    """The work that is done and the work that remains (None: unknown), in one unit for time and tokens.

    The unit is records, because skipped, rejected and known events cost nothing; the input where nothing is written.
    """
    if not live_figures.records_planned:
        if live_figures.outcomes.total() < live_figures.events_read:
            return 0.0, None  # the pace of what is skipped says nothing of the writes that are to come
        return _share(settled)
    done = live_figures.records_planned - live_figures.backlog_records
    read = _read(live_figures)
    if not read or not live_figures.events_planned:
        return done, None
    # Assumes that events of later windows become as many records as those of the windows before.
    ahead = max(0.0, live_figures.events_read / read / live_figures.events_planned - 1.0)
    return done, live_figures.backlog_records + ahead * live_figures.records_planned


def _tokens_to_come(spent: int, done: float, to_do: float) -> int | None:
    """The tokens that the rest will cost, if it is like the work that is done; rounded to two digits."""
    if not to_do or done < FORECAST_FROM * (done + to_do):
        return None
    return int(float(f"{spent * to_do / done:.2g}"))
