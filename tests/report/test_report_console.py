"""What a terminal, a pipe and a log show, and what no event can make them do."""

from __future__ import annotations

import io
import re
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from pipedrive_cli.errors import EXIT_CREDENTIALS, ConfigProblem, ConfigProblems, UserMistake
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.console import show_config_problems, show_error, show_note, show_summary
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.summary import EventCounts, Example, Summary, problem_group

from .report_scenes import HOSTILE, eventful, hostile
from .terminals import Terminal

GOLDEN = Path(__file__).parent / "eventful-80-columns.txt"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


pytestmark = pytest.mark.usefixtures("environment")


def report(summary: Summary, file: io.StringIO | None = None) -> str:
    """The final report as a pipe gets it, unless another stream is given."""
    stream = file or io.StringIO()
    show_summary(summary, file=stream, rejects=Path("out.rejects.ndjson"), resume_in=8_000)
    return stream.getvalue()


def stopped() -> Summary:
    """A run that the day's budget ended."""
    return Summary(
        run="r",
        status="stopped",
        exit_code=4,
        reason="day_spent",
        input_complete=False,
        events=EventCounts(read=10, delivered=4, pending=6),
        problems=(problem_group("day_spent", Outcome.PENDING, 6, message="today's API tokens are spent"),),
        seconds=3.0,
    )


def test_the_report_of_an_eventful_run() -> None:
    """The whole report in 80 columns, reviewed by eye."""
    assert report(eventful()) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Latin nor wide letters break the layout, and no table loses a column."""
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = report(eventful())
    assert max(map(cell_len, shown.splitlines())) <= columns
    assert re.search(r"persons +900 +100 +20 +2\n", shown)
    assert "顧客/データ.ndjson:123456" in shown


def test_hostile_text_is_shown_and_does_nothing() -> None:
    """Escape sequences, markup, line breaks, bidi and invisible characters stand in the report as visible text."""
    shown = report(hostile())
    for text in HOSTILE:
        assert visible_text(text) in shown
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]", shown
    )
    assert not any(line.startswith("Everything is fine") for line in shown.splitlines())


def test_hostile_text_does_nothing_on_a_terminal_with_colours() -> None:
    """Of all control sequences only our own colours are written, and no link."""
    shown = report(hostile(), Terminal())
    assert "\x1b[31m" in shown
    assert "\x1b" not in COLOUR.sub("", shown)
    assert "]8;" not in shown


def test_a_pipe_gets_no_colours_unless_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR colours a pipe; NO_COLOR takes the colours from a terminal."""
    assert "\x1b" not in report(eventful())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31m" in report(eventful())
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", report(eventful(), Terminal()))


def test_a_pipe_is_wider_than_a_small_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody looks, `file:line` and message id stay on one line for grep."""
    monkeypatch.delenv("COLUMNS")
    assert max(map(cell_len, report(eventful()).splitlines())) > 80


def test_a_stream_that_knows_only_ascii_gets_ascii() -> None:
    """No letter of an event ends a run with an encoding error."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        show_summary(eventful(), file=stream)
        show_note("顧客 …", file=stream)
        shown = raw.getvalue().decode("ascii")
    assert "\\u9867\\u5ba2" in shown
    assert "5 x the event" in shown


def test_a_run_without_problems_is_short() -> None:
    """What is zero is not mentioned."""
    shown = report(Summary(run="r", status="complete", exit_code=0, events=EventCounts(read=2, unchanged=2), seconds=1))
    assert shown.startswith("Finished in 1.0 s: 2 events read, every one accounted for.\n\nEvents\n  2  unchanged")
    for absent in ("Problems", "Records", "Cost", "rejected", "filtered", "mapping"):
        assert absent not in shown


def test_a_stopped_run_says_why_and_when_to_come_back() -> None:
    """The words of the problem that stopped it, what is left, and the next step."""
    shown = " ".join(report(stopped()).split())
    assert shown.startswith("Stopped after 3.0 s: today's API tokens are spent. 10 events read, 6 of them not done yet")
    assert "Come back in 2 h 13 min." in shown
    assert "Run the same command again to continue" in shown


