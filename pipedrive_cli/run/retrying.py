"""The input of `retry`: the unfinished events that the journal keeps, read as if from their files."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import msgspec

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.rows import UnfinishedEvent
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import decode_head, entries
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source, shown
from pipedrive_cli.run.past import name_meant


class KeptEvents(Reading):
    """Reads unfinished events out of the journal, each at its old place and under its old identity."""

    def __init__(self, journal: Journal, events: list[UnfinishedEvent]) -> None:
        super().__init__(Source("journal", named=True, size=len(events)))
        self._journal = journal
        self._events = events
        self._done = 0

    @property
    def bytes_read(self) -> int:
        return self._done

    def batches(self) -> Iterator[list[Entry]]:
        for event in self._events:
            self._done += 1
            raw = self._journal.unfinished_body(event.digest)
            if raw is None:
                continue  # it was delivered in the meantime, as the copy of another one
            head = decode_head(raw.decode())
            yield [
                msgspec.structs.replace(entry, index=event.place, identity=event.identity)
                for entry in entries(raw, head, event.file, event.line)
            ]
        self.complete = True


def chosen_run(journal: Journal, wanted: str | None) -> int | None:
    """The number of the run that the user means, None for all. Raises UserMistake for one that there is not.

    Events stay those of the run that read them from a file, so a run that was a retry itself stands for all.
    """
    if wanted is None:
        return None
    numbers = {name: number for number, name, _, _ in journal.runs()}
    number = numbers[name_meant(list(numbers), wanted)]
    return number if journal.sources_of(number) else None


def input_left(journal: Journal, run: int | None) -> StopRun | None:
    """What to tell when the run (or the newest one) had not read all its input: only its `replay` can do that."""
    for number, name, _, summary in journal.runs():
        if run is not None and number != run:
            continue
        sources = journal.sources_of(number)
        if not sources:
            continue  # itself a retry
        if summary is not None and msgspec.json.decode(summary).get("input_complete", True):
            return None
        return StopRun(
            f"the run {name} had not read all its input, and a retry does not read files",
            code="input_left",
            hint=f"repeat it: pipedrive-cli replay {sources}",
        )
    return None


def written(sources: tuple[str, ...]) -> str:
    """SOURCE arguments as one would type them; bytes that are no UTF-8 as `Source.name` shows them."""
    return shlex.join(map(shown, sources))
