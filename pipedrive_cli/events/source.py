"""Turns SOURCE arguments into the files to read, in order. Opens no file until `Source.open` is called.

Event files in a folder are those whose names end in .json, .ndjson, .jsonl or .log, with or without .gz or .zst after
it, or in .gz or .zst alone (but not in .tar.gz, .csv.zst and the like). Folders are read with all their subfolders;
hidden files and folders, and our own rejects files, are left out. A glob yields every file that it matches, except
hidden files and rejects files that it does not ask for. A file that the user names is read whatever its name.

Other files of a folder, and folders behind links, are not read; a sentence counts them and names the first.

What is found and is no file (a pipe, a device, a link to nothing) or may not be read is a source that says so; nobody
opens it. A pipe that the user names is read.
"""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from errno import ELOOP
from functools import cache
from pathlib import Path
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from pipedrive_cli.errors import SourceMissing, UserMistake
from pipedrive_cli.events.dated_folders import DaysLeftOut, first_day
from pipedrive_cli.events.event_files import (
    EVENT_ENDINGS,
    GLOB,
    TABLE_ENDINGS,
    is_event_file,
    is_rejects_file,
    is_table_file,
    is_url,
)
from pipedrive_cli.model import Complaint

if TYPE_CHECKING:
    from pipedrive_cli.events.cloud import CloudObject
    from pipedrive_cli.events.cloud_listing import CloudListing
    from pipedrive_cli.events.rows import RowForm, TableHead

STDIN: Final = "-"

SIBLINGS: Final = 10_000  # names that are looked through for the one that was meant
ALIKE: Final = 0.75  # how much alike two names must be, from 0 to 1


@dataclass(slots=True)
class _Others:
    """What lies in a folder and does not go by the name of what is looked for: how many, and the first by name."""

    is_wanted: Callable[[str], bool] = is_event_file
    number: int = 0
    links: int = 0  # of them, to folders
    first: str = ""

    def add(self, name: str, *, link: bool = False) -> None:
        """`name` is a path or a URL."""
        self.number += 1
        self.links += link
        self.first = min(self.first, name) if self.first else name

    def sentence(self, argument: str) -> str:
        reasons = []
        if self.number > self.links:
            events = self.is_wanted is is_event_file
            what, endings = ("event files", EVENT_ENDINGS) if events else ("tables", TABLE_ENDINGS)
            reasons.append(f"the names of {what} end in {endings}")
        if self.links:
            reasons.append("links to folders are not followed")
        who, one = f"{printable_name(self.first)} was not read", "it"
        if self.number > 1:
            who = f"{self.number:,} entries of {printable_name(argument)} were not read"
            who, one = f"{who} (first: {printable_name(self.first)})", "one"
        return f"{who}: {'; '.join(reasons)}; name {one} outright to have it read"


@dataclass(frozen=True, slots=True)
class Source:
    """One file or stream to read.

    `name` is the name in messages, always text that UTF-8 can hold. `named`: the user named this very file; it was not
    found in a folder or by a glob. `size` is in bytes on disk, None where there is none (pipes, stdin).
    """

    name: str
    named: bool
    size: int | None
    path: Path | None = None  # None: stdin, or in a cloud
    cloud: CloudObject | None = None
    stream: BinaryIO | None = None
    start: int = 0  # byte at which to begin: earlier runs have read what is before
    first_line: int = 0  # the number of lines before `start`
    unfit: Complaint | None = None  # why it is not to be opened
    rows: RowForm | None = None  # its rows are events, in this form; None: its lines hold them
    head: TableHead | None = None  # of a table that begins behind its header
    cut: bool = False  # it ends where another part of the same text begins

    def open(self) -> BinaryIO:
        """The bytes as stored, packed or not. Raises OSError. The caller closes the result, unless it is `stream`."""
        if self.cloud is not None:
            return self.cloud.open()
        if self.stream is not None:
            return self.stream
        if self.path is None:
            raise FileNotFoundError(f"{self.name} has neither a path nor a stream")
        file = self.path.open("rb", buffering=0)
        if self.start:
            file.seek(self.start)
        return file


def named_columns(sources: Sequence[Source]) -> frozenset[str]:
    """The columns by which rows of tables are events: whose they are, when they were. No mapping needs to name them."""
    return frozenset(column for source in sources if source.rows is not None for column in source.rows.columns)


