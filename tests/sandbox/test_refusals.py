"""Standing refusals: what key, user, plan or account do not allow."""

from __future__ import annotations

import pytest

from pipedrive_cli.sandbox import SandboxOptions
from pipedrive_cli.sandbox.refusals import RefusalPlanError, parse

from .desk import Desk

LEAD = {"title": "L", "person_id": 1}


def _desk(refusals: str) -> Desk:
    return Desk(SandboxOptions(plan="unlimited", refusals=refusals))


def test_a_missing_scope_or_permission_concerns_one_kind() -> None:
    """The kind is forbidden, in the words of its cause, and others are not."""
    scope = _desk("scope@leads")
    assert scope.get("/v1/leads").json["error"] == "Scope and URL mismatch"
    assert scope.get("/v1/leadLabels").status == 403
    assert scope.get("/api/v2/persons").status == 200
    permission = _desk("permission@persons")
    assert permission.get("/api/v2/persons/1").status == 403
    assert permission.send("PUT", "/v1/persons/1/merge", {"merge_with_id": 2}).status == 403
    assert _desk("permission@fields").get("/api/v2/dealFields").status == 403


def test_a_feature_that_is_off_is_not_enabled() -> None:
    """Products switched off answer 415."""
    assert _desk("off@products").get("/api/v2/products").status == 415


def test_a_full_account_takes_no_more() -> None:
    """Past the cap creating is refused with a capping code; changing is not."""
    desk = _desk("cap@leads#1, cap@persons#2")
    desk.person()
    lead = desk.post("/v1/leads", LEAD).data
    got = desk.post("/v1/leads", LEAD)
    assert (got.status, got.json["code"]) == (403, "feature_capping_leads_limit")
    assert desk.patch(f"/v1/leads/{lead['id']}", {"title": "M"}).status == 200
    desk.person()
    got = desk.post("/api/v2/persons", {"name": "Jane"})
    assert got.json["code"] == "feature_capping_persons_limit"
    assert desk.post("/v1/leadLabels", {"name": "N", "color": "red"}).status == 200


def test_an_unpaid_company_is_closed() -> None:
    """Everything answers 402."""
    assert _desk("payment").get("/v1/users/me").status == 402


def test_a_key_can_die_in_the_middle() -> None:
    """After so many answers the key is unauthorized."""
    desk = _desk("key-dies#2")
    assert [desk.get("/v1/users/me").status for _ in range(3)] == [200, 200, 401]


@pytest.mark.parametrize("text", ["nothing", "scope", "scope@cats", "payment@leads", "cap@leads", "payment#3", "a b"])
def test_refusals_that_cannot_be_read_say_what_is_allowed(text: str) -> None:
    """Mistakes are told with the wrong part."""
    with pytest.raises(RefusalPlanError, match=f"refusal '{text}'"):
        parse(text)
