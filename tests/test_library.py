"""The package as a library: what programs may import, how it behaves in them, and the examples of its page."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import pipedrive_cli
from pipedrive_cli import (
    ConfigProblems,
    KeyRefused,
    PipedriveCliError,
    PreviewedRequest,
    RunProgress,
    RunStopped,
    SourceMissing,
    StateHeld,
    ToolFault,
    check,
    library,
    load_config,
    preview,
    replay,
)
from pipedrive_cli.config import Config, load
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.run.embedded import furnish
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.run.replay import Replay
from pipedrive_cli.sandbox import Sandbox
from tests.cli.desk_for_commands import CANARY, account, event_file, served, written_config
from tests.harness import identify, options, track
from tests.test_readme import DOCS, code_words, first_cells, marked

IDS = "identity: {user_id_field: User id}\nfields: {persons: {role: Role}}\n"
PAGE = (DOCS / "library.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `config.yaml` and a folder `exports` with an event, in which the program has been started."""
    written_config(tmp_path, IDS)
    (tmp_path / "exports").mkdir()
    event_file(tmp_path / "exports", identify("u-1", email="ann@acme.example", role="Buyer"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@contextlib.contextmanager
def an_account(place: Path, token: str = CANARY) -> Iterator[Sandbox]:
    """An account that the config names and that can be reached, with the fields of the config."""
    sandbox = Sandbox(options())
    furnish(sandbox, load(place / "config.yaml", {}, sandbox=True))
    with served(sandbox) as url:
        written_config(place, account(url, token) + IDS)
        yield sandbox


def names(sandbox: Sandbox) -> list[str]:
    return sorted(str(person["name"]) for person in sandbox.contents()["persons"])


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_page_works(number: int, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pasted into a program beside a config and exports, it runs and prints nothing that it does not print itself."""
    with an_account(place) as sandbox:
        exec(compile(EXAMPLES[number], f"example {number}", "exec"), {"__name__": "__main__"})
        assert names(sandbox) in (["ann@acme.example"], [])
    shown = capsys.readouterr()
    assert shown.err == ""
    assert bool(shown.out) == ("print(" in EXAMPLES[number])


def test_the_page_names_everything_that_is_public() -> None:
    """Each name of `__all__` has its row, and no other; the rest of the package is nobody's to import."""
    named = code_words(first_cells(marked("library")))
    assert sorted(named) == sorted(set(pipedrive_cli.__all__) - {"__version__"}) == sorted(library.__all__)
    assert dir(pipedrive_cli) == sorted(pipedrive_cli.__all__)
    with pytest.raises(AttributeError):
        pipedrive_cli.nothing  # type: ignore[attr-defined] # noqa: B018


def test_the_import_loads_nothing_yet() -> None:
    """The command's `--version` and `--help` import the same package, and stay quick."""
    code = (
        "import sys, pipedrive_cli; print(sorted(m for m in sys.modules if m.startswith(('pipedrive_cli', 'httpx'))))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "['pipedrive_cli', 'pipedrive_cli.version']"


def test_it_works_within_a_running_event_loop(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a notebook: signals stay the caller's, callbacks come in the caller's thread, and nothing is printed."""
    seen: list[tuple[threading.Thread, RunProgress]] = []
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def cell() -> pipedrive_cli.Summary:
        return replay(
            load_config(), "exports/", sandbox=True, progress=lambda now: seen.append((threading.current_thread(), now))
        )

    summary = asyncio.run(cell())
    assert (summary.status, summary.events.delivered, summary.as_dict()["exit_code"]) == ("complete", 1, 0)
    assert {thread for thread, _ in seen} == {threading.current_thread()}
    assert seen[-1][1].events == summary.events
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert capsys.readouterr() == ("", "")


def test_what_comes_up_while_it_waits_stops_the_run_in_order(place: Path) -> None:
    """A task's timeout, a signal, or `progress`: what was in flight is recorded, and the next call goes on."""
    users = [f"user{n}@acme.example" for n in range(200)]
    event_file(place / "exports", *[identify(user, email=user) for user in users])

    def too_long(now: RunProgress) -> None:
        if now.events.delivered:
            raise TimeoutError("the task's time is over")

    with an_account(place) as sandbox:
        config = load_config()
        with pytest.raises(TimeoutError):
            replay(config, "exports/", state="journal.sqlite", progress=too_long, progress_every=timedelta(0))
        assert replay(config, "exports/", state="journal.sqlite").events.failed == 0
        assert names(sandbox) == sorted(users)


def test_an_exception_of_the_last_callback_goes_on_to_the_caller(place: Path) -> None:
    """Its job is over by then, so nothing is left to stop; `request` may be called for the first time then, too."""

    def mine(_: RunProgress | PreviewedRequest) -> None:
        raise ValueError("mine")

    config = load_config(sandbox=True)
    with pytest.raises(ValueError, match="mine"):
        replay(config, "exports/", sandbox=True, progress=mine, progress_every=timedelta(hours=1))
    with pytest.raises(ValueError, match="mine"):
        preview(config, "exports/", request=mine)


def test_numbers_that_the_command_refuses_are_refused(place: Path) -> None:
    """A limit below one would read nothing and call that complete."""
    config = load_config(sandbox=True)
    for number in ({"limit": 0}, {"max_tokens": 0}, {"max_failures": -1}, {"max_created": -1}):
        with pytest.raises(UserMistake, match=next(iter(number))):
            replay(config, "exports/", sandbox=True, **number)  # type: ignore[arg-type] # each is an int
    with pytest.raises(UserMistake, match="limit"):
        preview(config, "exports/", limit=-1)


def test_a_path_is_no_loaded_config_and_a_text_no_duration(place: Path) -> None:
    """The words say what is wanted; there had been an AttributeError from within."""
    for job in (replay, preview, check):
        with pytest.raises(UserMistake, match="must be what load_config gives, a LoadedConfig, and is a str"):
            job("config.yaml", "exports/")  # type: ignore[arg-type]
    with pytest.raises(UserMistake, match="deadline: must be such as timedelta"):
        replay(load_config(place / "config.yaml", sandbox=True), "exports/", deadline="50m")  # type: ignore[arg-type]


def test_errors_are_named_by_what_happens_next(place: Path) -> None:
    """Mend it, wait, call again, or get another key: each is a class of its own, with code and hint."""
    with pytest.raises(SourceMissing):
        replay(load_config(), "nowhere.ndjson", sandbox=True)
    with an_account(place, token="f00d" * 10), pytest.raises(KeyRefused) as refused:
        replay(load_config(), "exports/")
    assert (refused.value.exit_code, refused.value.summary.reason) == (3, "credentials_refused")
    with an_account(place):
        with locked(place / "journal.sqlite"), pytest.raises(StateHeld):
            replay(load_config(), "exports/", state="journal.sqlite")
        with pytest.raises(RunStopped) as stopped:
            event_file(place / "exports", 7, identify("u-1", role="Buyer"))  # a worse problem is not why it stopped
            replay(load_config(), "exports/", max_created=0)
    assert stopped.value.summary.problems[0].code == "not_an_object"
    assert (stopped.value.code, stopped.value.summary.status, stopped.value.exit_code) == ("brake", "stopped", 4)
    written_config(place, "identitty: {}\n")
    with pytest.raises(ConfigProblems) as wrong:
        load_config()
    assert wrong.value.problems[0].line == 1
    assert "line 1: identitty: is no key of the config" in str(wrong.value)


def test_a_fault_of_the_tool_is_told_without_its_text(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of an unforeseen exception may hold an event's data: type and place are told."""

    async def broken(_: Replay) -> None:
        raise KeyError("ann@acme.example")

    monkeypatch.setattr(Replay, "run", broken)
    with pytest.raises(ToolFault) as fault:
        replay(load_config(), "exports/", sandbox=True)
    assert "KeyError" in str(fault.value)
    assert "ann@acme" not in str(fault.value)


@pytest.mark.parametrize(
    "error",
    [
        UserMistake("no", code="usage", hint="do"),
        RunStopped("over", code="deadline", hint=None, summary=library.Summary(run="r", status="stopped", exit_code=4)),
        ConfigProblems("config.yaml", [library.ConfigProblem("a", "b", 3)]),
    ],
)
def test_errors_travel_between_processes(error: PipedriveCliError) -> None:
    """Schedulers pickle what a task raises."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_preview_gives_requests_and_sends_none(place: Path) -> None:
    """With the account's look the summary has the plan's name, under which a replay sends that or nothing."""
    requests: list[PreviewedRequest] = []
    with an_account(place) as sandbox:
        config = load_config()
        foretold = preview(config, Path("exports"), online=True, request=requests.append)
        writes = [(request.action, request.method, request.path) for request in requests if request.body]
        assert writes == [("create", "POST", "/api/v2/persons")]
        assert requests[-1].events[0][1:] == (1, requests[-1].events[0][2])
        assert sandbox.contents()["persons"] == []
        with pytest.raises(UserMistake, match="no plan"):
            replay(config, "exports", expect=preview(config, "exports").plan)
        assert replay(config, "exports", expect=foretold.plan).events.delivered == 1


def test_a_list_without_sources_is_a_mistake_and_an_empty_pattern_is_none(place: Path) -> None:
    """As on the command line."""
    config = load_config(sandbox=True)
    for job in (replay, preview):
        with pytest.raises(UserMistake, match="no source"):
            job(config, [], sandbox=True)
        assert job(config, [place / "none*.json"], sandbox=True).events.read == 0


def test_a_check_says_what_would_fail(place: Path) -> None:
    """The config, the account and the events; nothing is sent."""
    event_file(place / "exports", track("u-1", "Demo"), '{"type": "identify"}')
    checked = check(load_config(), "exports/", sandbox=True)
    assert checked.ok
    assert "missing_user_id" in {problem.code for problem in checked.problems}


def test_a_key_that_is_given_counts_and_is_shown_nowhere(place: Path) -> None:
    """As a scheduler's connection holds it, instead of the file's and the environment's."""
    with an_account(place, token="'${SOMEWHERE_ELSE}'"):
        config = load_config(api_token=CANARY, environ={"SOMEWHERE_ELSE": "x" * 40})
        assert replay(config, "exports/").events.delivered == 1
    assert CANARY not in repr(config)
    assert isinstance(config.config, Config)
    with pytest.raises(UserMistake, match="characters that no key has"):
        load_config(api_token="not a key")
