"""Whole runs: the six kinds of event, and runs that are run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.harness import (
    CONFIG,
    Scene,
    alias,
    event,
    group,
    identify,
    lines,
    options,
    ordered,
    outcomes,
    track,
    viewed,
    with_delivery,
    with_identity,
)
from tests.run.events_of_all_kinds import ALL


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_an_identify_becomes_a_person(scene: Scene) -> None:
    """Name, email, phone and mapped traits arrive, with the user id in its field."""
    summary = scene.run([identify("u1", name="Ann Lee", email="a@b.test", phone="+1 2", role="dev", unmapped=1)])
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["emails"][0]["value"], person["phones"][0]["value"]) == (
        "Ann Lee",
        "a@b.test",
        "+1 2",
    )
    assert person["custom_fields"] == {"User id": "u1", "Role": "dev"}
    assert outcomes(summary) == {"delivered": 1}
    assert summary.dropped_traits == {"persons": {"unmapped": 1}}


def test_a_group_becomes_an_organization_and_the_link_to_it(scene: Scene) -> None:
    """The organization is there before the person that is linked to it."""
    summary = scene.run([group("u1", "g1", name="Acme", industry="IT"), identify("u1", name="Ann")])
    (person,) = scene.contents()["persons"]
    assert person["org"] == {"name": "Acme", "custom_fields": {"Branch": "IT", "Group id": "g1"}}
    assert (summary.records.persons.created, summary.records.organizations.created) == (1, 1)


def test_a_group_without_a_user_is_an_organization_alone(scene: Scene) -> None:
    """Nobody is created for it."""
    scene.run([group(None, "g1", name="Acme")])
    assert (scene.names("organizations"), scene.names("persons")) == (["Acme"], [])


def test_a_track_becomes_a_lead_of_its_person(scene: Scene) -> None:
    """Title, origin_id and mapped properties; a person that nobody named is created for it."""
    scene.run([track("u1", "Demo Requested", message_id="m-demo", rating="5")])
    (lead,) = scene.contents()["leads"]
    assert (lead["title"], lead["origin_id"]) == ("Demo Requested", "m-demo")
    assert lead["person"]["custom_fields"] == {"User id": "u1"}
    assert lead["custom_fields"] == {"Rating": "5"}


def test_products_are_one_record_per_code(scene: Scene) -> None:
    """However often a product is seen or ordered, there is one; prices stand side by side by currency."""
    scene.run(
        [
            viewed("u1", "p1", name="Chair", price=5, currency="EUR"),
            viewed("u1", "p1", name="Chair", price=6, currency="USD"),
            ordered("u1", [{"product_id": "p1", "name": "Chair", "price": 7}], currency="EUR"),
        ]
    )
    (product,) = scene.contents()["products"]
    assert {price["currency"]: price["price"] for price in product["prices"]} == {"EUR": 7, "USD": 6}


def test_an_alias_merges_two_persons_that_exist(scene: Scene) -> None:
    """The current one survives and keeps what it had; what was said of the previous one fills its blanks."""
    scene.run([identify("old", 1, name="Old", city="Rome", role="x"), identify("new", 2, name="New", role="y")])
    summary = scene.run([alias("old", "new", 3), track("old", "Later", 4)])
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["custom_fields"]) == ("New", {"User id": "new", "City": "Rome", "Role": "y"})
    (lead,) = scene.contents()["leads"]
    assert lead["person"]["name"] == "New"
    assert outcomes(summary) == {"delivered": 2}
    assert summary.records.persons.merged == 1


def test_an_alias_of_somebody_who_waits_merges_nobody(scene: Scene) -> None:
    """A previous id that Pipedrive never saw flows into the current one: one POST, no merge."""
    scene.run([identify("old", 1, city="Rome"), alias("old", "new", 2), identify("new", 3, name="New")])
    assert [call for call in scene.writes if call.startswith("PUT")] == []
    assert scene.names("persons") == ["New"]


@pytest.mark.parametrize("kept", [True, False], ids=["the same journal", "a new journal"])
def test_running_again_writes_nothing(scene: Scene, kept: bool) -> None:
    """A second run sends nothing but GETs; a new journal takes over what is there, leads by their origin_id."""
    scene.run(ALL)
    before = scene.contents()
    if not kept:
        scene.state = scene.folder / "another.sqlite"
    summary = scene.run(ALL)
    assert scene.writes == []
    assert scene.contents() == before
    assert outcomes(summary) == ({"duplicate": len(ALL)} if kept else {"unchanged": len(ALL)})
    assert summary.exit_code == 0


def test_a_new_journal_knows_archived_leads_too(scene: Scene) -> None:
    """A lead that somebody has archived is not made a second time."""
    scene.run([track("u1", "Signed Up")])
    (lead,) = scene.sandbox.contents(ids=True)["leads"]
    scene.sandbox.set_value("leads", lead["id"], "is_archived", True)
    scene.state = scene.folder / "another.sqlite"
    scene.run(scene.folder / "events.ndjson")
    assert scene.writes == []


def test_known_events_cost_one_request(scene: Scene) -> None:
    """A run without news asks who it is, and nothing else."""
    scene.run(ALL)
    scene.run(ALL)
    assert scene.sent == ["GET /api/v1/users/me"]


def test_a_copy_within_one_file_is_a_duplicate(scene: Scene) -> None:
    """Copies in the same batch and after the original was delivered count as duplicates; one record each."""
    scene.config = with_delivery(lookahead=2)
    copied = [identify("u1", 1, name="Ann"), track("u1", "Signed Up", 2)]
    summary = scene.run([*copied, *copied, copied[0]])
    assert outcomes(summary) == {"delivered": 2, "duplicate": 3}
    assert (len(scene.contents()["persons"]), len(scene.contents()["leads"])) == (1, 1)


def test_a_copy_of_a_lead_that_waits_for_its_person_makes_no_second_lead(scene: Scene) -> None:
    """An event that waits for the rest of the input stays known while it waits, over all windows."""
    scene.config = with_identity(with_delivery(lookahead=1), create_missing_persons=False)
    lead = track("u1", "Signed Up", 1)
    summary = scene.run([lead, lead, identify("u2", 2, name="B"), lead, identify("u1", 3, name="Ann"), lead])
    assert scene.names("leads") == ["Signed Up"]
    assert outcomes(summary) == {"delivered": 3, "duplicate": 3}


def test_events_of_somebody_who_never_comes_are_rejected_at_the_end(scene: Scene) -> None:
    """With create_missing_persons off, a lead of nobody is rejected and its person is not made."""
    scene.config = with_identity(create_missing_persons=False)
    summary = scene.run([track("u1", "Signed Up"), identify("u2", name="B")])
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    assert "person_not_found" in {problem.code for problem in summary.problems}
    assert scene.names("persons") == ["B"]
    assert summary.exit_code == 1


def test_with_create_persons_none_only_known_persons_are_written(scene: Scene) -> None:
    """Events of strangers are skipped, leads too, and no alias or late identify makes one of them."""
    scene.run([identify("u1", name="Ann")])
    scene.config = with_identity(with_delivery(lookahead=1), create_persons="none")
    summary = scene.run(
        [
            identify("u2", name="B"),
            track("u2", "Signed Up"),
            group("u3", "g1", name="Acme"),
            identify("u1", city="Rome"),
        ]
    )
    assert outcomes(summary) == {"skipped": 2, "delivered": 2}
    assert {problem.code for problem in summary.problems if problem.outcome == "skipped"} == {"person_unknown"}
    assert (scene.names("persons"), scene.names("organizations"), scene.names("leads")) == (["Ann"], ["Acme"], [])
    assert summary.exit_code == 0


def test_with_create_persons_none_adoption_by_email_is_no_creation(scene: Scene) -> None:
    """Somebody who is there without a user id becomes known, for the events before that one too."""
    scene.sandbox.add_record("persons", {"name": "Ann", "emails": [{"value": "ann@example.com"}]})
    scene.config = with_identity(with_delivery(lookahead=1), create_persons="none")
    summary = scene.run([identify("u1", city="Rome"), identify("u1", email="ann@example.com")])
    assert outcomes(summary) == {"delivered": 2}
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "u1", "City": "Rome"}


def test_the_newest_event_wins_whatever_the_order_of_files_and_runs(scene: Scene) -> None:
    """A late file with an older event does not bring an old value back."""
    scene.run([identify("u1", 20, name="New Name", role="new")])
    summary = scene.run([identify("u1", 10, name="Old Name", role="old", city="Rome")])
    (person,) = scene.contents()["persons"]
    assert person["name"] == "New Name"
    assert person["custom_fields"] == {"User id": "u1", "Role": "new", "City": "Rome"}
    assert outcomes(summary) == {"delivered": 1}
    assert outcomes(scene.run([identify("u1", 5, role="older still")])) == {"unchanged": 1}


def test_what_a_person_corrected_is_not_undone_by_the_next_import(scene: Scene) -> None:
    """An event that repeats the value we last wrote asks for nothing."""
    scene.run([identify("u1", name="Ann", role="dev")])
    (person,) = scene.sandbox.contents(ids=True)["persons"]
    scene.sandbox.set_value("persons", person["id"], scene.key("persons", "Role"), "chief")
    summary = scene.run([identify("u1", name="Ann", role="dev")])
    assert scene.contents()["persons"][0]["custom_fields"]["Role"] == "chief"
    assert (scene.writes, outcomes(summary)) == ([], {"unchanged": 1})


def test_an_email_that_a_person_added_in_between_is_kept(scene: Scene) -> None:
    """Emails are replaced whole, so what is there is read first, also when only an earlier run has seen it."""
    scene.run([identify(f"u{n}", name=f"N{n}", email=f"u{n}@b.test") for n in range(3)])
    (person,) = [row for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == "N0"]
    scene.sandbox.set_value(
        "persons",
        person["id"],
        "emails",
        [{"value": "u0@b.test", "primary": True, "label": "work"}, {"value": "own@b.test", "primary": False}],
    )
    scene.run([identify("u0", email="third@b.test"), identify("u99", name="Somebody new")])
    (after,) = [row for row in scene.contents()["persons"] if row["name"] == "N0"]
    assert [email["value"] for email in after["emails"]] == ["u0@b.test", "own@b.test", "third@b.test"]


def test_a_record_that_was_deleted_in_pipedrive_is_made_anew(scene: Scene) -> None:
    """The next event of a deleted person creates it with what we had written before."""
    scene.run([identify("u1", name="Ann", role="dev")])
    (person,) = scene.sandbox.contents(ids=True)["persons"]
    scene.sandbox.delete_record("persons", person["id"])
    summary = scene.run([identify("u1", city="Rome")])
    (anew,) = scene.contents()["persons"]
    assert anew["custom_fields"] == {"User id": "u1", "Role": "dev", "City": "Rome"}
    assert outcomes(summary) == {"delivered": 1}


def test_stdin_is_a_source(scene: Scene) -> None:
    """Events that come through a pipe are delivered like those of a file."""
    summary = scene.run([identify("u1", name="Ann"), track("u1", "Signed Up")], stdin=True)
    assert outcomes(summary) == {"delivered": 2}
    assert (scene.names("persons"), scene.names("leads")) == (["Ann"], ["Signed Up"])


def test_bad_lines_are_rejected_and_named_and_the_rest_arrives(scene: Scene) -> None:
    """Every line has an outcome; each problem says where it was found."""
    good = lines([identify("u1", name="Ann")])
    bad = b"{not json\n" + lines([event("identify", traits={}), event("track", userId="u1"), event("page")])
    summary = scene.run(good + bad)
    assert outcomes(summary) == {"delivered": 1, "rejected": 3, "skipped": 1}
    places = {example.line for problem in summary.problems for example in problem.examples}
    assert {2, 3, 4} <= places
    assert summary.exit_code == 1


def test_a_rejects_file_can_be_mended_and_replayed(scene: Scene) -> None:
    """The mended event sends what is missing, is known by its identity, and leaves nothing to reject."""
    key = scene.sandbox.add_field("persons", name="Age", field_type="double")
    assert key
    fields = {**CONFIG.fields.persons, "age": "Age"}
    scene.config = _mapped(persons=fields)
    rejects = scene.folder / "rejects.ndjson"
    first = scene.finish(
        [identify("u1", name="Ann", age="a lot"), {"type": "track", "userId": "u1"}, identify("u2", name="B", age=3)],
        rejects=rejects,
    )
    assert outcomes(first.summary) == {"delivered": 1, "rejected": 2}
    assert first.rejects == rejects
    kept = rejects.read_bytes()
    assert kept.count(b"\n") == 2
    assert sorted(scene.names("persons")) == ["Ann", "B"]  # the rest of the event was written
    rejects.write_bytes(kept.replace(b'"a lot"', b"41").replace(b'"track",', b'"track","event":"Mended",'))
    again = scene.run(rejects)
    assert outcomes(again) == {"delivered": 2}
    (ann,) = [row for row in scene.contents()["persons"] if row["name"] == "Ann"]
    assert ann["custom_fields"]["Age"] == 41
    assert scene.names("leads") == ["Mended"]
    assert outcomes(scene.run(rejects)) == {"duplicate": 2}


def test_copies_of_a_rejected_event_stand_whole_in_the_rejects_file(scene: Scene) -> None:
    """A copy shares its original's outcome, and its bytes are kept for the rejects file until it has one."""
    scene.config = with_identity(with_delivery(lookahead=2), create_missing_persons=False)
    lead = track("u1", "Signed Up", 1)
    rejects = scene.folder / "rejects.ndjson"
    summary = scene.run([lead, lead, identify("u2", name="B")], rejects=rejects)
    assert outcomes(summary) == {"delivered": 1, "rejected": 2}
    assert rejects.read_bytes().count(b'"event": "Signed Up"') == 2


