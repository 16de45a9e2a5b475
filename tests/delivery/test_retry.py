"""The whole retry policy as one table, and the edges of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.retry import (
    AGAIN_LATER,
    Again,
    ComeBack,
    DaySpent,
    Done,
    GiveUp,
    Gone,
    InDoubt,
    Refused,
    SlowDown,
    Verdict,
    backoff,
    decide_retry,
    named_fields,
)
from pipedrive_cli.model import PipedriveCode
from pipedrive_cli.pipedrive import catalog
from pipedrive_cli.pipedrive.answer import Answer, NoAnswer
from pipedrive_cli.pipedrive.catalog import Call

KEY = "0123456789abcdef0123456789abcdef01234567"

POST = catalog.create("persons", {"name": "Ada"})
PATCH = catalog.update("persons", 7, {"name": "Ada"})
MERGE = catalog.merge(7, 8)
GET = catalog.get("persons", 7)
LIST = catalog.listing("persons")
LEADS = catalog.list_leads()
SEARCH = catalog.find_exact("persons", "u1")
LEAD = catalog.create("leads", {"title": "Signed up", "person_id": 7})
NEW_FIELD = catalog.create_field("persons", "Role", "varchar")


def answer(status: int, body: Mapping[str, Any] | None, /, **headers: str) -> Answer:
    """An answer; header names are written with underscores."""
    text = "" if body is not None else "<html>Attention Required!</html>"
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, text)


def error(text: str, **more: Any) -> dict[str, Any]:
    """A refusal in Pipedrive's form."""
    return {"success": False, "error": text, **more}


RECORD = {"success": True, "data": {"id": 7}}
LOST = NoAnswer("no answer", may_have_arrived=True)
UNREACHED = NoAnswer("no connection", may_have_arrived=False)
DAILY = error("daily request budget exceeded", errorCode=429)
BURST = error("Request over limit", errorCode=429)


class Is:
    """A verdict of this type, whatever it says."""

    def __init__(self, kind: type[object]) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.kind)

    def __hash__(self) -> int:
        return hash(self.kind)

    def __repr__(self) -> str:
        return f"any {self.kind.__name__}"


def done(outcome: Answer) -> tuple[Answer, Verdict]:
    """A row's end: an answer that settles its call."""
    return outcome, Done(outcome)


def refused(cause: Any, code: str, message: str, *fields: str) -> Refused:
    return Refused(cause, PipedriveCode(code), message, fields)


def forbidden(cause: Any, code: str, message: str, *fields: str) -> Refused:
    return Refused(cause, PipedriveCode(code), message, fields, forbidden=True)


def unset(call: Call, shown: Any) -> tuple[Call, Answer, Is]:
    """A row: a creation that is answered with this for an id, and so is in doubt."""
    return call, answer(200, {"success": True, "data": {"id": shown}}), Is(InDoubt)


NO_REASON = "<html>Attention Required!</html>"

ODD_LISTS: tuple[Any, ...] = ({}, "rows", 7, True)
ODD_HITS: tuple[Any, ...] = ([], None, {"items": {}})

