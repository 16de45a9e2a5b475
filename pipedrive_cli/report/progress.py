"""How fast a run is, what is left of it, and how long that takes, told from its tally. Pure: the clock is passed in."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.problems import words_for
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.wording import count, data_size, duration_words

RATE_WINDOW = 5.0  # seconds over which requests per second are averaged
PACE_WINDOW = 60.0  # the same for the time left: folded writes settle events in leaps
SAMPLE_EVERY = 0.5
FORETELLS = 0.05  # the share that must be done before it tells what the rest will cost
PROBLEMS_SHOWN = 4  # kinds of problem; the report has them all
ENDPOINTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """One moment of a run. The shares of the input (0 to 1) and what follows from them are None while nobody can know.

    `read` is the share that was read, `settled` the share that is written or otherwise done. A run in virtual time has
    no requests per second: those of real time would stand beside a limit that holds in the other.
    """

    read: float | None
    settled: float | None
    requests_per_second: float | None
    seconds_left: float | None
    tokens_to_come: int | None
    waiting_seconds: float | None


class Meter:
    """Watches a tally: `look` now and then, with the event loop's time in seconds.

    `virtual` says that it is real time that `look` is given, and the run's own time is another.
    """

    def __init__(self, live_figures: LiveFigures, *, virtual: bool = False) -> None:
        self._live_figures = live_figures
        self._virtual = virtual
        self._samples: deque[tuple[float, int, float]] = deque()  # time, requests, work done
        self._in_records = False

    def look(self, now: float) -> Figures:
        """The figures of this moment; remembers it for the rates of later ones."""
        live_figures = self._live_figures
        settled = _settled(live_figures)
        done, to_do = _work(live_figures, settled)
        if self._in_records != bool(
            live_figures.records_planned
        ):  # what was done until now was reading, and is no measure
            self._in_records = True
            self._samples = deque((time, sent, 0.0) for time, sent, _ in self._samples)
        requests = live_figures.requests.total()
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_EVERY:
            self._samples.append((now, requests, done))
        while now - self._samples[0][0] > PACE_WINDOW:
            self._samples.popleft()
        waiting = None
        if live_figures.waiting_until is not None and live_figures.waiting_until > now:
            waiting = live_figures.waiting_until - now
        return Figures(
            read=_read(live_figures),
            settled=settled,
            requests_per_second=None if self._virtual else self._rate(now, requests),
            seconds_left=None if to_do is None else self._left(now, done, to_do, waiting or 0.0),
            tokens_to_come=None if to_do is None else _to_come(live_figures.tokens_spent, done, to_do),
            waiting_seconds=waiting,
        )

    def _rate(self, now: float, requests: int) -> float:
        since, before, _ = next(
            (sample for sample in self._samples if now - sample[0] <= RATE_WINDOW), (now, requests, 0.0)
        )
        return (requests - before) / (now - since) if now > since else 0.0

    def _left(self, now: float, done: float, to_do: float, waiting: float) -> float | None:
        # From the last moment at which nothing had been gained: reading is no part of the writing's pace.
        before = self._samples[0][2]
        since = max(time for time, _, work in self._samples if work == before)
        gained = done - before
        if gained <= 0 or now - since < 2.0:  # two seconds say nothing yet
            return None
        return to_do * (now - since) / gained + waiting


def progress_headline(live_figures: LiveFigures) -> tuple[str, str]:
    """What is being done, and with which file: `writing`, `2 of 12: exports/b.ndjson`. Not yet harmless."""
    if not live_figures.file:
        return live_figures.phase, ""
    several = f"{live_figures.files_begun:,} of {live_figures.files_total:,}: " if live_figures.files_total > 1 else ""
    return live_figures.phase, several + live_figures.file


def left(figures: Figures, ends: str | None = None) -> str:
    """When all is done: `about 12 min 40 s left, until 16:42`; nothing while nobody knows. `ends` is the hour of it."""
    if figures.seconds_left is None:
        return ""
    until = "" if ends is None else f", until {ends}"
    return f"about {duration_words(max(1.0, figures.seconds_left))} left{until}"


def lines(live_figures: LiveFigures, figures: Figures) -> list[tuple[str, str]]:
    """What to show below the bar: a label and its text, a blank label goes on; nothing that is empty."""
    shown = [("events", " · ".join([*_amounts(live_figures), *_outcomes(live_figures)]))]
    records: Counter[str] = Counter()
    for (_, action), number in live_figures.records.items():
        records[action] += number
    if live_figures.backlog_records or records:
        done = [f"{number:,} {action}" for action, number in records.items() if number]
        shown.append(("records", " · ".join([f"{live_figures.backlog_records:,} to write", *done])))
    shown.append(("requests", _requests(live_figures, figures)))
    shown += _tokens(live_figures, figures)
    shown += _problems(live_figures)
    if live_figures.retried:
        why = "" if live_figures.trouble is None else f" · last: {_short(visible_text(live_figures.trouble))}"
        shown.append(("repeated", f"{live_figures.retried:,}{why}"))
    if figures.waiting_seconds is not None:
        shown.append(
            (
                "waiting",
                f"{visible_text(live_figures.waiting_for or 'Pipedrive')}: {countdown(figures.waiting_seconds)}",
            )
        )
    return shown


def one_line(live_figures: LiveFigures, figures: Figures, ends: str | None = None) -> str:
    """Everything on one line, for a log: no control characters, whatever the events held."""
    told = [] if figures.settled is None else [f"{figures.settled:.0%} done"]
    if known := left(figures, ends):
        told.append(known)
    rows: list[tuple[str, str]] = []
    for label, text in lines(live_figures, figures):
        if label:
            rows.append((label, text))
        else:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} · {text}")
    phase = visible_text(live_figures.phase)
    head = f"{phase}: {', '.join(told)}; " if told else f"{phase}: "
    return head + "; ".join(f"{label}: {text}" for label, text in rows)


def sample(live_figures: LiveFigures, figures: Figures) -> dict[str, Any]:
    """The same as data, for a log that programs read; the names are those of the summary where it has them."""
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
    """A time to wait as a clock shows it: `0:07`, `12:30`, `3:12:30`."""
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


def _requests(live_figures: LiveFigures, figures: Figures) -> str:
    counts = [f"{live_figures.requests.total():,} sent", f"{live_figures.in_flight} in flight"]
    if figures.requests_per_second is None:
        return " · ".join(counts)
    limit = "" if live_figures.requests_allowed is None else f" (limit {live_figures.requests_allowed:,} in 2 s)"
    return " · ".join([f"{figures.requests_per_second:.1f}/s{limit}", *counts])


def _tokens(live_figures: LiveFigures, figures: Figures) -> list[tuple[str, str]]:
    parts = [f"{live_figures.tokens_spent:,} spent"]
    if figures.tokens_to_come:
        parts.append(f"about {figures.tokens_to_come:,} to come")
    if live_figures.tokens_left_today is not None:
        parts.append(f"{live_figures.tokens_left_today:,} left today")
    rows = [("tokens", " · ".join(parts))]
    if len(live_figures.tokens) > 1:
        dearest = live_figures.tokens.most_common(ENDPOINTS_SHOWN)
        rows.append(("", " · ".join(f"{tokens:,} {_short(endpoint)}" for endpoint, tokens in dearest)))
    return rows


def _problems(live_figures: LiveFigures) -> list[tuple[str, str]]:
    named = [f"{number:,} × {words_for(code).message}" for code, number in live_figures.problems.most_common()]
    shown = named[:PROBLEMS_SHOWN]
    if len(named) > PROBLEMS_SHOWN:
        shown.append(f"and {count(len(named) - PROBLEMS_SHOWN, 'other kind')} of problem")
    return [("" if number else "problems", text) for number, text in enumerate(shown)]


def _short(text: str) -> str:
    """Without what all endpoints begin with: a row has room for three of them."""
    return text.replace(" /api/", " /")


def _read(live_figures: LiveFigures) -> float | None:
    """The share of what is wanted that has been read."""
    shares = []
    if live_figures.bytes_total is not None:
        shares.append(live_figures.bytes_read / live_figures.bytes_total if live_figures.bytes_total else 1.0)
    if live_figures.events_wanted is not None:
        shares.append(
            (live_figures.events_read - live_figures.outcomes[Outcome.DUPLICATE]) / live_figures.events_wanted
        )
    return min(1.0, max(shares)) if shares else None


def _settled(live_figures: LiveFigures) -> float | None:
    """The share of the whole input that is done; what is still to be read is taken to be like the rest."""
    read = _read(live_figures)
    if read is None or not live_figures.events_read:
        return None
    done: float = live_figures.outcomes.total()
    if live_figures.backlog_records and live_figures.window_records:
        # Time and tokens go by records, and some of them settle a thousand events at once.
        done = (
            live_figures.events_read
            - live_figures.window_events * live_figures.backlog_records / live_figures.window_records
        )
    return min(1.0, done / live_figures.events_read) * read


def _work(live_figures: LiveFigures, settled: float | None) -> tuple[float, float | None]:
    """What is done, and what is still to do (None: nobody knows), in one measure for time and tokens.

    That is records, for what is skipped, rejected or known costs nothing. Where nothing is written it is the input.
    """
    if not live_figures.records_planned:
        return settled or 0.0, None if settled is None else 1.0 - settled
    done = live_figures.records_planned - live_figures.backlog_records
    read = _read(live_figures)
    if not read or not live_figures.events_planned:
        return done, None
    # Events that no window has had yet are taken to be about as many records as those before.
    ahead = max(0.0, live_figures.events_read / read / live_figures.events_planned - 1.0)
    return done, live_figures.backlog_records + ahead * live_figures.records_planned


def _to_come(spent: int, done: float, to_do: float) -> int | None:
    """What the rest will cost if it is like what is done: two digits of it, since no more can be known."""
    if not to_do or done < FORETELLS * (done + to_do):
        return None
    return int(float(f"{spent * to_do / done:.2g}"))
