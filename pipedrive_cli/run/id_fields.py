"""Whether the field for ids is the right one: with a wrong `user_id_field` every person is made a second time.

One page of records is read (10 API tokens), the newest first, with the values of that field alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pipedrive_cli.config import Config
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.bodies import rows_of, values_of
from pipedrive_cli.pipedrive.catalog import listing
from pipedrive_cli.pipedrive.reading_lists import Send
from pipedrive_cli.report.problems import NoticeCode
from pipedrive_cli.report.summary import ProblemGroup, problem_group
from pipedrive_cli.transform.targets import ID_FIELDS, FieldTarget, resolve_field

UNUSED_ID_FIELD: NoticeCode = "id_field_unused"
_FEW: Final = 5  # ids of events: fewer may well be new ones, all of them


async def unused_id_fields(
    send: Send, config: Config, account: Account, ids: Mapping[Kind, Collection[str]]
) -> list[ProblemGroup]:
    """A notice for each id field in which no record has a value, or none that the events have.

    `ids` are user and group ids of the events. Raises what `send` raises.
    """
    found = []
    for kind, key in ID_FIELDS:
        written = getattr(config.identity, key)
        target = None if written is None or kind not in account.fields else resolve_field(kind, written, account)
        if not isinstance(target, FieldTarget):
            continue
        answer = await send(
            listing(kind, custom_fields=[target.address.removeprefix("custom_fields.")], newest_first=True)
        )
        rows = rows_of(kind, answer.rows or ())
        there = {str(values_of(kind, row).get(target.address) or "").strip() for row in rows} - {""}
        wanted = ids.get(kind, ())
        if rows and not there:
            said = f"none of the {_newest(len(rows), answer.next_cursor)} {kind} has a value in {written}"
            found.append(problem_group(UNUSED_ID_FIELD, None, 1, message=f"identity.{key}: {said}"))
        elif rows and len(wanted) >= _FEW and answer.next_cursor is None and there.isdisjoint(wanted):
            said = f"{len(there):,} {kind} have an id in {written}, and none of the events has one of these"
            found.append(problem_group(UNUSED_ID_FIELD, None, 1, message=f"identity.{key}: {said}"))
    return found


def _newest(number: int, cursor: str | None) -> str:
    return f"{number:,}" if cursor is None else f"{number:,} newest"
