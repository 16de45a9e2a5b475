"""What earlier runs leave of an input: for a look at events that is to say what a replay would read.

The same files are passed over, and the same events are duplicates. Of events that were handled under another mapping it
says what a refill would take up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.contents import contents_of
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import Source
from pipedrive_cli.run.known_files import KnownFiles, meaning_of
from pipedrive_cli.run.refill import HandledOtherwise, RefillNeeds


@dataclass(slots=True)
class EarlierRuns:
    """What the journal of an account knows of events and files. Nothing is written to it."""

    journal: Journal
    files: KnownFiles
    refill: RefillNeeds | None  # None: every event was handled under the present mapping
    passed_over: int = 0  # files that a replay would not read
    _old: KnownFiles | None = None
    _only_old: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, journal: Journal, config: Config, suppressed: bytes, rows: RowForm | None, *, reread: bool
    ) -> EarlierRuns:
        """`suppressed` is a digest of the list of suppressed people, `reread` as in a replay."""
        meaning = meaning_of(config, suppressed, rows)
        otherwise = HandledOtherwise.of(journal, config, refill=False)
        refill = RefillNeeds(otherwise) if otherwise.possible else None
        old = None if refill is None else KnownFiles(journal, meaning, refill=True, keeps=False)
        return cls(journal, KnownFiles(journal, meaning, reread, keeps=False), refill, _old=old)

    def to_read(self, sources: Iterable[Source]) -> list[Source]:
        """What a replay would read of these sources, and the files in which there may be something for a refill."""
        found = []
        for source in sources:
            left = self.files.to_read(source)
            if left is None and self._old is not None and (left := self._old.to_read(source)) is not None:
                self._only_old.add(left.name)
            if left is not None:
                found.append(left)
        self.passed_over = self.files.passed_over
        return found

    def passes_over(self, file: str) -> bool:
        """Whether a replay would not read this file, though it is read here: there may be something for a refill."""
        return file in self._only_old

    def handled(self, digest: bytes) -> bool:
        """Whether a run has handled this event."""
        return bool(digest) and bool(self.journal.recall([digest]).handled)

    def content(self, digests: Sequence[bytes]) -> int:
        """The checksum of what an event said when it was handled; 0: not known."""
        return next(iter(contents_of(self.journal, digests).values()), 0)
