"""Endpoints, calls and bodies, and that the table of them is whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.model import KINDS, Contact, Kind
from pipedrive_cli.pipedrive import catalog
from pipedrive_cli.pipedrive.bodies import body_of, values_of
from pipedrive_cli.pipedrive.catalog import ENDPOINTS, FACTS, PRICE_PLANS, Call

A, B, C, D, E = (letter * 40 for letter in "abcde")

# (call, the request line, its tokens, its body)
CALLS: list[tuple[Call, str, int, Any]] = [
    (catalog.create("persons", {"name": "Ada"}), "POST /api/v2/persons", 5, {"name": "Ada"}),
    (catalog.create("organizations", {"name": "X"}), "POST /api/v2/organizations", 5, {"name": "X"}),
    (catalog.create("products", {"name": "X"}), "POST /api/v2/products", 5, {"name": "X"}),
    (catalog.create("leads", {"title": "X"}), "POST /api/v1/leads", 10, {"title": "X"}),
    (catalog.update("persons", 7, {"name": "A", "add_time": "x"}), "PATCH /api/v2/persons/7", 5, {"name": "A"}),
    (
        catalog.update("leads", "0b-1c", {"origin_id": "m", "title": "T"}),
        "PATCH /api/v1/leads/0b-1c",
        10,
        {"title": "T"},
    ),
    (catalog.get("persons", 7, [A, B]), f"GET /api/v2/persons/7?custom_fields={A}%2C{B}", 1, None),
    (catalog.get("products", 7, [A]), "GET /api/v2/products/7", 1, None),
    (catalog.get("leads", "a/b?c", [A]), "GET /api/v1/leads/a%2Fb%3Fc", 2, None),
    (catalog.listing("persons"), "GET /api/v2/persons?limit=500", 10, None),
    (
        catalog.listing("organizations", "cur=", custom_fields=[A], updated_since=datetime(2026, 1, 1, tzinfo=UTC)),
        f"GET /api/v2/organizations?limit=500&custom_fields={A}&updated_since=2026-01-01T00%3A00%3A00Z&cursor=cur%3D",
        10,
        None,
    ),
    (
        catalog.listing("products", limit=9000, ids=[1, 2], newest_first=True),
        "GET /api/v2/products?limit=500&ids=1%2C2&sort_by=id&sort_direction=desc",
        10,
        None,
    ),
    (catalog.list_leads(), "GET /api/v1/leads?limit=500&start=0", 20, None),
    (
        catalog.list_leads(500, newest_first=True),
        "GET /api/v1/leads?limit=500&start=500&sort=add_time%20DESC",
        20,
        None,
    ),
    (catalog.list_leads(archived=True), "GET /api/v1/leads/archived?limit=500&start=0", 40, None),
    (
        catalog.find_exact("persons", "u 1&x"),
        "GET /api/v2/persons/search?term=u%201%26x&fields=custom_fields&exact_match=true&limit=500",
        20,
        None,
    ),
    (
        catalog.find_exact("products", "p1"),
        "GET /api/v2/products/search?term=p1&fields=code&exact_match=true&limit=500",
        20,
        None,
    ),
    (
        catalog.find_exact("products", "p1", by="name", cursor="c"),
        "GET /api/v2/products/search?term=p1&fields=name&exact_match=true&limit=500&cursor=c",
        20,
        None,
    ),
    (
        catalog.find_exact("persons", "a+b@c.d", "email"),
        "GET /api/v2/persons/search?term=a%2Bb%40c.d&fields=email&exact_match=true&limit=500",
        20,
        None,
    ),
    (catalog.merge(7, 8), "PUT /api/v1/persons/7/merge", 40, {"merge_with_id": 8}),
    (catalog.list_fields("leads", "c"), "GET /api/v2/dealFields?limit=500&cursor=c", 10, None),
    (
        catalog.create_field("organizations", "Size", "enum", ["S", "L"]),
        "POST /api/v2/organizationFields",
        5,
        {"field_name": "Size", "field_type": "enum", "options": [{"label": "S"}, {"label": "L"}]},
    ),
    (catalog.me(), "GET /api/v1/users/me", 2, None),
    (catalog.currencies(), "GET /api/v1/currencies", 20, None),
    (catalog.lead_labels(), "GET /api/v1/leadLabels", 10, None),
]


@pytest.mark.parametrize(("call", "line", "tokens", "body"), CALLS, ids=[line for _, line, _, _ in CALLS])
def test_a_call_is_this_request(call: Call, line: str, tokens: int, body: Any) -> None:
    """Every constructor makes the documented request at the documented cost."""
    assert (f"{call.method} {call.target}", call.tokens, call.body) == (line, tokens, body)


def test_every_endpoint_is_complete_and_said_once() -> None:
    """The table holds each endpoint once, with a versioned path, a cost, and an id only where a record is named."""
    labels = [endpoint.label for endpoint in ENDPOINTS]
    assert len(labels) == len(set(labels))
    for endpoint in ENDPOINTS:
        assert re.fullmatch(r"/api/v[12]/[A-Za-z]+(/\{id\})?(/[a-zA-Z]+)?", endpoint.path)
        assert endpoint.tokens in {1, 2, 3, 5, 6, 10, 20, 40}
        assert endpoint.search == ("earch" in endpoint.path)
        assert endpoint.repeatable == (endpoint.method in {"GET", "PATCH", "DELETE"})


def test_every_call_of_the_tool_is_in_the_table() -> None:
    """No call is made to an endpoint that the table does not list."""
    assert {call.endpoint for call, *_ in CALLS} <= set(ENDPOINTS)


def test_v1_is_used_only_where_v2_has_nothing() -> None:
    """Leads (but not their search), merges, labels, currencies, notes and the user live in v1 alone."""
    first = {endpoint.path.removeprefix("/api/v1").split("/")[1] for endpoint in ENDPOINTS if "/v1/" in endpoint.path}
    assert first == {"leads", "persons", "leadLabels", "currencies", "users", "notes"}
    assert [endpoint for endpoint in ENDPOINTS if "/v1/persons" in endpoint.path] == [catalog.MERGE]


def test_every_kind_has_its_facts() -> None:
    """The table of kinds is complete."""
    assert tuple(FACTS) == KINDS


def test_plans_know_their_day() -> None:
    """A day's tokens are the seats times the plan's share."""
    assert PRICE_PLANS["lite"].tokens(2) == 60_000
    assert PRICE_PLANS["ultimate"].tokens(1) == 210_000
    assert PRICE_PLANS["unlimited"].tokens(1) is None


def test_at_most_fifteen_fields_can_be_listed() -> None:
    """More is our mistake, before it is Pipedrive's 400."""
    with pytest.raises(ValueError, match="at most 15"):
        catalog.listing("persons", custom_fields=[str(number) for number in range(16)])


