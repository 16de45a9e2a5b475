"""The figures of a run under way, from its tally and a clock that the test turns."""

from __future__ import annotations

import pytest

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.progress import Figures, Meter, countdown, lines, one_line, sample, time_left_words
from pipedrive_cli.report.wording import data_size, duration_words


def shown(live_figures: LiveFigures, figures: Figures) -> dict[str, str]:
    """The lines below the bar, by label."""
    return {line.label: line.text for line in lines(live_figures, figures)}


def steady(seconds: int, *, bytes_total: int | None = 10_000) -> tuple[LiveFigures, Meter]:
    """A run that reads 100 bytes and sends 20 requests a second."""
    live_figures = LiveFigures(phase="writing", bytes_total=bytes_total, requests_allowed=80)
    meter = Meter(live_figures)
    for second in range(seconds):
        meter.measure(float(second))
        live_figures.bytes_read += 100
        live_figures.events_read += 10
        live_figures.outcomes[Outcome.DELIVERED] += 10
        live_figures.requests["POST /v1/leads"] += 20
    return live_figures, meter


def test_a_steady_run_is_foretold() -> None:
    """A fifth done in 20 seconds leaves 80; the rate is requests a second, the limit Pipedrive's halved."""
    _, meter = steady(20)
    figures = meter.measure(20.0)
    assert figures.settled == figures.read == pytest.approx(0.2)
    assert figures.requests_per_second == pytest.approx(20.0)
    assert figures.seconds_left == pytest.approx(80.0)
    assert time_left_words(figures, "16:42") == "about 1 min 20 s left, until 16:42"


def test_virtual_time_has_no_rate_and_no_limit() -> None:
    """What is sent in a second of real time says nothing of a limit in virtual time."""
    live_figures, _ = steady(20)
    figures = Meter(live_figures, virtual=True).measure(20.0)
    assert shown(live_figures, figures)["requests"] == "400 sent · 0 in flight"
    assert sample(live_figures, figures)["requests"]["per_second"] is None


def test_nobody_foretells_the_end_of_a_pipe() -> None:
    """Without a size there is no percentage and no time left, but a rate."""
    live_figures, meter = steady(20, bytes_total=None)
    figures = meter.measure(20.0)
    assert figures.settled is figures.read is figures.seconds_left is None
    assert figures.requests_per_second == pytest.approx(20.0)
    assert shown(live_figures, figures)["events"] == "200 read (2.0 kB) · 200 delivered"
    assert time_left_words(figures) == ""


def test_a_beginning_says_nothing_of_the_end() -> None:
    """No time left is better than a wrong one."""
    assert Meter(LiveFigures(bytes_total=100)).measure(0.0).seconds_left is None
    _, meter = steady(1)
    assert meter.measure(1.0).seconds_left is None


def test_an_empty_input_is_all_read() -> None:
    """No division by its size."""
    assert Meter(LiveFigures(bytes_total=0)).measure(0.0).read == 1.0


def test_a_wait_counts_down_and_delays_the_end() -> None:
    """Who watches sees what is waited for, how long, and the end after it."""
    live_figures, meter = steady(20)
    live_figures.waiting_for, live_figures.waiting_until = "tomorrow's budget\x1b[2J", 3_800.0
    figures = meter.measure(20.0)
    assert figures.seconds_left == pytest.approx(3_860.0)
    assert shown(live_figures, figures)["waiting"] == "tomorrow's budget\\x1b[2J: 1:03:00"
    assert Meter(live_figures).measure(9_999.0).waiting_seconds is None


