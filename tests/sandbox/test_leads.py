"""Leads, which still speak v1: flat custom values, Joi-like refusals, times with milliseconds."""

from __future__ import annotations

from typing import Any

import pytest

from .desk import Desk


def _desk() -> Desk:
    desk = Desk()
    desk.post("/api/v2/organizations", {"name": "Acme"})
    desk.person()
    return desk


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"person_id": 1}, '"title" is required'),
    ({"title": ""}, '"title" is not allowed to be empty'),
    ({"title": None, "person_id": 1}, '"title" must be a string'),
    ({"title": "L"}, "must be linked to a person or an organization"),
    ({"title": "L", "person_id": "1"}, '"person_id" must be a number'),
    ({"title": "L", "person_id": None}, '"person_id" must be a number'),
    ({"title": "L", "person_id": 99}, "Person with ID 99 was not found"),
    ({"title": "L", "organization_id": 99}, "Organization with ID 99 was not found"),
    ({"title": "L", "person_id": 1, "org_id": 1}, '"org_id" is not allowed'),
    ({"title": "L", "person_id": 1, "owner_id": None}, '"owner_id" must be a number'),
    ({"title": "L", "person_id": 1, "value": 5}, '"value" must be of type object'),
    ({"title": "L", "person_id": 1, "value": {"amount": 5}}, '"value.currency" is required'),
    ({"title": "L", "person_id": 1, "value": {"currency": "EUR"}}, '"value.amount" is required'),
    ({"title": "L", "person_id": 1, "value": {"amount": "5", "currency": "EUR"}}, '"value.amount" must be a number'),
    ({"title": "L", "person_id": 1, "value": {"amount": 5, "currency": "XXX"}}, "is not a currency"),
    ({"title": "L", "person_id": 1, "visible_to": 3}, '"visible_to" must be one of'),
    ({"title": "L", "person_id": 1, "label_ids": [1]}, '"label_ids[0]" must be a valid GUID'),
    ({"title": "L", "person_id": 1, "label_ids": ["0" * 8 + "-0000-0000-0000-" + "0" * 12]}, "was not found"),
    ({"title": "L", "person_id": 1, "expected_close_date": "soon"}, "YYYY-MM-DD"),
    ({"title": "L", "person_id": 1, "was_seen": 1}, '"was_seen" must be a boolean'),
    ({"title": "L", "person_id": 1, "channel": 5}, "channels configured"),
    ({"title": "L", "person_id": 1, "add_time": "2024-01-01T00:00:00Z"}, '"add_time" is not allowed'),
    ({"title": "L", "person_id": 1, "is_archived": True}, '"is_archived" is not allowed'),
    ({"title": "L", "person_id": 1, "custom_fields": {}}, '"custom_fields" is not allowed'),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_a_lead_that_pipedrive_would_not_take_is_refused(body: dict[str, Any], message: str) -> None:
    """A bad lead is answered with 400 in v1's shape, the reason in error_info, and nothing is made."""
    desk = _desk()
    got = desk.post("/v1/leads", body)
    assert got.status == 400
    assert "provided dataset is not valid" in got.error
    assert message in got.json["error_info"]
    assert got.json["data"] is None
    assert desk.get("/v1/leads").data == []


def test_a_lead_shows_what_was_sent_and_the_defaults() -> None:
    """A new lead has an uuid, times with milliseconds, and comes from the API whatever is said."""
    desk = _desk()
    desk.clock.advance(0.25)
    body = {"title": "L", "person_id": 1, "origin_id": "m1", "value": {"amount": 5, "currency": "EUR"}}
    got = desk.post("/v1/leads", body)
    assert got.status == 201
    lead = got.data
    assert len(lead["id"]) == 36
    assert lead["add_time"] == "2026-11-23T12:00:00.250Z"
    assert lead["value"] == {"amount": 5, "currency": "EUR"}
    assert (lead["source_name"], lead["origin"], lead["origin_id"]) == ("API", "API", "m1")
    assert (lead["organization_id"], lead["visible_to"], lead["is_archived"]) == (None, "3", False)
    assert desk.get(f"/api/v1/leads/{lead['id']}").data == lead


FLAT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("varchar", {"": "x"}, {"": "x"}),
    ("double", {"": "12.5"}, {"": 12.5}),
    ("monetary", {"": 5, "_currency": "USD"}, {"": 5, "_currency": "USD"}),
    ("monetary", {"": 5}, {"": 5, "_currency": "EUR"}),
    ("daterange", {"": "2024-01-01", "_until": "2024-02-01"}, {"": "2024-01-01", "_until": "2024-02-01"}),
    ("time", {"": "09:00:00"}, {"": "09:00:00"}),
    ("people", {"": 1}, {"": 1}),
]


@pytest.mark.parametrize(("field_type", "sent", "shown"), FLAT)
def test_custom_values_travel_flat(field_type: str, sent: dict[str, Any], shown: dict[str, Any]) -> None:
    """A value stands under its key and its parts under longer keys, in requests and in answers."""
    desk = _desk()
    key = desk.sandbox.add_field("deals", name="Field", field_type=field_type)
    body = {f"{key}{part}": value for part, value in sent.items()}
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1, **body}).data
    assert {part: lead[f"{key}{part}"] for part in shown} == shown


