"""A person that was deleted in Pipedrive returns for its leads: once, with what it had, unless that is unwanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples import every
from tests.harness import (
    Event,
    Killed,
    Scene,
    group,
    identify,
    killed_at,
    options,
    outcomes,
    track,
    with_delivery,
    with_identity,
)

ANN = [
    identify("u1", 1, name="Ann Lee", email="ann@x.test", phone="+12", role="dev", city="Rome"),
    group("u1", "g1", 2, name="Acme"),
]


def bereft(scene: Scene, *others: Event) -> None:
    """Ann is brought to Pipedrive, and somebody deletes her there."""
    scene.run([*ANN, *others])
    (ann,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == "Ann Lee")
    scene.sandbox.delete_record("persons", ann)


def leads_of(scene: Scene) -> dict[str, str | None]:
    """Title -> the name of the lead's living person."""
    rows = scene.contents()["leads"]
    return {row["title"]: None if row["person"].get("deleted") else row["person"]["name"] for row in rows}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, options(latency=0.2))


def test_a_deleted_person_returns_for_its_lead_with_what_it_had(scene: Scene) -> None:
    """Name, contacts, mapped fields and the organization: all that this tool had ever written there."""
    bereft(scene)
    summary = scene.run([track("u1", "Signed Up", 9)])
    assert outcomes(summary) == {"delivered": 1}
    (ann,) = scene.contents()["persons"]
    assert (ann["name"], ann["emails"][0]["value"], ann["phones"][0]["value"]) == ("Ann Lee", "ann@x.test", "+12")
    assert ann["custom_fields"] == {"User id": "u1", "Role": "dev", "City": "Rome"}
    assert ann["org"]["name"] == "Acme"
    assert leads_of(scene) == {"Signed Up": "Ann Lee"}
    assert summary.records.persons.created == 1


@pytest.mark.parametrize("lookahead", [100_000, 1], ids=["at once", "one by one"])
def test_several_leads_share_one_revival(scene: Scene, lookahead: int) -> None:
    """However many miss the person, it is made once."""
    bereft(scene)
    scene.config = with_delivery(lookahead=lookahead)
    summary = scene.run([track("u1", f"Lead {n}", 10 + n) for n in range(12)])
    assert outcomes(summary) == {"delivered": 12}
    assert scene.writes.count("POST /api/v2/persons") == 1
    assert set(leads_of(scene).values()) == {"Ann Lee"}


def test_a_revival_beside_records_named_by_pipedrives_id(scene: Scene) -> None:
    """The window holds events that name records by id, so that records are held by one job at a time."""
    bereft(scene, identify("u2", 3, name="Bob"))
    (bob,) = scene.sandbox.contents(ids=True)["persons"]
    named = identify("u2", 11, role="boss") | {
        "context": {"externalId": [{"id": bob["id"], "type": "pipedrivePersonId"}]}
    }
    summary = scene.run([named, *(track("u1", f"Lead {n}", 20 + n) for n in range(3))])
    assert outcomes(summary) == {"delivered": 4}
    assert scene.writes.count("POST /api/v2/persons") == 1
    assert set(leads_of(scene).values()) == {"Ann Lee"}
    assert summary.seconds < 30


def test_what_the_window_says_of_the_person_arrives_too(scene: Scene) -> None:
    """Whether the person's own event finds it gone first, or its lead."""
    bereft(scene)
    summary = scene.run([identify("u1", 9, role="boss"), track("u1", "Signed Up", 10)])
    assert outcomes(summary) == {"delivered": 2}
    (ann,) = scene.contents()["persons"]
    assert (ann["name"], ann["custom_fields"]["Role"], ann["custom_fields"]["City"]) == ("Ann Lee", "boss", "Rome")
    assert leads_of(scene) == {"Signed Up": "Ann Lee"}


def test_somebody_who_made_the_person_anew_has_saved_a_request(scene: Scene) -> None:
    """The key is looked up before anything is made: the new record is taken."""
    bereft(scene)
    key = scene.key("persons", "User id")
    scene.sandbox.add_record("persons", {"name": "Ann Anew", "custom_fields": {key: "u1"}})
    assert outcomes(scene.run([track("u1", "Signed Up", 9)])) == {"delivered": 1}
    assert scene.names("persons") == ["Ann Anew"]
    assert leads_of(scene) == {"Signed Up": "Ann Anew"}


