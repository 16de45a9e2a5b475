"""Briefs made on several cores: chunks of the sources go to processes of our own, and come back in order as batches.

What the sources hold is in memory a few chunks at a time, however large they are.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.chunks import Chunk

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WORTH: Final = 8 << 20  # bytes of input from which on other processes are started: a few times what starting them costs
MOST: Final = 3  # processes that one reader of briefs keeps up with
AHEAD: Final = 64  # batches that wait to be taken: some tens of MB
_LOOK: Final = 2.0  # seconds after which a process that has nothing to do sees whether its parent is still there


def processes_for(size: int | None) -> int:
    """How many processes pay for an input of `size` bytes (None: nobody knows); 0: none do."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores < 2 or size is None or size < WORTH else min(cores, MOST)


def made(chunks: Iterable[Chunk], make: Callable[[Chunk], bytes], processes: int) -> Iterator[tuple[Chunk, bytes]]:
    """Each chunk with what `make` makes of it, in order.

    Raises what reading the chunks raises, and `UserMistake` where another process could not.
    """
    if not processes:
        for chunk in chunks:
            yield chunk, make(chunk)
        return
    with _crew(make, processes) as crew:
        ahead: queue.Queue[tuple[Chunk, bytes] | BaseException | None] = queue.Queue(AHEAD)
        # Whoever takes the batches is busy for a second now and then; the others are not to wait for that.
        threading.Thread(target=_feed, args=(iter(chunks), crew, ahead), name="crew", daemon=True).start()
        while (batch := ahead.get()) is not None:
            if isinstance(batch, EOFError):  # one of them has ended: it could not read what we had read
                raise UserMistake(
                    "a file went away or changed while it was read", code="source_unreadable", hint="run it again"
                ) from batch
            if isinstance(batch, BaseException):
                raise batch
            yield batch


def _feed(
    chunks: Iterator[Chunk], crew: list[Connection], ahead: queue.Queue[tuple[Chunk, bytes] | BaseException | None]
) -> None:
    """Keeps the crew busy, and puts what it makes where it is waited for. A crew that was sent home ends this.

    Each has a second chunk beside the one that it works on, so that it never waits for us; but only where a chunk is
    no more than a place in a file: two that try to send at the same time would wait for each other for ever.
    """
    under_way: deque[tuple[Connection, Chunk]] = deque()

    def take() -> None:
        worker, chunk = under_way.popleft()
        ahead.put((chunk, worker.recv_bytes()))

    try:
        for worker, chunk in zip(cycle(crew), chunks):
            while len(under_way) >= (len(crew) if chunk.blocks else 2 * len(crew)):
                take()
            worker.send(chunk)
            under_way.append((worker, chunk.without_text()))
        while under_way:
            take()
        ahead.put(None)
    except BaseException as trouble:  # noqa: BLE001 - it is raised where the batches are taken
        ahead.put(trouble)


@contextlib.contextmanager
def _crew(make: Callable[[Chunk], bytes], processes: int) -> Iterator[list[Connection]]:
    import multiprocessing  # noqa: PLC0415 - a small input needs none of it

    # A fork has all that it needs; elsewhere it is not safe, and a fresh process is told.
    forks = sys.platform == "linux"
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    crew: list[Connection] = []
    started = []
    try:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            inherited = [*crew, ours] if forks else []
            process = context.Process(target=_serve, args=(theirs, inherited, make, os.getpid()), daemon=True)
            process.start()
            theirs.close()
            crew.append(ours)
            started.append(process)
        yield crew
    finally:
        for process in started:
            process.terminate()
            process.join()
        for ours in crew:
            ours.close()


def _serve(parent: Connection, inherited: Iterable[Connection], make: Callable[[Chunk], bytes], parent_id: int) -> None:
    """The life of one process. Ctrl-C is its parent's to deal with, and it ends when that one does.

    `inherited` are ends of pipes that a fork has brought along: as long as one is open, nobody's pipe is seen to end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in inherited:
        end.close()
    with contextlib.suppress(EOFError, OSError):
        while os.getppid() == parent_id:
            if parent.poll(_LOOK):
                parent.send_bytes(make(parent.recv()))
