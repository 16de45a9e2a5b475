"""Files that options name, to be written: where they really lie, apart from all that is read, whole or not at all.

Links are followed. What is no regular file is refused: the new file would take the place of a device or a pipe.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pipedrive_cli.errors import StopCode, UserMistake

READ = "file is read in this run"  # what a source is, for `keep_apart`
_SQLITE = b"SQLite format 3\0"
OURS_TO_READ = 0o600  # events are personal data


def place_of(option: str, path: Path, *, kept: bool = False) -> Path:
    """Where the file is written, links followed. Raises UserMistake where that cannot be done.

    `kept`: what stands in it is read, too.
    """
    if str(path) == "-":
        raise _refused(option, path, "that is no file name", "Name a file: stdout has the result of the command.")
    try:
        place = Path(os.path.realpath(path))
        there = path.stat()
    except FileNotFoundError:
        there = None
    except (OSError, ValueError) as error:
        raise _refused(option, path, getattr(error, "strerror", None) or "that is no file name") from error
    if there is not None:
        if not (
            stat.S_ISREG(there.st_mode) and _identity(place) == (there.st_dev, there.st_ino)
        ):  # a stream under /dev/fd has no name
            raise _refused(option, path, "that is no regular file", "Name a file; links are followed.")
        if any(os.path.samestat(there, stream) for stream in _standard_streams()):
            raise _refused(option, path, "what the command prints goes into that file", "Name another file.")
        if _is_database(place):
            raise _refused(option, path, "that is a database, perhaps a journal", "Name another file.")
        if kept and not os.access(place, os.R_OK):
            raise _refused(option, path, "what stands in it may not be read", "Name another file.")
    if not place.parent.is_dir():
        raise _refused(
            option, path, "its folder does not exist", "Create the folder, or name a file in one that exists."
        )
    if not os.access(place.parent, os.W_OK):
        raise _refused(option, path, "its folder may not be written", "Name a file in another folder.")
    return place


def keep_apart(written: Iterable[tuple[str, Path]], read: Iterable[tuple[Path, str]]) -> None:
    """Raises UserMistake where an option names a file that must stay as it is, or that another option names.

    `written` are options with their files. `read` are files with what each is, as in "that is the config"; one need not
    be a file of this machine.
    """
    named = list(written)
    if not named:
        return
    taken: dict[object, str] = {}
    for path, what in read:
        taken.setdefault(_identity(path), what)
    for option, path in named:
        identity = _identity(path)
        if (found := taken.get(identity)) is not None:
            hint = f"Name another file for {option}; what is read is never overwritten."
            raise _refused(option, path, f"that {found}", hint)
        taken[identity] = f"is the file of {option} too"


def write_file(option: str, path: Path, content: bytes, *, mode: int = OURS_TO_READ) -> None:
    """Writes a temporary file beside and renames it. By default only its owner can read it. Raises UserMistake."""
    place = place_of(option, path)
    try:
        with written_beside(place, mode=mode) as file:
            file.write(content)
    except OSError as error:
        raise _refused(option, path, error.strerror or str(error)) from error


@contextlib.contextmanager
def written_beside(place: Path, *, mode: int = OURS_TO_READ) -> Iterator[BinaryIO]:
    """A file beside `place` that takes its place at the end, and goes where the block raises. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")  # mode 0600
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        beside.chmod(mode)
        beside.replace(place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _identity(path: Path) -> object:
    """What two paths share that name one file, by whatever links: device and number, or where it would be made."""
    try:
        there = path.stat()
    except (OSError, ValueError):
        try:
            return os.path.realpath(path)
        except (OSError, ValueError):
            return path
    return there.st_dev, there.st_ino


def _is_database(path: Path) -> bool:
    """Whether the file is SQLite's: the journal of another account is read in no run of this one."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _standard_streams() -> Iterable[os.stat_result]:
    for number in (1, 2):
        with contextlib.suppress(OSError):  # closed
            yield os.fstat(number)


def _refused(option: str, path: Path, why: str, hint: str | None = None) -> UserMistake:
    code: StopCode = "rejects_file" if option == "--rejects" else "usage"
    return UserMistake(f"{option} {path}: {why}", code=code, hint=hint)