def resolve_sources(
    arguments: Sequence[str],
    stdin: BinaryIO | None = None,
    *,
    since: int | None = None,
    rows: RowForm | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Source]:
    """The sources that SOURCE arguments name: in the order given, by name within a folder or glob, each file once.

    Folders whose events all came before `since` (microseconds since 1970 UTC) are left out where that is certain. A
    folder or glob without event files is no mistake; `note` is called with a sentence about it, and about what was left
    out or passed over. With `rows` all sources are tables, and those are looked for in folders. Raises `SourceMissing`
    with all files and folders that are not there; `UserMistake` for sources that cannot be read (no permission, no such
    bucket, no stdin); and `StopRun` when a cloud cannot be reached.
    """
    left_out = DaysLeftOut(None if since is None else first_day(since))
    is_wanted = is_event_file if rows is None else is_table_file

    @cache
    def clouds() -> CloudListing:
        from pipedrive_cli.events.cloud_listing import CloudListing  # noqa: PLC0415 - few name a URL

        return CloudListing(left_out, is_wanted)

    found: dict[str, Source] = {}
    missing: list[str] = []
    for argument in arguments:
        before = (left_out.folders, left_out.files)
        others = _Others(is_wanted)
        try:
            sources = list(_sources(argument, stdin, left_out, others, clouds))
        except (FileNotFoundError, NotADirectoryError):
            missing.append(argument)
            continue
        except OSError as error:
            _refuse(argument, error)
        if not sources and before == (left_out.folders, left_out.files):
            note(f"no {'event files' if rows is None else 'tables'} in {printable_name(argument)}")
        if others.number:
            note(others.sentence(argument))
        for source in sources:
            key = source.name if source.path is None else os.path.normcase(_real(source.path))
            earlier = found.setdefault(key, source)
            if source.named and not earlier.named:
                found[key] = replace(earlier, named=True)
    if missing:
        meant = sorted({name for argument in missing for name in _alike(argument)})
        raise SourceMissing(
            f"no such file or folder: {', '.join(printable_name(each) or 'an empty name' for each in missing)}",
            code="source_missing",
            hint=f"Did you mean {' or '.join(meant)}?" if meant else "Check the path; nothing was read or sent.",
        )
    if left_out:
        folders, files = _counted(left_out.folders, "folder"), _counted(left_out.files, "file")
        note(f"--since: {folders} and {files} left out, whose events all came before {left_out.first}")
    return [replace(source, rows=rows) for source in found.values()] if rows is not None else list(found.values())


def lies_among(path: Path, argument: str, *, tables: bool = False) -> bool:
    """Whether a file has the name of an event file and lies below the folder of a SOURCE, or is meant by its pattern.

    Also where it is not read: `--since` leaves folders out.
    """
    if argument == STDIN or is_url(argument) or not (is_table_file if tables else is_event_file)(path.name):
        return False
    folder = Path(argument)
    if not os.path.lexists(argument) and GLOB.search(argument):
        return any(_real(Path(match)) == _real(path) for match in glob.iglob(argument, recursive=True))  # noqa: PTH207
    return folder.is_dir() and _real(path).is_relative_to(_real(folder))


def _sources(
    argument: str, stdin: BinaryIO | None, left_out: DaysLeftOut, others: _Others, clouds: Callable[[], CloudListing]
) -> Iterator[Source]:
    if argument == STDIN:
        if stdin is None:
            raise UserMistake("`-` stands for standard input, and there is none here", code="no_stdin")
        yield Source("-", named=True, size=None, stream=stdin)
    elif is_url(argument):
        named, objects = clouds().objects(printable_name(argument), others.add)
        yield from (Source(printable_name(item.url), named, item.size, cloud=item) for item in objects)
    elif not argument:
        raise FileNotFoundError  # Path("") is the current folder, which nobody asked for
    elif not os.path.lexists(argument) and GLOB.search(argument):
        yield from _globbed(argument, left_out, others)
    else:
        yield from _walked(Path(argument), left_out.for_argument(_names(argument)), others, named=True)


def _globbed(pattern: str, left_out: DaysLeftOut, others: _Others) -> Iterator[Source]:
    wants_rejects = "reject" in Path(pattern).name.lower()
    days = left_out.for_argument(_names(GLOB.split(pattern, maxsplit=1)[0]))
    for match in sorted(glob.glob(pattern, recursive=True), key=_by_name):  # noqa: PTH207 - takes absolute patterns too
        if wants_rejects or not is_rejects_file(match):
            yield from _found(Path(match), days, others)


