"""Bodies of v2 writes: what the sandbox takes, keeps and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Desk

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("persons", {}, "Name must be given."),
    ("persons", {"first_name": "A"}, "Name must be given."),
    ("persons", {"first_name": "", "last_name": ""}, "cannot both be empty"),
    ("persons", {"name": ""}, "must not be empty"),
    ("persons", {"name": None}, "The value is not a valid 'string'"),
    ("persons", {"name": 5}, "The value is not a valid 'string'"),
    ("persons", {"name": "x" * 256}, "longer than 255"),
    ("persons", {"name": "A", "first_name": "A"}, "Cannot set 'name' and 'first_name'/'last_name'"),
    ("persons", {"name": "A", "nickname": "B"}, "Parameter 'nickname' is not allowed for this request"),
    ("persons", {"name": "A", "0" * 40: "B"}, f"Parameter '{'0' * 40}' is not allowed for this request"),
    ("persons", {"name": "A", "custom_fields": {"title": "B"}}, "custom_fields: Unknown key 'title'"),
    ("persons", {"name": "A", "custom_fields": []}, "custom_fields: The value is not a valid 'object'"),
    ("persons", {"name": "A", "emails": "a@b.test"}, "emails: The value is not a valid 'array'"),
    ("persons", {"name": "A", "emails": ["a@b.test"]}, "emails[0]: The value is not a valid 'object'"),
    ("persons", {"name": "A", "emails": [{}]}, "emails[0].value: The value is not a valid 'string'"),
    ("persons", {"name": "A", "phones": [{"value": 5}]}, "phones[0].value: The value is not a valid 'string'"),
    ("persons", {"name": "A", "phones": [{"value": "5", "primary": 1}]}, "not a valid 'boolean'"),
    ("persons", {"name": "A", "phones": [{"value": "5", "kind": "w"}]}, "Parameter 'kind' is not allowed"),
    ("persons", {"name": "A", "org_id": "1"}, "org_id: The value is not a valid 'integer'"),
    ("persons", {"name": "A", "org_id": 99}, "Invalid organization ID provided"),
    ("persons", {"name": "A", "owner_id": None}, "owner_id: The value is not a valid 'integer'"),
    ("persons", {"name": "A", "owner_id": 99}, "There is no user with ID 99"),
    ("persons", {"name": "A", "visible_to": "3"}, "visible_to: The value is not a valid 'integer'"),
    ("persons", {"name": "A", "visible_to": 4}, "must be one of 1, 3, 5, 7"),
    ("persons", {"name": "A", "label_ids": [99]}, "There is no label with ID 99"),
    ("persons", {"name": "A", "label_ids": ["1"]}, "label_ids[0]: The value is not a valid 'integer'"),
    ("persons", {"name": "A", "add_time": "2024-01-01 00:00:00"}, "not a valid datetime"),
    ("persons", {"name": "A", "add_time": "2024-01-01T00:00:00.5Z"}, "not a valid datetime"),
    ("persons", {"name": "A", "add_time": "2024-02-31T00:00:00Z"}, "not a valid datetime"),
    ("persons", {"name": "A", "update_time": "2024-01-01T00:00:00Z"}, "Parameter 'update_time' is not allowed"),
    ("organizations", {}, "Organization name must be given."),
    ("organizations", {"name": "A", "address": "Road 1"}, "address: The value is not a valid 'object'"),
    ("organizations", {"name": "A", "address": {"city": "B"}}, "Parameter 'city' is not allowed"),
    ("organizations", {"name": "A", "address": {"locality": "B"}}, "address.value"),
    ("organizations", {"name": "A", "annual_revenue": 1.5}, "annual_revenue: The value is not a valid 'integer'"),
    ("organizations", {"name": "A", "industry": 9999}, "Option '9999' does not exist"),
    ("organizations", {"name": "A", "website": 1}, "website: The value is not a valid 'string'"),
    ("products", {}, "Product name must be given."),
    ("products", {"name": ""}, "must not be empty"),
    ("products", {"name": "A", "code": 5}, "code: The value is not a valid 'string'"),
    ("products", {"name": "A", "tax": "5"}, "tax: The value is not a valid 'number'"),
    ("products", {"name": "A", "add_time": 1}, "Parameter 'add_time' is not allowed"),
    ("products", {"name": "A", "prices": [{"price": 1}]}, "prices[0].currency"),
    ("products", {"name": "A", "prices": [{"currency": "EUR"}]}, "prices[0].price"),
    ("products", {"name": "A", "prices": [{"currency": "EUR", "price": "1"}]}, "not a valid 'number'"),
    ("products", {"name": "A", "prices": [{"currency": "XXX", "price": 1}]}, "Unknown currency 'XXX'"),
    ("products", {"name": "A", "prices": [{"currency": "EUR", "price": 1}] * 2}, "only one price in EUR"),
    ("products", {"name": "A", "is_linkable": "true"}, "not a valid 'boolean'"),
    ("products", {"name": "A", "billing_frequency": "weekly"}, "Cannot be null for weekly"),
]


@pytest.mark.parametrize(("kind", "body", "message"), REFUSED)
def test_a_body_that_pipedrive_would_not_take_is_refused(kind: str, body: dict[str, Any], message: str) -> None:
    """A bad body is answered with 400 in v2's shape, with the reason, and nothing is made."""
    desk = Desk()
    got = desk.post(f"/api/v2/{kind}", body)
    assert got.status == 400
    assert message in got.error
    assert got.json["code"] == "ERR_SCHEMA_VALIDATION_FAILED"
    assert desk.get(f"/api/v2/{kind}").data == []


