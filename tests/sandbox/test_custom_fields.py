"""Custom fields: their metadata, and the shape that every type's values must have."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Desk

GOOD: list[tuple[str, Any, Any]] = [
    ("varchar", "abc", "abc"),
    ("varchar", "", None),
    ("varchar_auto", "abc", "abc"),
    ("text", "a" * 65_535, "a" * 65_535),
    ("phone", "+1 2", "+1 2"),
    ("double", 12.5, 12.5),
    ("double", 0, 0),
    ("monetary", {"value": 5, "currency": "USD"}, {"value": 5, "currency": "USD"}),
    ("user", 2, 2),
    ("people", 1, 1),
    ("org", 1, 1),
    ("date", "2024-02-29", "2024-02-29"),
    ("daterange", {"value": "2024-01-01", "until": "2024-02-01"}, {"value": "2024-01-01", "until": "2024-02-01"}),
    ("time", {"value": "09:00"}, {"value": "09:00:00", "timezone_name": "Etc/UTC"}),
    (
        "timerange",
        {"value": "09:00:00", "until": "10:00:00", "timezone_name": "Europe/London"},
        {"value": "09:00:00", "until": "10:00:00", "timezone_name": "Europe/London"},
    ),
]

BAD: list[tuple[str, Any, str]] = [
    ("varchar", 5, "Expected 'string'"),
    ("varchar", {"value": "x"}, "Invalid collection"),
    ("varchar", "x" * 256, "longer than 255"),
    ("phone", "x" * 256, "longer than 255"),
    ("text", "x" * 65_536, "longer than 65535"),
    ("double", "12.5", "Expected 'number'"),
    ("double", True, "Expected 'number'"),
    ("monetary", 5, "expected 'object'"),
    ("monetary", {"value": 5}, "needs 'currency'"),
    ("monetary", {"value": "5", "currency": "USD"}, "Expected 'number'"),
    ("monetary", {"value": 5, "currency": "usd"}, "Unknown currency 'usd'"),
    ("monetary", {"value": 5, "currency": "USD", "x": 1}, "Unknown key 'x'"),
    ("enum", "First", "Expected 'number' as value for single option custom field"),
    ("enum", 999, "Option '999' does not exist"),
    ("set", 999, "Expected 'array'"),
    ("set", [], "at least 1 element"),
    ("set", [999], "Option '999' does not exist"),
    ("set", ["1"], "Expected 'number'"),
    ("user", 99, "There is no user with ID 99"),
    ("people", 99, "There is no person with ID 99"),
    ("org", "1", "Expected 'number' as value for organization custom field"),
    ("date", "2024-02-30", "YYYY-MM-DD"),
    ("date", "2024-01-01T00:00:00Z", "YYYY-MM-DD"),
    ("daterange", {"value": "2024-01-01"}, "needs 'until'"),
    ("daterange", {"value": "2024-01-01", "until": "soon"}, "YYYY-MM-DD"),
    ("time", "09:00:00", "Time custom field value expected 'object'"),
    ("time", {"value": "25:00:00"}, "HH:MM:SS"),
    ("time", {"value": "09:00:00", "timezone_name": "Mars/Base"}, "Unknown time zone"),
    ("timerange", {"value": "09:00:00"}, "needs 'until'"),
    ("address", "Road 1", "expected 'object'"),
    ("address", {"route": "Road"}, "needs 'value'"),
    ("address", {"value": "Road 1", "city": "X"}, "Unknown key 'city'"),
    ("address", {"value": "Road 1", "locality": 5}, "Expected 'string'"),
]


def _desk(field_type: str) -> tuple[Desk, str]:
    desk = Desk()
    desk.post("/api/v2/organizations", {"name": "Acme"})
    desk.person()
    options = ("First", "Second") if field_type in {"enum", "set"} else ()
    return desk, desk.sandbox.add_field("persons", name="Field", field_type=field_type, options=options)


@pytest.mark.parametrize(("field_type", "value", "kept"), GOOD)
def test_a_value_of_the_right_shape_is_kept(field_type: str, value: Any, kept: Any) -> None:
    """What v2 documents for a type is taken and read back."""
    desk, key = _desk(field_type)
    assert desk.patch("/api/v2/persons/1", {"custom_fields": {key: value}}).data["custom_fields"] == {key: kept}


@pytest.mark.parametrize(("field_type", "value", "message"), BAD)
def test_a_value_of_the_wrong_shape_is_refused(field_type: str, value: Any, message: str) -> None:
    """A value that does not fit its field's type is refused, naming the field."""
    desk, key = _desk(field_type)
    got = desk.patch("/api/v2/persons/1", {"custom_fields": {key: value}})
    assert got.status == 400
    assert message in got.error
    assert key in got.error
    assert desk.get("/api/v2/persons/1").data["custom_fields"] == {key: None}


