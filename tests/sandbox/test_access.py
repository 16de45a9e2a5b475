"""Keys, paths, and the settings of the account."""

from __future__ import annotations

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Desk

ME = "/v1/users/me"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-token": "sandbox"}, 200),
        ({"authorization": "Bearer sandbox-oauth"}, 200),
        ({"x-api-token": "wrong"}, 401),
        ({"x-api-token": ""}, 401),
        ({"authorization": "Bearer sandbox"}, 401),
        ({"authorization": "Basic sandbox-oauth"}, 401),
        ({}, 401),
    ],
)
def test_a_key_goes_in_a_header(headers: dict[str, str], status: int) -> None:
    """The API token and the OAuth token have a header each; anything else is unauthorized."""
    got = Desk().send("GET", ME, headers=headers)
    assert got.status == status
    if status == 401:
        assert got.json == {
            "success": False,
            "error": "unauthorized access",
            "errorCode": 401,
            "error_info": "Please check developers.pipedrive.com",
        }


def test_a_key_in_the_url_is_refused() -> None:
    """Even the right key is refused in a query, where logs would keep it."""
    assert Desk().get(ME, api_token="sandbox").status == 401
    assert Desk().send("GET", ME, headers={}, query={"api_token": "sandbox"}).status == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/users/me", 200),
        ("GET", "/api/v1/users/me", 200),
        ("GET", "/api/v2/persons", 200),
        ("GET", "/v2/persons", 404),
        ("GET", "/api/v2/users/me", 404),
        ("GET", "/api/v2/nothing", 404),
        ("GET", "/api/v2/persons/", 404),
        ("GET", "/", 404),
        ("PUT", "/api/v2/persons/1", 405),
        ("GET", "/v1/persons", 410),
        ("PUT", "/v1/persons/1", 410),
        ("GET", "/v1/itemSearch", 410),
    ],
)
def test_each_version_answers_under_its_own_prefixes(method: str, path: str, status: int) -> None:
    """v2 lives under /api/v2 alone, v1 under two prefixes, and what v2 replaced is gone."""
    assert Desk().send(method, path).status == status


def test_what_is_gone_names_its_twin() -> None:
    """An endpoint out of support says what to use instead, whatever it was asked."""
    assert "PATCH /api/v2/persons/{id}" in Desk().send("PUT", "/v1/persons/1", query={"x": 1}).error


def test_the_user_and_the_company_are_the_ones_chosen() -> None:
    """users/me tells company, domain, currency and whether the user is an admin."""
    me = Desk(SandboxOptions(company_domain="acme", company_id=7, admin=False)).get(ME).data
    assert (me["company_domain"], me["company_id"], me["default_currency"]) == ("acme", 7, "EUR")
    assert {row["admin"] for row in me["access"]} == {False}
    assert len(Desk().get("/v1/users").data) == 2
    assert Desk().get("/v1/users/9").status == 404


def test_currencies_are_listed_and_found() -> None:
    """Currencies come with code and decimals; a term narrows them."""
    desk = Desk()
    assert [row["code"] for row in desk.get("/v1/currencies", term="yen").data] == ["JPY"]
    assert len(desk.get("/v1/currencies").data) == 8


def test_every_answer_has_a_date() -> None:
    """The Date header is the sandbox's time, on refusals too."""
    for path in (ME, "/nowhere"):
        assert Desk().get(path).headers["date"] == "Mon, 23 Nov 2026 12:00:00 GMT"


def test_the_books_are_kept() -> None:
    """Every request is logged with its price, and counted by endpoint."""
    desk = Desk()
    desk.person()
    desk.get("/api/v2/persons/1")
    desk.get(ME)
    log = [(row.method, row.path, row.status, row.tokens) for row in desk.sandbox.requests]
    assert log == [("POST", "/api/v2/persons", 200, 5), ("GET", "/api/v2/persons/1", 200, 1), ("GET", ME, 200, 2)]
    assert desk.sandbox.calls["GET /api/v2/persons/{id}"] == 1
    assert desk.sandbox.tokens_spent == 8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"plan": "gold"}, "there is no plan 'gold'"),
        ({"seats": 0}, "seats must be at least 1"),
        ({"default_currency": "XXX"}, "not among the currencies"),
        ({"timezone": "Mars/Base"}, "there is no time zone 'Mars/Base'"),
        ({"faults": "5oo:0.1"}, "there is no '5oo'"),
        ({"refusals": "scope"}, "needs one of"),
    ],
)
def test_options_that_make_no_sense_are_refused(values: dict[str, object], message: str) -> None:
    """A sandbox is not made from options that cannot be meant."""
    with pytest.raises(ValueError, match=message):
        Desk(SandboxOptions(**values))  # type: ignore[arg-type]  # wrong on purpose