def test_all_problems_are_told_at_once() -> None:
    """Several problems of a body come in one message, separated by semicolons."""
    error = Desk().post("/api/v2/persons", {"name": 1, "x": 2, "visible_to": 4}).error
    assert error.startswith("Validation failed: ")
    assert error.count(";") == 2


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"text"', b"null", b"\xff"])
def test_a_body_must_be_a_json_object(raw: bytes) -> None:
    """Anything but a JSON object is a bad request."""
    assert Desk().send("POST", "/api/v2/persons", raw=raw).status == 400


def test_a_body_must_be_sent_as_json() -> None:
    """A body under another content type is refused, parameters of the right one are not."""
    for media_type, status in (("text/plain", 400), ("application/json; charset=utf-8", 200)):
        headers = {"x-api-token": "sandbox", "content-type": media_type}
        got = Desk().send("POST", "/api/v2/persons", {"name": "A"}, headers=headers)
        assert got.status == status


def test_contact_sync_fields_are_forbidden() -> None:
    """The fields of contact sync do not exist in an account without it."""
    for key in ("notes", "job_title", "birthday", "im", "postal_address", "marketing_status"):
        assert Desk().post("/api/v2/persons", {"name": "A", key: "x"}).status == 403


def test_a_person_shows_what_was_sent_and_the_defaults() -> None:
    """A new person has the sent values, the token's user as owner, and times in whole seconds."""
    desk = Desk()
    desk.post("/api/v2/organizations", {"name": "Acme"})
    body = {
        "name": "Jane Mary Doe",
        "org_id": 1,
        "emails": [{"value": "a@b.test"}, {"value": "c@d.test", "label": "home"}],
        "phones": [{"value": "1"}, {"value": "2", "primary": True}, {"value": "3", "primary": True}],
        "add_time": "2024-01-01T01:00:00+01:00",
    }
    person = desk.post("/api/v2/persons", body).data
    assert person == {
        "id": 1,
        "name": "Jane Mary Doe",
        "first_name": "Jane",
        "last_name": "Mary Doe",
        "owner_id": 1,
        "org_id": 1,
        "emails": [
            {"value": "a@b.test", "primary": True, "label": "work"},
            {"value": "c@d.test", "primary": False, "label": "home"},
        ],
        "phones": [
            {"value": "1", "primary": False, "label": "work"},
            {"value": "2", "primary": False, "label": "work"},
            {"value": "3", "primary": True, "label": "work"},
        ],
        "visible_to": 3,
        "label_ids": [],
        "picture_id": None,
        "add_time": "2024-01-01T00:00:00Z",
        "update_time": "2026-11-23T12:00:00Z",
        "is_deleted": False,
        "custom_fields": {},
    }
    assert desk.get("/api/v2/persons/1").data == person