def test_a_copy_of_a_rejected_event_is_counted_under_its_cause(scene: Scene) -> None:
    """The problems add up to the rejected events, and the rejects file says of both what is wrong and where."""
    scene.sandbox.add_field("persons", name="Age", field_type="double")
    scene.config = _mapped(persons={"age": "Age"})
    wrong = identify("u1", 1, message_id="m", name="Ann", age="old")
    rejects = scene.folder / "rejects.ndjson"
    summary = scene.run([wrong, wrong], rejects=rejects)
    assert outcomes(summary) == {"rejected": 2}
    assert [(problem.code, problem.count) for problem in summary.problems] == [("bad_value", 2)]
    notes = [msgspec.json.decode(line)["_pipedrive_cli"] for line in rejects.read_bytes().splitlines()]
    assert [(note["line"], note["code"], note["field"]) for note in notes] == [
        (1, "bad_value", "traits.age"),
        (2, "bad_value", "traits.age"),
    ]


def test_products_without_a_code_are_found_by_their_exact_name(scene: Scene) -> None:
    """Among those without a code; one with a code and the same name is another product."""
    scene.sandbox.add_record("products", {"name": "Chair", "code": "c-1"})
    scene.sandbox.add_record("products", {"name": "Table"})
    scene.run([ordered("u1", [{"name": "Chair", "price": 1}, {"name": "Table", "price": 2}], currency="EUR")])
    products = {(row["name"], row["code"]): row["prices"][0]["price"] for row in scene.contents()["products"]}
    assert products[("Chair", None)] == 1
    assert products[("Table", None)] == 2
    assert len(products) == 3


