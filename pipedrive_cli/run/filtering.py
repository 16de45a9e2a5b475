"""Converts the options for filters and durations from text. Imports nothing that sends."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pipedrive_cli.config import duration, moment_or_age
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.run.options import Filters
from pipedrive_cli.text_forms import caseless_form


def filters(
    *,
    since: str | None,
    until: str | None,
    types: Sequence[str] | None,
    names: Sequence[str] | None,
    users: Sequence[str] | None,
) -> Filters:
    """The filters that the options ask for. Raises UserMistake."""
    now = time.time_ns() // 1000
    known = {"identify", "group", "alias", "track", "page", "screen"}
    wanted = frozenset(t.strip().lower() for t in types or ())
    if unknown := wanted - known:
        raise UserMistake(
            f"--type {', '.join(sorted(unknown))}: there is no such type of event",
            code="usage",
            hint=f"one of {', '.join(sorted(known))}",
        )
    return Filters(
        since=_moment("--since", since, now),
        until=_moment("--until", until, now),
        types=wanted,
        names=frozenset(caseless_form(n) for n in names or ()),
        users=frozenset(u.strip() for u in users or ()),
    )


def seconds(option: str, text: str | None) -> float | None:
    """A duration option in seconds. Raises UserMistake."""
    if text is None:
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise UserMistake(f"{option} {text}: {error}", code="usage", hint="for example 90s, 30m or 2h") from error


def _moment(option: str, text: str | None, now: int) -> int | None:
    if text is None:
        return None
    try:
        return moment_or_age(text, now)
    except ValueError as error:
        raise UserMistake(f"{option} {text}: {error}", code="usage", hint="for example 2026-03-01 or 24h") from error
