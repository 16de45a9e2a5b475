"""Searching: what is found, by which rules, and how late."""

from __future__ import annotations

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Desk


def _ids(desk: Desk, path: str, **query: object) -> list[object]:
    return [row["item"]["id"] for row in desk.get(path, **query).data["items"]]


def test_exact_matches_mind_the_whole_value_but_not_the_case() -> None:
    """exact_match finds a part's whole value in any case; without it every word must stand somewhere."""
    desk = Desk()
    desk.person(name="Jane Doe", emails=[{"value": "Jane@Acme.test"}])
    desk.person(name="Jane Roe")
    path = "/api/v2/persons/search"
    assert _ids(desk, path, term="jane doe", exact_match="true") == [1]
    assert _ids(desk, path, term="jane", exact_match="true") == []
    assert _ids(desk, path, term="jane") == [1, 2]
    assert _ids(desk, path, term="acme jane") == [1]
    assert _ids(desk, path, term="JANE@acme.TEST", fields="email", exact_match="true") == [1]
    assert _ids(desk, path, term="jane@acme.test", fields="name", exact_match="true") == []


def test_new_and_changed_records_are_found_only_after_the_lag() -> None:
    """The index trails writes by search_lag: new records are not found yet, deleted ones still are."""
    desk = Desk(SandboxOptions(plan="unlimited", search_lag=3.0, search_keeps_dead=False))
    key = desk.sandbox.add_field("persons", name="User id")
    desk.person(custom_fields={key: "u1"})
    query = {"term": "u1", "entity_type": "person", "field": key}
    desk.clock.advance(2.9)
    assert desk.get("/api/v2/itemSearch/field", **query).data == []
    desk.clock.advance(0.2)
    assert desk.get("/api/v2/itemSearch/field", **query).data == [{"id": 1, key: "u1"}]
    desk.patch("/api/v2/persons/1", {"custom_fields": {key: "u2"}})
    assert len(desk.get("/api/v2/itemSearch/field", **query).data) == 1
    desk.clock.advance(3)
    assert desk.get("/api/v2/itemSearch/field", **query).data == []
    desk.send("DELETE", "/api/v2/persons/1")
    assert len(desk.get("/api/v2/itemSearch/field", **{**query, "term": "u2"}).data) == 1
    desk.clock.advance(3)
    assert desk.get("/api/v2/itemSearch/field", **{**query, "term": "u2"}).data == []


def test_the_lag_can_be_skipped() -> None:
    """index_now makes everything findable at once, for accounts that were in use before."""
    desk = Desk(SandboxOptions(plan="unlimited", search_lag=3.0))
    desk.sandbox.add_record("persons", {"name": "Jane Doe"})
    assert _ids(desk, "/api/v2/persons/search", term="jane") == []
    desk.sandbox.index_now()
    assert _ids(desk, "/api/v2/persons/search", term="jane") == [1]


def test_the_search_by_field_minds_the_case() -> None:
    """itemSearch/field compares letter by letter: whole, from the beginning, or anywhere."""
    desk = Desk()
    key = desk.sandbox.add_field("persons", name="User id")
    for value in ("User-1", "user-1", "User-12"):
        desk.person(custom_fields={key: value})

    def found(term: str, **more: str) -> list[int]:
        query = {"term": term, "entity_type": "person", "field": key, **more}
        return [row["id"] for row in desk.get("/api/v2/itemSearch/field", **query).data]

    assert found("User-1") == [1]
    assert found("User-1", match="beginning") == [1, 3]
    assert found("ser-1", match="middle") == [1, 2, 3]
    assert desk.get("/api/v2/itemSearch/field", term="x", entity_type="person", field="nope").status == 400