def test_a_person_with_the_same_email_and_no_user_id_is_adopted(scene: Scene) -> None:
    """Somebody whom sales has entered by hand is not made a second time."""
    scene.sandbox.add_record("persons", {"name": "Ann by hand", "emails": [{"value": "a@b.test"}]})
    scene.run([identify("u1", email="A@b.test", role="dev")])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "u1", "Role": "dev"}


def test_two_records_with_one_key_are_told_and_the_oldest_is_taken(scene: Scene) -> None:
    """A twin is no reason to make a third."""
    key = scene.key("persons", "User id")
    for name in ("First", "Second"):
        scene.sandbox.add_record("persons", {"name": name, "custom_fields": {key: "u1"}})
    summary = scene.run([identify("u1", role="dev")])
    roles = {row["name"]: row["custom_fields"].get("Role") for row in scene.contents()["persons"]}
    assert roles == {"First": "dev", "Second": None}
    assert "twin_records" in [problem.code for problem in summary.problems]
    assert summary.exit_code == 0


def test_keys_longer_than_a_search_term_are_found(scene: Scene) -> None:
    """A user id of 255 characters is looked up by listing, and never made twice."""
    long = "k" * 255
    scene.run([identify(long, name="Long")])
    scene.state = scene.folder / "another.sqlite"
    scene.run([identify(long, role="dev")])
    assert len(scene.contents()["persons"]) == 1


def test_a_value_that_pipedrive_refuses_costs_its_field_alone(tmp_path: Path) -> None:
    """The rest of the event is written, the event is rejected with that field, and the others of its fold are not."""
    scene = Scene(tmp_path, options(strict_emails=True))
    summary = scene.run(
        [identify("u1", 1, name="Ann", email="ann@localhost", role="dev"), identify("u1", 2, city="Rome")]
    )
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "u1", "Role": "dev", "City": "Rome"}
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    assert [problem.code for problem in summary.problems] == ["refused_value"]


def _mapped(**fields: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(CONFIG, fields=msgspec.structs.replace(CONFIG.fields, **fields))
