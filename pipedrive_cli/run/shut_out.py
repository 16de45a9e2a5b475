"""Remembers that Pipedrive's firewall has shut this machine out, so that the next cron run does not knock again.

A small file beside the journals; it holds a time and no secret.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from pipedrive_cli.errors import StopRun

QUIET = 900.0  # seconds: how long the firewall stays is not documented


def place(address: str, state: Path | None) -> Path:
    """Where it is remembered: beside `state` if the journal has a place of its own, else in the user's state folder."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only runs need it

    folder = state.parent if state is not None else user_state_path("pipedrive-cli", appauthor=False)
    name = hashlib.blake2b(address.encode(), digest_size=6).hexdigest()
    return folder / f"firewall-{name}"


def still_shut_out(path: Path, now: float) -> StopRun | None:
    """Why nothing may be sent yet, or None. `now` is seconds since 1970."""
    try:
        until = float(path.read_text())
    except (OSError, ValueError):
        return None
    if not now < until <= now + QUIET:
        return None
    return StopRun(
        "Pipedrive's firewall shut this client out a few minutes ago; nothing was sent now",
        code="firewall",
        hint="run again later; each knock makes it longer",
        resume_in=until - now,
    )


def remember(path: Path, now: float) -> None:
    """Notes that the door was shut just now. A disk that refuses costs the memory alone."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{int(now + QUIET)}")  # rounded up it would be further ahead than is believed
