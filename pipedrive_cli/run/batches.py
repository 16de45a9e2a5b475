"""What a reading gives, in batches: read here, or by a thread where a line may take its time."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.source import Source

if TYPE_CHECKING:
    from pipedrive_cli.run.part_reader import ReadEvent  # a small input needs none

Batch: TypeAlias = "Sequence[Entry] | Sequence[ReadEvent]"  # of one kind

READ_AHEAD = 64  # batches that a thread has read, and nobody has used yet
SILENCE = 1.0  # seconds without a line after which a pipe counts as silent


class Batches(Protocol):
    """A reading: of entries, or of read events where another process has read and transformed them."""

    source: Source
    whole: bool
    complete: bool
    left: Entry | None
    torn: bool

    @property
    def bytes_read(self) -> int: ...

    def batches(self) -> Iterator[Batch]: ...


async def batches_of(reading: Batches) -> AsyncIterator[Batch]:
    """Entries in batches; an empty one when none came for a while. Files are read here, pipes and clouds in threads."""
    source = reading.source
    if source.size is not None and source.cloud is None:
        for batch in reading.batches():
            yield batch
            await asyncio.sleep(0)
        return
    async for batch in _pumped(reading.batches()):
        yield batch


async def _pumped(batches: Iterator[Batch]) -> AsyncIterator[Batch]:
    """What a thread of its own has read: a pipe may give a line an hour, and each counts at once."""
    waiting: queue.Queue[Batch | None] = queue.Queue(maxsize=READ_AHEAD)  # None is the end
    loop = asyncio.get_running_loop()
    trouble: list[Exception] = []

    def pump() -> None:
        try:
            for batch in batches:
                if batch:
                    waiting.put(batch)
        except Exception as error:  # noqa: BLE001 - whoever takes the entries is told: an early end is no end
            trouble.append(error)
        finally:
            waiting.put(None)

    # A daemon: a read that waits for a pipe must not keep the process alive after the run has ended.
    threading.Thread(target=pump, name="pipe", daemon=True).start()
    while True:
        try:
            batch = waiting.get_nowait()
        except queue.Empty:
            try:
                # In the loop's own executor, so that a clock of virtual time stands still until a line is there.
                batch = await loop.run_in_executor(None, waiting.get, True, SILENCE)
            except queue.Empty:
                yield []
                continue
        if batch is None:
            if trouble:
                raise trouble[0]
            return
        yield batch