def test_only_some_types_of_fields_can_be_searched() -> None:
    """Numbers, money and addresses are found by their text; options and dates are not searchable."""
    desk = Desk()
    amount = desk.sandbox.add_field("persons", name="Amount", field_type="double")
    day = desk.sandbox.add_field("persons", name="Day", field_type="date")
    desk.person(custom_fields={amount: 42.0, day: "2024-01-01"})
    assert _ids(desk, "/api/v2/persons/search", term="42", fields="custom_fields", exact_match="true") == [1]
    assert _ids(desk, "/api/v2/persons/search", term="2024-01-01", exact_match="true") == []
    assert desk.get("/api/v2/itemSearch/field", term="2024", entity_type="person", field=day).status == 400


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "term"),
        ({"term": "a"}, "at least 2 characters"),
        ({"term": "a" * 256}, "longer than 255"),
        ({"term": "ab", "fields": "colour"}, "'colour' is not one of"),
        ({"term": "ab", "exact_match": "yes"}, "not a valid 'boolean'"),
        ({"term": "ab", "limit": 501}, "between 1 and 500"),
        ({"term": "ab", "q": "x"}, "Parameter 'q' is not allowed"),
        ({"term": "ab", "cursor": "x"}, "cursor"),
    ],
)
def test_a_search_that_pipedrive_would_not_take_is_refused(query: dict[str, object], message: str) -> None:
    """Terms have a least and a greatest length, and every parameter its form."""
    got = Desk().get("/api/v2/persons/search", **query)
    assert got.status == 400
    assert message in got.error


def test_one_letter_is_enough_for_an_exact_match() -> None:
    """The least length of a term is one where the match is exact."""
    assert Desk().get("/api/v2/products/search", term="a", exact_match="true").status == 200


def test_searches_answer_in_the_documented_shapes() -> None:
    """Every kind's search gives its items as the specification shows them."""
    desk = Desk()
    desk.post("/api/v2/organizations", {"name": "Acme", "address": {"value": "Road 1"}})
    desk.person(org_id=1, phones=[{"value": "555"}])
    desk.post("/api/v2/products", {"name": "Pen", "code": "77"})
    desk.post("/v1/leads", {"title": "Big one", "person_id": 1, "value": {"amount": 5, "currency": "EUR"}})
    person = desk.get("/api/v2/persons/search", term="Jane").data["items"][0]["item"]
    assert person["organization"] == {"id": 1, "name": "Acme"}
    assert person["phones"] == ["555"]
    assert desk.get("/api/v2/organizations/search", term="road").data["items"][0]["item"]["address"] == "Road 1"
    assert desk.get("/api/v2/products/search", term="77").data["items"][0]["item"]["code"] == 77
    lead = desk.get("/api/v2/leads/search", term="big", person_id=1).data["items"][0]["item"]
    assert (lead["title"], lead["value"], lead["person"]) == ("Big one", 5, {"id": 1, "name": "Jane Doe"})
    rows = desk.get("/api/v2/itemSearch", term="77", item_types="product,person").data["items"]
    assert [(row["item"]["type"], row["item"]["code"]) for row in rows] == [("product", "77")]
    assert desk.get("/api/v2/itemSearch", term="ab", limit=101).status == 400


def test_searches_are_paged() -> None:
    """A page of hits leads to the next by its cursor."""
    desk = Desk()
    for _ in range(5):
        desk.person()
    first = desk.get("/api/v2/persons/search", term="jane", limit=3)
    cursor = first.json["additional_data"]["next_cursor"]
    second = desk.get("/api/v2/persons/search", term="jane", limit=3, cursor=cursor)
    ids = [row["item"]["id"] for page in (first, second) for row in page.data["items"]]
    assert ids == [1, 2, 3, 4, 5]
    assert second.json["additional_data"]["next_cursor"] is None


def test_searches_find_deleted_organizations_for_ever_and_persons_for_a_while() -> None:
    """Nothing in a hit tells. Later a person's place stays empty: the page is short, and not said to be the last."""
    desk = Desk(SandboxOptions(plan="unlimited", search_lag=0, dead_found_for=60.0))
    desk.post("/api/v2/organizations", {"name": "Jane Ltd"})
    for _ in range(2):
        desk.person()
    for path in ("organizations/1", "persons/1"):
        desk.send("DELETE", f"/api/v2/{path}")
    desk.clock.advance(59)
    assert _ids(desk, "/api/v2/persons/search", term="jane") == [1, 2]
    desk.clock.advance(2)
    for _ in range(3):
        assert _ids(desk, "/api/v2/organizations/search", term="jane") == [1]
        desk.clock.advance(86_400)
    first = desk.get("/api/v2/persons/search", term="jane", limit=1)
    assert first.data["items"] == []
    cursor = first.json["additional_data"]["next_cursor"]
    second = desk.get("/api/v2/persons/search", term="jane", limit=1, cursor=cursor)
    assert [row["item"]["id"] for row in second.data["items"]] == [2]
    assert desk.get("/api/v2/persons/1").data["is_deleted"] is True