def test_changing_part_of_a_name_changes_the_whole() -> None:
    """A person's name is made of the parts again when one of them changes."""
    desk = Desk()
    desk.person()
    assert desk.patch("/api/v2/persons/1", {"last_name": "Roe"}).data["name"] == "Jane Roe"
    assert desk.patch("/api/v2/persons/1", {"first_name": ""}).data["name"] == "Roe"
    assert desk.patch("/api/v2/persons/1", {"last_name": ""}).status == 400


def test_a_change_replaces_lists_whole_and_leaves_the_rest() -> None:
    """PATCH touches what it names alone, and lists are replaced, not added to."""
    desk = Desk()
    label = desk.get("/api/v2/personFields/label_ids").data["options"][0]["id"]
    desk.person(emails=[{"value": "a@b.test"}, {"value": "c@d.test"}], label_ids=[label])
    desk.clock.advance(5.9)
    changed = desk.patch("/api/v2/persons/1", {"emails": [{"value": "e@f.test"}]}).data
    assert [item["value"] for item in changed["emails"]] == ["e@f.test"]
    assert changed["label_ids"] == [label]
    assert changed["update_time"] == "2026-11-23T12:00:05Z"
    assert changed["add_time"] == "2026-11-23T12:00:00Z"
    assert desk.patch("/api/v2/persons/1", {"label_ids": [], "emails": []}).data["label_ids"] == []


def test_the_time_of_creation_cannot_be_changed() -> None:
    """add_time is for creation alone."""
    desk = Desk()
    desk.person()
    got = desk.patch("/api/v2/persons/1", {"add_time": "2024-01-01T00:00:00Z"})
    assert "Parameter 'add_time' is not allowed" in got.error


def test_an_address_is_kept_with_all_its_parts() -> None:
    """Parts of an address that are not sent become null, at creation and at every change."""
    desk = Desk()
    sent = {"value": "Road 1, Tallinn", "locality": "Tallinn"}
    desk.post("/api/v2/organizations", {"name": "Acme", "address": sent})
    address = desk.patch("/api/v2/organizations/1", {"address": {"value": "Lane 2"}}).data["address"]
    assert address["value"] == "Lane 2"
    assert address["locality"] is None
    assert len(address) == 10


def test_details_of_organizations_exist_only_where_they_are_switched_on() -> None:
    """Without the feature, website and its like are unknown parameters and absent from answers."""
    desk = Desk(SandboxOptions(plan="unlimited", organization_details=False))
    assert desk.post("/api/v2/organizations", {"name": "A", "website": "w"}).status == 400
    assert "website" not in desk.post("/api/v2/organizations", {"name": "A"}).data
    assert Desk().post("/api/v2/organizations", {"name": "A", "website": None}).data["website"] is None


def test_a_product_without_prices_costs_nothing_in_the_default_currency() -> None:
    """A price of 0 stands where none was given; changing prices replaces them all."""
    desk = Desk()
    got = desk.post("/api/v2/products", {"name": "Pen", "code": "P1"})
    assert got.status == 201
    price = {"product_id": 1, "price": 0, "currency": "EUR", "cost": 0, "direct_cost": None, "notes": ""}
    assert got.data["prices"] == [price]
    changed = desk.patch("/api/v2/products/1", {"prices": [{"currency": "USD", "price": 2.5}]}).data
    assert [(row["currency"], row["price"]) for row in changed["prices"]] == [("USD", 2.5)]


