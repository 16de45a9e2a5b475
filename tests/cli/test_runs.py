"""The commands `runs`, `runs show` and `runs prune`: what the journal tells of past runs."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config.model import Pipedrive
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.events.identity import digest
from pipedrive_cli.model import Outcome
from pipedrive_cli.run.journal_file import default_path, locked
from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from tests.harness import CONFIG as HARNESS_CONFIG
from tests.harness import Scene, identify

from .desk_for_commands import CANARY, Ended, account, event_file, pipedrive_cli, served, written_config

CONFIG = "pipedrive: {company_domain: acme}\nidentity: {user_id_field: Our id}\n"
JANE = {"type": "identify", "messageId": "m-1", "userId": "jane", "traits": {"email": "jane@acme.test"}}
BAD = '{"type": "identify", "traits": {}}'


def replayed(folder: Path, *events: Any, state: Path | None = None) -> Path:
    """A journal with one more run over these events; every run has a sandbox of its own."""
    journal = state or folder / "journal.sqlite"
    config = written_config(folder, CONFIG)
    ended = pipedrive_cli("replay", event_file(folder, *events), "-c", config, "--sandbox", "--state", journal)
    assert ended.code in (0, 1), ended.err
    return journal


def names(journal: Path) -> list[str]:
    """The names of the runs, newest first."""
    return [run["run"] for run in pipedrive_cli("runs", "--state", journal, "--json").json["runs"]]


def test_runs_are_listed_newest_first_with_what_they_did(tmp_path: Path) -> None:
    """Both for eyes and for scripts; the keys are a contract."""
    journal = replayed(tmp_path, JANE)
    replayed(tmp_path, JANE, BAD)
    listed = pipedrive_cli("runs", "--state", journal, "--json").json
    assert list(listed) == ["version", "runs"]
    newest, oldest = listed["runs"]
    assert list(newest) == [
        "run", "started", "status", "ended", "exit_code", "events", "records_created", "tokens", "seconds",
        "undone",
    ]  # fmt: skip
    assert (newest["status"], newest["events"]["duplicate"], newest["events"]["rejected"]) == ("partial", 1, 1)
    assert (oldest["status"], oldest["ended"], oldest["records_created"]) == ("complete", True, 1)
    shown = pipedrive_cli("runs", "--state", journal)
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines()] == ["run", newest["run"], oldest["run"]]


def test_runs_on_a_narrow_terminal_keep_their_names_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is broken over lines of a table cannot be copied to `runs show`; each run has its own lines then."""
    journal = replayed(tmp_path, JANE, BAD)
    (name,) = names(journal)
    monkeypatch.setenv("COLUMNS", "40")
    lines = pipedrive_cli("runs", "--state", journal, terminal=True).out.splitlines()
    assert name in lines[0]
    assert "2 events, 1 rejected, 1 created," in " ".join(line.strip() for line in lines[1:])


def test_a_run_that_finds_nothing_new_says_how_many_files_it_knew(tmp_path: Path) -> None:
    """Files in a folder are read once: the next run has nothing to do, and tells why."""
    exports, journal = tmp_path / "exports", tmp_path / "journal"
    exports.mkdir()
    event_file(exports, JANE, name="a.ndjson")
    event_file(exports, {**JANE, "messageId": "m-2"}, name="b.ndjson")
    config = written_config(tmp_path, CONFIG)
    first, second = (pipedrive_cli("replay", exports, "-c", config, "--sandbox", "--state", journal) for _ in range(2))
    assert "passed over" not in first.out
    assert "there was nothing to do. 2 files passed over" in second.out
    page = tmp_path / "run.html"
    pipedrive_cli("runs", "show", "--state", journal, "--html", page)
    for later in (pipedrive_cli("runs", "show", "--state", journal).out, page.read_text(encoding="utf-8")):
        assert "there was nothing to do. 2 files passed over" in later


def test_a_run_is_shown_as_it_was_at_its_end(tmp_path: Path) -> None:
    """The same JSON object that `replay --json` printed; the latest run unless one is named, by any end of its name."""
    config = written_config(tmp_path, CONFIG)
    journal = tmp_path / "journal.sqlite"
    file = event_file(tmp_path, JANE, BAD)
    first = pipedrive_cli("replay", file, "-c", config, "--sandbox", "--state", journal, "--json")
    replayed(tmp_path, JANE)
    name = first.json["run"]
    assert pipedrive_cli("runs", "show", name, "--state", journal, "--json").out == first.out
    assert pipedrive_cli("runs", "show", name[-6:], "--state", journal, "--json").out == first.out
    latest = pipedrive_cli("runs", "show", "--state", journal)
    assert "1 event read, every one accounted for" in latest.out
    old = pipedrive_cli("runs", "show", name, "--state", journal)
    assert "missing_user_id" in old.out
    assert f"{file}:2" in old.out


