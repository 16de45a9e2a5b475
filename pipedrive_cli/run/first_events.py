"""The first events of each file, for commands that want to know what events are like, and not every one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.run.reading_list import reading_started

TOLD_EVERY = 500  # events
ENOUGH = 50_000  # events: a few seconds, and a cause that hides behind so many is rare


class FirstEvents:
    """Iterates over all entries, or over as many of each file's beginning as its share of `most`.

    What one file leaves of its share goes to those after it. After the last entry `whole` says whether that was all,
    `files` and `bytes_read` (packed) how much was read, and `left` has the readings that did not come to their end.
    `live_figures` tell meanwhile how far it is.
    """

    def __init__(
        self, sources: Sequence[Source], most: int | None = ENOUGH, live_figures: LiveFigures | None = None
    ) -> None:
        self._sources = sources if most is None else sources[:: max(1, -(-len(sources) // most))]
        self._most = most
        self.whole = len(self._sources) == len(sources)
        self.files = 0
        self.bytes_read = 0
        self.left: list[Reading] = []
        self._figures = LiveFigures() if live_figures is None else live_figures
        if most is None:
            reading_started(self._figures, sources)

    def __iter__(self) -> Iterator[Entry]:
        done = 0
        for number, source in enumerate(self._sources):
            share = None if self._most is None else max(1, (self._most - done) // (len(self._sources) - number))
            self.files += 1
            reading, size = read_source(source), 0
            for taken, entry in enumerate(reading):
                if taken == share:
                    self.whole = False
                    break
                size += len(entry.raw) + 1
                done += 1
                if not done % TOLD_EVERY:
                    self._tell(source, done, reading.bytes_read)
                yield entry
            self.bytes_read += min(reading.bytes_read, size)
            if reading.left is not None:
                self.left.append(reading)

    def _tell(self, source: Source, done: int, bytes_read: int) -> None:
        figures = self._figures
        figures.phase, figures.file, figures.files_begun = "reading", source.name, self.files
        figures.events_read, figures.bytes_read = done, self.bytes_read + bytes_read
        if figures.on_read is not None:
            figures.on_read()