def test_leads_have_a_listing_of_their_own() -> None:
    """The v2 listing does not know leads."""
    with pytest.raises(ValueError, match="list_leads"):
        catalog.listing("leads")


# (kind, fields by address, the body)
BODIES: list[tuple[Kind, dict[str, Any], dict[str, Any]]] = [
    ("persons", {}, {}),
    (
        "persons",
        {"name": "Ada", "organization": 5, f"custom_fields.{A}": "u1", f"custom_fields.{B}": [1, 2]},
        {"name": "Ada", "org_id": 5, "custom_fields": {A: "u1", B: [1, 2]}},
    ),
    (
        "persons",
        {
            "emails": (Contact("a@b.c"), Contact("d@e.f", "home", True)),
            "phones": [{"value": "1", "label": "work", "primary": True, "id": 3}],
        },
        {
            "emails": [{"value": "a@b.c"}, {"value": "d@e.f", "label": "home", "primary": True}],
            "phones": [{"value": "1", "label": "work", "primary": True}],
        },
    ),
    # Null is never sent, nor an empty object of custom fields, nor half a name beside the whole.
    ("persons", {"name": "Ada", "first_name": "Ada", "job_title": None, f"custom_fields.{A}": None}, {"name": "Ada"}),
    ("persons", {f"custom_fields.{A}": []}, {}),
    ("organizations", {"address": {"value": "x"}, "visible_to": 3}, {"address": {"value": "x"}, "visible_to": 3}),
    (
        "products",
        {"code": "p1", "prices.EUR": 9.5, "prices.USD": {"price": 10, "cost": 2, "product_id": 4, "notes": ""}},
        {
            "code": "p1",
            "prices": [{"currency": "EUR", "price": 9.5}, {"price": 10, "cost": 2, "currency": "USD"}],
        },
    ),
    (
        "leads",
        {
            "title": "T",
            "person": 7,
            "organization": 5,
            "visible_to": 3,
            "value": {"amount": 1, "currency": "EUR"},
            f"custom_fields.{A}": [12, 34],
            f"custom_fields.{B}": {"value": 5, "currency": "EUR"},
            f"custom_fields.{C}": {"value": "2026-01-01", "until": "2026-02-01"},
            f"custom_fields.{D}": {"value": "09:00:00", "timezone_name": "Europe/Berlin"},
            f"custom_fields.{E}": {"value": "x", "country": "DE", "locality": None},
        },
        {
            "title": "T",
            "person_id": 7,
            "organization_id": 5,
            "visible_to": "3",
            "value": {"amount": 1, "currency": "EUR"},
            A: "12,34",
            B: 5,
            f"{B}_currency": "EUR",
            C: "2026-01-01",
            f"{C}_until": "2026-02-01",
            D: "09:00:00",
            E: "x",
            f"{E}_country": "DE",
        },
    ),
]


