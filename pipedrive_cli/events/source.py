"""Where events come from: SOURCE arguments become files to read, in order. Opens nothing until it is asked to.

What counts as an event file in a folder: a name that ends in .json, .ndjson, .jsonl or .log, with or without .gz or
.zst after it, or in .gz or .zst alone (but not in .tar.gz, .csv.zst and the like). Folders are read with all that is in
them; hidden files and folders, and our own rejects files, are left out. A glob takes every file it matches, save hidden
ones and rejects files that it does not ask for. A file named outright is taken whatever its name.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, Final, NoReturn

from pipedrive_cli.errors import SourceMissing, UserMistake
from pipedrive_cli.events.event_files import is_event_file, is_rejects_file

STDIN: Final = "-"

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: C:\ is a drive
_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Source:
    """One file or stream to read.

    `name` is how people are told of it, always text that UTF-8 can hold. `named` says that the user named this very
    file, instead of having it found. `size` is in bytes as it lies on disk, None for what has none (pipes, stdin).
    """

    name: str
    named: bool
    size: int | None
    path: Path | None = None  # None: stdin
    stream: BinaryIO | None = None
    start: int = 0  # byte at which to begin: what stands before is known
    first_line: int = 0  # how many lines stand before it

    def open(self) -> BinaryIO:
        """The bytes as they lie there, packed or not. Raises OSError. Whoever asks closes what has a path."""
        if self.stream is not None:
            return self.stream
        if self.path is None:
            raise FileNotFoundError(f"{self.name} has neither a path nor a stream")
        file = self.path.open("rb", buffering=0)
        if self.start:
            file.seek(self.start)
        return file


def resolve(
    arguments: Sequence[str], stdin: BinaryIO | None = None, *, note: Callable[[str], None] = lambda _: None
) -> list[Source]:
    """The sources that SOURCE arguments name: in the order given, by name within a folder or glob, each file once.

    A folder or glob without event files is no mistake; `note` is called with a sentence about it. Raises
    `SourceMissing` for names of files and folders that are not there (all of them at once), and `UserMistake` for
    what cannot be read: a URL, a file without permission, stdin where there is none.
    """
    found: dict[str, Source] = {}
    missing: list[str] = []
    for argument in arguments:
        try:
            sources = list(_sources(argument, stdin))
        except (FileNotFoundError, NotADirectoryError):
            missing.append(_shown(argument))
            continue
        except OSError as error:
            _refuse(argument, error)
        if not sources:
            note(f"no event files in {_shown(argument)}")
        for source in sources:
            key = STDIN if source.path is None else os.path.normcase(source.path.resolve())
            earlier = found.setdefault(key, source)
            if source.named and not earlier.named:
                found[key] = replace(earlier, named=True)
    if missing:
        raise SourceMissing(
            f"no such file or folder: {', '.join(missing)}",
            code="source_missing",
            hint="Check the path; nothing was read or sent.",
        )
    return list(found.values())


def _sources(argument: str, stdin: BinaryIO | None) -> Iterator[Source]:
    if argument == STDIN:
        if stdin is None:
            raise UserMistake("`-` stands for standard input, and there is none here", code="no_stdin")
        yield Source("-", named=True, size=None, stream=stdin)
    elif _URL.match(argument):
        raise UserMistake(
            f"{_shown(argument)}: URLs cannot be read",
            code="url_not_supported",
            hint="Download the files first and name them, or pipe them in and name `-`.",
        )
    elif not argument:
        raise FileNotFoundError  # Path("") is the current folder, which nobody asked for
    elif not os.path.lexists(argument) and _GLOB.search(argument):
        yield from _globbed(argument)
    else:
        yield from _walked(Path(argument), named=True)


def _globbed(pattern: str) -> Iterator[Source]:
    wants_rejects = "reject" in Path(pattern).name.lower()
    for match in sorted(glob.glob(pattern, recursive=True), key=_by_name):  # noqa: PTH207 - takes absolute patterns too
        if wants_rejects or not is_rejects_file(match):
            yield from _found(Path(match))


def _walked(path: Path, *, named: bool) -> Iterator[Source]:
    """The file at `path`, or the event files of the folder there. Raises FileNotFoundError."""
    status = path.stat()
    if not S_ISDIR(status.st_mode):
        if not os.access(path, os.R_OK):
            raise UserMistake(f"{_shown(path)}: no permission to read it", code="source_unreadable")
        size = status.st_size if S_ISREG(status.st_mode) else None
        yield Source(_shown(path), named, size, path)
        return
    for file in sorted(_event_files(path), key=_by_name):
        yield from _found(file)


def _found(path: Path) -> Iterator[Source]:
    try:
        yield from _walked(path, named=False)
    except FileNotFoundError:
        return  # gone since it was listed, or a link that leads nowhere


def _event_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_refuse_folder):
        folders[:] = (name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in files if is_event_file(name))


def _refuse_folder(error: OSError) -> None:
    """A folder that cannot be listed must not pass for an empty one."""
    _refuse(error.filename, error)


def _refuse(path: str | Path, error: OSError) -> NoReturn:
    raise UserMistake(f"{_shown(path)}: {error.strerror or error}", code="source_unreadable") from error


def _by_name(path: str | Path) -> tuple[str, ...]:
    return Path(path).parts


def _shown(path: str | Path) -> str:
    """The path as text that UTF-8 can hold: file names are bytes, and not all of them are characters."""
    return str(path).encode("utf-8", "backslashreplace").decode()