def test_options_go_by_id_and_come_with_labels_on_request() -> None:
    """Enum and set values are option ids; include_option_labels adds their labels."""
    desk = Desk()
    one = desk.sandbox.add_field("persons", name="One", field_type="enum", options=["First", "Second"])
    many = desk.sandbox.add_field("persons", name="Many", field_type="set", options=["Red", "Blue"])
    ids = {
        option["label"]: option["id"]
        for key in (one, many)
        for option in desk.get(f"/api/v2/personFields/{key}").data["options"]
    }
    desk.person(custom_fields={one: ids["Second"], many: [ids["Red"], ids["Blue"]]})
    plain = desk.get("/api/v2/persons/1").data["custom_fields"]
    assert plain == {one: ids["Second"], many: [ids["Red"], ids["Blue"]]}
    shown = desk.get("/api/v2/persons", include_option_labels="true").data[0]["custom_fields"]
    assert shown[one] == {"id": ids["Second"], "label": "Second"}
    assert [item["label"] for item in shown[many]] == ["Red", "Blue"]


def test_an_option_is_chosen_once() -> None:
    """A set takes no option twice."""
    desk = Desk()
    key = desk.sandbox.add_field("persons", name="Many", field_type="set", options=["Red"])
    red = desk.get(f"/api/v2/personFields/{key}").data["options"][0]["id"]
    got = desk.post("/api/v2/persons", {"name": "Jane", "custom_fields": {key: [red, red]}})
    assert "duplicate option" in got.error


def test_unset_fields_are_listed_as_null_and_null_clears() -> None:
    """Every custom field stands in an answer; null empties one and leaves the others."""
    desk = Desk()
    first = desk.sandbox.add_field("persons", name="First")
    second = desk.sandbox.add_field("persons", name="Second")
    desk.person(custom_fields={first: "a"})
    assert desk.get("/api/v2/persons/1").data["custom_fields"] == {first: "a", second: None}
    changed = desk.patch("/api/v2/persons/1", {"custom_fields": {first: None, second: "b"}}).data
    assert changed["custom_fields"] == {first: None, second: "b"}


@pytest.mark.parametrize(("setting", "left"), [("clear", None), ("ignore", "a")])
def test_an_empty_object_does_what_was_chosen(setting: Any, left: str | None) -> None:
    """`custom_fields: {}` may clear every custom field; nobody knows, so both can be had."""
    desk = Desk(SandboxOptions(plan="unlimited", empty_custom_fields=setting))
    key = desk.sandbox.add_field("persons", name="First")
    desk.person(custom_fields={key: "a"})
    assert desk.patch("/api/v2/persons/1", {"custom_fields": {}}).data["custom_fields"] == {key: left}


def test_a_deleted_field_is_unknown_to_writes_and_absent_from_reads() -> None:
    """A write with a deleted field's key fails whole; answers no longer show the field."""
    desk = Desk()
    key = desk.sandbox.add_field("persons", name="First")
    desk.person(custom_fields={key: "a"})
    assert desk.send("DELETE", f"/api/v2/personFields/{key}").data["field_code"] == key
    assert desk.get("/api/v2/persons/1").data["custom_fields"] == {}
    got = desk.patch("/api/v2/persons/1", {"custom_fields": {key: "b"}})
    assert f"custom_fields: Unknown key '{key}'" in got.error