@pytest.mark.parametrize(("kind", "fields", "body"), BODIES)
def test_a_body_is_made_of_addresses(kind: Kind, fields: dict[str, Any], body: dict[str, Any]) -> None:
    """Addresses become v2's nested body, or v1's flat one."""
    assert body_of(kind, fields) == body


# (kind, an answer's record, the values by address)
RECORDS: list[tuple[Kind, dict[str, Any], dict[str, Any]]] = [
    (
        "persons",
        {
            "id": 7,
            "name": "Ada",
            "org_id": 5,
            "owner_id": None,
            "emails": [{"value": "a@b.c", "primary": True, "label": "work"}],
            "custom_fields": {A: "u1", B: None},
        },
        {
            "id": 7,
            "name": "Ada",
            "organization": 5,
            "emails": [{"value": "a@b.c", "primary": True, "label": "work"}],
            f"custom_fields.{A}": "u1",
        },
    ),
    (
        "products",
        {"id": 1, "prices": [{"product_id": 1, "currency": "EUR", "price": 0, "cost": None}, None, {"price": 3}]},
        {"id": 1, "prices.EUR": {"currency": "EUR", "price": 0}},
    ),
    (
        "leads",
        {
            "id": "0b",
            "organization_id": None,
            "person_id": 7,
            "visible_to": "3",
            A: "12,34",
            B: 5,
            f"{B}_currency": "EUR",
            C: None,
            f"{C}_until": None,
        },
        {
            "id": "0b",
            "person": 7,
            "visible_to": 3,
            f"custom_fields.{A}": "12,34",
            f"custom_fields.{B}": {"value": 5, "currency": "EUR"},
        },
    ),
]


@pytest.mark.parametrize(("kind", "record", "values"), RECORDS)
def test_an_answer_is_read_into_addresses(kind: Kind, record: dict[str, Any], values: dict[str, Any]) -> None:
    """What an answer shows is known by the same addresses, blanks left out."""
    assert values_of(kind, record) == values


custom_values = st.one_of(
    st.text(),
    st.integers(),
    st.fixed_dictionaries({"value": st.integers(), "currency": st.sampled_from(["EUR", "USD"])}),
    st.fixed_dictionaries({"value": st.dates().map(str), "until": st.dates().map(str)}),
)


@given(
    kind=st.sampled_from(KINDS),
    plain=st.dictionaries(st.sampled_from(["owner_id", "organization", "title"]), st.integers(1)),
    custom=st.dictionaries(st.sampled_from([A, B, C]), custom_values),
)
def test_what_is_written_is_what_is_read(kind: Kind, plain: dict[str, int], custom: dict[str, Any]) -> None:
    """An answer that shows a body's values gives back the addresses it was made of."""
    fields = {**plain, **{f"custom_fields.{key}": value for key, value in custom.items()}}
    assert values_of(kind, body_of(kind, fields)) == fields


def test_blank_rows_of_contacts_are_none() -> None:
    """Pipedrive shows such where a person has no email; they are nobody's, and nothing stumbles over them."""
    rows = [None, {}, {"value": ""}, {"value": None, "primary": True}, "x", {"value": " "}, {"value": "a@b.test"}]
    assert values_of("persons", {"emails": rows, "phones": "none"}) == {"emails": [{"value": "a@b.test"}], "phones": []}
