"""`--json` and a command that comes to nothing: one JSON object all the same, which says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import StopRun
from pipedrive_cli.run.journal_file import locked

from .desk_for_commands import event_file, pipedrive_cli, written_config

CONFIG = "pipedrive: {company_domain: acme}\nidentity: {user_id_field: Our id}\n"
JANE = {"type": "identify", "messageId": "m-1", "userId": "jane", "traits": {"name": "Jane"}}
SUMMARY = [
    *("version", "run", "status", "exit_code", "reason", "input_complete", "filtered", "events", "records"),
    *("requests", "tokens", "problems", "dropped_traits", "seconds"),
]


@pytest.mark.parametrize("command", ["replay", "preview", "rehearse"])
def test_a_file_that_is_not_there(tmp_path: Path, command: str) -> None:
    """The object is the summary of a run that was none; the same is on stderr for people."""
    config = written_config(tmp_path, CONFIG)
    ended = pipedrive_cli(command, "nowhere.ndjson", "-c", config, "--json")
    assert list(ended.json) == SUMMARY
    told = ended.json
    assert (ended.code, told["exit_code"], told["status"], told["reason"]) == (2, 2, "stopped", "source_missing")
    assert told["problems"][0]["message"] == "no such file or folder: nowhere.ndjson"
    assert "no such file" in ended.err


def test_mistakes_of_a_config_are_all_in_it(tmp_path: Path) -> None:
    """As `check --json` has them, with their lines."""
    config = written_config(tmp_path, "identity: {user_id_feild: x}\ndelivery: {timeout: soon}\n")
    ended = pipedrive_cli("replay", event_file(tmp_path, JANE), "-c", config, "--json")
    assert ended.json["reason"] == "config"
    assert [problem["examples"][0]["line"] for problem in ended.json["problems"]] == [1, 2]


def test_a_journal_that_another_run_holds(tmp_path: Path) -> None:
    """Exit code 5 in the object too."""
    config, state = written_config(tmp_path, CONFIG), tmp_path / "journal.sqlite"
    with locked(state):
        ended = pipedrive_cli(
            "replay", event_file(tmp_path, JANE), "-c", config, "--sandbox", "--state", state, "--json"
        )
    assert (ended.code, ended.json["exit_code"], ended.json["reason"]) == (5, 5, "state_held")


def test_a_journal_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends with 4; what was read by then is counted, and the numbers add up."""

    def full(journal: Journal, *_: object) -> None:
        raise StopRun("the journal cannot be written: the disk is full", code="journal", hint="make room")

    config = written_config(tmp_path, CONFIG)
    monkeypatch.setattr(Journal, "settle_events", full)
    ended = pipedrive_cli("replay", event_file(tmp_path, JANE), "-c", config, "--sandbox", "--json")
    told = ended.json
    assert (ended.code, told["exit_code"], told["status"], told["reason"]) == (4, 4, "stopped", "journal")
    events = told["events"]
    assert events["read"] == sum(number for outcome, number in events.items() if outcome != "read") == 1


def test_commands_without_a_summary_say_it_too(tmp_path: Path) -> None:
    """Status, exit code and reason, with the problems in the usual form."""
    config = written_config(tmp_path, CONFIG)
    for arguments in (("runs", "show", "x", "--state", tmp_path / "none"), ("fields", "-c", tmp_path / "none.yaml")):
        ended = pipedrive_cli(*arguments, "--json")
        assert list(ended.json) == ["version", "status", "exit_code", "reason", "problems"]
        assert (ended.code, ended.json["exit_code"], ended.json["status"]) == (2, 2, "stopped")
    ended = pipedrive_cli("check", "nowhere.ndjson", "-c", config, "--json")
    assert (ended.code, ended.json["ok"], ended.json["problems"][0]["code"]) == (2, False, "source_missing")


def test_a_report_that_cannot_be_written_leaves_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the run did is told, on stdout once, before the mistake ends the command."""

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipedrive_cli.report.written_file.tempfile.mkstemp", full)
    config, report = written_config(tmp_path, CONFIG), tmp_path / "report.json"
    file = event_file(tmp_path, JANE)
    ended = pipedrive_cli("replay", file, "-c", config, "--sandbox", "--json", "--report", report)
    assert ended.code == 2
    assert ended.json["status"] == "complete"
    assert "--report" in ended.err


@pytest.mark.parametrize(
    "line",
    [
        *("replay x --since soon", "replay x --type foo", "replay x --deadline x", "replay x --dry-run --until x"),
        *("replay", "replay x --limit many", "replay x --nope", "replay x --log-format xml"),
        *("retry --deadline x", "retry a b", "preview x --type foo", "preview", "preview x --limit 0"),
        *("rehearse x --since soon", "rehearse x --seats 0", "rehearse"),
    ],
)
def test_a_mistake_on_the_command_line_of_a_run(line: str) -> None:
    """The summary of a run that was none, whether the parser or the command itself found it."""
    ended = pipedrive_cli(*line.split(), "--json")
    assert list(ended.json) == SUMMARY
    assert (ended.code, ended.json["exit_code"], ended.json["reason"]) == (2, 2, "usage")
    assert ended.err


@pytest.mark.parametrize("line", ["runs --nope", "runs nope", "runs show a b", "fields a b", "fields create x", "nope"])
def test_a_mistake_on_the_command_line_of_another_command(line: str) -> None:
    """Its own object, as for any other mistake."""
    ended = pipedrive_cli(*line.split(), "--json")
    assert list(ended.json) == ["version", "status", "exit_code", "reason", "problems"]
    assert (ended.code, ended.json["reason"]) == (2, "usage")


def test_a_mistake_on_the_command_line_of_check() -> None:
    """What it gives where nothing was checked."""
    ended = pipedrive_cli("check", "--nope", "--json")
    assert (ended.code, ended.json["ok"], ended.json["problems"][0]["code"]) == (2, False, "usage")


@pytest.mark.parametrize(
    ("command", "module"),
    [
        *(
            ("replay x", "replay_command"),
            ("retry", "replay_command"),
            ("preview x", "preview_command"),
            ("rehearse x", "rehearse_command"),
        ),
        *(("check", "check_command"), ("fields", "fields_command")),
    ],
)
def test_ctrl_c_before_anything_was_sent(command: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object says so too, with its exit code where it has one."""

    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"pipedrive_cli.cli.{module}.load", pressed)
    ended = pipedrive_cli(*command.split(), "--json")
    assert (ended.code, ended.json.get("exit_code", 130)) == (130, 130)
    assert ended.json["problems"][0]["code"] == "interrupted"