def test_a_log_line_says_everything_and_is_one_line() -> None:
    """Cron's mail is read by people, too."""
    live_figures, meter = steady(20)
    live_figures.problems["missing_user_id"] += 2
    live_figures.tokens_spent, live_figures.tokens_left_today, live_figures.retried = 1_000, 2_000, 3
    live_figures.trouble = "POST /api/v1/leads was answered 500"
    live_figures.tokens.update({"POST /api/v1/leads": 900, "GET /api/v2/persons": 100})
    live_figures.records["leads", "created"], live_figures.backlog_records = 5, 0
    assert one_line(live_figures, meter.measure(20.0), "16:42") == (
        "writing: 20% done, about 1 min 20 s left, until 16:42; events: 200 read (2.0 kB of 10.0 kB) · 200 delivered; "
        "records: 0 to write · 5 created; requests: 20.0/s (limit 80 in 2 s) · 400 sent · 0 in flight; "
        "tokens: 1,000 spent · about 4,000 to come · 2,000 left today · 900 POST /v1/leads · 100 GET /v2/persons; "
        "problems: 2 × the event names neither a user nor an anonymous id; "
        "repeated: 3 · last: POST /v1/leads was answered 500"
    )


def test_a_sandbox_without_a_limit_is_not_said_to_have_one() -> None:
    """It tells its pace by a number that no account has; as a limit that would be noise."""
    live_figures, meter = steady(20)
    live_figures.requests_allowed = 1_000_000_000
    assert shown(live_figures, meter.measure(20.0))["requests"].startswith("20.0/s · 400 sent")


def test_time_and_cost_go_by_records_not_by_events() -> None:
    """Half of the events can be one record: done is what is written of the window, not what has its outcome."""
    live_figures = LiveFigures(bytes_total=100, bytes_read=100, events_read=1_000)
    meter = Meter(live_figures)
    live_figures.window_events, live_figures.window_records, live_figures.backlog_records = 1_000, 100, 100
    live_figures.events_planned, live_figures.records_planned = 1_000, 100
    meter.measure(0.0)
    live_figures.backlog_records, live_figures.outcomes[Outcome.DELIVERED], live_figures.tokens_spent = 90, 500, 50
    figures = meter.measure(10.0)
    assert figures.settled == pytest.approx(0.1)
    assert figures.seconds_left == pytest.approx(90.0)
    assert figures.tokens_to_come == 450


def test_what_costs_nothing_does_not_make_the_rest_look_quick() -> None:
    """Half of the events were known or skipped, at once: the 80 records that are left take 8 times what 10 took."""
    live_figures = LiveFigures(bytes_total=100, bytes_read=50, events_read=500)
    meter = Meter(live_figures)
    meter.measure(0.0)
    live_figures.bytes_read, live_figures.events_read, live_figures.outcomes[Outcome.SKIPPED] = 100, 1_000, 500
    meter.measure(1.0)
    live_figures.window_events, live_figures.window_records, live_figures.backlog_records = 500, 90, 90
    live_figures.events_planned, live_figures.records_planned = 1_000, 90
    for second in range(2, 12):
        meter.measure(float(second))
        live_figures.backlog_records -= 1
        live_figures.tokens_spent += 5
    figures = meter.measure(12.0)
    assert figures.seconds_left == pytest.approx(80.0)
    assert figures.tokens_to_come == 400


def test_what_is_not_read_yet_is_taken_to_be_like_what_was() -> None:
    """A quarter of the input was 100 records, all written: 300 are to come, also while the next window is read."""
    live_figures = LiveFigures(bytes_total=400, bytes_read=100, events_read=1_000, events_planned=1_000)
    meter = Meter(live_figures)
    meter.measure(0.0)
    live_figures.records_planned, live_figures.tokens_spent, live_figures.outcomes[Outcome.DELIVERED] = 100, 500, 1_000
    assert meter.measure(10.0).tokens_to_come == 1_500
    live_figures.bytes_read, live_figures.events_read = 200, 2_000
    figures = meter.measure(10.0)
    assert figures.tokens_to_come == 1_500
    assert figures.seconds_left == pytest.approx(30.0)


def test_with_a_limit_the_end_is_that_of_the_limit() -> None:
    """Of a large file or of a pipe: so many events are the whole, and duplicates are none of them."""
    for total in (100_000, None):
        live_figures = LiveFigures(bytes_total=total, bytes_read=100, events_read=20, events_wanted=40)
        live_figures.outcomes.update({Outcome.DUPLICATE: 10, Outcome.DELIVERED: 10})
        assert Meter(live_figures).measure(0.0).read == pytest.approx(0.25)


