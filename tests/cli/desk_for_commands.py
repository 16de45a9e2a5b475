"""Commands run in this process with streams of their own, and a sandbox that they reach over loopback."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from pipedrive_cli.cli.command_line import run
from pipedrive_cli.cli.interrupts import HANGUPS, SIGNALS
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.sandbox import Sandbox
from pipedrive_cli.sandbox.serve import serve
from tests.harness import without_waiting_for_the_disk

PATIENCE = 120.0  # seconds after which what does not come is taken for stuck, on a busy machine too
CANARY = "canary-0123456789abcdef-canary"


class Stream(io.TextIOWrapper):
    """A stream of bytes underneath, which may claim to be a terminal."""

    def __init__(self, content: bytes = b"", *, terminal: bool = False) -> None:
        self._bytes = io.BytesIO(content)
        super().__init__(self._bytes, encoding="utf-8", errors="surrogateescape")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def written(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode()


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


_made_once = cache(typer.main.get_command)  # the commands do not change, and making them takes longer than most take


def pipedrive_cli(*arguments: str | Path, stdin: bytes = b"", terminal: bool = False, keyboard: bool = False) -> Ended:
    """Runs one command line. The API token of these tests may be in nothing that it shows.

    With `keyboard` standard input is somebody who types.
    """
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pipedrive-cli", *map(str, arguments)])
        patch.setattr(sys, "stdin", Stream(stdin, terminal=keyboard))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setattr(typer.main, "get_command", _made_once)
        patch.setattr(Journal, "open", without_waiting_for_the_disk)
        before = {number: signal.getsignal(number) for number in (*SIGNALS, *HANGUPS)}
        try:
            code = run()
        finally:
            for number, handler in before.items():  # a process would have ended
                signal.signal(number, handler)
    ended = Ended(code, out.written(), err.written())
    assert CANARY not in ended.out + ended.err
    return ended


@contextmanager
def served(sandbox: Sandbox) -> Iterator[str]:
    """The sandbox's address while it is served from a thread."""
    url: Future[str] = Future()
    stop: Future[Any] = Future()

    async def serving() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        stop.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        with suppress(asyncio.CancelledError):
            await serve(sandbox, started=url.set_result)

    thread = threading.Thread(target=lambda: asyncio.run(serving()))
    thread.start()
    try:
        yield url.result(PATIENCE)
    finally:
        stop.result(PATIENCE)()
        thread.join(PATIENCE)


def written_config(folder: Path, text: str) -> Path:
    """A config file."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def account(url: str, token: str = CANARY) -> str:
    """The section that names the account."""
    return f"pipedrive: {{base_url: '{url}', api_token: {token}}}\n"


def event_file(folder: Path, *events: Any, name: str = "events.ndjson") -> Path:
    """A file of events; text stands for a line as it is."""
    path = folder / name
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
