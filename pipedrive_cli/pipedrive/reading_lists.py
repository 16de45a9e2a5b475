"""Reads a list or a search page by page, through a `send` that is passed in: to its end, or not at all.

What a run lists has rules of its own, for it keeps what it has seen: see `delivery.directory` and `delivery.listing`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import MAX_PAGE, Call
from pipedrive_cli.pipedrive.pages import Pages

Send: TypeAlias = Callable[[Call], Awaitable[Answer]]
Row: TypeAlias = Mapping[str, Any]


async def read_pages(send: Send, call_at: Callable[[Any], Call]) -> AsyncIterator[list[Row]]:
    """The rows of each page. `call_at` gives the request for a place: None, then a cursor, or a start in v1.

    Raises what `send` raises, and StopRun where the list does not move on, or may go on behind a full page that does
    not say so.
    """
    pages, place = Pages(), None
    while True:
        call = call_at(place)
        answer = await send(call)
        if _may_go_on(call, answer):
            answer = await send(call)  # it may have lost that on its way
        rows = _rows(answer)
        place = answer.next_start if _is_v1(call) else answer.next_cursor
        if _may_go_on(call, answer) or pages.stuck(place, (row.get("id", row.get("field_code")) for row in rows)):
            raise StopRun(
                f"Pipedrive's list cannot be read to its end: {call.label} does not move on",
                code="look_up_failed",
                hint="run again later to continue; nothing was guessed",
            )
        yield rows
        if place is None:
            return


def _rows(answer: Answer) -> list[Row]:
    """The rows of a list, or the items of a search."""
    data = answer.data
    if not isinstance(data, Mapping):
        return list(answer.rows or ())
    items = data.get("items")
    hits = (hit.get("item") for hit in (items if isinstance(items, list) else ()) if isinstance(hit, Mapping))
    return [item for item in hits if isinstance(item, Mapping)]


def _is_v1(call: Call) -> bool:
    return call.endpoint.path.startswith("/api/v1/")


def _may_go_on(call: Call, answer: Answer) -> bool:
    """Whether a full page says nothing of a next one."""
    named = answer.names_next_start if _is_v1(call) else answer.names_next
    return not named and len(_rows(answer)) >= MAX_PAGE
