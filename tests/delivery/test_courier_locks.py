"""One job at a time has a record, whatever led two jobs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Event, Scene, alias, group, identify, options, outcomes, track, with_delivery


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, options(latency=0.5))


def named(event: Event, number: int, kind: str = "pipedrivePersonId") -> Event:
    """The event, naming its record by Pipedrive's id too."""
    return {**event, "context": {"externalId": [{"type": kind, "id": number}]}}


def nameless(number: int, time: int, **traits: Any) -> Event:
    """An identify that names its person by Pipedrive's id alone."""
    event = named(identify("", time, **traits), number)
    del event["userId"]
    return event


def number_of(scene: Scene, name: str) -> int:
    (number,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == name)
    assert isinstance(number, int)
    return number


def people(scene: Scene, *names: str) -> None:
    scene.run([identify(f"u{n}", n, name=name) for n, name in enumerate(names, start=1)])


@pytest.mark.parametrize("newest_by", ["id", "key"])
def test_events_by_id_and_by_key_end_with_the_newest_value(scene: Scene, newest_by: str) -> None:
    """They are two jobs of one record: whichever comes second knows what the first has written."""
    people(scene, "Ann")
    ann = number_of(scene, "Ann")
    older, newer = 10, 20
    by_id = nameless(ann, newer if newest_by == "id" else older, role="by id", city="Rome")
    by_key = identify("u1", newer if newest_by == "key" else older, role="by key", phone="+1")
    summary = scene.run([by_id, by_key])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "u1", "Role": f"by {newest_by}", "City": "Rome"}
    assert person["phones"][0]["value"] == "+1"
    assert summary.exit_code == 0
    assert summary.seconds < 30


def test_emails_of_two_jobs_are_all_kept(scene: Scene) -> None:
    """Lists are replaced whole, so that two writers at once would lose each other's."""
    people(scene, "Ann")
    ann = number_of(scene, "Ann")
    scene.run([nameless(ann, 10, email="a@x.test"), identify("u1", 11, email="b@x.test")])
    (person,) = scene.contents()["persons"]
    assert sorted(email["value"] for email in person["emails"]) == ["a@x.test", "b@x.test"]


def test_many_jobs_of_one_record_wait_for_each_other(scene: Scene) -> None:
    """Leads, links and both kinds of name: nobody waits in a circle."""
    people(scene, "Ann", "Bob")
    ann = number_of(scene, "Ann")
    events = [
        nameless(ann, 10, role="r1"),
        identify("u1", 11, city="Rome"),
        group("u1", "g1", 12, name="Acme"),
        track("u1", "Signed Up", 13),
        named(track("u2", "Paid", 14), number_of(scene, "Bob")),
        identify("u2", 15, role="r2"),
    ]
    summary = scene.run(events)
    assert outcomes(summary) == {"delivered": 6}
    assert {row["title"]: row["person"]["name"] for row in scene.contents()["leads"]} == {
        "Signed Up": "Ann",
        "Paid": "Bob",
    }
    assert summary.seconds < 30


def test_a_merge_and_events_by_the_ids_of_both(scene: Scene) -> None:
    """The loser may be gone before its event comes: nothing is lost, and nobody waits in a circle."""
    people(scene, "Ann", "Bob")
    ann, bob = number_of(scene, "Ann"), number_of(scene, "Bob")
    events = [nameless(bob, 10, city="Rome"), nameless(ann, 11, role="dev"), alias("u1", "u2", 12)]
    first = scene.run(events)
    assert first.seconds < 60
    assert len(scene.contents()["persons"]) == 1
    assert first.records.persons.merged == 1
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["custom_fields"]["City"], person["custom_fields"]["User id"]) == (
        "Bob",
        "Rome",
        "u2",
    )


def test_crossing_merges_end(scene: Scene) -> None:
    """Two aliases by ids and by keys want the same two records in opposite order: one of them gets both first."""
    people(scene, "Ann", "Bob")
    ann, bob = number_of(scene, "Ann"), number_of(scene, "Bob")
    crossing = {**alias("", "", 11)}
    del crossing["userId"], crossing["previousId"]
    crossing["context"] = {
        "externalId": [{"type": "pipedrivePreviousId", "id": bob}, {"type": "pipedriveCurrentId", "id": ann}]
    }
    summary = scene.run([alias("u1", "u2", 10), crossing])
    assert len(scene.contents()["persons"]) == 1
    assert summary.records.persons.merged == 1
    again = scene.run([alias("u1", "u2", 10), crossing])
    assert len(scene.contents()["persons"]) == 1
    assert again.events.failed == 0


def test_a_record_that_stays_busy_costs_its_event_alone(tmp_path: Path) -> None:
    """Its write hangs for minutes: the other job of the record fails, says why, and arrives with the next run."""
    scene = Scene(tmp_path, options(slow=400.0), config=with_delivery(timeout=500.0))
    people(scene, "Ann", "Bob")
    ann = number_of(scene, "Ann")
    scene.faults(f"slow@PATCH /api/v2/persons/{ann}#1")
    events = [nameless(ann, 10, role="dev"), identify("u1", 11, city="Rome"), identify("u2", 12, city="Oslo")]
    summary = scene.run(events)
    assert summary.events.failed == 1
    assert "record_busy" in {problem.code for problem in summary.problems}
    scene.faults("")
    assert scene.run(events).exit_code == 0
    cities = {row["name"]: row["custom_fields"]["City"] for row in scene.contents()["persons"]}
    assert cities == {"Ann": "Rome", "Bob": "Oslo"}


def shared(user: str, time: int, **traits: Any) -> Event:
    """An identify of a user with the address of the front desk."""
    return identify(user, time, email="info@x.test", **traits)


@pytest.mark.parametrize("lookahead", [1, 100_000])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_users_of_one_email_are_two_persons(tmp_path: Path, lookahead: int, order: tuple[int, int]) -> None:
    """One takes over whom the CRM has by that address, the other is created, and nothing of either is lost."""
    scene = Scene(tmp_path, options(latency=0.5), config=with_delivery(lookahead=lookahead))
    scene.sandbox.add_record("persons", {"name": "Front Desk", "emails": [{"value": "info@x.test"}]})
    events = [shared("u-ada", 10, name="Ada Holm", role="CEO"), shared("u-bo", 15, name="Bo Lind", city="Rome")]
    summary = scene.run([events[place] for place in order])
    people = {row["custom_fields"]["User id"]: row for row in scene.contents()["persons"]}
    assert {user: row["name"] for user, row in people.items()} == {"u-ada": "Ada Holm", "u-bo": "Bo Lind"}
    assert (people["u-ada"]["custom_fields"]["Role"], people["u-bo"]["custom_fields"]["City"]) == ("CEO", "Rome")
    assert (summary.records.persons.created, summary.records.persons.updated) == (1, 1)
    assert outcomes(summary) == {"delivered": 2}
    assert scene.run(events).events.duplicate == 2