def test_a_run_that_was_stopped_with_nothing_pending_says_so() -> None:
    """No figure that is zero: what was read is settled, or nothing was read."""
    none_left = msgspec.structs.replace(
        stopped(), events=EventCounts(read=10, delivered=10), problems=(problem_group("day_spent", Outcome.PENDING, 0),)
    )
    shown = " ".join(report(none_left).split())
    assert "10 events read, all of them settled, and the input was not read to its end." in shown
    assert "stopped the day's API tokens are spent (day_spent)" in shown
    assert not re.search(r"\b0\b", shown.replace("3.0", ""))
    assert "Nothing was read." in report(msgspec.structs.replace(none_left, events=EventCounts()))


def test_what_is_skipped_is_no_problem() -> None:
    """A good run with pages among its events lists no problems; what was skipped stands apart, with what to do."""
    groups = (
        problem_group("type_not_supported", Outcome.SKIPPED, 1_200),
        problem_group("anonymous_only", Outcome.SKIPPED, 3),
    )
    shown = report(
        Summary(run="r", status="complete", exit_code=0, events=EventCounts(read=1_203, skipped=1_203), problems=groups)
    )
    assert "Problems" not in shown
    words = " ".join(shown.split())
    assert "Skipped 1,200 × events of this type are not sent 3 × the event has only an anonymous id. To im" in words


def test_a_rehearsal_speaks_of_what_would_be() -> None:
    """Nobody shall believe that anything was sent."""
    stream = io.StringIO()
    show_summary(eventful(), file=stream, scene="foretold")
    shown = " ".join(stream.getvalue().split())
    assert shown.startswith("Would be finished after 12 min 34 s: 12,345 events read; 6 would be rejected")
    assert "delivered would be written to Pipedrive" in shown
    assert "API tokens would be spent" in shown
    assert "left today" not in shown
    assert "retry" not in shown


def test_a_run_against_the_sandbox_says_so() -> None:
    """What was written there was not written to Pipedrive, and nothing of it can be continued."""
    stream = io.StringIO()
    show_summary(eventful(), file=stream, scene="sandbox")
    shown = " ".join(stream.getvalue().split())
    assert shown.startswith("Finished in the sandbox in 12 min 34 s")
    assert "delivered written to the sandbox, not to Pipedrive, whose fields may refuse more" in shown
    assert "Pipedrive had it" not in shown
    assert "retry" not in shown


def test_after_a_refused_key_the_key_comes_first() -> None:
    """The same command again would be refused again."""
    stream = io.StringIO()
    refused = msgspec.structs.replace(eventful(), status="stopped", exit_code=EXIT_CREDENTIALS, input_complete=False)
    show_summary(refused, file=stream)
    shown = " ".join(stream.getvalue().split())
    assert "Put the API token right, then run the same command again" in shown
    assert "• Run the same command again" not in shown


def test_files_that_are_known_are_counted() -> None:
    """Whoever finds nothing done sees that nothing was new."""
    stream = io.StringIO()
    show_summary(Summary(run="r", status="complete", exit_code=0, seconds=1), file=stream, passed_over=3)
    told = "3 files passed over: read to the end before, and unchanged since; --reread reads them."
    assert " ".join(stream.getvalue().split()) == f"Finished in 1.0 s: there was nothing to do. {told}"


def test_a_report_that_does_not_add_up_says_so() -> None:
    """A bug of ours is not hidden in a table."""
    shown = report(Summary(run="r", status="complete", exit_code=0, events=EventCounts(read=5, delivered=4)))
    assert "does not add up: 5 events were read, 4 have an outcome" in " ".join(shown.split())


