"""Compacts an archive: folds it under a config into the smallest event file that leaves the same records.

The file is written beside its place and renamed at the end. What is folded so far lies in a store beside it, so that
the same command goes on, part by part, where a killed one ended; with other sources, another config or other filters it
begins anew.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from filelock import FileLock, Timeout

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.keeping import kind_of_name
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, StateHeld, UserMistake
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import Source, resolve_sources
from pipedrive_cli.model import Complaint
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.problems import words_for
from pipedrive_cli.report.rejects import OriginNote, reject_line
from pipedrive_cli.report.summary import Example, ProblemGroup, problem_group
from pipedrive_cli.report.written_file import READ, keep_apart, place_of, written_beside
from pipedrive_cli.run.archive_part import ArchivePart, Counted, FoldBrief, KeptEvent, learn_people
from pipedrive_cli.run.fold_store import FORM, FoldStore, trouble_told
from pipedrive_cli.run.folding import fold_parts, kept_events, parts_of_archive
from pipedrive_cli.run.known_files import meaning_of
from pipedrive_cli.run.left_files import LeftFile, left_file, stop_of
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.suppression import digest_of, suppression_list
from pipedrive_cli.transform.suppression import Suppression, SuppressionList
from pipedrive_cli.version import __version__

OPTION: Final = "--output"
LEVEL: Final = 6  # of gzip: what it costs is little beside reading the archive
AT_ONCE: Final = 1 << 20  # bytes that are packed together
BEHIND: Final = 4  # times as much may wait to be packed
NO_KEY: Final = "the account was not asked: values that its fields do not take are told when the file is replayed"
Fold = Callable[[FoldStore, FoldBrief, Sequence[ArchivePart], Callable[[ArchivePart, Counted], None]], None]
Learn = Callable[[FoldBrief, Sequence[ArchivePart]], None]


@dataclass(frozen=True, slots=True)
class CompactOptions:
    """Options of `compact`."""

    sources: tuple[str, ...]
    output: Path
    sandbox: bool = False
    offline: bool = False
    filters: Filters = field(default_factory=Filters)
    rows: RowForm | None = None
    all_traits: bool = False
    dask: str | None = None  # the address of a cluster's scheduler; None: all cores here


class ReasonLeftOut(msgspec.Struct):
    """Events that are in no output, and why."""

    code: str
    value: str | None
    count: int
    message: str


class Compacted(msgspec.Struct, kw_only=True):
    """What `compact` did: the object of its `--json`. The keys and their order are a contract."""

    version: int = 1
    status: str = "complete"
    exit_code: int = EXIT_OK
    reason: str | None = None
    input_complete: bool = True
    filtered: int = 0
    events: dict[str, int] = {}
    left_out: list[ReasonLeftOut] = []
    records: dict[str, int] = {}
    files: dict[str, int] = {}
    output: str | None = None
    output_bytes: int = 0
    problems: list[ProblemGroup] = []
    seconds: float = 0.0


class CompactProgress(msgspec.Struct):
    """How far the fold is. `began` is the clock's time, and `bytes_before` what was folded before it."""

    parts: int
    bytes_total: int | None
    began: float
    bytes_before: int = 0
    parts_done: int = 0
    bytes_done: int = 0
    events: int = 0

    def seconds_left(self, now: float) -> float | None:
        """How long the rest takes at the pace so far; None while nobody knows."""
        done = self.bytes_done - self.bytes_before
        if self.bytes_total is None or done <= 0:
            return None
        return (now - self.began) * max(0, self.bytes_total - self.bytes_done) / done