# (call, what came of it, the verdict at attempt 2 of 8 with a jitter of 0.5)
TABLE: list[tuple[Call, Answer | NoAnswer, Verdict | Is]] = [
    # Acknowledged.
    (POST, *done(answer(200, RECORD))),
    (POST, *done(answer(201, RECORD))),
    (POST, *done(answer(299, {"data": {"id": 7}}))),
    (PATCH, *done(answer(200, RECORD))),
    (catalog.delete("persons", 7), *done(answer(200, {"success": True, "data": {"id": 7}}))),
    (MERGE, *done(answer(200, {"success": True, "data": {"id": 8, "merge_what_id": 7}}))),
    (LEAD, *done(answer(201, {"success": True, "data": {"id": "0b1c"}}))),
    (NEW_FIELD, *done(answer(200, {"success": True, "data": {"field_code": KEY}}))),
    (GET, *done(answer(200, RECORD))),
    (catalog.me(), *done(answer(200, RECORD))),
    (LIST, *done(answer(200, {"success": True, "data": []}))),
    (LEADS, *done(answer(200, {"success": True, "data": None}))),
    (LIST, *done(answer(200, {"success": True, "data": None}))),
    (SEARCH, *done(answer(200, {"success": True, "data": {"items": []}}))),
    (SEARCH, *done(answer(200, {"success": True, "data": {"items": None}}))),
    # A success that does not bring what was asked for is no success.
    (POST, answer(200, {"success": True, "data": None}), Is(InDoubt)),
    (POST, answer(200, {"success": True, "data": {}}), Is(InDoubt)),
    *(unset(POST, shown) for shown in (True, False, -1, 0, 7.0, "7", "", None, [7], {"id": 7}, 2**63)),
    *(unset(LEAD, shown) for shown in (7, True, "", None, "a/b", "x" * 65, ["0b1c"])),
    (GET, answer(200, {"success": True, "data": {"id": 8}}), Again(0.5)),
    (GET, answer(200, {"success": True, "data": {"id": True}}), Again(0.5)),
    (GET, answer(200, {"success": True, "data": [{"id": 7}]}), Again(0.5)),
    # Nor is one that does not show the record: somebody in between may say so, or it was only taken in (202).
    *((PATCH, answer(200, body), Again(0.5)) for body in ({}, {"success": True}, {"success": True, "data": {"id": 8}})),
    (PATCH, answer(202, {"success": True, "data": None}), Again(0.5)),
    (catalog.delete("persons", 7), answer(200, {}), Again(0.5)),
    *((LIST, answer(200, {"success": True, "data": odd}), Again(0.5)) for odd in ODD_LISTS),
    *((SEARCH, answer(200, {"success": True, "data": odd}), Again(0.5)) for odd in ODD_HITS),
    (POST, answer(200, None), Is(InDoubt)),
    (MERGE, answer(200, {}), Is(InDoubt)),
    (PATCH, answer(200, None), Again(0.5)),
    (GET, answer(200, {"success": True, "data": None}), Again(0.5)),
    (LIST, answer(200, {"success": True}), Again(0.5)),
    (LEADS, answer(200, {"success": True}), Again(0.5)),
    (SEARCH, answer(200, {"success": True, "data": {}}), Again(0.5)),
    (SEARCH, answer(200, None), Again(0.5)),
    # No answer.
    (POST, LOST, InDoubt("no answer")),
    (MERGE, LOST, InDoubt("no answer")),
    (LEAD, LOST, InDoubt("no answer")),
    (PATCH, LOST, Again(0.5)),
    (GET, LOST, Again(0.5)),
    (POST, UNREACHED, Again(0.5)),
    (MERGE, UNREACHED, Again(0.5)),
    (PATCH, UNREACHED, Again(0.5)),
    # Trouble on Pipedrive's side.
    (POST, answer(500, error("Internal Server Error", code="ERR_UNKNOWN")), Is(InDoubt)),
    (MERGE, answer(502, None), Is(InDoubt)),
    (POST, answer(503, None, retry_after="5"), Is(InDoubt)),
    (POST, answer(408, None), Is(InDoubt)),
    (POST, answer(302, None, location="https://elsewhere"), Is(InDoubt)),
    (PATCH, answer(500, error("Internal Server Error")), Again(0.5)),
    (PATCH, answer(302, None), Again(0.5)),
    (GET, answer(503, None), Again(0.5)),
    (GET, answer(503, None, retry_after="7"), Again(7.0)),
    (GET, answer(503, None, retry_after="0"), Again(0.0)),
    (GET, answer(503, None, retry_after="soon"), Again(0.5)),
    (
        GET,
        answer(503, None, retry_after="Mon, 23 Nov 2026 10:00:30 GMT", date="Mon, 23 Nov 2026 10:00:00 GMT"),
        Again(30.0),
    ),
    (GET, answer(503, None, retry_after="Mon, 23 Nov 2026 10:00:30 GMT"), Again(0.5)),
    # The burst limit: a POST was not done, and loses no attempt.
    (POST, answer(429, BURST), SlowDown(2.0)),
    (MERGE, answer(429, None, retry_after="1"), SlowDown(1.0)),
    (MERGE, answer(429, None, x_ratelimit_remaining="0"), SlowDown(2.0)),
    (GET, answer(429, None), SlowDown(2.0)),
    (PATCH, answer(429, None), SlowDown(2.0)),
    (GET, answer(429, BURST, x_ratelimit_reset="2"), SlowDown(2.0)),
    (GET, answer(429, BURST, x_ratelimit_reset="1", retry_after="3"), SlowDown(3.0)),
    (GET, answer(429, BURST, retry_after="0"), SlowDown(1.0)),
    (GET, answer(429, BURST, retry_after="60"), SlowDown(60.0)),
    (GET, answer(429, BURST, x_daily_ratelimit_token_remaining="1"), SlowDown(2.0)),
    # The day, by each of its signs.
    (POST, answer(429, DAILY, retry_after="3939"), DaySpent(3939.0)),
    (POST, answer(429, DAILY), DaySpent(None)),
    (GET, answer(429, BURST, x_daily_ratelimit_token_remaining="0"), DaySpent(None)),
    (POST, answer(429, BURST, x_daily_ratelimit_token_remaining="4"), DaySpent(None)),
    (GET, answer(429, None, x_daily_ratelimit_token_remaining="-3"), DaySpent(None)),
    (POST, answer(429, BURST, x_daily_requests_left="0"), DaySpent(None)),
    (GET, answer(429, None, retry_after="61"), DaySpent(61.0)),
    # Refused: the record.
    (
        POST,
        answer(400, error("Validation failed: name: is bad", code="ERR_SCHEMA_VALIDATION_FAILED")),
        refused("record", "ERR_SCHEMA_VALIDATION_FAILED", "Validation failed: name: is bad", "name"),
    ),
    (POST, answer(422, error("no")), refused("record", "http_422", "no")),
    (POST, answer(404, error("no", errorCode=404)), refused("record", "http_404", "no")),
    (PATCH, answer(413, error("no")), refused("record", "http_413", "no")),
    (POST, answer(400, {"success": False}), refused("record", "http_400", "no reason given")),
    (POST, answer(400, error("no", code="two\twords")), refused("record", "http_400", "no")),
    # A conflict, a lock: the same may be right in a moment, and nothing was done.
    *((call, answer(status, error("no")), Again(0.5)) for call in (POST, MERGE, PATCH, GET) for status in AGAIN_LATER),
    (PATCH, answer(423, error("no"), retry_after="4"), Again(4.0)),
    # Somebody in between: what may not be repeated is in doubt, whatever the status and the form.
    *(
        (call, answer(status, body), Is(InDoubt))
        for call in (POST, LEAD, MERGE)
        for status in (400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 423, 425, 429, 451, 499)
        for body in (None, {}, {"message": "Forbidden"}, {"success": True}, {"error": "no"})
    ),
    *((call, answer(400, {}), Again(0.5)) for call in (PATCH, GET, LIST)),
    (PATCH, answer(403, None), Is(InDoubt)),
    (catalog.delete("persons", 7), answer(403, None), forbidden("firewall", "http_403", NO_REASON)),
    (catalog.delete("persons", 7), answer(404, None), Again(0.5)),
    (GET, answer(403, {"message": "Forbidden"}), forbidden("firewall", "http_403", "no reason given")),
    # What asks for more than two minutes is not slept for.
    (GET, answer(503, None, retry_after="121"), Is(ComeBack)),
    (GET, answer(503, None, retry_after="1e300"), Again(0.5)),
    (GET, answer(503, None, retry_after="120"), Again(120.0)),
    (PATCH, answer(409, error("no"), retry_after="86400"), Is(ComeBack)),
    (GET, answer(429, BURST, x_ratelimit_reset="86400"), Is(ComeBack)),
    (GET, answer(429, BURST, x_ratelimit_reset="120"), SlowDown(120.0)),
    # A number that is a moment, in seconds or milliseconds, counts from the server's own Date.
    *(
        (POST, answer(429, BURST, x_ratelimit_reset=moment, date="Mon, 23 Nov 2026 10:00:00 GMT"), verdict)
        for moment, verdict in (
            ("1795428004", SlowDown(4.0)),
            ("1795428004000", SlowDown(4.0)),
            ("1795427000", SlowDown(1.0)),
            ("1795975000", Is(ComeBack)),
            ("99999999999999999999", Is(ComeBack)),
        )
    ),
    (POST, answer(429, BURST, x_ratelimit_reset="1795975000"), SlowDown(2.0)),
    # Numbers that are none.
    *(
        (GET, answer(429, BURST, **{header: text}), verdict)
        for header in ("retry_after", "x_ratelimit_reset")
        for text, verdict in (
            *((text, SlowDown(2.0)) for text in ("nan", "inf", "-inf", "1e999", "", "soon", "2026-11-23", "0x10")),
            *((text, SlowDown(1.0)) for text in ("-5", "-1e300", "0", "1e-300")),
        )
    ),
    *(
        (GET, answer(503, None, retry_after=text, date="Mon, 23 Nov 2026 10:00:00 GMT"), Again(0.5))
        for text in ("Mon, 23 Nov 99999 10:00:30 GMT", "Mon, 23 Nov 1026 10:00:30 GMT", "Tue, 99 Foo 2026 25:61:61")
    ),
    (LEAD, answer(200, error("bad", error_info="worse")), Is(InDoubt)),
    # Refused: one record or its kind.
    (PATCH, answer(403, error("Forbidden")), forbidden("record", "http_403", "Forbidden")),
    (MERGE, answer(403, error("Forbidden")), forbidden("record", "http_403", "Forbidden")),
    (
        POST,
        answer(403, error("Parameter 'name' is not allowed")),
        forbidden("record", "http_403", "Parameter 'name' is not allowed", "name"),
    ),
    (POST, answer(403, error("Forbidden")), forbidden("record", "http_403", "Forbidden")),
    (POST, answer(403, error("Scope and URL mismatch")), forbidden("kind", "http_403", "Scope and URL mismatch")),
    (LIST, answer(403, error("Forbidden")), forbidden("kind", "http_403", "Forbidden")),
    (SEARCH, answer(403, error("Scope and URL mismatch")), forbidden("kind", "http_403", "Scope and URL mismatch")),
    (MERGE, answer(403, error("No permission to merge")), forbidden("record", "http_403", "No permission to merge")),
    (
        LEAD,
        answer(403, error("Leads limit reached.", code="feature_capping_leads_limit")),
        forbidden("kind", "feature_capping_leads_limit", "Leads limit reached."),
    ),
    (catalog.create("products", {}), answer(415, error("off")), refused("kind", "http_415", "off")),
    # Refused: the account.
    (POST, answer(401, error("unauthorized access", errorCode=401)), Is(Refused)),
    (GET, answer(401, None), refused("credentials", "http_401", NO_REASON)),
    (catalog.me(), answer(403, error("Scope and URL mismatch")), Is(Refused)),
    (POST, answer(402, error("Company not open")), refused("account", "http_402", "Company not open")),
    (GET, answer(403, None), forbidden("firewall", "http_403", NO_REASON)),
    # Not there.
    (PATCH, answer(404, error("Person not found")), Gone()),
    (GET, answer(410, error("Person is deleted")), Gone()),
    (MERGE, answer(404, error("Person not found")), Gone()),
    # A page of somebody in between says nothing of the record.
    (PATCH, answer(404, None), Again(0.5)),
    (MERGE, answer(404, None), Is(InDoubt)),
]


