"""Processes beside this one: what they answer, and how they end."""

from __future__ import annotations

import io
import os
import pickle
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from pipedrive_cli.run import beside
from pipedrive_cli.run.beside import Beside, answer


def shouting(brief: str) -> Callable[[str], bytes]:
    """What a process of these tests does: it says its brief and its task."""

    def work(task: str) -> bytes:
        if task == "die":
            os._exit(1)
        return f"{brief} {task}".encode() if task != "fail" else cast(bytes, 1 // 0)

    return work


def answers(*asked: object) -> bytes:
    """What is answered in this process."""
    made = io.BytesIO()
    over = threading.Event()

    answer(shouting, io.BytesIO(b"".join(map(pickle.dumps, asked))), made, over.set)
    assert over.is_set()
    return made.getvalue()


def test_each_task_has_one_answer_by_the_last_brief() -> None:
    """Behind an empty answer that greets. A task that fails, or comes before any brief, is answered with nothing."""
    assert answers(("task", "a"), ("brief", "oh"), ("task", "b"), ("task", "fail"), ("brief", "ah"), ("task", "c")) == (
        bytes(8) + bytes(8) + (4).to_bytes(8) + b"oh b" + bytes(8) + (4).to_bytes(8) + b"ah c"
    )


def test_a_process_answers_until_it_dies() -> None:
    """Who waits for a process that has died is told so."""
    process = Beside(shouting)
    try:
        assert [process.done("oh", task) for task in ("a", "fail", "b", "die", "c")] == [
            b"oh a",
            b"",
            b"oh b",
            None,
            None,
        ]
    finally:
        process.kill()
        process.close()


def test_no_more_processes_are_started_than_there_are_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting one takes a quarter of a second: a small input needs none."""
    started: list[object] = []

    def start(work: object) -> Beside:
        started.append(work)
        raise OSError

    monkeypatch.setattr(beside, "Beside", start)
    assert beside.shared_out(shouting, "", list[str](), 2, lambda _, __: None) == []
    assert started == []


def holding(pipe: str) -> Callable[[str], bytes]:
    """What another does: as long as it lives, it holds a pipe."""
    held = os.open(pipe, os.O_WRONLY)
    return lambda task: f"{task} {held}".encode()


@pytest.mark.slow
def test_a_script_without_a_guarded_main_module_may_have_such_processes(tmp_path: Path) -> None:
    """The script runs once, and its processes end with it, though it is killed."""
    script, pipe = tmp_path / "script.py", tmp_path / "held"
    script.write_text(
        "import os, signal\n"
        "from pipedrive_cli.run.beside import Beside\n"
        "from tests.run.test_beside import holding\n"
        "process = Beside(holding)\n"
        f"print(process.done({str(pipe)!r}, 'held as').decode(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environ, check=False)
        assert ran.stdout.count("held as") == 1
        let_go, _, _ = select.select([held], [], [], 60)
        assert let_go, "the process outlives its script"
        assert os.read(held, 1) == b""
    finally:
        os.close(held)