def test_options_of_leads_are_text() -> None:
    """An option id may be sent as number or text and is read as text; a set is a list with commas."""
    desk = _desk()
    one = desk.sandbox.add_field("deals", name="One", field_type="enum", options=["A", "B"])
    many = desk.sandbox.add_field("deals", name="Many", field_type="set", options=["C", "D"])
    ids = [
        option["id"]
        for field in desk.get("/v1/leadFields", limit=500).data
        if field["key"] in {one, many}
        for option in field["options"]
    ]
    body = {one: ids[0], many: f"{ids[2]},{ids[3]}"}
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1, **body}).data
    assert (lead[one], lead[many]) == (str(ids[0]), f"{ids[2]},{ids[3]}")
    assert desk.patch(f"/v1/leads/{lead['id']}", {one: str(ids[1])}).data[one] == str(ids[1])
    assert desk.patch(f"/v1/leads/{lead['id']}", {one: "999"}).status == 400


def test_a_part_sent_alone_changes_that_part() -> None:
    """The currency of a value can be changed without the value, where there is one."""
    desk = _desk()
    key = desk.sandbox.add_field("deals", name="Budget", field_type="monetary")
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1, key: 5}).data
    path = f"/v1/leads/{lead['id']}"
    changed = desk.patch(path, {f"{key}_currency": "USD"}).data
    assert (changed[key], changed[f"{key}_currency"]) == (5, "USD")
    desk.patch(path, {key: None})
    assert desk.patch(path, {f"{key}_currency": "USD"}).status == 400


def test_a_deleted_field_is_gone_from_leads() -> None:
    """Without its field a value is not shown, and its key is not allowed."""
    desk = _desk()
    key = desk.sandbox.add_field("deals", name="Field")
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1, key: "x"}).data
    desk.send("DELETE", f"/api/v2/dealFields/{key}")
    assert key not in desk.get(f"/v1/leads/{lead['id']}").data
    assert "is not allowed" in desk.patch(f"/v1/leads/{lead['id']}", {key: "y"}).error


def test_an_unset_value_is_absent_and_null_clears() -> None:
    """Leads show custom fields only where they are set."""
    desk = _desk()
    key = desk.sandbox.add_field("deals", name="Field")
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1}).data
    assert key not in lead
    path = f"/v1/leads/{lead['id']}"
    assert desk.patch(path, {key: "x"}).data[key] == "x"
    assert key not in desk.patch(path, {key: None}).data


def test_a_lead_keeps_a_contact_and_only_sent_keys_change() -> None:
    """Null unsets what may be unset, but the last of person and organization stays."""
    desk = _desk()
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1, "organization_id": 1}).data
    path = f"/v1/leads/{lead['id']}"
    assert desk.patch(path, {"person_id": None}).data["organization_id"] == 1
    assert desk.patch(path, {"organization_id": None}).status == 400
    assert "origin_id" in desk.patch(path, {"origin_id": "x"}).error
    assert desk.patch(path, {"title": None}).status == 400


def test_archived_leads_are_apart_and_cannot_be_edited() -> None:
    """An archived lead leaves the list for the archive's, and takes no change but its return."""
    desk = _desk()
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1}).data
    path = f"/v1/leads/{lead['id']}"
    assert desk.patch(path, {"is_archived": True}).data["is_archived"] is True
    assert desk.get("/v1/leads").data == []
    assert [row["id"] for row in desk.get("/v1/leads/archived").data] == [lead["id"]]
    assert desk.patch(path, {"title": "M"}).status == 400
    assert desk.patch(path, {"is_archived": False}).status == 200


def test_leads_are_listed_oldest_first_by_pages_and_filters() -> None:
    """v1 pages by start and limit; person, organization and time of change narrow the list."""
    desk = _desk()
    for number in range(5):
        desk.post("/v1/leads", {"title": f"L{number}", "person_id": 1})
        desk.clock.advance(1)
    desk.post("/v1/leads", {"title": "L5", "organization_id": 1})
    page = desk.get("/v1/leads", limit=2, start=1)
    assert [row["title"] for row in page.data] == ["L1", "L2"]
    assert page.json["additional_data"]["pagination"]["more_items_in_collection"] is True
    assert [row["title"] for row in desk.get("/v1/leads", organization_id=1).data] == ["L5"]
    since = desk.get("/v1/leads", updated_since="2026-11-23T12:00:04Z")
    assert [row["title"] for row in since.data] == ["L4", "L5"]
    latest = desk.get("/v1/leads", sort="add_time DESC", limit=1)
    assert latest.data[0]["title"] == "L5"
    assert desk.get("/v1/leads", sort="title sideways").status == 400
    assert desk.get("/v1/leads", limit=501).status == 400
    assert desk.get("/v1/leads", colour="red").status == 400


def test_an_unknown_lead_is_not_found_in_the_documented_words() -> None:
    """The 404 of a lead is the one the specification shows."""
    desk = _desk()
    got = desk.get("/v1/leads/3051983e-95f9-49b7-b0f7-375aa90ad0ed")
    assert got.status == 404
    assert got.json["error"] == "requested lead not found"
    assert desk.get("/v1/leads/5").status == 400


def test_lead_labels_are_made_changed_and_deleted() -> None:
    """Labels have an uuid and one of ten colours; a deleted one leaves the leads that bore it."""
    desk = _desk()
    assert [label["name"] for label in desk.get("/v1/leadLabels").data] == ["Hot", "Cold", "Warm"]
    assert desk.post("/v1/leadLabels", {"name": "New"}).status == 400
    assert desk.post("/v1/leadLabels", {"name": "New", "color": "mauve"}).status == 400
    label = desk.post("/v1/leadLabels", {"name": "New", "color": "pink"}).data
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1, "label_ids": [label["id"]]}).data
    assert lead["label_ids"] == [label["id"]]
    assert desk.patch(f"/v1/leadLabels/{label['id']}", {"name": "Old"}).data["name"] == "Old"
    assert desk.send("DELETE", f"/v1/leadLabels/{label['id']}").data == {"id": label["id"]}
    assert desk.get(f"/v1/leads/{lead['id']}").data["label_ids"] == []