@pytest.mark.parametrize("path", ["personFields", "organizationFields", "productFields", "dealFields"])
def test_fields_are_made_listed_renamed_and_deleted(path: str) -> None:
    """The fields API makes a field with a 40-digit key, pages through all, renames and deletes it."""
    desk = Desk()
    body = {"field_name": "Colour", "field_type": "enum", "options": [{"label": "Red"}]}
    made = desk.post(f"/api/v2/{path}", body).data
    assert len(made["field_code"]) == 40
    assert made["is_custom_field"] is True
    assert [option["label"] for option in made["options"]] == ["Red"]
    codes, cursor = [], None
    while True:
        page = desk.get(f"/api/v2/{path}", limit=4, **({"cursor": cursor} if cursor else {}))
        assert len(page.data) <= 4
        codes += [field["field_code"] for field in page.data]
        cursor = page.json["additional_data"]["next_cursor"]
        if cursor is None:
            break
    assert made["field_code"] in codes
    assert len(codes) == len(set(codes)) == len(desk.get(f"/api/v2/{path}", limit=500).data)
    one = f"/api/v2/{path}/{made['field_code']}"
    assert desk.patch(one, {"field_name": "Color"}).data["field_name"] == "Color"
    assert desk.patch(one, {"field_type": "set"}).status == 400
    assert desk.send("DELETE", one).status == 200
    assert desk.get(one).status == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"field_name": "A"}, "field_type"),
        ({"field_type": "varchar"}, "field_name"),
        ({"field_name": "", "field_type": "varchar"}, "1 to 255"),
        ({"field_name": "A", "field_type": "boolean"}, "must be one of"),
        ({"field_name": "A", "field_type": "enum"}, "Options are required"),
        ({"field_name": "A", "field_type": "varchar", "options": [{"label": "x"}]}, "Only enum and set"),
        ({"field_name": "A", "field_type": "varchar", "description": "x"}, "'description' is not allowed"),
    ],
)
def test_a_field_that_cannot_be_made_is_refused(body: dict[str, Any], message: str) -> None:
    """Creating a field needs a name, a type that can be created, and options exactly where there are some."""
    got = Desk().post("/api/v2/personFields", body)
    assert got.status == 400
    assert message in got.error


def test_system_fields_cannot_be_changed() -> None:
    """Only custom fields can be renamed or deleted."""
    assert Desk().patch("/api/v2/personFields/name", {"field_name": "X"}).status == 403


def test_options_are_changed_in_bulk_and_all_or_none() -> None:
    """Options are added, renamed and deleted by lists; one bad item leaves everything as it was."""
    desk = Desk()
    key = desk.sandbox.add_field("persons", name="Colour", field_type="enum", options=["Red"])
    path = f"/api/v2/personFields/{key}/options"
    blue = desk.post(path, [{"label": "Blue"}]).data[0]["id"]
    desk.person(custom_fields={key: blue})
    got = desk.patch(path, [{"id": blue, "label": "Azure"}, {"id": 999, "label": "X"}])
    assert got.status == 400
    assert [option["label"] for option in desk.get(f"/api/v2/personFields/{key}").data["options"]] == ["Red", "Blue"]
    assert desk.patch(path, [{"id": blue, "label": "Azure"}]).data[0]["label"] == "Azure"
    assert desk.post(path, []).status == 400
    assert desk.send("DELETE", path, [{"id": blue}]).data[0]["label"] == "Azure"
    assert desk.get("/api/v2/persons/1").data["custom_fields"] == {key: None}


def test_a_plan_holds_only_so_many_custom_fields() -> None:
    """Past the plan's number of custom fields, creating one is refused as a cap, over all kinds together."""
    desk = Desk(SandboxOptions(plan="lite"))
    for number in range(30):
        desk.sandbox.add_field("persons" if number % 2 else "deals", name=f"Field {number}")
    got = desk.post("/api/v2/productFields", {"field_name": "A", "field_type": "varchar"})
    assert got.status == 403
    assert got.json["code"] == "feature_capping_custom_fields_limit"


def test_leads_have_the_fields_of_deals() -> None:
    """v1's leadFields lists deals' custom fields, with one entry more for each part of a value."""
    desk = Desk()
    key = desk.sandbox.add_field("deals", name="Budget", field_type="monetary")
    fields = {field["key"]: field for field in desk.get("/v1/leadFields", limit=500).data}
    assert fields[key]["edit_flag"] is True
    assert f"{key}_currency" in fields
    page = desk.get("/v1/leadFields", limit=2).json["additional_data"]["pagination"]
    assert page == {"start": 0, "limit": 2, "more_items_in_collection": True}
