"""`--log-format json`: every line on stderr is one JSON object, whatever happens."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.report.live_view import LINE_EVERY
from pipedrive_cli.report.log import JsonLog, LogView
from tests.harness import identify, track

from .desk_for_commands import event_file, pipedrive_cli, written_config

FIELDS = "identity: {user_id_field: User id}\nfields: {persons: {role: Role}}\n"
KEYS = ["time", "level", "event", "run", "message", "fields"]


def told(err: str) -> list[dict[str, Any]]:
    """The lines, each an object with the keys of the contract in their order; plain ASCII."""
    lines = [json.loads(line) for line in err.splitlines()]
    assert all(list(line) == KEYS for line in lines)
    assert all(datetime.fromisoformat(line["time"]).utcoffset() is not None for line in lines)
    assert err.isascii()
    return lines


def test_a_run_is_told_in_lines_of_json_and_stdout_stays_the_result(tmp_path: Path) -> None:
    """Its beginning, each kind of problem, its end with the main figures; all of them name the run."""
    config = written_config(tmp_path, FIELDS)
    events = event_file(tmp_path, identify("u1", role="a", plan="free"), track("u1", "Signed up"), {"type": "nonsense"})
    ended = pipedrive_cli("replay", events, "-c", config, "--sandbox", "--log-format", "json", "--json")
    lines = told(ended.err)
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "started"),
        ("error", "problem"),
        ("info", "dropped_traits"),
        ("warning", "ended"),
    ]
    assert {line["run"] for line in lines} == {ended.json["run"]}
    assert lines[0]["fields"]["files"] == 1
    assert lines[1]["fields"]["code"] == "unknown_type"
    end = lines[-1]["fields"]
    assert (ended.code, end["exit_code"], end["status"], end["events"]) == (1, 1, "partial", ended.json["events"])
    assert end["records"] == ended.json["records"]
    assert end["tokens"]["spent"] == ended.json["tokens"]["spent"]


def test_without_json_the_report_is_on_stdout_as_ever(tmp_path: Path) -> None:
    """The log is stderr's alone."""
    config, events = written_config(tmp_path, FIELDS), event_file(tmp_path, identify("u1", role="a"))
    ended = pipedrive_cli("replay", events, "-c", config, "--sandbox", "--log-format=json")
    assert ended.out.startswith("Finished in the sandbox")
    assert [line["event"] for line in told(ended.err)] == ["started", "ended"]


def test_a_rehearsal_has_a_log_too(tmp_path: Path) -> None:
    """With the time foretold."""
    config, events = written_config(tmp_path, FIELDS), event_file(tmp_path, identify("u1", role="a"))
    ended = pipedrive_cli("rehearse", events, "-c", config, "--log-format", "json", "--json")
    assert told(ended.err)[-1]["fields"]["seconds"] == ended.json["seconds"] > 0


def test_quiet_logs_only_what_went_wrong(tmp_path: Path) -> None:
    """Nothing of a good run; of a bad one its problems and its end, and no report beside them."""
    config, events = written_config(tmp_path, FIELDS), event_file(tmp_path, identify("u1", role="a"))
    command = ("replay", events, "-c", config, "--sandbox", "--quiet", "--log-format", "json")
    good = pipedrive_cli(*command)
    assert (good.code, good.out, good.err) == (0, "", "")
    event_file(tmp_path, '{"broken')
    bad = pipedrive_cli(*command)
    assert (bad.code, bad.out, [line["event"] for line in told(bad.err)]) == (1, "", ["problem", "ended"])


def test_every_mistake_of_a_config_has_a_line(tmp_path: Path) -> None:
    """With its place, as a person would be told."""
    config = written_config(tmp_path, "delivery: {timeout: soon}\nnonsense: 1\n")
    ended = pipedrive_cli("replay", "-", "-c", config, "--log-format", "json")
    lines = told(ended.err)
    assert (ended.code, ended.out) == (2, "")
    assert [(line["fields"]["path"], line["fields"]["line"]) for line in lines] == [
        ("delivery.timeout", 1),
        ("nonsense", 2),
    ]
    assert all(line["level"] == line["event"] == "error" for line in lines)


@pytest.mark.parametrize(
    ("more", "said"), [(["nowhere"], "no such file"), (["--nonsense"], "No such option"), ([], "Missing argument")]
)
def test_a_mistake_on_the_command_line_is_a_line_too(tmp_path: Path, more: list[str], said: str) -> None:
    """What the option itself asks for holds for mistakes beside it."""
    config = written_config(tmp_path, FIELDS)
    ended = pipedrive_cli("replay", *more, "-c", config, "--sandbox", "--log-format", "json")
    (line,) = told(ended.err)
    assert (ended.code, line["fields"]["exit_code"]) == (2, 2)
    assert said in line["message"]


def test_an_unknown_format_is_a_mistake(tmp_path: Path) -> None:
    """It names those there are."""
    ended = pipedrive_cli("replay", "-", "-c", written_config(tmp_path, FIELDS), "--log-format", "xml")
    assert ended.code == 2
    assert "json" in ended.err


def test_progress_comes_every_five_seconds() -> None:
    """As data, beginning with the fifth second."""
    out, now = io.StringIO(), [0.0]
    live_figures = LiveFigures(run="r1", phase="writing", bytes_total=10)
    with LogView(live_figures, lambda: now[0], JsonLog(out)) as view:
        for tenth in range(110):
            now[0] = tenth / 10
            view.refresh()
    lines = told(out.getvalue())
    assert [line["event"] for line in lines] == ["started", "progress", "progress"]
    assert lines[1]["fields"]["phase"] == lines[1]["message"] == "writing"
    assert LINE_EVERY == 5.0


def test_no_event_can_write_more_than_its_own_line() -> None:
    """Newlines, escape sequences and lone surrogates stay within their JSON string, in ASCII."""
    out = io.StringIO()
    hostile = "a\nb\x1b[2J\x9b\u2028\udc80李"
    JsonLog(out, now=lambda: datetime(2026, 3, 1, tzinfo=UTC)).note(hostile)
    (line,) = told(out.getvalue())
    assert line["message"] == hostile
    assert line["time"] == "2026-03-01T00:00:00.000Z"
    assert out.getvalue().rstrip("\n").isprintable()
