"""Another account taken over into a sandbox: shown as it was, whatever it holds, and written on as if at home."""

from __future__ import annotations

from typing import Any

from .desk import Desk

KEY, SET, ODD = "ab" * 20, "cd" * 20, "ef" * 20
OPTIONS = [{"id": 91, "label": "ads"}, {"id": 77, "label": "fair"}]


def _field(key: str, name: str, field_type: str, options: Any = None) -> dict[str, Any]:
    shown = {"field_code": key, "field_name": name, "field_type": field_type}
    return {**shown, "is_custom_field": True, "options": options}


def _person(number: int, updated: str = "2026-11-20T08:00:00Z", **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"id": number, "name": f"P{number}", "owner_id": 8_001, "org_id": None, "label_ids": None}
    row |= {"emails": [{"value": f"p{number}@x.test", "primary": True, "label": "work"}], "phones": []}
    return row | {"add_time": "2020-01-01T00:00:00Z", "update_time": updated, "is_deleted": False, **more}


def test_records_are_shown_as_they_were() -> None:
    """Ids, times, options by id and keys nobody here knows stay; deleted ones are left out; lists go by id."""
    desk = Desk()
    desk.sandbox.load_fields("persons", [_field(KEY, "Our id", "varchar"), _field(ODD, "Odd", "not seen before")])
    odd = _person(40, birthday="1990-01-01", custom_fields={KEY: "u40", ODD: {"any": ["thing"]}})
    desk.sandbox.load_records("persons", [_person(907), odd, _person(41, is_deleted=True), _person(40_000)])
    desk.sandbox.index_now()
    listed = desk.get("/api/v2/persons").data
    assert [row["id"] for row in listed] == [40, 907, 40_000]
    assert listed[0].items() >= {**odd, "label_ids": []}.items()
    assert [row["id"] for row in desk.get("/api/v2/persons", updated_since="2026-11-21T00:00:00Z").data] == []
    found = desk.get("/api/v2/persons/search", term="u40", fields="custom_fields", exact_match="true").data["items"]
    assert [hit["item"]["id"] for hit in found] == [40]


def test_what_is_written_afterwards_is_judged_by_the_loaded_fields() -> None:
    """New records come after the highest id, owners seen are users, and values of unknown types are taken."""
    desk = Desk()
    desk.sandbox.load_fields("persons", [_field(SET, "Source", "set", OPTIONS), _field(ODD, "Odd", "unheard of")])
    desk.sandbox.load_records("persons", [_person(907)])
    body = {"name": "New", "owner_id": 8_001, "custom_fields": {SET: [77], ODD: "x"}}
    assert desk.post("/api/v2/persons", body).data["id"] == 908
    assert desk.patch("/api/v2/persons/907", {"custom_fields": {SET: [91]}}).status == 200
    assert desk.patch("/api/v2/persons/907", {"custom_fields": {SET: [5]}}).status == 400
    assert [row["id"] for row in desk.get("/api/v2/persons", updated_since="2026-11-21T00:00:00Z").data] == [907, 908]


def test_leads_come_flat_and_leave_flat() -> None:
    """Options and parts of a lead's fields are as v1 shows them, archived leads are on their shelf, labels by id."""
    desk = Desk()
    desk.sandbox.load_fields("deals", [_field(SET, "Source", "set", OPTIONS), _field(KEY, "Budget", "monetary")])
    label = "0F6B3A54-0000-4000-8000-000000000001"
    desk.sandbox.load_lead_labels([{"id": label, "name": "Customer"}])
    rows = [
        {"id": f"00000000-0000-4000-8000-00000000000{n}", "title": f"L{n}", "person_id": 907, "origin_id": f"m{n}"}
        | {SET: "91,77", KEY: 12.5, f"{KEY}_currency": "EUR", "label_ids": [label.lower()], "is_archived": n == 2}
        for n in (1, 2)
    ]
    desk.sandbox.load_records("persons", [_person(907)])
    desk.sandbox.load_records("leads", rows)
    listed = desk.get("/api/v1/leads").data
    assert [row["id"] for row in listed] == [rows[0]["id"]]
    assert rows[0].items() <= listed[0].items()
    assert [row["origin_id"] for row in desk.get("/api/v1/leads/archived").data] == ["m2"]
    assert [row["name"] for row in desk.get("/api/v1/leadLabels").data] == ["Customer"]
    made = desk.post("/api/v1/leads", {"title": "New", "person_id": 907, "label_ids": [label.lower()]})
    assert made.status == 201


def test_prices_of_loaded_products_stand_per_currency() -> None:
    """A product is listed with the prices and the code it had."""
    desk = Desk()
    price = {"product_id": 5, "price": 3, "currency": "CHF", "cost": 1, "direct_cost": 0, "notes": ""}
    desk.sandbox.load_records("products", [{"id": 5, "name": "Tea", "code": "t-5", "tax": 2.5, "prices": [price]}])
    row = desk.get("/api/v2/products/5").data
    assert (row["code"], row["tax"], row["prices"]) == ("t-5", 2.5, [price])


def test_a_list_goes_on_at_the_cursor_of_an_id() -> None:
    """A place in another account's list can be given to a client that keeps one."""
    desk = Desk()
    desk.sandbox.load_records("persons", [_person(number) for number in (3, 8, 12)])
    listed = desk.get("/api/v2/persons", cursor=desk.sandbox.cursor_after(3)).data
    assert [row["id"] for row in listed] == [8, 12]