def test_a_category_is_written_as_a_number_and_read_as_text() -> None:
    """Pipedrive answers a product's category as a string."""
    desk = Desk()
    category = desk.get("/api/v2/productFields/category").data["options"][0]["id"]
    assert desk.post("/api/v2/products", {"name": "Pen", "category": category}).data["category"] == str(category)


def test_billing_frequency_needs_a_plan_that_has_it() -> None:
    """On Lite billing frequencies are forbidden; elsewhere one-time takes no cycles."""
    body = {"name": "Pen", "billing_frequency": "monthly", "billing_frequency_cycles": 12}
    assert Desk(SandboxOptions(plan="lite")).post("/api/v2/products", body).status == 403
    assert Desk().post("/api/v2/products", body).data["billing_frequency_cycles"] == 12
    assert Desk().post("/api/v2/products", {**body, "billing_frequency": "one-time"}).status == 400


def test_phones_are_rewritten_where_the_account_does_that() -> None:
    """With format_phones a number comes back in another form than it was sent."""
    desk = Desk(SandboxOptions(plan="unlimited", format_phones=True))
    desk.person(phones=[{"value": "+14155550123"}, {"value": "ext. 5"}])
    phones = desk.get("/api/v2/persons/1").data["phones"]
    assert [item["value"] for item in phones] == ["+1 415-555-0123", "ext. 5"]


def test_emails_are_judged_where_the_account_does_that() -> None:
    """With strict_emails an email without an @ is refused."""
    desk = Desk(SandboxOptions(plan="unlimited", strict_emails=True))
    assert desk.post("/api/v2/persons", {"name": "A", "emails": [{"value": "nobody"}]}).status == 400
    assert Desk().post("/api/v2/persons", {"name": "A", "emails": [{"value": "nobody"}]}).status == 200


@pytest.mark.parametrize(("setting", "status"), [("404", 404), ("410", 410), ("flag", 200)])
def test_a_deleted_record_is_gone_in_the_way_that_was_chosen(setting: Any, status: int) -> None:
    """A deleted record is left out of lists; by id it is missing, gone, or as if it lived, with a flag."""
    desk = Desk(SandboxOptions(plan="unlimited", deleted_get=setting, deleted_patch=setting))
    desk.person()
    lead = desk.post("/v1/leads", {"title": "L", "person_id": 1}).data["id"]
    assert desk.send("DELETE", f"/v1/leads/{lead}").data == {"id": lead}
    assert desk.send("DELETE", "/api/v2/persons/1").data == {"id": 1}
    assert desk.get("/api/v2/persons").data == []
    for path in ("/api/v2/persons/1", f"/v1/leads/{lead}"):
        title = "name" if path.endswith("/1") else "title"
        answers = [desk.get(path), desk.patch(path, {title: "B"})]
        assert [answer.status for answer in answers] == [status, status]
        if status == 200:
            assert [answer.data["is_deleted"] for answer in answers] == [True, True]
        assert desk.send("DELETE", path).status == 404
    assert desk.get("/api/v2/persons").data == []


@pytest.mark.parametrize(("setting", "taken"), [("refuse", False), ("take", True)])
def test_a_link_to_a_deleted_record_is_refused_or_taken(setting: Any, taken: bool) -> None:
    """Nobody has told what Pipedrive does: a person's organization and a lead's person."""
    desk = Desk(SandboxOptions(plan="unlimited", dead_links=setting))
    desk.person()
    organization = desk.post("/api/v2/organizations", {"name": "O"}).data["id"]
    desk.send("DELETE", f"/api/v2/organizations/{organization}")
    assert (desk.patch("/api/v2/persons/1", {"org_id": organization}).status == 200) is taken
    desk.send("DELETE", "/api/v2/persons/1")
    assert (desk.post("/v1/leads", {"title": "L", "person_id": 1}).status == 201) is taken


def test_ids_that_are_none_are_told_apart_from_ids_that_are_not_there() -> None:
    """A path's id must be a number; an unknown number is not found."""
    desk = Desk()
    assert desk.get("/api/v2/persons/abc").status == 400
    assert desk.get("/api/v2/persons/7").status == 404
