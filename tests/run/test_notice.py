"""`notify` in the config: who is told how a run ended, of what, and that a dead address changes nothing."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli import load_config, replay
from pipedrive_cli.config import load
from pipedrive_cli.errors import ConfigProblems
from pipedrive_cli.pipedrive import webhook
from pipedrive_cli.run.embedded import furnish
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.sandbox import Sandbox
from tests.cli.desk_for_commands import CANARY, Ended, account, event_file, pipedrive_cli, served, written_config
from tests.harness import identify, options

IDS = "identity: {user_id_field: User id}\n"
GOOD = identify("u-1", email="ann@acme.example")
BAD = identify("", email="bob@acme.example")


class Hook:
    """An address that takes messages. `status` is its answer; None: there is none."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.status: int | None = 200
        self.over = threading.Event()

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.said.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                if hook.status is None:
                    hook.over.wait()
                else:
                    self.send_response(hook.status)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hooks/a-secret-path"
        finally:
            self.over.set()
            server.shutdown()
            server.server_close()
            thread.join()


class Desk:
    """A config with `notify`, an account behind it, and a place for the journal."""

    def __init__(self, folder: Path, url: str, hook: Hook, address: str) -> None:
        self.folder, self.url, self.hook, self.address = folder, url, hook, address
        self.configure()

    def configure(self, address: str | None = None, token: str = CANARY) -> None:
        written_config(self.folder, f"{account(self.url, token)}{IDS}notify: {address or self.address}\n")

    def replay(self, *events: Any, more: tuple[str, ...] = (), source: str | None = None) -> Ended:
        file = event_file(self.folder, *events)
        state = ("--state", str(self.folder / "journal.sqlite"))
        ended = pipedrive_cli("replay", source or file, "-c", self.folder / "config.yaml", *state, *more)
        assert "secret-path" not in ended.out + ended.err
        return ended

    @property
    def codes(self) -> list[int]:
        return [said["exit_code"] for said in self.hook.said]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    hook, sandbox = Hook(), Sandbox(options())
    written_config(tmp_path, IDS)
    furnish(sandbox, load(tmp_path / "config.yaml", {}, sandbox=True))
    with served(sandbox) as url, hook.serving() as address:
        yield Desk(tmp_path, url, hook, address)


def test_a_failure_is_told_and_the_first_success_after_it(desk: Desk) -> None:
    """Each failure once, then one success; a success after a success is nobody's news."""
    assert [desk.replay(GOOD).code, desk.replay(BAD).code, desk.replay(BAD).code] == [0, 1, 1]
    assert [desk.replay(GOOD).code, desk.replay(GOOD).code] == [0, 0]
    assert desk.codes == [1, 1, 0]
    first, last = desk.hook.said[0], desk.hook.said[-1]
    assert (first["status"], first["reason"], first["events"]["rejected"]) == ("partial", None, 1)
    assert last["text"].startswith("Pipedrive import succeeded again")
    assert first["run"] in first["text"]


def test_a_message_holds_nothing_of_an_event(desk: Desk) -> None:
    """Counts, codes and the run's name are all its keys."""
    desk.replay(GOOD, BAD)
    (said,) = desk.hook.said
    assert said.keys() == {"text", "run", "status", "exit_code", "reason", "events", "version"}
    assert [word for word in ("acme", "events.ndjson", CANARY, str(desk.folder)) if word in json.dumps(said)] == []


def test_what_ends_before_the_journal_is_open_is_told_too(desk: Desk) -> None:
    """A source that is gone, a key that is refused; and then that it works again."""
    desk.replay(GOOD)
    assert desk.replay(GOOD, source="nowhere.ndjson").code == 2
    desk.configure(token="f00d" * 10)
    assert desk.replay(GOOD).code == 3
    desk.configure()
    assert desk.replay(GOOD).code == 0
    assert [(said["exit_code"], said["reason"]) for said in desk.hook.said] == [
        (2, "source_missing"),
        (3, "credentials_refused"),
        (0, None),
    ]


def test_what_is_no_failure_is_not_told(desk: Desk) -> None:
    """Another run that is under way, the sandbox, a preview."""
    with locked(desk.folder / "journal.sqlite"):
        assert desk.replay(GOOD).code == 5
    assert desk.replay(BAD, more=("--sandbox",)).code == 1
    assert desk.replay(BAD, more=("--dry-run",)).code == 1
    assert desk.codes == []


@pytest.mark.parametrize("trouble", [404, None, "closed"])
@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_dead_address_changes_nothing(
    trouble: int | str | None, quiet: tuple[str, ...], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends as it would have ended; one line says that nobody could be told, and not where."""
    monkeypatch.setattr(webhook, "PATIENCE", 0.1)
    if trouble == "closed":
        desk.configure("http://127.0.0.1:9/hooks/a-secret-path")
    else:
        desk.hook.status = trouble  # type: ignore[assignment] # the other kind is above
    ended = desk.replay(BAD, more=quiet)
    assert (ended.code, (ended.out + ended.err).count("notify: nobody could be told")) == (1, 1)


def test_the_library_tells_as_the_command_does(desk: Desk) -> None:
    """A task's runs are told to whom the config names."""
    source = event_file(desk.folder, BAD)
    assert replay(load_config(desk.folder / "config.yaml"), source, state=desk.folder / "j.sqlite").events.rejected == 1
    assert desk.codes == [1]


@pytest.mark.parametrize("address", ["http://hooks.example/x", "hooks.example/x", "https://", "ftp://127.0.0.1/x"])
def test_an_address_is_https_or_this_machine(address: str, tmp_path: Path) -> None:
    """Anything else is a mistake of the config, which does not repeat what may be a secret."""
    with pytest.raises(ConfigProblems) as mistake:
        load(written_config(tmp_path, f"notify: '{address}'\n"), {})
    assert "hooks.example" not in str(mistake.value)


def test_the_sandbox_needs_no_address(tmp_path: Path) -> None:
    """A variable that is not set is missed where somebody is to be told."""
    config = written_config(tmp_path, "notify: ${HOOK}\n")
    assert load(config, {}, sandbox=True).notify is None
    with pytest.raises(ConfigProblems):
        load(config, {})