def test_a_name_that_no_run_or_several_have_is_a_mistake(tmp_path: Path) -> None:
    """Exit code 2, and where the names are."""
    journal = replayed(tmp_path, JANE)
    replayed(tmp_path, JANE)
    for wanted, told in (("nothing", "there is no run nothing"), ("20", "2 runs are called 20")):
        ended = pipedrive_cli("runs", "show", wanted, "--state", journal)
        assert ended.code == 2
        assert told in ended.err


def test_the_records_that_a_run_created_come_with_links(tmp_path: Path) -> None:
    """The id of each, its key, and where to find it in the browser; the journal knows the company, no config is asked.

    A config of another company does not mislead.
    """
    of_acme = Pipedrive(company_domain="acme")
    scene = Scene(tmp_path, config=msgspec.structs.replace(HARNESS_CONFIG, pipedrive=of_acme))
    scene.run([identify("jane", email="jane@acme.test")])
    ended = pipedrive_cli("runs", "show", "--records", "--state", scene.state, "--json")
    url = f"https://{scene.sandbox.options.company_domain}.pipedrive.com/person/1"
    assert ended.json["records"] == [{"kind": "persons", "id": 1, "key": "jane", "url": url}]
    rival = written_config(tmp_path, "pipedrive: {company_domain: rival}\n")
    assert url in pipedrive_cli("runs", "show", "--records", "--state", scene.state, "-c", rival).out


def test_records_of_a_sandbox_have_no_page(tmp_path: Path) -> None:
    """They are gone with it: a link would lead to somebody else's record."""
    journal = replayed(tmp_path, JANE)
    shown = pipedrive_cli("runs", "show", "--records", "--state", journal, "-c", tmp_path / "config.yaml")
    assert "https://" not in shown.out
    assert "in a sandbox" in shown.err


