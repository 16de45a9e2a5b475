"""What people deleted, or merged into something else, and that an event needs again, is made anew as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.sandbox import SandboxOptions
from tests.harness import (
    Event,
    Scene,
    alias,
    group,
    identify,
    options,
    outcomes,
    track,
    viewed,
    with_delivery,
    with_identity,
)
from tests.run.test_adoption import foretold

PHONE = "+1 555 0100 ext. 12"
WAYS: list[dict[str, Any]] = [
    {"deleted_get": get, "deleted_patch": patch} for get in ("404", "410", "flag") for patch in ("404", "410", "flag")
]


def account(**more: Any) -> SandboxOptions:
    return options(**more)


def notices(summary: Summary, code: str = "made_anew") -> int:
    return sum(problem.count for problem in summary.problems if problem.code == code and problem.outcome is None)


def words(summary: Summary, code: str) -> str:
    """What the report says of the one event with this problem."""
    ((example,),) = (problem.examples for problem in summary.problems if problem.code == code)
    return str(example.message)


def person(scene: Scene, name: str) -> dict[str, Any]:
    (row,) = (row for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == name)
    return row


def values(rows: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(row["value"], row["label"], row["primary"]) for row in rows]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way.values()))
@pytest.mark.parametrize("listed", [False, True])
def test_a_deleted_person_is_made_anew_as_it_was_written(tmp_path: Path, way: dict[str, Any], listed: bool) -> None:
    """However Pipedrive says that it is gone: with the spelling, labels and primary flags of before, and a notice."""
    scene = Scene(tmp_path, account(**way))
    emails = [
        {"value": "Ada.Holm@Example.test", "label": "home", "primary": False},
        {"value": "Ada@Work.test", "label": "work", "primary": True},
    ]
    scene.run([identify("u-1", 1, name="Ada Holm", email=emails, phone=PHONE, role="dev")])
    scene.sandbox.delete_record("persons", person(scene, "Ada Holm")["id"])
    others = [identify(f"x{n}", 2, name=f"X {n}") for n in range(5)] if listed else []
    summary = scene.run([*others, identify("u-1", 9, role="CTO")])
    found = person(scene, "Ada Holm")
    assert values(found["emails"]) == [
        ("Ada.Holm@Example.test", "home", False),
        ("Ada@Work.test", "work", True),
    ]
    assert [row["value"] for row in found["phones"]] == [PHONE]
    assert found["custom_fields"] == {"User id": "u-1", "Role": "CTO"}
    assert (notices(summary), summary.events.delivered, summary.exit_code) == (1, 1 + len(others), 0)
    assert notices(scene.run([identify("u-1", 10, role="CEO")])) == 0


@pytest.mark.parametrize("way", WAYS[::4], ids=lambda way: "-".join(way.values()))
def test_every_kind_of_deleted_record_is_noticed_and_made_anew(tmp_path: Path, way: dict[str, Any]) -> None:
    """Nothing counts as delivered that went into a deleted record."""
    scene = Scene(tmp_path, account(**way))
    scene.run([group(None, "g-1", 1, name="Nordtek"), viewed("u-1", "c-1", 1, name="Bike", currency="EUR", price=5)])
    ids = {kind: scene.sandbox.contents(ids=True)[kind][0]["id"] for kind in ("organizations", "products")}
    for kind, record in ids.items():
        scene.sandbox.delete_record(kind, record)
    summary = scene.run([group(None, "g-1", 9, industry="Sea"), viewed("u-1", "c-1", 9, brand="Acme")])
    assert outcomes(summary) == {"delivered": 2}
    (organization,), (product,) = scene.contents()["organizations"], scene.contents()["products"]
    assert (organization["name"], organization["custom_fields"]) == ("Nordtek", {"Group id": "g-1", "Branch": "Sea"})
    assert (product["name"], product["custom_fields"], product["prices"][0]["price"]) == ("Bike", {"Brand": "Acme"}, 5)
    assert notices(summary) == 2


def test_a_lead_that_was_deleted_is_not_mended_into_nothing(tmp_path: Path) -> None:
    """A lead was made without a refused value; it is deleted; then its mended event comes: it is made again."""
    scene = Scene(tmp_path)
    bad = track("u-1", "Demo", 1, "lead-1", value="much", currency="EUR")
    scene.run([identify("u-1", 1, name="Ada"), bad])
    (lead,) = scene.sandbox.contents(ids=True)["leads"]
    scene.sandbox.delete_record("leads", lead["id"])
    summary = scene.run([track("u-1", "Demo", 1, "lead-1", value=5, currency="EUR")])
    assert outcomes(summary) == {"delivered": 1}
    (made,) = scene.contents()["leads"]
    assert (made["title"], made["value"]) == ("Demo", {"amount": 5, "currency": "EUR"})


def test_what_somebody_removed_or_added_before_the_deletion_counts(tmp_path: Path) -> None:
    """Where the record was seen in this run before it went, it gets the contacts that it had then."""
    scene = Scene(tmp_path)
    scene.run([identify("u-1", 1, name="Ada", email="Ada@One.test", phone=PHONE)])
    scene.run([identify("u-1", 2, email="Ada@Two.test")])
    ada = person(scene, "Ada")["id"]
    scene.sandbox.delete_record("persons", ada)
    scene.run([identify("u-1", 9, email="Ada@Three.test")])
    found = person(scene, "Ada")
    assert [row["value"] for row in found["emails"]] == ["Ada@One.test", "Ada@Two.test", "Ada@Three.test"]
    assert [row["value"] for row in found["phones"]] == [PHONE]


def test_persons_merged_by_hand_are_not_split_without_a_word(tmp_path: Path) -> None:
    """One more event of the one that went: it is made anew, and the report says so."""
    scene = Scene(tmp_path)
    scene.run([identify("u-1", 1, name="Ada", email="ada@x.test"), identify("u-2", 1, name="Bo", email="bo@x.test")])
    persons = scene.sandbox.account.stores["persons"].records
    ids = {row["name"]: row["id"] for row in scene.sandbox.contents(ids=True)["persons"]}
    scene.sandbox.account.merge("persons", persons[ids["Bo"]], persons[ids["Ada"]])
    summary = scene.run([identify("u-2", 9, role="CTO")])
    assert (notices(summary), scene.names("persons")) == (1, ["Ada", "Bo"])


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("said", [{"city": "Oslo"}, {"email": "Ada@X.test", "city": "Oslo"}])
@pytest.mark.parametrize("others", [0, 5])
def test_who_has_the_email_of_a_person_that_went_takes_its_place(
    tmp_path: Path, merged: bool, said: dict[str, str], others: int
) -> None:
    """Deleted and typed in again, or merged into somebody without an id: what people wrote there stays, and no twin."""
    scene = Scene(tmp_path)
    scene.run([identify("u-1", 1, name="Ada", email="ada@x.test", phone=PHONE, role="dev")])
    typed = scene.sandbox.add_record("persons", {"name": "Typed", "emails": [{"value": "ada@x.test"}]})
    ada = person(scene, "Ada")["id"]
    if merged:
        scene.sandbox.merge_records("persons", ada, typed)
        scene.sandbox.set_value("persons", typed, scene.key("persons", "User id"), None)
    else:
        scene.sandbox.delete_record("persons", ada)
    events = [*(identify(f"x{n}", 2, name=f"X {n}") for n in range(others)), identify("u-1", 9, **said)]
    expected = foretold(scene, events)
    summary = scene.run(events)
    (found,) = (row for row in scene.contents()["persons"] if not row["name"].startswith("X "))
    assert (found["name"], found["custom_fields"]) == ("Typed", {"User id": "u-1", "Role": "dev", "City": "Oslo"})
    assert [row["value"] for row in found["phones"]] == [PHONE]
    assert (notices(summary), notices(summary, "recognised_by_email")) == (0, 1)
    assert words(summary, "recognised_by_email") == (
        "the record of 'u-1' was deleted, or merged into another one; "
        f"person {typed}, which has its email, was taken over"
    )
    assert summary.records.persons.created == others == expected.records.persons.created
    assert scene.run([identify("u-1", 9, **said)]).events.unchanged == 1
    assert scene.writes == []


def test_an_organization_of_the_name_takes_the_place_of_one_that_went(tmp_path: Path) -> None:
    """Where the config matches by name, whether a change is about it or somebody is only linked to it."""
    scene = Scene(tmp_path, config=with_identity(match_organizations="name"))
    scene.run([group("u-1", "g-1", 1, name="Nordtek", industry="Sea")])
    scene.sandbox.delete_record("organizations", scene.sandbox.contents(ids=True)["organizations"][0]["id"])
    scene.sandbox.add_record("organizations", {"name": "Nordtek"})
    summary = scene.run([group("u-2", "g-1", 2)])
    (organization,) = scene.contents()["organizations"]
    assert organization["custom_fields"] == {"Group id": "g-1", "Branch": "Sea"}
    assert (notices(summary), notices(summary, "recognised_by_name")) == (0, 1)
    assert words(summary, "recognised_by_name").startswith("the record of 'g-1' was deleted")


@pytest.mark.parametrize("mode", ["merge", "rekey"])
@pytest.mark.parametrize("gone", ["old into new", "new into old", "old", "new", "both"])
def test_an_alias_of_somebody_who_is_gone_joins_both_ids_at_the_one_that_is_left(
    tmp_path: Path, gone: str, mode: Any
) -> None:
    """People merged the two, or deleted one: nobody is made or merged anew, and the same command again does nothing."""
    scene = Scene(tmp_path, config=with_identity(alias=mode))
    old = identify("old", 1, name="Old", role="old", email="old@x.test")
    scene.run([old, identify("new", 2, name="New", city="Oslo", email="new@x.test")])
    ids = {name: person(scene, name)["id"] for name in ("Old", "New")}
    if " into " in gone:
        loser, survivor = (ids[word.title()] for word in gone.split(" into "))
        scene.sandbox.merge_records("persons", loser, survivor)
    for name in {"old": ["Old"], "new": ["New"], "both": ["Old", "New"]}.get(gone, []):
        scene.sandbox.delete_record("persons", ids[name])
    events = [alias("old", "new", 9), identify("old", 10, role="late")]
    expected = foretold(scene, events)
    summary = scene.run(events)
    assert set(outcomes(summary)) <= {"delivered", "unchanged"}
    (found,) = scene.contents()["persons"]
    assert found["custom_fields"] == {"User id": "new", "Role": "late", "City": "Oslo"}
    assert summary.records.persons.created == (1 if gone == "both" else 0) == expected.records.persons.created
    again = scene.run(events)
    assert (outcomes(again), scene.writes) == ({"duplicate": 2}, [])


def test_a_journal_from_before_has_no_contacts_and_takes_what_was_last_seen(tmp_path: Path) -> None:
    """The forms by which phones and emails are compared are never written."""
    scene = Scene(tmp_path)
    scene.run([identify("u-1", 1, name="Ada", email="Ada@One.test", phone=PHONE)])

    journal = Journal.open(scene.state)
    ada = person(scene, "Ada")["id"]
    state = journal.state("persons", ada)
    assert state is not None
    state = msgspec.structs.replace(state, contacts={})
    with journal.transaction():
        journal.save_record("persons", ada, ["u-1"], state)
    journal.close()
    scene.sandbox.delete_record("persons", ada)
    scene.run([identify("u-1", 9, role="CTO")])
    found = person(scene, "Ada")
    assert [row["value"] for row in found["emails"] + found["phones"]] == ["Ada@One.test", PHONE]


# -- links


@pytest.mark.parametrize("links", ["refuse", "take"])
@pytest.mark.parametrize("way", WAYS[::4], ids=lambda way: "-".join(way.values()))
def test_a_new_colleague_of_a_deleted_organization(tmp_path: Path, way: dict[str, Any], links: Any) -> None:
    """The event says nothing new of it, and yet it is made anew and linked, once for all; nobody is rejected."""
    scene = Scene(tmp_path, account(dead_links=links, **way))
    scene.run([group("u-1", "g-1", 1, name="Nordtek", industry="Sea")])
    scene.sandbox.delete_record("organizations", scene.sandbox.contents(ids=True)["organizations"][0]["id"])
    summary = scene.run([group(f"u-{n}", "g-1", n, name="Nordtek") for n in range(2, 7)])
    assert outcomes(summary) == {"delivered": 5}
    (organization,) = scene.contents()["organizations"]
    assert (organization["name"], organization["custom_fields"]) == ("Nordtek", {"Group id": "g-1", "Branch": "Sea"})
    linked = [row["name"] for row in scene.contents()["persons"] if row["org"] and not row["org"].get("deleted")]
    assert sorted(linked) == [f"u-{n}" for n in range(2, 7)]
    assert notices(summary) == 1
    assert scene.sent.count("GET /api/v2/organizations/1") == 1


@pytest.mark.parametrize("links", ["refuse", "take"])
def test_a_lead_of_a_deleted_person_who_asks_for_nothing(tmp_path: Path, links: Any) -> None:
    """It is looked at once, made anew and noticed, whether Pipedrive would have refused the link or taken it."""
    scene = Scene(tmp_path, account(dead_links=links))
    scene.run([identify("u-1", 1, name="Ada", email="ada@x.test")])
    scene.sandbox.delete_record("persons", person(scene, "Ada")["id"])
    summary = scene.run([track("u-1", f"Lead {n}", 9 + n) for n in range(3)])
    assert outcomes(summary) == {"delivered": 3}
    assert {row["person"]["name"] for row in scene.contents()["leads"] if not row["person"].get("deleted")} == {"Ada"}
    assert notices(summary) == 1


def _told(key: str, value: str, kind: str, time: int) -> Event:
    """An event of a record of that kind."""
    if kind == "organizations":
        return group(None, key, time, name=key, industry=value)
    return identify(key, time, name=key, role=value) if kind == "persons" else viewed("u", key, time, brand=value)


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", ["persons", "organizations", "products"])
def test_a_preview_foretells_it_of_what_the_journal_knows(tmp_path: Path, kind: str, merged: bool) -> None:
    """Beside an unknown record, for whose sake all that has changed is listed: no list names what was deleted."""
    scene = Scene(tmp_path)
    scene.run([_told(key, "old", kind, 1) for key in ("a", "b")])
    if merged and kind != "products":
        scene.sandbox.merge_records(kind, 1, scene.sandbox.add_record(kind, {"name": "By hand"}))
    else:
        scene.sandbox.delete_record(kind, 1)
    events = [_told(key, "new", kind, 9) for key in ("a", "b", "c")]
    seen = foretold(scene, events)
    summary = scene.run(events)
    assert (seen.records, seen.events) == (summary.records, summary.events)
    assert {(p.code, p.count) for p in seen.problems} == {(p.code, p.count) for p in summary.problems}


def test_an_organization_that_no_event_is_about_is_made_anew_with_its_group_id(tmp_path: Path) -> None:
    """Its person is made anew, and linked to it again. A preview foretells both."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ann"), group("u1", "g1", 2, name="Acme")])
    scene.sandbox.delete_record("persons", person(scene, "Ann")["id"])
    scene.sandbox.delete_record("organizations", 1)
    events = [identify("u1", 9, role="dev")]
    seen = foretold(scene, events)
    summary = scene.run(events)
    assert (seen.records, seen.events, notices(seen)) == (summary.records, summary.events, notices(summary))
    (organization,) = scene.contents()["organizations"]
    assert organization["custom_fields"]["Group id"] == "g1"
    assert scene.contents()["persons"][0]["org"]["name"] == "Acme"


def test_a_link_to_what_this_run_made_or_saw_costs_no_look(tmp_path: Path) -> None:
    """An organization that was made in this run is alive."""
    scene = Scene(tmp_path)
    scene.run([group(f"u-{n}", "g-1", n, name="Nordtek") for n in range(5)])
    assert not [call for call in scene.sent if call.startswith("GET /api/v2/organizations/")]


def test_with_deleted_skip_a_dead_link_is_left_out(tmp_path: Path) -> None:
    """The organization stays deleted, the person is there, and the report says why it is not linked."""
    scene = Scene(tmp_path, config=with_delivery(deleted="skip"))
    scene.run([group("u-1", "g-1", 1, name="Nordtek")])
    scene.sandbox.delete_record("organizations", scene.sandbox.contents(ids=True)["organizations"][0]["id"])
    summary = scene.run([group("u-2", "g-1", 2, name="Nordtek")])
    assert (scene.names("organizations"), scene.names("persons")) == ([], ["u-1", "u-2"])
    assert summary.events.rejected == 0
    assert "depends_on" in {problem.code for problem in summary.problems}
