"""Lists of v2: pages, order, filters, and what a list may be asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.sandbox.records import Record, Store

from .desk import Desk


def _all(desk: Desk, **query: object) -> list[int]:
    """The ids of all pages."""
    ids: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.get("/api/v2/persons", limit=3, **query, **cursor)
        ids += [row["id"] for row in page.data]
        following = page.json["additional_data"]["next_cursor"]
        if following is None:
            return ids
        cursor = {"cursor": following}


def _seven() -> Desk:
    """Seven persons, a second apart; then 2 is changed and 4 deleted."""
    desk = Desk()
    for number in range(7):
        desk.person(name=f"P{number}", owner_id=1 + number % 2)
        desk.clock.advance(1)
    desk.patch("/api/v2/persons/2", {"name": "Changed"})
    desk.send("DELETE", "/api/v2/persons/4")
    return desk


def test_pages_hold_every_living_record_once_in_order() -> None:
    """Following the cursors gives all records but the deleted one, by id unless told otherwise."""
    desk = _seven()
    assert _all(desk) == [1, 2, 3, 5, 6, 7]
    assert _all(desk, sort_direction="desc") == [7, 6, 5, 3, 2, 1]
    assert _all(desk, sort_by="update_time") == [1, 3, 5, 6, 7, 2]
    assert _all(desk, sort_by="update_time", sort_direction="desc") == [2, 7, 6, 5, 3, 1]
    assert _all(desk, sort_by="add_time") == [1, 2, 3, 5, 6, 7]


def test_a_page_that_holds_everything_is_the_last() -> None:
    """A page has as many records as were asked for, and a cursor only where more follow."""
    desk = _seven()
    for limit, more in ((5, True), (6, False), (7, False)):
        page = desk.get("/api/v2/persons", limit=limit)
        assert len(page.data) == min(limit, 6)
        assert (page.json["additional_data"]["next_cursor"] is not None) is more


def test_records_made_between_two_pages_appear_on_the_later() -> None:
    """A cursor marks a place, not a number of rows."""
    desk = _seven()
    first = desk.get("/api/v2/persons", limit=5)
    desk.person()
    cursor = first.json["additional_data"]["next_cursor"]
    assert [row["id"] for row in desk.get("/api/v2/persons", limit=5, cursor=cursor).data] == [7, 8]


def test_lists_are_narrowed_by_time_owner_organization_and_ids() -> None:
    """updated_since is inclusive, updated_until is not; ids that are not there are left out in silence."""
    desk = _seven()
    assert _all(desk, updated_since="2026-11-23T12:00:05Z") == [2, 6, 7]
    assert _all(desk, updated_since="2026-11-23T14:00:05+02:00", updated_until="2026-11-23T12:00:07Z") == [6, 7]
    assert _all(desk, owner_id=2) == [2, 6]
    assert _all(desk, org_id=1) == []
    assert _all(desk, deal_id=1) == []
    assert _all(desk, ids="7,4,99,1") == [1, 7]


def test_custom_fields_and_extras_are_shown_on_request() -> None:
    """custom_fields trims to the named keys; include_fields and include_labels add."""
    desk = Desk()
    keys = [desk.sandbox.add_field("persons", name=f"F{number}") for number in range(3)]
    desk.person(custom_fields={keys[0]: "a", keys[1]: "b"})
    shown = desk.get("/api/v2/persons", custom_fields=f"{keys[1]},{keys[2]},{'0' * 40}").data[0]
    assert shown["custom_fields"] == {keys[1]: "b", keys[2]: None}
    shown = desk.get("/api/v2/persons/1", include_fields="notes_count", include_labels="true").data
    assert (shown["notes_count"], shown["labels"]) == (0, [])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 501}, "between 1 and 500"),
        ({"limit": 0}, "between 1 and 500"),
        ({"limit": "ten"}, "not a valid 'integer'"),
        ({"start": 5}, "Parameter 'start' is not allowed for this request"),
        ({"sort": "id"}, "Parameter 'sort' is not allowed for this request"),
        ({"sort_by": "name"}, "must be one of id, update_time, add_time"),
        ({"sort_direction": "up"}, "must be one of asc, desc"),
        ({"updated_since": "2024-01-01T00:00:00.000Z"}, "not a valid datetime"),
        ({"updated_since": "2024-01-01"}, "not a valid datetime"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "e30"}, "cursor"),
        ({"ids": ",".join(str(number) for number in range(101))}, "at most 100"),
        ({"ids": "a"}, "not a valid 'integer'"),
        ({"custom_fields": ",".join("k" * 16)}, "at most 15"),
        ({"include_fields": "colour"}, "'colour' is not one of"),
        ({"include_option_labels": "1"}, "not a valid 'boolean'"),
        ({"owner_id": "me"}, "not a valid 'integer'"),
    ],
)
def test_a_list_that_pipedrive_would_not_give_is_refused(query: dict[str, object], message: str) -> None:
    """Unknown parameters and values out of range are answered with 400 in v2's shape."""
    got = Desk().get("/api/v2/persons", **query)
    assert got.status == 400
    assert message in got.error
    assert got.json["code"] == "ERR_SCHEMA_VALIDATION_FAILED"


def test_products_know_fewer_parameters() -> None:
    """What persons' lists take and products' do not is refused there."""
    desk = Desk()
    for name in ("updated_until", "include_fields", "include_option_labels"):
        assert desk.get("/api/v2/products", **{name: "true"}).status == 400
    assert desk.get("/api/v2/products", sort_by="name").status == 200
    desk.post("/api/v2/products", {"name": "Pen"})
    assert desk.get("/api/v2/products/1", custom_fields="x").status == 400


@given(st.lists(st.tuples(st.sampled_from(["add", "touch", "delete"]), st.integers(0, 30), st.integers(0, 2))))
def test_the_index_by_time_finds_what_a_walk_through_all_records_finds(
    steps: list[tuple[str, int, int]],
) -> None:
    """After any history, changed_since and living give what filtering every record would."""
    store, now = Store(), 0
    for what, which, wait in steps:
        now += wait
        number = which % (store.next_number() - 1) + 1 if store.next_number() > 1 else 0
        record = store.get(number)
        if what == "add" or record is None:
            number = store.next_number()
            store.add(Record(number, number, {}, now, now))
        elif what == "touch":
            store.touch(record, now)
        else:
            store.delete(record, now)
    living = [record for record in store.records.values() if not record.deleted]
    assert list(store.living()) == living
    assert list(store.living(descending=True)) == living[::-1]
    for moment in range(now + 1):
        assert list(store.changed_since(moment)) == [record for record in living if record.updated >= moment]
    for before, after in pairwise(living):
        assert next(store.living(after=before.number)) is after