def _walked(path: Path, days: DaysLeftOut, others: _Others, *, named: bool) -> Iterator[Source]:
    """The file at `path`, or the event files of the folder there. Raises FileNotFoundError."""
    status = path.stat()
    if not S_ISDIR(status.st_mode):
        if not named and days.leaves_out_file(_names(path)):
            return
        regular = S_ISREG(status.st_mode)
        if not named and not regular:
            yield _passed_over(path, _kind(status.st_mode))
        elif os.access(path, os.R_OK):
            yield Source(printable_name(path), named, status.st_size if regular else None, path)
        elif named:
            raise UserMistake(f"{printable_name(path)}: no permission to read it", code="source_unreadable")
        else:
            yield _unreadable(path, "no permission to read it")
        return
    if not named and days.leaves_out_folder(_names(path)):
        return
    refused: list[OSError] = []
    for file in sorted(_event_files(path, days, others, refused.append), key=_by_name):
        yield from _found(file, days, others)
    for error in refused:
        if named and error.filename in (path, str(path)):
            _refuse(path, error)
        yield _unreadable(Path(error.filename), f"the folder cannot be listed: {error.strerror or error}")


def _found(path: Path, days: DaysLeftOut, others: _Others) -> Iterator[Source]:
    try:
        yield from _walked(path, days, others, named=False)
    except FileNotFoundError:
        if path.is_symlink():
            yield _passed_over(path, "a link to nothing")
        # Otherwise it was deleted since it was listed.
    except OSError as error:
        yield (
            _passed_over(path, "a link to itself")
            if error.errno == ELOOP
            else _unreadable(path, error.strerror or str(error))
        )


def _passed_over(path: Path, what: str) -> Source:
    """What was found and is no file. Opening a pipe could take for ever."""
    why = Complaint("not_a_file", f"{what}, no file: it was passed over")
    return Source(printable_name(path), named=False, size=0, path=path, unfit=why)


def _unreadable(path: Path, why: str) -> Source:
    complaint = Complaint("source_unreadable", f"{why}: it was passed over")
    return Source(printable_name(path), named=False, size=0, path=path, unfit=complaint)


def _kind(mode: int) -> str:
    kinds = {S_ISFIFO: "a named pipe", S_ISSOCK: "a socket", S_ISCHR: "a device", S_ISBLK: "a device"}
    return next((kind for holds, kind in kinds.items() if holds(mode)), "something else")


def _event_files(
    folder: Path, days: DaysLeftOut, others: _Others, refused: Callable[[OSError], None]
) -> Iterator[Path]:
    """A folder that cannot be listed must not pass for an empty one: `refused` is told of it."""
    for parent, folders, files in os.walk(folder, onerror=refused):
        visible = (name for name in folders if not name.startswith("."))
        folders[:] = (name for name in visible if not (days.active and days.leaves_out_folder([*_names(parent), name])))
        for name in folders:
            if os.path.islink(path := os.path.join(parent, name)):  # noqa: PTH114, PTH118 - asked for every folder
                others.add(path, link=True)
        for name in files:
            if others.is_wanted(name):
                yield Path(parent, name)
            elif not name.startswith(".") and not is_rejects_file(name):
                others.add(str(Path(parent, name)))


def _refuse(path: str | Path, error: OSError) -> NoReturn:
    raise UserMistake(f"{printable_name(path)}: {error.strerror or error}", code="source_unreadable") from error


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself
        return path.absolute()


def _alike(argument: str) -> Iterator[str]:
    """What is there and has nearly the name of a missing path."""
    path = Path(argument)
    if is_url(argument) or not path.name:
        return
    try:
        names = [each.name for each in itertools.islice(path.parent.iterdir(), SIBLINGS)]
    except OSError:
        return
    caseless = {name.casefold(): name for name in names}
    for near in get_close_matches(path.name.casefold(), caseless, 1, ALIKE):
        found = path.with_name(caseless[near])
        yield printable_name(found) + ("/" if found.is_dir() else "")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _names(path: str | Path) -> Sequence[str]:
    """The names from the root to a file or folder: a dated folder may lie above the current one."""
    return Path(os.path.abspath(path)).parts  # noqa: PTH100 - `resolve` would follow links and lose names


def _by_name(path: str | Path) -> tuple[str, ...]:
    return Path(path).parts


def printable_name(path: str | Path) -> str:
    """The path as text that UTF-8 can hold: file names are bytes, and not all bytes are characters."""
    return str(path).encode("utf-8", "backslashreplace").decode()