@dataclass(slots=True)
class Compact:
    """One compaction. `tell` is called with the progress now and then.

    `fold` folds parts into the store, `learn` reads them for who is suppressed.
    """

    config: Config
    config_file: str
    options: CompactOptions
    stdin: BinaryIO | None = None
    note: Callable[[str], None] = lambda _: None
    tell: Callable[[CompactProgress], None] = lambda _: None
    fold: Fold = fold_parts
    learn: Learn = learn_people
    _listed: SuppressionList = field(default_factory=SuppressionList)

    def run(self) -> Compacted:
        """Runs to the end. Raises UserMistake, ConfigProblems, and StopRun where the account cannot be asked."""
        began = time.monotonic()
        asked = self.options
        self._listed = suppression_list(self.config, self.note)
        sources = resolve_sources(asked.sources, self.stdin, since=asked.filters.since, rows=asked.rows, note=self.note)
        if str(asked.output) == "-":
            raise UserMistake(f"{OPTION} -: the file is renamed when it is whole, so it needs a name", code="usage")
        place = place_of(OPTION, asked.output)
        read = [(Path(self.config_file), "is the config")]
        read += [(source.path, READ) for source in sources if source.path is not None]
        keep_apart([(OPTION, asked.output)], read)
        account = self._account()
        kept_beside = place.with_name(f".{place.name}.compacting")
        with _alone(kept_beside, place), trouble_told(OPTION, kept_beside):
            result = self._compacted(sources, account, kept_beside, place)
        result.seconds = round(time.monotonic() - began, 3)
        return result

    def _compacted(
        self, sources: Sequence[Source], account: Account | None, kept_beside: Path, place: Path
    ) -> Compacted:
        asked = self.options
        piped = any(source.size is None for source in sources)
        if piped:
            kept_beside.unlink(missing_ok=True)  # a pipe cannot be read again
        with contextlib.closing(FoldStore(kept_beside)) as store:
            tasks = list(parts_of_archive(sources))
            now = store.begin(self._meaning(sources, account), time.time_ns() // 1000)
            store.drop_unfinished()
            brief = FoldBrief(self.config, account, asked.filters, now, asked.all_traits)
            if self._listed:
                brief = brief._replace(suppression=Suppression(self._listed))
                self._judge(brief, tasks)
            counted = self._fold(store, brief, tasks)
            result = self._written(store, tasks, counted, place)
        if result.output is not None or piped:
            kept_beside.unlink(missing_ok=True)
        return result

    # -- what is known before anything is read

    def _account(self) -> Account | None:
        """What the account says of its fields, by GETs alone; None where nobody is asked."""
        if self.options.offline:
            return None
        from pipedrive_cli.run.fold_account import fold_account  # noqa: PLC0415 - HTTP takes as long to load as the rest

        account = fold_account(self.config, self.config_file, sandbox=self.options.sandbox)
        if account is None:
            self.note(NO_KEY)
        return account

    def _meaning(self, sources: Iterable[Source], account: Account | None) -> bytes:
        """A digest of all that decides what is kept: with another one the fold begins anew."""
        asked = self.options
        digest = hashlib.blake2b(digest_size=16)
        digest.update(meaning_of(self.config, digest_of(self._listed) if self._listed else b"", asked.rows))
        delivery, privacy = self.config.delivery, self.config.privacy
        chosen: list[Any] = [__version__, FORM, delivery.contacts, delivery.existing, privacy, asked.all_traits]
        chosen += [account, [sorted(each) if isinstance(each, frozenset) else each for each in _values(asked.filters)]]
        for source in sources:
            chosen.append([source.name, source.size, source.named])
            with contextlib.suppress(OSError):
                if source.path is not None:
                    chosen.append(source.path.stat().st_mtime_ns)
            if source.cloud is not None:
                chosen.append(source.cloud.version)
        digest.update(msgspec.json.encode(chosen, order="deterministic", enc_hook=repr))
        return digest.digest()

    def _judge(self, brief: FoldBrief, tasks: Sequence[ArchivePart]) -> None:
        """Finds out who is suppressed, after all that the input tells of it. It costs a reading of its own."""
        if any(task.source.size is None for task in tasks):
            raise UserMistake(
                "privacy.suppress: who is suppressed is known once all was read, and a pipe can be read once",
                code="usage",
                hint="name files, folders or URLs",
            )
        if brief.suppression is not None:
            self.note("privacy.suppress: all is read once before, for the ids and emails of who is on the list")
            self.learn(brief, tasks)
            brief.suppression.judge()

    # -- the fold

    def _fold(self, store: FoldStore, brief: FoldBrief, tasks: Sequence[ArchivePart]) -> dict[int, Counted]:
        counted = store.done()
        sizes = [source.size for source in {task.source.name: task.source for task in tasks}.values()]
        total = None if any(size is None for size in sizes) else sum(size or 0 for size in sizes)
        progress = CompactProgress(len(tasks), total, time.monotonic())
        for each in counted.values():
            _add_progress(progress, each)
        progress.bytes_before = progress.bytes_done
        if counted:
            self.note(f"{len(counted):,} of {len(tasks):,} parts were folded before, and are not read again")

        def tell(task: ArchivePart, found: Counted) -> None:
            counted[task.number] = found
            _add_progress(progress, found)
            self.tell(progress)

        self.tell(progress)
        self.fold(store, brief, [task for task in tasks if task.number not in counted], tell)
        return counted

    def _written(
        self, store: FoldStore, tasks: Sequence[ArchivePart], counted: dict[int, Counted], place: Path
    ) -> Compacted:
        left = list(_left_files(tasks, counted))
        total = Counted()
        for each in counted.values():
            total.read += each.read
            total.filtered += each.filtered
            for (code, value), times in each.skipped.items():
                total.skip(code, value, times)
        result = Compacted(filtered=total.filtered)
        result.files = {"read": len({task.source.name for task in tasks}) - len(left), "unread": len(left)}
        result.problems = [_file_problem(each) for each in left]
        stopped = stop_of(left)
        if stopped is not None:
            result.status, result.exit_code, result.reason = "stopped", stopped.exit_code, stopped.code
            result.input_complete = False
            result.problems.insert(0, problem_group(stopped.code, None, 0, message=stopped.message, hint=stopped.hint))
            result.events = {"read": total.read, "kept": 0, "left_out": 0}
            return result
        written = _Output(tasks, counted)
        written.write(kept_events(store), place, packed=self.options.output.suffix == ".gz")
        skipped = sum(total.skipped.values())
        result.left_out = [
            ReasonLeftOut(code, value, count, _words(code, value))
            for (code, value), count in sorted(total.skipped.items(), key=lambda each: (-each[1], each[0][0]))
        ]
        superseded = total.read - skipped - written.count
        if superseded:
            result.left_out.append(ReasonLeftOut("superseded", None, superseded, _words("superseded", None)))
        result.events = {"read": total.read, "kept": written.count, "left_out": total.read - written.count}
        result.records = {kind: len(names) for kind, names in written.records.items()}
        result.output, result.output_bytes = str(self.options.output), place.stat().st_size
        if any(each.verdict == "told" for each in left):
            result.status, result.exit_code = "partial", EXIT_PARTIAL
        return result


@contextlib.contextmanager
def _alone(kept_beside: Path, place: Path) -> Iterator[None]:
    """Keeps other compactions off this output: each would take away what the other has folded. Raises StateHeld."""
    lock = FileLock(f"{kept_beside}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StateHeld(
            f"another compact is writing {place}", code="state_held", hint="wait for it to end, or name another file"
        ) from error
    except (OSError, NotImplementedError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserMistake(f"{OPTION} {place}: nothing can be locked beside it: {why}", code="output") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


class _Output:
    """The file of the kept events. `count` is how many there are, `records` whose they are."""

    def __init__(self, tasks: Sequence[ArchivePart], counted: dict[int, Counted]) -> None:
        self.count = 0
        self.records: dict[str, set[str]] = {kind: set() for kind in ("persons", "organizations", "products")}
        self._files = [task.source.name for task in tasks]
        self._lines_before: list[int] = []
        before, name = 0, None
        for task in tasks:
            before = before if task.source.name == name else 0
            name = task.source.name
            self._lines_before.append(before)
            before += counted[task.number].lines if task.number in counted else 0

    def write(self, events: Iterator[KeptEvent], place: Path, *, packed: bool) -> None:
        """Writes the file beside its place and renames it. Raises UserMistake where that cannot be done."""
        try:
            with written_beside(place) as file:
                if packed:
                    # Without name and time: the same events are the same bytes.
                    with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as pack, _Behind(pack.write) as behind:
                        self._write(events, behind.write)
                else:
                    self._write(events, file.write)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserMistake(f"{OPTION} {place}: {error.strerror or error}", code="output") from error

    def _write(self, events: Iterator[KeptEvent], write: Callable[[bytes], object]) -> None:
        owner = ""
        for event in events:
            part = event.number >> 32
            line = self._lines_before[part] + event.line
            note = OriginNote(
                file=self._files[part],
                line=line,
                index=event.index,
                identity=event.message_id,
                time=event.time,
                code=event.code,
            )
            write(reject_line(event.raw, note, cut=event.cut, bare=event.bare))
            self.count += 1
            if event.owner != owner:  # a record's events come one after the other
                owner = event.owner
                kind = kind_of_name(owner)
                if kind in self.records:
                    self.records[kind].add(owner)


class _Behind:
    """Writes in a thread of its own, a little behind: packing takes as long as finding and making the lines."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, "packing")
        self._under_way: deque[Future[object]] = deque()
        self._lines: list[bytes] = []
        self._size = 0

    def write(self, line: bytes) -> None:
        """Takes a line. Raises what writing an earlier one has raised."""
        self._lines.append(line)
        self._size += len(line)
        if self._size >= AT_ONCE:
            self._hand_on()
            if len(self._under_way) > BEHIND:
                self._under_way.popleft().result()

    def _hand_on(self) -> None:
        self._under_way.append(self._thread.submit(self._write, b"".join(self._lines)))
        self._lines, self._size = [], 0

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._hand_on()
                for each in self._under_way:
                    each.result()
        finally:
            self._thread.shutdown(cancel_futures=True)


def _values(filters: Filters) -> tuple[object, ...]:
    return (filters.since, filters.until, filters.types, filters.names, filters.users)


def _add_progress(progress: CompactProgress, counted: Counted) -> None:
    progress.parts_done += 1
    progress.bytes_done += counted.bytes_read
    progress.events += counted.read


def _left_files(tasks: Sequence[ArchivePart], counted: dict[int, Counted]) -> Iterator[LeftFile]:
    """The files that were not read to their end."""
    for task in tasks:
        found = counted.get(task.number)
        if found is None or found.left is None:
            continue
        left = left_file(_PartLeft(task.source, found), lambda _: False)
        if left is not None:
            yield left


class _PartLeft:
    """A reading of a part that is over."""

    def __init__(self, source: Source, counted: Counted) -> None:
        line, why, self.torn = counted.left or (0, Complaint("unfinished_line", ""), False)
        self.source = source
        self.left: Entry | None = Entry(source.name, line, b"", refusal=why)


def _file_problem(left: LeftFile) -> ProblemGroup:
    example = Example(left.place.file, left.place.line, None, None)
    return problem_group(left.why.code, None, 1, message=left.why.message, examples=(example,))


_WORDS: Final = {
    "superseded": "a newer event of the same record says it too, or a copy came before",
    "nothing_asked": "the event asks for nothing",
}


def _words(code: str, value: str | None) -> str:
    words = _WORDS.get(code) or words_for(code).message
    return f"{words}: {value.strip(chr(39))}" if value else words