def test_reading_is_no_part_of_the_writings_pace() -> None:
    """A minute of reading before the first write does not make the rest look slow."""
    live_figures = LiveFigures(bytes_total=100, bytes_read=100, events_read=100, events_planned=100)
    meter = Meter(live_figures)
    for second in range(41):
        meter.measure(float(second))
    live_figures.records_planned, live_figures.backlog_records = 100, 50
    assert meter.measure(50.0).seconds_left == pytest.approx(10.0)


def test_what_reading_skips_foretells_nothing_of_the_writing() -> None:
    """A few skipped events among thousands that wait had promised days of work. What is only read has an end."""
    live_figures = LiveFigures(bytes_total=10_000)
    meters = Meter(live_figures), Meter(live_figures, reads_only=True)
    for second in range(11):
        replay, preview = (meter.measure(float(second)) for meter in meters)
        live_figures.bytes_read += 500
        live_figures.events_read += 100
        live_figures.outcomes[Outcome.SKIPPED] = second // 3
    assert replay.seconds_left is None
    assert preview.settled == pytest.approx(0.5) and preview.seconds_left == pytest.approx(10.0)
    assert [line.label for line in lines(live_figures, preview, reads_only=True)] == ["events"]


def test_waiting_for_doubts_is_no_slow_work() -> None:
    """The time left is that of the wait, and does not grow while nothing can be done; the pace is that of before."""
    live_figures = LiveFigures(bytes_total=100, bytes_read=100, events_read=100, events_planned=100)
    live_figures.records_planned = live_figures.backlog_records = 100
    meter = Meter(live_figures)
    for second in range(11):
        meter.measure(float(second))
        live_figures.backlog_records = 100 - 5 * second
    live_figures.in_doubt[1] = "person of user u1", 60.0
    left = [meter.measure(float(second)).seconds_left for second in range(11, 60)]
    assert left[0] == pytest.approx(49.0)
    assert all(seconds == pytest.approx(max(11.0, 60.0 - 11 - n), abs=2.0) for n, seconds in enumerate(left))
    live_figures.backlog_records = 1
    assert meter.measure(59.0).seconds_left == pytest.approx(1.0)


def test_of_many_kinds_of_problem_the_most_frequent_are_shown() -> None:
    """Each on a row of its own; a small terminal has room for more than these."""
    live_figures = LiveFigures()
    live_figures.problems.update({f"code_{n}": 9 - n for n in range(6)})
    found = lines(live_figures, Meter(live_figures).measure(0.0))
    rows = [line.text for line in found if line.label in ("problems", "")]
    assert rows == ["9 × code 0", "8 × code 1", "7 × code 2", "6 × code 3", "and 2 other kinds of problem"]


def test_a_sample_for_programs_has_the_summarys_names() -> None:
    """All outcomes, zeros too; what is waited for, and for how long."""
    live_figures, meter = steady(20)
    live_figures.waiting_for, live_figures.waiting_until = "tomorrow's budget", 100.0
    told = sample(live_figures, meter.measure(20.0))
    assert told["events"]["read"] == told["events"]["delivered"] == 200
    assert told["events"]["failed"] == 0
    assert told["waiting"] == {"for": "tomorrow's budget", "seconds": 80.0}
    assert told["bytes"] == {"read": 2_000, "total": 10_000}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.4, "9.4 s"),
        (59.6, "1 min"),
        (125.0, "2 min 5 s"),
        (7_800.0, "2 h 10 min"),
        (90_000.0, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    """Two units at most."""
    assert duration_words(seconds) == said


def test_sizes_and_countdowns() -> None:
    """Decimal units, as exports are listed; a countdown never shows zero too early."""
    assert [data_size(n) for n in (0, 999, 1_500, 2_300_000, 5 * 10**12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.3 MB",
        "5.0 TB",
    ]
    assert [countdown(s) for s in (0.0, 0.2, 7.0, 750.0, 11_550.0)] == ["0:00", "0:01", "0:07", "12:30", "3:12:30"]