def test_a_page_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    """And stdout stays free for what else was asked; a folder that is not there is a mistake."""
    journal = replayed(tmp_path, JANE)
    ended = pipedrive_cli("runs", "show", "--html", tmp_path / "run.html", "--state", journal)
    assert (ended.code, ended.out) == (0, "")
    assert (tmp_path / "run.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    ended = pipedrive_cli("runs", "show", "--html", tmp_path / "nowhere" / "run.html", "--state", journal)
    assert ended.code == 2


def test_a_past_runs_page_is_the_one_it_had_at_its_end(tmp_path: Path) -> None:
    """The same curves, the same place and time: nothing of the page is lost with the process."""
    config, journal = written_config(tmp_path, CONFIG), tmp_path / "journal.sqlite"
    events = [{**JANE, "messageId": f"m-{n}", "userId": f"u-{n}"} for n in range(20)]
    file = event_file(tmp_path, *events, BAD)
    at_its_end, later = tmp_path / "end.html", tmp_path / "later.html"
    pipedrive_cli("replay", file, "-c", config, "--sandbox", "--state", journal, "--report", at_its_end)
    replayed(tmp_path, JANE)
    name = names(journal)[1]
    pipedrive_cli("runs", "show", name, "--html", later, "--state", journal)
    page = later.read_text(encoding="utf-8")
    assert page == at_its_end.read_text(encoding="utf-8")
    command = f"pipedrive-cli replay --config {config} --sandbox --state {journal} --report {at_its_end} {file}"
    for told in ("Events by outcome over the run", "embedded sandbox", command, "Sandbox"):
        assert told in page


def test_a_past_rehearsal_is_told_as_one(tmp_path: Path) -> None:
    """What was only foretold is not said to be in Pipedrive, neither on the page nor in the terminal."""
    config, journal = written_config(tmp_path, CONFIG), tmp_path / "journal.sqlite"
    pipedrive_cli("rehearse", event_file(tmp_path, JANE), "-c", config, "--state", journal)
    assert "would be written to Pipedrive" in pipedrive_cli("runs", "show", "--state", journal).out
    pipedrive_cli("runs", "show", "--html", tmp_path / "run.html", "--state", journal)
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Foretold by a rehearsal" in page
    assert "pipedrive-cli rehearse " in page


def dead_run(journal: Path) -> None:
    """A run whose process was killed: three events were read, one had ended."""
    opened = Journal.open(journal)
    with opened.transaction():
        run = opened.begin_run("2026-01-01T00-00-00Z-dead", "2026-01-01T00:00:00+00:00")
        opened.count(run, {"run": {"read": 3, "tokens": 12}, "outcome": {"delivered": 1}})
        opened.settle_events(run, [(digest("killed"), Outcome.DELIVERED)])
        opened.keep_unfinished(run, [(digest("open"), "f", 1, None, "open", b"{}")])
    opened.close()


def test_a_run_that_died_is_told_from_what_was_counted(tmp_path: Path) -> None:
    """It has no report; what had not ended is pending, so that its numbers add up."""
    journal = tmp_path / "journal.sqlite"
    dead_run(journal)
    (row,) = pipedrive_cli("runs", "--state", journal, "--json").json["runs"]
    assert (row["ended"], row["status"], row["tokens"]) == (False, "stopped", 12)
    assert "no report" in pipedrive_cli("runs", "--state", journal).out
    summary = pipedrive_cli("runs", "show", "--state", journal, "--json").json
    assert (summary["events"]["read"], summary["events"]["delivered"], summary["events"]["pending"]) == (3, 1, 2)
    assert summary["input_complete"] is False
    shown = pipedrive_cli("runs", "show", "--state", journal)
    assert "its process was ended from outside" in shown.out
    assert "0.0 s" not in shown.out
    assert "does not add up" not in shown.out


def test_looking_needs_no_lock_and_changes_nothing(tmp_path: Path) -> None:
    """A run may be under way: the journal is read all the same, and not a byte of it is written."""
    journal = replayed(tmp_path, JANE)
    before = journal.read_bytes()
    with locked(journal):
        assert pipedrive_cli("runs", "--state", journal).code == 0
        assert pipedrive_cli("runs", "show", "--state", journal).code == 0
        assert pipedrive_cli("runs", "prune", "--keep", "1", "--state", journal).code == 5
    assert journal.read_bytes() == before
    assert [path for path in tmp_path.iterdir() if path.name.startswith(f"{journal.name}-")] == [], "nor beside it"


def test_pruning_forgets_reports_and_never_outcomes(tmp_path: Path) -> None:
    """The newest stay, the others are gone; the events they handled are duplicates ever after."""
    journal = tmp_path / "journal.sqlite"
    for number in range(3):
        replayed(tmp_path, {**JANE, "messageId": f"m-{number}"})
    kept = names(journal)[:1]
    ended = pipedrive_cli("runs", "prune", "--keep", "1", "--state", journal)
    assert ended.code == 0
    assert "2 runs forgotten" in ended.err
    assert names(journal) == kept
    replayed(tmp_path, {**JANE, "messageId": "m-0"})
    assert pipedrive_cli("runs", "show", "--state", journal, "--json").json["events"]["duplicate"] == 1


def test_pruning_by_age_spares_the_young_the_newest_and_the_unfinished(tmp_path: Path) -> None:
    """`retry` needs what an old run left open; and run numbers would come again if the newest were forgotten."""
    journal = tmp_path / "journal.sqlite"
    dead_run(journal)
    opened = Journal.open(journal)
    with opened.transaction():
        opened.begin_run("old", "2025-01-01T00:00:00+00:00")
    opened.close()
    replayed(tmp_path, JANE)
    young = names(journal)[0]
    ended = pipedrive_cli("runs", "prune", "--older-than", "1d", "--state", journal)
    assert names(journal) == [young, "2026-01-01T00-00-00Z-dead"]
    assert "retry" in ended.err
    assert pipedrive_cli("runs", "prune", "--older-than", "0s", "--state", journal).code == 0
    assert young in names(journal)


@pytest.mark.parametrize("arguments", [(), ("--keep", "0"), ("--older-than", "long ago")])
def test_pruning_wants_to_be_told_what(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Nothing is forgotten by accident."""
    journal = replayed(tmp_path, JANE)
    assert pipedrive_cli("runs", "prune", *arguments, "--state", journal).code == 2
    assert len(names(journal)) == 1


@pytest.fixture
def nothing_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a config, and a state folder without journals."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.mark.usefixtures("nothing_around")
def test_without_any_journal_there_are_no_runs_yet(tmp_path: Path) -> None:
    """That is no mistake; a journal that was named and is not there is one."""
    ended = pipedrive_cli("runs")
    assert (ended.code, ended.out) == (0, "")
    assert "no runs yet" in ended.err
    assert pipedrive_cli("runs", "--json").json == {"version": 1, "runs": []}
    config = ("-c", str(written_config(tmp_path, "pipedrive: {company_domain: acme, api_token: abc}\n")))
    for command in (("show",), ("prune", "--keep", "1"), ("events", "m1"), ("undo", "x", "--yes", *config)):
        ended = pipedrive_cli("runs", *command)
        assert ended.code == 2
        assert "no runs yet" in ended.err
    assert pipedrive_cli("runs", "--state", "nowhere.sqlite").code == 2


def test_the_journal_is_the_configs_else_the_only_one_there_is(nothing_around: Path) -> None:
    """Without options `runs` finds what `replay` wrote; whose runs they are is told on stderr."""
    replayed(nothing_around, JANE, state=default_path(7))
    (nothing_around / "config.yaml").unlink()
    ended = pipedrive_cli("runs")
    assert len(ended.out.splitlines()) == 2
    assert "Sandbox" in ended.err
    replayed(nothing_around, BAD, state=nothing_around / "own.sqlite")
    written_config(nothing_around, f"{CONFIG}state: own.sqlite\n")
    assert pipedrive_cli("runs", "--json").json["runs"][0]["events"]["rejected"] == 1


def test_of_several_journals_it_is_the_one_of_the_company(nothing_around: Path) -> None:
    """Pipedrive is asked once whose key it is; without a config the journals are named."""
    replayed(nothing_around, JANE, state=default_path(4711))
    replayed(nothing_around, BAD, state=default_path(1))
    (nothing_around / "config.yaml").unlink()
    ended = pipedrive_cli("runs")
    assert ended.code == 2
    assert "4711.sqlite" in ended.err and "\\n" not in ended.err
    sandbox = Sandbox(SandboxOptions(api_token=CANARY))
    with served(sandbox) as url:
        config = written_config(nothing_around, account(url))
        ended = pipedrive_cli("runs", "-c", config, "--json")
    assert ended.json["runs"][0]["events"]["delivered"] == 1
    assert [request.path for request in sandbox.requests] == ["/api/v1/users/me"]


@pytest.mark.parametrize("content", [b"", b"not a database, though long enough to be one" * 40])
def test_a_file_that_is_no_journal_is_told(tmp_path: Path, content: bytes) -> None:
    """Exit code 2; the file stays as it is."""
    path = tmp_path / "other.sqlite"
    path.write_bytes(content)
    ended: Ended = pipedrive_cli("runs", "--state", path)
    assert ended.code == 2
    assert str(path) in ended.err.replace("\n", "")
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_no_journal(tmp_path: Path) -> None:
    """Even where its version number is one of ours."""
    path = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.executescript("CREATE TABLE songs (name); PRAGMA user_version = 1;")
    ended = pipedrive_cli("runs", "--state", path)
    assert ended.code == 2
    assert "no journal of pipedrive-cli" in ended.err.replace("\n", " ")


def test_event_data_in_a_report_cannot_move_the_terminal(tmp_path: Path) -> None:
    """Neither in what a past run tells, nor in the keys of its records."""
    hostile = "\x1b]0;owned\x07[bold]x"
    journal = replayed(tmp_path, {**JANE, "userId": hostile}, {**JANE, "messageId": hostile, "traits": "x"})
    for arguments in (("show",), ("show", "--records")):
        ended = pipedrive_cli("runs", *arguments, "--state", journal)
        assert "\x1b" not in ended.out + ended.err
        assert "[bold]x" in ended.out


def test_a_run_in_the_sandbox_that_stops_early_begins_anew(tmp_path: Path) -> None:
    """Nothing of it is kept: that the same command goes on would be wrong, save with a journal of its own."""
    events = event_file(tmp_path, *(identify(f"u{n}", name=f"N{n}") for n in range(9)))
    config = written_config(tmp_path, "identity: {user_id_field: User id}\n")
    words = ("replay", events, "-c", config, "--sandbox", "--max-tokens", "40", "--json")
    for more, said in ((), "begins anew"), (("--state", tmp_path / "kept.sqlite"), "run again to continue"):
        ended = pipedrive_cli(*words, *more)
        assert (ended.code, ended.json["reason"]) == (4, "max_tokens")
        assert said in ended.json["problems"][0]["hint"]
