"""Turns SOURCE arguments into the files to read, in order. Opens no file until `Source.open` is called.

Event files in a folder are those whose names end in .json, .ndjson, .jsonl or .log, with or without .gz or .zst after
it, or in .gz or .zst alone (but not in .tar.gz, .csv.zst and the like). Folders are read with all their subfolders;
hidden files and folders, and our own rejects files, are left out. A glob yields every file that it matches, except
hidden files and rejects files that it does not ask for. A file that the user names is read whatever its name.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from pipedrive_cli.errors import SourceMissing, UserMistake
from pipedrive_cli.events.dated_folders import DaysLeftOut, first_day
from pipedrive_cli.events.event_files import is_event_file, is_rejects_file, is_url

if TYPE_CHECKING:
    from pipedrive_cli.events.cloud import CloudObject
    from pipedrive_cli.events.cloud_listing import CloudListing

STDIN: Final = "-"

_GLOB: Final = re.compile(r"[*?\[]")


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


def resolve_sources(
    arguments: Sequence[str],
    stdin: BinaryIO | None = None,
    *,
    since: int | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Source]:
    """The sources that SOURCE arguments name: in the order given, by name within a folder or glob, each file once.

    Folders whose events all came before `since` (microseconds since 1970 UTC) are left out where that is certain. A
    folder or glob without event files is no mistake; `note` is called with a sentence about it, and about what was left
    out. Raises `SourceMissing` with all files and folders that are not there; `UserMistake` for sources that cannot be
    read (no permission, no such bucket, no stdin); and `StopRun` when a cloud cannot be reached.
    """
    left_out = DaysLeftOut(None if since is None else first_day(since))

    @cache
    def clouds() -> CloudListing:
        from pipedrive_cli.events.cloud_listing import CloudListing  # noqa: PLC0415 - few name a URL

        return CloudListing(left_out)

    found: dict[str, Source] = {}
    missing: list[str] = []
    for argument in arguments:
        before = (left_out.folders, left_out.files)
        try:
            sources = list(_sources(argument, stdin, left_out, clouds))
        except (FileNotFoundError, NotADirectoryError):
            missing.append(printable_name(argument))
            continue
        except OSError as error:
            _refuse(argument, error)
        if not sources and before == (left_out.folders, left_out.files):
            note(f"no event files in {printable_name(argument)}")
        for source in sources:
            key = source.name if source.path is None else os.path.normcase(source.path.resolve())
            earlier = found.setdefault(key, source)
            if source.named and not earlier.named:
                found[key] = replace(earlier, named=True)
    if missing:
        raise SourceMissing(
            f"no such file or folder: {', '.join(missing)}",
            code="source_missing",
            hint="Check the path; nothing was read or sent.",
        )
    if left_out:
        folders, files = _counted(left_out.folders, "folder"), _counted(left_out.files, "file")
        note(f"--since: {folders} and {files} left out, whose events all came before {left_out.first}")
    return list(found.values())


def _sources(
    argument: str, stdin: BinaryIO | None, left_out: DaysLeftOut, clouds: Callable[[], CloudListing]
) -> Iterator[Source]:
    if argument == STDIN:
        if stdin is None:
            raise UserMistake("`-` stands for standard input, and there is none here", code="no_stdin")
        yield Source("-", named=True, size=None, stream=stdin)
    elif is_url(argument):
        named, objects = clouds().objects(printable_name(argument))
        yield from (Source(printable_name(item.url), named, item.size, cloud=item) for item in objects)
    elif not argument:
        raise FileNotFoundError  # Path("") is the current folder, which nobody asked for
    elif not os.path.lexists(argument) and _GLOB.search(argument):
        yield from _globbed(argument, left_out)
    else:
        yield from _walked(Path(argument), left_out.for_argument(_names(argument)), named=True)


def _globbed(pattern: str, left_out: DaysLeftOut) -> Iterator[Source]:
    wants_rejects = "reject" in Path(pattern).name.lower()
    days = left_out.for_argument(_names(_GLOB.split(pattern, maxsplit=1)[0]))
    for match in sorted(glob.glob(pattern, recursive=True), key=_by_name):  # noqa: PTH207 - takes absolute patterns too
        if wants_rejects or not is_rejects_file(match):
            yield from _found(Path(match), days)


def _walked(path: Path, days: DaysLeftOut, *, named: bool) -> Iterator[Source]:
    """The file at `path`, or the event files of the folder there. Raises FileNotFoundError."""
    status = path.stat()
    if not S_ISDIR(status.st_mode):
        if not named and days.leaves_out_file(_names(path)):
            return
        if not os.access(path, os.R_OK):
            raise UserMistake(f"{printable_name(path)}: no permission to read it", code="source_unreadable")
        size = status.st_size if S_ISREG(status.st_mode) else None
        yield Source(printable_name(path), named, size, path)
        return
    if not named and days.leaves_out_folder(_names(path)):
        return
    for file in sorted(_event_files(path, days), key=_by_name):
        yield from _found(file, days)


def _found(path: Path, days: DaysLeftOut) -> Iterator[Source]:
    try:
        yield from _walked(path, days, named=False)
    except FileNotFoundError:
        return  # deleted since it was listed, or a broken link


def _event_files(folder: Path, days: DaysLeftOut) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_refuse_folder):
        visible = (name for name in folders if not name.startswith("."))
        folders[:] = (name for name in visible if not (days.active and days.leaves_out_folder([*_names(parent), name])))
        yield from (Path(parent, name) for name in files if is_event_file(name))


def _refuse_folder(error: OSError) -> None:
    """A folder that cannot be listed must not pass for an empty one."""
    _refuse(error.filename, error)


def _refuse(path: str | Path, error: OSError) -> NoReturn:
    raise UserMistake(f"{printable_name(path)}: {error.strerror or error}", code="source_unreadable") from error


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
