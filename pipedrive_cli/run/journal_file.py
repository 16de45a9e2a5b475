"""Where the journal lives, and that one run at a time uses it."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal.schema import is_there
from pipedrive_cli.errors import StateHeld, UserMistake


def named_journal(named: Path | None, config: Config, *, sandbox: bool) -> Path | None:
    """The journal's file: the one that `--state` names, or else the config's. None: the account's own, or memory.

    The config's file is the account's. What a sandbox remembers there would pass for what Pipedrive holds.
    """
    return named if named is not None or sandbox else config.state


def state_folder() -> Path:
    """The folder of the accounts' journals. Raises UserMistake where nothing says whose it is.

    A container may run as a user id without a name and without HOME. A relative folder would be another one, and so
    another journal, wherever the command is started.
    """
    from platformdirs import user_state_path  # noqa: PLC0415 - only runs need it

    try:
        folder = user_state_path("pipedrive-cli", appauthor=False)
    except (RuntimeError, OSError, KeyError, ValueError):
        folder = Path("~")
    if not folder.is_absolute():
        relative = next((name for name in ("XDG_STATE_HOME", "HOME") if os.environ.get(name)), None)
        why = "this user has no home folder" if relative is None else f"{relative} is no absolute path"
        raise UserMistake(
            f"there is no place for the journal: {why}",
            code="journal",
            hint="name a lasting file with --state (or `state:` in the config), or set the environment variable "
            "XDG_STATE_HOME to a folder",
        )
    return folder


def default_path(company_id: int) -> Path:
    """One file per company in the user's state folder. Raises UserMistake as `state_folder` does."""
    return state_folder() / f"{company_id}.sqlite"


def journals_there() -> list[Path]:
    """The journals in the user's state folder. Raises UserMistake as `state_folder` does."""
    return sorted(state_folder().glob("*.sqlite"))


def only_journal() -> Path | None:
    """The journal in the user's state folder, where it is the only one."""
    try:
        journals = journals_there()
    except (OSError, UserMistake):
        return None
    return journals[0] if len(journals) == 1 else None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the journal for this process, by whatever name it is called. Raises StateHeld while another process does.

    Beside the journal's real name lies a file that is locked. Where the system can do it the journal itself is locked
    too, far behind all that SQLite locks: so hard links and folders that are mounted twice are one journal.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only runs need it

    held = StateHeld(
        f"another run is using {path}",
        code="state_held",
        hint="wait for it to end; it is the same account, and two runs at once would make duplicates",
    )
    with contextlib.ExitStack() as stack:
        try:
            real = Path(os.path.realpath(path))
            is_there(real)
            real.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{real}.lock", mode=0o600)
            lock.acquire(timeout=0)
            stack.callback(lock.release)
            file = os.open(real, os.O_CREAT | os.O_RDWR, 0o600)
            stack.callback(os.close, file)
            if not _locked_itself(file):
                raise held
        except Timeout as error:
            raise held from error
        except (OSError, ValueError, NotImplementedError) as error:
            raise UserMistake(
                f"cannot use the journal {path}: {getattr(error, 'strerror', None) or error}",
                code="journal",
                hint="name another file with --state",
            ) from error
        yield


LOCK_AT = 1 << 62  # SQLite locks bytes about 1 << 30 alone


def _locked_itself(file: int) -> bool:
    """Locks an open file by its own description. Returns False where another description has locked it.

    SQLite's locks are the process's: whoever closes any descriptor of the file loses them. This kind is not lost so.
    """
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:  # Windows
        return True
    if not hasattr(fcntl, "F_OFD_SETLK") or sys.maxsize < 1 << 32:
        return True  # the file beside it has to do
    asked = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, LOCK_AT, 1, 0)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, asked)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return False
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}:
            raise
    return True


def files_of(journal: Path) -> list[tuple[Path, str]]:
    """All the files of a journal, with what each is, as in "that is the journal"."""
    return [(Path(f"{journal}{end}"), "is the journal") for end in ("", "-wal", "-shm", "-journal", ".lock")]