def test_an_error_says_what_to_do() -> None:
    """Message and hint, nothing of a traceback, nothing interpreted."""
    stream = io.StringIO()
    show_error(UserMistake("no such file: [bold]a\x1b[2J\nb", code="source_missing", hint="Name another."), file=stream)
    assert stream.getvalue() == "Error: no such file: [bold]a\\x1b[2J\\nb\n    Name another.\n"


def test_every_mistake_of_a_config_has_its_place() -> None:
    """One line each as editors understand it: file, line, path; then what to do."""
    problems = [
        ConfigProblem("delivery.timeout", "'x' is no duration", 12, "Write 30s, 5m or 1h."),
        ConfigProblem("", "the file is empty"),
    ]
    shown = []
    for show in (show_config_problems, show_error):
        stream = io.StringIO()
        show(ConfigProblems("config.yaml", problems), file=stream)
        shown.append(stream.getvalue())
    assert shown[0] == shown[1]
    assert shown[0] == (
        "config.yaml:12 delivery.timeout: 'x' is no duration\n"
        "    Write 30s, 5m or 1h.\n"
        "config.yaml: the file is empty\n"
        "Error: 2 problems in the config; nothing was sent.\n"
        "    `pipedrive-cli check SOURCE` finds what else there is, before a run.\n"
    )


def test_a_note_is_one_line_of_text() -> None:
    """Markup in it is text."""
    stream = io.StringIO()
    show_note("key of [red]somebody[/red]\n", file=stream)
    assert stream.getvalue() == "key of [red]somebody[/red]\\n\n"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("day_spent", "Run the same command again to continue"),
        ("brake", "The same command would stop here again"),
        ("plan_changed", "Look at what `preview --online` shows now"),
        ("input_unread", "Mend or convert the file"),
        ("kind_refused", "Put right what stopped the run"),
    ],
)
def test_nobody_is_told_to_repeat_what_would_stop_again(reason: str, said: str) -> None:
    """After a stop that the same command would meet again, the next step is to see to its cause."""
    summary = msgspec.structs.replace(stopped(), reason=reason, problems=(problem_group(reason, Outcome.PENDING, 6),))
    steps = report(summary).split("What to do next")[1]
    assert said in " ".join(steps.split())
    assert steps.count("Run the same command again") == (reason == "day_spent")


def test_a_long_report_repeats_its_headline_and_folds_what_comes_after_ten_problems() -> None:
    """Hundreds of lines have scrolled the beginning away; of the eleventh problem on each has a line."""
    groups = [
        problem_group(f"code_{n:02}", Outcome.REJECTED, 99 - n, [Example("a", n, f"m{n}", None)]) for n in range(25)
    ]
    shown = report(msgspec.structs.replace(eventful(), problems=tuple(groups)))
    headline = shown.split("\n\n")[0]
    assert shown.endswith(f"\n\n{headline}\n")
    assert "15 more kinds of problem" in shown
    assert "\n    rejected 80 × code 19 (code_19)  a:19\n" in shown
    assert shown.count("m9") == 1
    assert "m19" not in shown
    assert report(stopped()).count("Stopped after") == 1


def test_after_a_limit_the_rest_is_not_had_by_the_same_command() -> None:
    """It would take as few again."""
    part = Summary(
        run="r", status="complete", exit_code=0, input_complete=False, events=EventCounts(read=2, delivered=2)
    )
    assert "as --limit says: run without it for the rest" in " ".join(report(part).split())


def test_what_is_noticed_of_several_lines_of_the_config_is_explained_once() -> None:
    """With one hint and one set of examples; each of the others has a line, with its first place."""
    groups = [
        problem_group("other_mapping", None, 9 - n, [Example("a", n, f"m{n}", None)], message=f"line {n}")
        for n in range(3)
    ]
    shown = " ".join(report(msgspec.structs.replace(eventful(), problems=tuple(groups))).split())
    assert (
        shown.count("--refill") == 1 and "a:0 m0 … and 8 more noticed 8 × line 1 (other_mapping) a:1 noticed 7" in shown
    )
