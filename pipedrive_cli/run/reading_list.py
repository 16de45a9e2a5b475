"""Which of the sources of a run are read, and how much there is to read. What earlier runs have read is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.events.source import Source


class Passing(Protocol):
    """What is known of files, as far as reading needs it."""

    def to_read(self, source: Source) -> Source | None: ...

    def seen_torn(self, source: Source) -> bool: ...

    def has_old_events(self, file: str) -> None: ...


def sources_to_read(sources: Sequence[Source], files: Passing | None, figures: LiveFigures) -> Iterator[Source]:
    """What is new of the sources, in their order. Those that are passed over are noted in the live figures."""
    for named in sources:
        source = named if files is None else files.to_read(named)
        if source is not None:
            yield source
            continue
        figures.bytes_read += named.size or 0
        figures.files_begun += 1
        figures.files_passed_over += 1


def reading_started(live_figures: LiveFigures, sources: Sequence[Source]) -> None:
    """Notes in the live figures how much there is to read."""
    sizes = [source.size for source in sources if source.size is not None]
    live_figures.bytes_total = sum(sizes) if len(sizes) == len(sources) else None
    live_figures.files_total = len(sources)
    live_figures.phase = "reading"
