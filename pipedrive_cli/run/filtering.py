"""Converts the options for filters and durations from text. Imports nothing that sends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeAlias

from pipedrive_cli.config import duration, moment_or_age
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.rows import ROW_TYPES, RowForm
from pipedrive_cli.run.options import Filters
from pipedrive_cli.text_forms import caseless_form

Columns: TypeAlias = tuple[str | None, str | None, str | None, str | None]  # --as, --id, --time, --message-id


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


def row_form(kind: str | None, id_: str | None, time_: str | None, message_id: str | None) -> RowForm | None:
    """How the rows of tables become events, as the options say; None: the sources hold events. Raises UserMistake."""
    columns = {"--id": id_, "--time": time_, "--message-id": message_id}
    if kind is None:
        if given := [option for option, column in columns.items() if column is not None]:
            raise UserMistake(f"{given[0]}: it goes with --as", code="usage", hint="--as identify, group or track")
        return None
    chosen = next((known for known in ROW_TYPES if known == kind.strip().lower()), None)
    if chosen is None:
        raise UserMistake(f"--as {kind}: rows cannot be read as that", code="usage", hint="identify, group or track")
    for option, column in columns.items():
        if column is not None and not column.strip():
            raise UserMistake(f"{option}: the name of a column is missing", code="usage")
    if id_ is None or time_ is None:
        missing = "--id" if id_ is None else "--time"
        hint = "--id COLUMN says whose a row is, --time COLUMN when it was so: of two rows the newer one counts"
        raise UserMistake(f"--as {chosen}: {missing} is missing", code="usage", hint=hint)
    if chosen == "track" and message_id is None:
        hint = "name a column that no two rows share and no change touches, or a changed row would make a second lead"
        raise UserMistake("--as track: --message-id is missing", code="usage", hint=hint)
    return RowForm(chosen, id_.strip(), time_.strip(), None if message_id is None else message_id.strip())


def seconds(option: str, text: str | None) -> float | None:
    """A duration option in seconds. Raises UserMistake."""
    if text is None:
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise UserMistake(
            f"{option} {text}: {error}", code="usage", hint="one number and one unit: 90m is an hour and a half"
        ) from error


def _moment(option: str, text: str | None, now: int) -> int | None:
    if text is None:
        return None
    try:
        return moment_or_age(text, now)
    except ValueError as error:
        raise UserMistake(f"{option} {text}: {error}", code="usage", hint="for example 2026-03-01 or 24h") from error