def test_with_deleted_skip_nobody_returns(scene: Scene) -> None:
    """The person stays deleted, its lead is not made, and the run says why."""
    bereft(scene)
    scene.config = with_delivery(deleted="skip")
    summary = scene.run([track("u1", "Signed Up", 9), track("u1", "Paid", 10)])
    assert scene.names("persons") == []
    assert scene.writes.count("POST /api/v2/persons") == 0
    assert scene.names("leads") == []
    assert (summary.exit_code, summary.events.delivered) == (0, 0)
    (problem,) = summary.problems
    assert (problem.code, problem.outcome, problem.count) == ("deleted_in_pipedrive", "skipped", 2)
    assert outcomes(scene.run([track("u1", "Later", 11)])) == {"skipped": 1}
    assert (scene.writes, scene.names("leads")) == ([], [])


def test_with_deleted_skip_an_identify_is_skipped(scene: Scene) -> None:
    """As often as it comes."""
    bereft(scene)
    scene.config = with_delivery(deleted="skip")
    for time in (9, 10):
        assert outcomes(scene.run([identify("u1", time, role="boss")])) == {"skipped": 1}
    assert scene.names("persons") == []


def test_with_deleted_skip_a_person_that_somebody_made_anew_is_taken(scene: Scene) -> None:
    """What is skipped is the deleted record, not its key for ever."""
    bereft(scene)
    scene.config = with_delivery(deleted="skip")
    scene.run([identify("u1", 9, role="boss")])
    key = scene.key("persons", "User id")
    scene.sandbox.add_record("persons", {"name": "Ann Anew", "custom_fields": {key: "u1"}})
    assert outcomes(scene.run([identify("u1", 10, role="boss"), track("u1", "Paid", 11)])) == {"delivered": 2}
    assert leads_of(scene) == {"Paid": "Ann Anew"}


def test_with_recreate_chosen_later_the_person_returns_whole(scene: Scene) -> None:
    """What had been written into it is kept, though it was skipped in the meantime."""
    bereft(scene)
    scene.config = with_delivery(deleted="skip")
    scene.run([identify("u1", 9, role="boss")])
    scene.config = with_delivery(deleted="recreate")
    assert outcomes(scene.run([identify("u1", 10, city="Oslo")])) == {"delivered": 1}
    (ann,) = scene.contents()["persons"]
    assert (ann["name"], ann["custom_fields"]) == ("Ann Lee", {"User id": "u1", "Role": "dev", "City": "Oslo"})


def test_a_person_may_return_where_new_ones_may_not_be_made(scene: Scene) -> None:
    """`create_missing_persons: false` is about strangers."""
    bereft(scene)
    scene.config = with_identity(create_missing_persons=False)
    for time in (9, 10):
        assert outcomes(scene.run([track("u1", f"Lead {time}", time)])) == {"delivered": 1}
    assert set(leads_of(scene).values()) == {"Ann Lee"}


def test_a_revival_that_fails_is_made_up_for_by_the_next_run(scene: Scene) -> None:
    """Nothing answers for a while: the leads are failed or pending, not rejected, and later all is there."""
    bereft(scene)
    scene.config = with_delivery(max_attempts=2, lookahead=1)
    events = [track("u1", f"Lead {n}", 10 + n) for n in range(3)]
    scene.faults("refused@POST /api/v2/persons")
    summary = scene.run(events)
    assert summary.events.rejected == summary.events.delivered == 0
    scene.faults("")
    assert outcomes(scene.run(events)) == {"delivered": 3}
    (ann,) = scene.contents()["persons"]
    assert (ann["name"], ann["custom_fields"]) == ("Ann Lee", {"User id": "u1", "Role": "dev", "City": "Rome"})
    assert set(leads_of(scene).values()) == {"Ann Lee"}


@pytest.mark.campaign
@pytest.mark.parametrize(
    "kept",
    [pytest.param(False, id="before the commit", marks=pytest.mark.slow), pytest.param(True, id="after the commit")],
)
def test_killed_at_any_step_of_a_revival_the_person_is_there_once_and_whole(tmp_path: Path, kept: bool) -> None:
    """The process dies at one transaction after the other; the next run ends as an undisturbed one would have."""
    events = [track("u1", "Signed Up", 9), track("u1", "Paid", 10)]
    for commit in range(1 + kept, 100, every(4)):
        (tmp_path / str(commit)).mkdir()
        scene = Scene(tmp_path / str(commit))
        bereft(scene)
        try:
            with killed_at(commit, kept=kept):
                scene.run(events)
        except Killed:
            summary = scene.run(events)
        else:
            assert commit > 5
            return
        assert summary.exit_code == 0, f"killed at transaction {commit}"
        (ann,) = scene.contents()["persons"]
        assert (ann["name"], ann["custom_fields"]) == (
            "Ann Lee",
            {"User id": "u1", "Role": "dev", "City": "Rome"},
        ), f"killed at transaction {commit}"
        assert leads_of(scene) == {"Signed Up": "Ann Lee", "Paid": "Ann Lee"}, f"killed at transaction {commit}"
