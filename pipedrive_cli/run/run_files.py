"""The files of one run: what it writes is kept apart from what it reads, and its journal is its own while it lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.journal import IN_MEMORY
from pipedrive_cli.events.source import Source, lies_among
from pipedrive_cli.report.event_results import ResultsWriter
from pipedrive_cli.report.rejects import RejectsWriter
from pipedrive_cli.report.written_file import READ, keep_apart
from pipedrive_cli.run.journal_file import default_path, files_of, locked, named_journal
from pipedrive_cli.run.options import RunOptions


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files that the options and the config of a run name."""

    config: Config
    config_file: str
    options: RunOptions

    @property
    def state(self) -> Path | None:
        """The journal that somebody has named."""
        return named_journal(self.options.state, self.config, sandbox=self.options.sandbox)

    def keep_apart(self, sources: Sequence[Source]) -> None:
        """Raises UserMistake where a file that is to be written is read in this run, or must stay as it is."""
        read = [(source.path, READ) for source in sources if source.path is not None]
        read.append((Path(self.config_file), "is the config"))
        if (key := self.config.pipedrive.api_token_file) is not None:
            read.append((key, "file holds the API token"))
        if (people := self.config.privacy.suppress) is not None:
            read.append((people, "is the list of suppressed people"))
        tables = self.options.rows is not None
        for _, path in self.options.written:  # not all that lies there is read: --since leaves folders out
            if path.exists() and any(lies_among(path, each, tables=tables) for each in self.options.sources):
                read.append((path, "lies among the events"))
        for state in (self.state, self.config.state):  # in a sandbox the account's stays as it is
            read += [] if state is None else files_of(state)
        keep_apart(self.options.written, read)

    def rejects(self) -> RejectsWriter | None:
        """The rejects file, if one is asked for. Raises UserMistake where it cannot be written."""
        return None if self.options.rejects is None else RejectsWriter(self.options.rejects)

    def results(self) -> ResultsWriter | None:
        """The file of results, if one is asked for. Raises UserMistake where it cannot be written."""
        return None if self.options.results is None else ResultsWriter(self.options.results)

    @contextlib.contextmanager
    def journal(self, company: int) -> Iterator[Journal]:
        """The journal: the one that was named, else that of this company. Raises StateHeld where another run has it."""
        path = self.state
        if path is None:
            path = IN_MEMORY if self.options.sandbox else default_path(company)
            keep_apart(self.options.written, files_of(path))
        with contextlib.ExitStack() as stack:
            if path != IN_MEMORY:
                stack.enter_context(locked(path))
            journal = Journal.open(path)
            stack.callback(journal.close)
            stack.enter_context(journal.in_use())
            yield journal
