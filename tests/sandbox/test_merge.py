"""Merging: who survives, what is filled, and what hangs on the one that is lost."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Desk


def _merge(desk: Desk, loser: int, survivor: object, kind: str = "persons") -> Any:
    return desk.send("PUT", f"/v1/{kind}/{loser}/merge", {"merge_with_id": survivor})


def test_the_record_named_in_the_body_survives_and_its_values_win() -> None:
    """The person in the path is lost; blanks of the other are filled from it."""
    desk = Desk()
    role = desk.sandbox.add_field("persons", name="Role")
    city = desk.sandbox.add_field("persons", name="City")
    loser = desk.person(name="Old Name", custom_fields={role: "buyer", city: "Tallinn"})
    survivor = desk.person(name="New Name", custom_fields={role: "seller"})
    merged = _merge(desk, loser, survivor).data
    assert (merged["id"], merged["merge_what_id"], merged["name"]) == (survivor, loser, "New Name")
    assert [row["id"] for row in desk.get("/api/v2/persons").data] == [survivor]
    assert desk.get(f"/api/v2/persons/{survivor}").data["custom_fields"] == {role: "seller", city: "Tallinn"}
    assert desk.get(f"/api/v2/persons/{loser}").data["is_deleted"] is True


@pytest.mark.parametrize(("setting", "emails"), [("survivor", ["new@x.test"]), ("union", ["new@x.test", "old@x.test"])])
def test_emails_are_joined_or_not_as_was_chosen(setting: Any, emails: list[str]) -> None:
    """Nobody knows whether a merge joins emails; either can be had, and one stays primary."""
    desk = Desk(SandboxOptions(plan="unlimited", merge_contacts=setting))
    loser = desk.person(emails=[{"value": "old@x.test"}, {"value": "NEW@x.test"}])
    survivor = desk.person(emails=[{"value": "new@x.test"}])
    _merge(desk, loser, survivor)
    kept = desk.get(f"/api/v2/persons/{survivor}").data["emails"]
    assert [item["value"] for item in kept] == emails
    assert [item["primary"] for item in kept].count(True) == 1


def test_leads_and_links_move_to_the_survivor() -> None:
    """What hung on the lost record hangs on the one that stays."""
    desk = Desk()
    for name in ("Acme", "Acme Inc"):
        desk.post("/api/v2/organizations", {"name": name})
    loser, survivor = desk.person(org_id=1), desk.person()
    lead = desk.post("/v1/leads", {"title": "L", "person_id": loser}).data
    _merge(desk, loser, survivor)
    assert desk.get(f"/v1/leads/{lead['id']}").data["person_id"] == survivor
    assert _merge(desk, 1, 2, "organizations").data == {"id": 2}
    assert desk.get(f"/api/v2/persons/{survivor}").data["org_id"] == 2


def test_merges_that_cannot_be_are_refused() -> None:
    """With itself: 400. With nobody: 403, as live accounts answer. Of nobody: 404."""
    desk = Desk()
    one = desk.person()
    assert _merge(desk, one, one).status == 400
    assert _merge(desk, one, 99).status == 403
    assert _merge(desk, 99, one).status == 404
    assert _merge(desk, one, "2").status == 400
    other = desk.person()
    _merge(desk, one, other)
    assert _merge(desk, one, other).status == 404
    assert _merge(desk, other, one).status == 403
