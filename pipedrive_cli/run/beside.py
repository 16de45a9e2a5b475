"""Processes beside this one, and how both sides talk: values go to a process over its standard input, bytes come back.

A process runs nothing of the program that imported us, so no main module must be guarded for it. It is told what it
must know (a brief), then it is given one task after the other. It ends with the process that started it, however that
one ends. Where it gives no bytes for a task, who started it does the task, and so meets the error, too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    import subprocess

LENGTH: Final = 8  # bytes that say how many follow
_TURN: Final = 0.0005  # seconds that the next task waits at each step of its way, while one is under way
PIPE: Final = 1 << 20  # bytes that a process can hand over without waiting for us, where the system lets us choose
Work: TypeAlias = Callable[[Any], bytes]  # what is done with a task
Task = TypeVar("Task")


class Beside:
    """A process beside this one. `work` is a function of a module: from a brief to what is done with a task.

    Raises OSError where none can be started.
    """

    def __init__(self, work: Callable[[Any], Work]) -> None:
        import subprocess  # noqa: PLC0415 - a small input needs none of it

        # In a session of its own, so that Ctrl-C reaches us alone.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from {work.__module__} import {work.__name__} as work; "
            f"from {__name__} import serve; serve(work)"
        )
        self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _widen(pipe)
        self._told: Any = None
        self._started = False

    def started(self) -> bool:
        """Blocks until the process is ready for tasks. Returns whether it is: it may have ended."""
        self._started = self._started or self._received() is not None
        return self._started

    def done(self, brief: Any, task: Any) -> bytes | None:
        """What the process has made of a task; empty: nothing, and None: it has ended. Blocks."""
        return self.answer() if self.ask(brief, task) else None

    def ask(self, brief: Any, task: Any) -> bool:
        """Gives the process a task, before or after it has answered the last one. Returns whether it could be given.

        Another brief than that of the last task is told first.
        """
        stdin = self._process.stdin
        with contextlib.suppress(Exception):  # whatever it is, the task is then done here
            if stdin is not None:
                if brief is not self._told:
                    pickle.dump(("brief", brief), stdin)
                    self._told = brief
                pickle.dump(("task", task), stdin)
                stdin.flush()
                return True
        return False

    def answer(self) -> bytes | None:
        """What the process has made of the first task that has no answer yet, as `done` says it. Blocks."""
        return self._received() if self.started() else None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def _received(self) -> bytes | None:
        stream = self._process.stdout
        with contextlib.suppress(Exception):
            if stream is not None and len(head := stream.read(LENGTH)) == LENGTH:
                size = int.from_bytes(head)
                return made if len(made := stream.read(size)) == size else None
        return None

    def kill(self) -> None:
        """Ends the process; who waits for what it makes gets None."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Lets go of the pipes, once nobody waits any more."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _widen(pipe: IO[bytes]) -> None:
    """Makes the pipe as long as may be: a thread that empties a short one waits for its turn at each piece."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        fcntl = importlib.import_module("fcntl")  # not every system has it
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def shared_out(
    work: Callable[[Any], Work],
    brief: Any,
    tasks: Sequence[Task],
    processes: int,
    tell: Callable[[Task, bytes], None],
) -> list[Task]:
    """Has at most so many processes do tasks, one after the other. `tell` is called in this thread, with what was made
    of each.

    Returns what is left to be done here: the task of a process that has died; after a task of which nothing was made,
    that one and all that were not begun. Who does them meets what went wrong.
    """
    upcoming = queue.SimpleQueue[int]()
    for number in range(len(tasks)):
        upcoming.put(number)
    ended = queue.SimpleQueue[tuple[int | None, bytes]]()
    over = threading.Event()

    def keep_busy(process: Beside) -> None:
        made: bytes | None = b"-"
        with contextlib.suppress(queue.Empty):
            while made is not None and not over.is_set():
                number = upcoming.get_nowait()
                made = process.done(brief, tasks[number])
                ended.put((number, made or b""))
                if made == b"":
                    over.set()
        ended.put((None, b""))

    left = dict(enumerate(tasks))
    crew: list[tuple[Beside, threading.Thread]] = []
    try:
        with contextlib.suppress(OSError):  # where none can be started, all is left
            for _ in range(min(processes, len(tasks))):
                process = Beside(work)
                thread = threading.Thread(target=keep_busy, args=(process,), name="process", daemon=True)
                crew.append((process, thread))
                thread.start()
        busy = len(crew)
        while busy:
            ready, made = ended.get()
            if ready is None:
                busy -= 1
            elif made:
                tell(left.pop(ready), made)
        return list(left.values())
    finally:
        over.set()
        for process, thread in crew:
            process.kill()
            thread.join()
            process.close()


def serve(begin: Callable[[Any], Work]) -> None:
    """The life of such a process."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.setswitchinterval(_TURN)
    answer(begin, sys.stdin.buffer, sys.stdout.buffer, lambda: os._exit(0))


def answer(begin: Callable[[Any], Work], asked: BinaryIO, made: BinaryIO, ended: Callable[[], None]) -> None:
    """Answers what is asked, until the asking ends: then `ended` is called, while a task may still be under way."""
    waiting: queue.SimpleQueue[tuple[Literal["brief", "task", "end"], Any]] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                waiting.put(pickle.load(asked))  # noqa: S301 - from the process that started this one
        ended()
        waiting.put(("end", None))

    threading.Thread(target=listen, daemon=True).start()
    made.write(bytes(LENGTH))  # we are there
    made.flush()
    work: Work | None = None
    while (found := waiting.get())[0] != "end":
        what, value = found
        result = b""
        with contextlib.suppress(Exception):  # who does the task instead meets the error, too, and reports it
            if what == "brief":
                work = None
                work = begin(value)
            elif work is not None:
                result = work(value)
        if what == "task":
            try:
                made.write(len(result).to_bytes(LENGTH) + result)
                made.flush()
            except OSError:
                return  # nobody listens
