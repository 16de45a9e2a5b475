"""What would go wrong on Windows, as far as another system can tell."""

from __future__ import annotations

import ast
import asyncio
import signal
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

import pipedrive_cli
from pipedrive_cli.errors import SourceMissing
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.summary import Example
from pipedrive_cli.report.wording import place_words
from tests.harness import identify

from .desk_for_commands import event_file, written_config
from .desk_for_commands import pipedrive_cli as run

FILES = sorted(Path(pipedrive_cli.__file__).parent.rglob("*.py"))
ABSENT_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
ABSENT_NAMES = {
    "os": {"chown", "fchmod", "fchown", "fork", "geteuid", "getuid", "killpg", "mkfifo", "setsid", "umask"},
    "signal": {"SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2", "setitimer"},
}


def test_nothing_is_used_that_windows_lacks() -> None:
    """No module, and of `os` and `signal` no name, that importing or running there would miss."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not ABSENT_MODULES & {alias.name for alias in node.names}, file
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in ABSENT_MODULES, file
                assert not ABSENT_NAMES.get(node.module or "", set()) & {alias.name for alias in node.names}, file
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.attr not in ABSENT_NAMES.get(node.value.id, set()), file


@pytest.mark.parametrize(
    "argument", [r"C:\exports\a.ndjson", "C:/exports/a.ndjson", "c://exports", r"\\server\share\a"]
)
def test_a_drive_is_no_url(argument: str) -> None:
    """It is a file that is not there, not an address that cannot be read."""
    with pytest.raises(SourceMissing):
        resolve_sources([argument])


def test_a_place_can_be_read_and_copied() -> None:
    """Backslashes stay as they are, before the line as elsewhere."""
    file = str(PureWindowsPath("C:/new exports/tables.ndjson"))
    shown = visible_text(place_words(Example(file=file, line=3, message_id=None, field=None)))
    assert shown == r"C:\new exports\tables.ndjson:3"


def test_a_run_is_interrupted_without_signal_handlers_of_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C finishes what is in flight, records it, and says what is left; the handlers of before are put back."""

    async def interrupted(send: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
        return await read_me(send)

    monkeypatch.setattr("pipedrive_cli.run.replay.read_me", interrupted)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    config = written_config(tmp_path, "identity: {user_id_field: User id}\n")
    ended = run("replay", event_file(tmp_path, identify("u1")), "-c", config, "--sandbox", "--json")
    assert (ended.code, ended.json["reason"]) == (130, "interrupted")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
