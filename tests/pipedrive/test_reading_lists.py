"""Lists and searches that are read to their end, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import MAX_PAGE, Call, find_exact, list_leads, listing
from pipedrive_cli.pipedrive.reading_lists import read_pages

Body = Mapping[str, Any]


def ids_read(call_at: Callable[[Any], Call], bodies: list[Body]) -> tuple[list[int], list[Call]]:
    """The ids of all rows that these answers bring (the last one again and again), and the calls."""
    asked: list[Call] = []

    async def send(call: Call) -> Answer:
        asked.append(call)
        assert len(asked) < 20, "it is asked for ever"
        return Answer(200, {}, {"success": True, **bodies[min(len(asked), len(bodies)) - 1]})

    async def read() -> list[int]:
        return [row["id"] async for rows in read_pages(send, call_at) for row in rows]

    return asyncio.run(read()), asked


def page(*ids: int, cursor: str | None = None) -> Body:
    return {"data": [{"id": each} for each in ids], "additional_data": {"next_cursor": cursor}}


persons = partial(listing, "persons")
leads = partial(list_leads, newest_first=True)


def test_cursors_starts_and_searches_are_followed_to_their_end() -> None:
    """v2 has a cursor, v1 a start, and a search its items below one key."""
    found, asked = ids_read(persons, [page(1, 2, cursor="a"), page(3)])
    assert (found, [call.query.get("cursor") for call in asked]) == ([1, 2, 3], [None, "a"])
    more = {"pagination": {"more_items_in_collection": True, "next_start": 500}}
    last = {"pagination": {"more_items_in_collection": False}}
    bodies: list[Body] = [
        {"data": [{"id": 1}], "additional_data": more},
        {"data": [{"id": 2}], "additional_data": last},
    ]
    found, asked = ids_read(leads, bodies)
    assert (found, [call.query["start"] for call in asked]) == ([1, 2], ["0", "500"])
    hits: Body = {"data": {"items": [{"item": {"id": 7}}, None]}, "additional_data": {"next_cursor": None}}
    assert ids_read(lambda cursor: find_exact("persons", "u", None, cursor), [hits])[0] == [7]


@pytest.mark.parametrize(
    "bodies",
    [
        [page(1, cursor="a")],  # the same next page for ever
        [page(1, cursor=f"c{number}") for number in range(20)],  # other cursors, and nothing new
        [{"data": [{"id": number} for number in range(MAX_PAGE)]}],  # a full page that says nothing of a next one
    ],
)
def test_a_list_that_does_not_move_on_stops_after_a_few_requests(bodies: list[Body]) -> None:
    """It is neither asked for ever nor taken for a whole one."""
    with pytest.raises(StopRun, match="does not move on") as stop:
        ids_read(persons, bodies)
    assert stop.value.code == "look_up_failed"


def test_a_full_page_that_has_lost_its_next_one_is_asked_for_once_more() -> None:
    """The second answer tells."""
    full = [{"id": number} for number in range(MAX_PAGE)]
    found, asked = ids_read(persons, [{"data": full}, {"data": full, "additional_data": {"next_cursor": None}}])
    assert (len(found), len(asked)) == (MAX_PAGE, 2)


@pytest.mark.parametrize("data", [None, [], [None, "odd", 3], {"items": None}, {"items": [{"item": 3}, 4]}])
def test_what_is_no_row_is_passed_over(data: object) -> None:
    """Null is an empty list."""
    assert ids_read(persons, [{"data": data, "additional_data": {"next_cursor": None}}])[0] == []