def test_every_outcome_has_its_verdict() -> None:
    """The policy, row by row."""
    for call, outcome, verdict in TABLE:
        assert decide_retry(call, outcome, 2, max_attempts=8, jitter=0.5) == verdict, (call, outcome)


@pytest.mark.parametrize(
    ("call", "outcome"),
    [(PATCH, LOST), (GET, answer(503, None, retry_after="7")), (POST, UNREACHED), (LIST, answer(200, None))],
)
def test_the_last_attempt_is_the_last(call: Call, outcome: Answer | NoAnswer) -> None:
    """What may be repeated is given up when its attempts are used, a POST that never arrived too."""
    assert isinstance(decide_retry(call, outcome, 7, max_attempts=8, jitter=0.5), Again)
    assert isinstance(decide_retry(call, outcome, 8, max_attempts=8, jitter=0.5), GiveUp)


def test_limits_use_up_no_attempt() -> None:
    """A 429 is no failure of the call, however often it comes."""
    assert decide_retry(POST, answer(429, BURST), 99, max_attempts=8, jitter=0.5) == SlowDown(2.0)


def test_the_backoff_doubles_up_to_a_minute() -> None:
    """Half a second, doubled by each attempt, 60 s at most."""
    most = [backoff(attempt, 1.0) for attempt in range(1, 11)]
    assert most == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_jitter_is_full(attempt: int, jitter: float) -> None:
    """The wait lies anywhere between nothing and the most of its attempt."""
    assert 0 <= backoff(attempt, jitter) <= min(60.0, 0.5 * 2 ** min(attempt - 1, 20))
    assert backoff(attempt, 0.0) == 0


