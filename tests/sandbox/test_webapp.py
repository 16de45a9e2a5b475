"""What people do in the web app, and the contents that two accounts are compared by."""

from __future__ import annotations

import pytest

from pipedrive_cli.sandbox import SandboxOptions

from .desk import Desk


def test_people_in_the_web_app_need_no_tokens() -> None:
    """Fields and records made by hand cost nothing, meet no faults and are in no log."""
    desk = Desk(SandboxOptions(plan="lite", daily_tokens=0, faults="500"))
    key = desk.sandbox.add_field("persons", name="Role")
    for number in range(50):
        assert desk.sandbox.add_record("persons", {"name": f"P{number}", "custom_fields": {key: "x"}}) == number + 1
    desk.sandbox.set_value("persons", 1, key, "y")
    desk.sandbox.set_value("persons", 1, "name", "Jane")
    desk.sandbox.delete_record("persons", 2)
    assert len(desk.sandbox.contents()["persons"]) == 49
    assert (desk.sandbox.tokens_spent, desk.sandbox.requests) == (0, [])


def test_the_web_app_takes_no_bad_values_either() -> None:
    """What the API would refuse is an error that says so."""
    sandbox = Desk().sandbox
    with pytest.raises(ValueError, match="Name must be given"):
        sandbox.add_record("persons", {})
    with pytest.raises(ValueError, match="not found"):
        sandbox.delete_record("persons", 5)
    with pytest.raises(ValueError, match="must be linked"):
        sandbox.add_record("leads", {"title": "L"})
    with pytest.raises(ValueError, match="no custom field can be of type"):
        sandbox.add_field("persons", name="X", field_type="boolean")


def test_a_field_can_have_the_key_of_another_accounts() -> None:
    """A field is made under a given key, once."""
    desk = Desk()
    key = "0123456789" * 4
    assert desk.sandbox.add_field("persons", name="Role", key=key) == key
    assert desk.get(f"/api/v2/personFields/{key}").data["field_name"] == "Role"
    for bad in (key, "short", "X" * 40):
        with pytest.raises(ValueError, match="is taken, or is not 40 hexadecimal digits"):
            desk.sandbox.add_field("deals", name="Role", key=bad)


def _filled(order: list[str]) -> Desk:
    desk = Desk()
    role = desk.sandbox.add_field("persons", name="Role", field_type="enum", options=["Buyer", "Seller"])
    rating = desk.sandbox.add_field("deals", name="Rating", field_type="double")
    option = desk.get(f"/api/v2/personFields/{role}").data["options"][0]["id"]
    desk.sandbox.add_record("organizations", {"name": "Acme"})
    for name in order:
        person = desk.sandbox.add_record("persons", {"name": name, "org_id": 1, "custom_fields": {role: option}})
        desk.clock.advance(7)
        desk.sandbox.add_record("leads", {"title": f"For {name}", "person_id": person, "origin_id": name, rating: 5})
    return desk


def test_contents_do_not_depend_on_the_order_in_which_they_came() -> None:
    """Two accounts that hold the same compare equal, whatever their ids and times are."""
    one, two = _filled(["Jane", "John"]), _filled(["John", "Jane"])
    assert one.sandbox.contents() == two.sandbox.contents()
    assert one.sandbox.contents(ids=True) != two.sandbox.contents(ids=True)
    assert one.sandbox.contents(times=True) != two.sandbox.contents(times=True)


def test_contents_speak_in_names() -> None:
    """Fields go by name, options by label, links by what they lead to."""
    contents = _filled(["Jane"]).sandbox.contents()
    person = contents["persons"][0]
    assert person["custom_fields"] == {"Role": "Buyer"}
    assert person["org"] == {"name": "Acme", "custom_fields": {}}
    lead = contents["leads"][0]
    assert lead["person"] == {"name": "Jane", "custom_fields": {"Role": "Buyer"}}
    assert lead["organization"] is None
    assert lead["custom_fields"] == {"Rating": 5}
    assert lead["origin_id"] == "Jane"


def test_contents_tell_links_to_deleted_records() -> None:
    """A person keeps the link to a deleted organization; contents say that it is one."""
    desk = _filled(["Jane"])
    desk.sandbox.delete_record("organizations", 1)
    contents = desk.sandbox.contents()
    assert contents["persons"][0]["org"] == {"name": "Acme", "custom_fields": {}, "deleted": True}
    assert contents["organizations"] == []


def test_fields_of_one_name_are_told_apart() -> None:
    """The second field of a name bears a number."""
    desk = Desk()
    keys = [desk.sandbox.add_field("persons", name="Role") for _ in range(2)]
    desk.person(custom_fields={keys[0]: "a", keys[1]: "b"})
    assert desk.sandbox.contents()["persons"][0]["custom_fields"] == {"Role": "a", "Role #2": "b"}


def test_people_merge_archive_and_change_the_fields() -> None:
    """What they do is seen by the API, and what they cannot do is an error."""
    desk = Desk()
    role = desk.sandbox.add_field("persons", name="Role", field_type="enum", options=["Buyer", "Seller"])
    city = desk.sandbox.add_field("persons", name="City")
    chosen = {option["label"]: option["id"] for option in desk.get(f"/api/v2/personFields/{role}").data["options"]}
    one, two = (desk.person(custom_fields={role: chosen[label], city: "x"}) for label in ("Buyer", "Seller"))
    lead = desk.sandbox.add_record("leads", {"title": "L", "person_id": one})
    desk.sandbox.archive_lead(lead)
    assert desk.get(f"/v1/leads/{lead}").data["is_archived"] is True
    desk.sandbox.merge_records("persons", one, two)
    assert desk.get(f"/api/v2/persons/{one}").data["is_deleted"] is True
    desk.sandbox.delete_option("persons", role, "Seller")
    assert desk.get(f"/api/v2/persons/{two}").data["custom_fields"][role] is None
    desk.sandbox.delete_field("persons", city)
    assert "custom_fields" in desk.patch(f"/api/v2/persons/{two}", {"custom_fields": {city: "y"}}).error
    with pytest.raises(ValueError, match="not found"):
        desk.sandbox.merge_records("persons", one, two)


@pytest.mark.parametrize("told", [True, False])
def test_a_field_that_nobody_can_write_refuses_every_value(told: bool) -> None:
    """In v2 and in v1; the list of fields tells, unless it is to be silent as the published types are."""
    desk = Desk(SandboxOptions(plan="unlimited", tells_writable=told))
    score = desk.sandbox.add_field("persons", name="Score")
    rating = desk.sandbox.add_field("deals", name="Rating")
    person = desk.person(custom_fields={score: "1"})
    desk.sandbox.lock_field("persons", score)
    desk.sandbox.lock_field("deals", rating)
    for value in ("2", None):
        assert score in desk.patch(f"/api/v2/persons/{person}", {"custom_fields": {score: value}}).error
    assert rating in desk.post("/v1/leads", {"title": "L", "person_id": person, rating: "5"}).error
    rows = {row["field_code"]: row for row in desk.get("/api/v2/personFields").data}
    assert rows[score].get("is_writable") is (False if told else None)
    assert rows["name"].get("is_writable") is (True if told else None)
