"""Where the journal lives, and that one run at a time uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipedrive_cli.config import Config
from pipedrive_cli.errors import StateHeld, UserMistake


def named_journal(named: Path | None, config: Config, *, sandbox: bool) -> Path | None:
    """The journal's file: the one that `--state` names, or else the config's. None: the account's own, or memory.

    The config's file is the account's. What a sandbox remembers there would pass for what Pipedrive holds.
    """
    return named if named is not None or sandbox else config.state


def default_path(company_id: int) -> Path:
    """One file per company in the user's state folder."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only runs need it

    return user_state_path("pipedrive-cli", appauthor=False) / f"{company_id}.sqlite"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the journal for this process. Raises StateHeld while another process does."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only runs need it

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", mode=0o600)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StateHeld(
            f"another run is using {path}",
            code="state_held",
            hint="wait for it to end; it is the same account, and two runs at once would make duplicates",
        ) from error
    except OSError as error:
        raise UserMistake(
            f"cannot use the journal {path}: {error.strerror or error}",
            code="journal",
            hint="name another file with --state",
        ) from error
    try:
        yield
    finally:
        lock.release()