def test_a_long_message_is_cut() -> None:
    """A refusal's message is one line of at most 500 characters."""
    verdict = decide_retry(POST, answer(400, error("x\n" * 1000)), 1, max_attempts=8, jitter=0.0)
    assert isinstance(verdict, Refused)
    assert len(verdict.message) == 500
    assert "\n" not in verdict.message


FIELDS: list[tuple[Call, str, tuple[str, ...]]] = [
    (
        catalog.create("persons", {"name": "x", "emails": [], "custom_fields": {KEY: 1}}),
        f"Validation failed: custom_fields.{KEY}: Expected 'string'; emails.0.value: is no email",
        ("emails", f"custom_fields.{KEY}"),
    ),
    (
        catalog.create("persons", {"name": "x", "custom_fields": {"title": 1}}),
        "Validation failed: custom_fields: Unknown key 'title'",
        ("custom_fields.title",),
    ),
    (
        catalog.create("persons", {"name": "x", "title": 1}),
        "Parameter 'title' is not allowed for this request",
        ("title",),
    ),
    (catalog.update("persons", 1, {"org_id": 3}), "Validation failed: org_id: not found", ("organization",)),
    (
        catalog.create("leads", {"title": "x", "owner_id": None, "organization_id": 4}),
        'provided dataset is not valid · "owner_id" must be a number',
        ("owner_id",),
    ),
    (
        catalog.create("leads", {"title": "x", KEY: 1, f"{KEY}_currency": "XXX"}),
        f'provided dataset is not valid · "{KEY}_currency" must be one of',
        (f"custom_fields.{KEY}",),
    ),
    (
        catalog.update("products", 1, {"prices": [{"currency": "EUR"}, {"currency": "XXX"}]}),
        "Validation failed: prices.1.currency: not supported",
        ("prices.XXX",),
    ),
    (
        catalog.update("products", 1, {"prices": [{"currency": "EUR"}, {"currency": "XXX"}]}),
        "Validation failed: prices: too many",
        ("prices.EUR", "prices.XXX"),
    ),
    (catalog.create("persons", {"name": "x"}), "The name of the game: lost", ()),
    (catalog.create("persons", {"name": "x"}), "", ()),
    (GET, "Validation failed: name: x", ()),
]


@pytest.mark.parametrize(("call", "message", "fields"), FIELDS)
def test_named_fields_are_found_in_the_words(call: Call, message: str, fields: tuple[str, ...]) -> None:
    """The addresses that Pipedrive's words name are known, in all the forms seen."""
    assert named_fields(call, message) == fields


@given(st.text(max_size=300), st.dictionaries(st.text(max_size=20), st.integers(), max_size=5))
def test_only_what_was_sent_is_ever_named(message: str, body: dict[str, int]) -> None:
    """Whatever the message and the body, no field comes out that did not go in."""
    assert set(named_fields(catalog.create("products", body), message)) <= set(body)
