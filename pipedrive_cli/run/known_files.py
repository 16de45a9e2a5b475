"""Files that earlier runs have read to their end: passed over, or continued where they have grown.

A file is known by its content, not by its name or date; an object in a cloud by its URL, size and version (its ETag or
what the store has instead), for its content is not fetched for that. Only what was found through a folder, prefix
or glob is ever passed over; what a user names outright is always read. The config counts too: with another mapping all
is read again.

What breaks off is no known file. It is remembered how it was, so that the next run can tell whether somebody still
writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.config.mapping_line import NewRecords
from pipedrive_cli.config.model import Values
from pipedrive_cli.config.privacy import ConsentAsked
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.rows import KnownFile
from pipedrive_cli.delivery.journal.torn_files import keep_torn_files, torn_file
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import is_packed
from pipedrive_cli.run.options import Filters

if TYPE_CHECKING:
    from pipedrive_cli.events.cloud import CloudObject  # few read from one

_CHUNK = 1 << 20


class ReadingOptions(Protocol):
    """The options of a run or a preview that say what of its files is read."""

    @property
    def filters(self) -> Filters: ...

    @property
    def limit(self) -> int | None: ...

    @property
    def rows(self) -> RowForm | None: ...

    @property
    def reread(self) -> bool: ...

    @property
    def refill(self) -> bool: ...


@dataclass(slots=True)
class KnownFiles:
    """What the journal knows of files, and what this run adds. `meaning` is a digest of the config's choices.

    `whole` False: this run reads but a part of each file, so that none is passed over and none becomes known. `refill`:
    files with events that were handled under another mapping are read; those are known by another digest. `keeps`
    False: this only looks, so that no file's content is fetched but to compare it with one of the same size.
    """

    journal: Journal
    meaning: bytes
    reread: bool = False
    whole: bool = True
    refill: bool = False
    keeps: bool = True
    passed_over: int = 0
    _read: dict[str, KnownFile] = field(default_factory=dict)
    _moved: list[KnownFile] = field(default_factory=list)  # known under another name or date
    _unfinished: set[str] = field(default_factory=set)
    _old: set[str] = field(default_factory=set)
    _torn: dict[str, bytes] = field(default_factory=dict)  # digests of files that break off
    _sizes: frozenset[int] | None = None

    @classmethod
    def of(cls, journal: Journal, config: Config, suppressed: bytes, asked: ReadingOptions) -> KnownFiles:
        """What a run or a preview of these options knows; `suppressed` is a digest of the list of suppressed people.

        With a filter or a limit a file is not read as a whole, so it cannot become known.
        """
        whole = not asked.filters and asked.limit is None
        meaning = meaning_of(config, suppressed, asked.rows)
        return cls(journal, meaning, asked.reread, whole, asked.refill)

    def to_read(self, source: Source) -> Source | None:
        """The source, or what is new of it, or None when all of it is known."""
        if source.named or source.size is None or source.unfit is not None or not self.whole:
            return source
        if source.cloud is not None:
            return self._object_to_read(source, source.cloud)
        if source.path is None:
            return source
        try:
            status = source.path.stat()
            before = self.journal.known_file(source.name)
            if before is not None and not self._counts(before):
                before = None
            if before is not None and before.meaning == self.meaning:
                self._old.add(source.name)
            if before is not None and (before.size, before.changed) == (status.st_size, status.st_mtime_ns):
                self.passed_over += 1
                return None
            if before is None and not self.keeps and status.st_size not in self._known_sizes():
                return source
            whole, prefix, lines = self._digests(source, 0 if before is None else before.size)
        except OSError:
            return source  # reading it will say what is wrong
        known = KnownFile(source.name, status.st_size, status.st_mtime_ns, whole, lines, self.meaning)
        for meaning in () if self.reread else self._meanings:
            if self.journal.known_content(whole, meaning):
                self.passed_over += 1
                self._moved.append(known._replace(meaning=meaning))
                return None
        self._read[source.name] = known
        grown = before is not None and 0 < before.size < status.st_size and prefix == before.digest
        if grown and before is not None and before.lines and source.rows is None:  # a table begins with its header
            return replace(source, start=before.size, first_line=before.lines)
        return source

    def _object_to_read(self, source: Source, item: CloudObject) -> Source | None:
        if item.version is None:
            return source
        version = _version(item)
        known = KnownFile(source.name, item.size, 0, version, 0, self.meaning)
        before = self.journal.known_file(source.name)
        if before is not None and self._counts(before) and before._replace(meaning=known.meaning) == known:
            self.passed_over += 1
            return None
        self._read[source.name] = known
        return source

    def _known_sizes(self) -> frozenset[int]:
        if self._sizes is None:
            self._sizes = self.journal.known_sizes()
        return self._sizes

    @property
    def _meanings(self) -> tuple[bytes, ...]:
        """The digests by which a file is known to have nothing left for this run."""
        return (filled(self.meaning),) if self.refill else (filled(self.meaning), self.meaning)

    def _counts(self, known: KnownFile) -> bool:
        return not self.reread and known.meaning in self._meanings

    def has_old_events(self, file: str) -> None:
        """Events of this file were handled under another mapping, and were left so."""
        self._old.add(file)

    def unfinished(self, file: str) -> None:
        """An event of this file failed or is pending: the file is to be read again."""
        self._unfinished.add(file)

    def seen_torn(self, source: Source) -> bool:
        """Whether an earlier run has seen this source break off as it does now. It is remembered for the next one."""
        if source.cloud is not None:
            now = None if source.cloud.version is None else _version(source.cloud)
        else:
            try:
                now = None if source.path is None else self._digests(replace(source, start=0), 0)[0]
            except OSError:
                now = None
        if now is not None:
            self._torn[source.name] = now
        return now is not None and torn_file(self.journal, source.name) == now

    def keep(self, complete: Iterable[str]) -> None:
        """Remembers the sources that were read to their end with nothing failed or pending; in a transaction.

        Those that break off are remembered, too: as long as they do, that is told.
        """
        complete = list(complete)
        keep_torn_files(self.journal, self._torn, complete)
        if not self.whole:
            return
        for known in self._moved:
            self.journal.keep_file(known)
        for name in complete:
            was_read = self._read.get(name)
            if was_read is not None and name not in self._unfinished:
                self.journal.keep_file(
                    was_read if name in self._old else was_read._replace(meaning=filled(self.meaning))
                )

    def _digests(self, source: Source, prefix_size: int) -> tuple[bytes, bytes, int]:
        """Digest of the whole, digest of its first bytes, and how many lines the whole has (0: packed, or unended)."""
        whole = hashlib.blake2b(digest_size=16)
        prefix, position, lines, last = b"", 0, 0, b""
        packed = False
        with source.open() as stream:
            while chunk := stream.read(_CHUNK):
                packed = packed or (position == 0 and is_packed(chunk))
                if position < prefix_size <= position + len(chunk):
                    part = whole.copy()
                    part.update(chunk[: prefix_size - position])
                    prefix = part.digest()
                whole.update(chunk)
                position += len(chunk)
                lines += chunk.count(b"\n")
                last = chunk[-1:]
        return whole.digest(), prefix, 0 if packed or last != b"\n" else lines


def _version(item: CloudObject) -> bytes:
    return hashlib.blake2b(f"{item.url}\0{item.version}".encode(), digest_size=16).digest()


def filled(meaning: bytes) -> bytes:
    """The digest for files whose events were all handled under this mapping; the plain one says nothing of that."""
    return hashlib.blake2b(meaning, digest_size=16).digest()


def meaning_of(config: Config, suppressed: bytes = b"", rows: RowForm | None = None) -> bytes:
    """A digest of what the config makes of events: with another one, files must be read again.

    `suppressed` is a digest of what the list of `privacy.suppress` says: its content counts, and not its place.
    `rows` is the form in which the rows of tables are events.
    """
    chosen: tuple[object, ...] = (config.identity, config.fields, config.events, config.leads, config.products)
    if config.values != Values():
        chosen += (config.values,)
    if config.privacy.consent != ConsentAsked():
        # Only where it is asked: files that were read before there was such a question stay known.
        chosen += ({"consent": config.privacy.consent},)
    if suppressed:
        chosen += (suppressed,)
    if rows is not None:
        chosen += (tuple(rows),)
    if config.new_records != NewRecords():
        chosen += (config.new_records,)
    return hashlib.blake2b(msgspec.json.encode(chosen, order="deterministic"), digest_size=16).digest()
