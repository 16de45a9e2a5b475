"""Organizations that are there already: taken over by name, and linked by the company of an identify event."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from pipedrive_cli.report.summary import Summary
from tests.harness import Scene, event, group, identify, options, outcomes, with_delivery, with_identity
from tests.run.test_adoption import foretold


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.config = with_identity(match_organizations="name", company="company")
    return scene


def told(summary: Summary) -> set[str]:
    return {problem.code for problem in summary.problems}


def organizations(scene: Scene) -> dict[str, Any]:
    """Name -> group id of the living organizations, by name; twins by their number."""
    found: dict[str, Any] = {}
    for row in scene.contents()["organizations"]:
        name = str(row["name"])
        found[name if name not in found else f"{name} again"] = row["custom_fields"].get("Group id")
    return found


def rows(scene: Scene) -> list[dict[str, Any]]:
    """The living organizations, with their ids."""
    return scene.sandbox.contents(ids=True)["organizations"]


def links(scene: Scene) -> dict[str, Any]:
    """User id -> name of the organization that the person is linked to."""
    persons = scene.contents()["persons"]
    return {row["custom_fields"]["User id"]: (row.get("org") or {}).get("name") for row in persons}


@pytest.mark.parametrize("written", ["Acme", " acme ", "ACME", "Acme\u00a0"])
def test_a_group_takes_over_the_one_organization_of_its_name(scene: Scene, written: str) -> None:
    """Case and blanks do not matter; it gets the group id, and what the event says."""
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    summary = scene.run([group("u1", "g1", name=written, industry="steel")])
    assert list(organizations(scene).values()) == ["g1"]
    assert len(set(links(scene).values()) - {None}) == 1
    assert "recognised_by_name" in told(summary)
    assert scene.run([group("u1", "g1", name=written)]).events.unchanged == 1


def test_an_id_of_a_company_is_read_like_that_of_a_group(scene: Scene) -> None:
    """Without what cannot be seen: else the account would have the organization twice."""
    scene.run([group("u1", "g1", name="Acme"), identify("u2", company={"id": "\ufeffg1\u200b", "name": "Acme"})])
    assert (organizations(scene), links(scene)) == ({"Acme": "g1"}, {"u1": "Acme", "u2": "Acme"})


def test_several_organizations_of_one_name_are_told_and_none_is_taken(scene: Scene) -> None:
    """Neither by a group, which makes its own, nor by a person's company, which then is no link."""
    for _ in range(2):
        scene.sandbox.add_record("organizations", {"name": "Acme"})
    summary = scene.run([identify("u1", company="Acme", name="Ann")])
    assert (links(scene), outcomes(summary)) == ({"u1": None}, {"delivered": 1})
    assert "organization_ambiguous" in told(summary)
    summary = scene.run([group("u1", "g1", name="Acme")])
    assert sorted(map(str, organizations(scene).values())) == ["None", "None"] or len(organizations(scene)) == 2
    assert "organization_ambiguous" in told(summary)
    assert links(scene) == {"u1": "Acme"}


def test_an_organization_that_bears_a_group_id_is_nobodys_by_name(scene: Scene) -> None:
    """Two groups may well have one name."""
    scene.run([group(None, "g1", name="Acme")])
    scene.run([group(None, "g2", name="Acme"), group(None, "g3", name="acme")])
    assert sorted(row["custom_fields"]["Group id"] for row in scene.contents()["organizations"]) == ["g1", "g2", "g3"]


@pytest.mark.parametrize("match", ["name", None], ids=["matched", "told"])
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("reverse", [False, True], ids=["name first", "id first"])
def test_a_company_named_once_with_and_once_without_its_id_is_one(
    tmp_path: Path, reverse: bool, workers: int, match: Literal["name"] | None
) -> None:
    """In one window, whichever is read first, however many records are under way; a preview foretells it."""
    config = with_identity(match_organizations=match, company="company")
    scene = Scene(tmp_path, options(latency=0.2), config=with_delivery(config, concurrency=workers))
    events = [
        identify("u1", 1, name="Ann", company="Q1 AG"),
        identify("u2", 2, name="Bo", company={"id": 7, "name": "q1 ag"}),
    ][:: -1 if reverse else 1]
    seen = foretold(scene, events)
    summary = scene.run(events)
    assert (seen.records, seen.events) == (summary.records, summary.events)
    assert ("organization_name_there" in told(seen)) == ("organization_name_there" in told(summary)) == (match is None)
    assert sorted(organizations(scene).values(), key=str) == (["7"] if match else ["7", None])
    assert set(links(scene).values()) == ({"Q1 AG"} if match else {"Q1 AG", "q1 ag"})
    scene.run(events)
    assert scene.writes == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_of_two_groups_of_one_name_the_oldest_event_takes_the_organization(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Whichever is read first; who calls himself otherwise by now does not count."""
    config = with_identity(match_organizations="name")
    scene = Scene(tmp_path, options(latency=0.2), config=config)
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    events = [
        group(None, "g1", 30, name="Acme"),
        group(None, "g2", 20, name="ACME"),
        event("group", 40, groupId="g0", traits={"name": "Other"}),
    ]
    scene.run([events[n] for n in order])
    assert {row["id"]: row["custom_fields"]["Group id"] for row in rows(scene) if row["id"] == 1} == {1: "g2"}
    assert len(rows(scene)) == 3


def test_an_organization_that_the_input_names_by_its_id_is_not_taken_by_name(tmp_path: Path) -> None:
    """Whoever is read first: the id is the stronger word."""
    scene = Scene(tmp_path, options(latency=0.2), config=with_identity(match_organizations="name"))
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    named = {"context": {"externalId": [{"type": "pipedriveGroupId", "id": "1"}]}}
    summary = scene.run([group(None, "g1", 1, name="Acme"), group(None, "g2", 2, industry="steel") | named])
    assert outcomes(summary) == {"delivered": 2}
    assert {row["id"]: row["custom_fields"]["Group id"] for row in rows(scene)} == {1: "g2", 2: "g1"}


def test_a_name_of_a_refused_event_is_not_that_by_which_an_organization_is_taken(scene: Scene) -> None:
    """Its other events take over the organization of the name that they give."""
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    unknown = {"context": {"externalId": [{"type": "pipedriveGroupId", "id": "999"}]}}
    first, refused = group(None, "g1", 1, name="Acme"), group(None, "g1", 2, name="Beta") | unknown
    assert outcomes(scene.run([first, refused])) == {"delivered": 1, "rejected": 1}
    assert organizations(scene) == {"Acme": "g1"}


@pytest.mark.parametrize("lookahead", [1, 100])
def test_two_groups_of_one_name_do_not_share_the_organization(scene: Scene, lookahead: int) -> None:
    """One takes it over, the other is made."""
    scene.config = with_delivery(scene.config, lookahead=lookahead)
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    scene.run([group(None, "g1", name="Acme"), group(None, "g2", name="Acme")])
    assert sorted(row["custom_fields"]["Group id"] for row in scene.contents()["organizations"]) == ["g1", "g2"]


def test_by_default_the_organization_that_is_there_is_told(scene: Scene) -> None:
    """As soon as it is known; another one is made, as it always was."""
    scene.config = with_identity(match_organizations=None, company=None)
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    scene.run([group(None, f"g{n}", name=f"Other {n}") for n in range(5)])
    summary = scene.run([group(None, "g9", name="Acme")])
    assert len(scene.contents()["organizations"]) == 7
    assert "organization_name_there" in told(summary)


def test_a_person_is_linked_to_the_company_of_the_identify_event(scene: Scene) -> None:
    """By its id, by its name, as text or as an object; what is not there is made, once."""
    scene.sandbox.add_record("organizations", {"name": "Acme"})
    summary = scene.run(
        [
            identify("u1", company={"id": "g1", "name": "Nordtek"}),
            identify("u2", company="acme"),
            identify("u3", company={"name": "Newco"}),
            identify("u4", company={"name": "newco"}),
            identify("u5", company={"id": "g1"}),
            event("identify", userId="u6", traits={"company.id": "g1"}),
            identify("u7", company={}),
        ]
    )
    assert outcomes(summary) == {"delivered": 7}
    assert links(scene) == {
        **{"u1": "Nordtek", "u2": "Acme", "u3": "Newco", "u4": "Newco", "u5": "Nordtek", "u6": "Nordtek", "u7": None}
    }
    assert organizations(scene) == {"Acme": None, "Nordtek": "g1", "Newco": None}
    assert summary.dropped_traits == {}
    again = scene.run([identify("u8", company="Newco")])
    assert (links(scene)["u8"], outcomes(again)) == ("Newco", {"delivered": 1})
    assert len(organizations(scene)) == 3


def test_what_a_persons_event_says_of_the_company_fills_blanks_alone(scene: Scene) -> None:
    """The group's own name stays, whoever is newer."""
    scene.run([group(None, "g1", 1, name="Nordtek GmbH"), identify("u1", 2, company={"id": "g1", "name": "nordtek"})])
    assert list(organizations(scene)) == ["Nordtek GmbH"]


def test_a_company_that_links_to_nothing_is_told(scene: Scene) -> None:
    """Unless the config shows that somebody knows."""
    scene.config = with_identity(company=None)
    named = identify("u1", company={"id": "g1", "name": "Acme"})
    assert "company_not_linked" in told(scene.run([named]))
    assert organizations(scene) == {}


def test_a_company_that_cannot_be_one_is_rejected_with_its_field(scene: Scene) -> None:
    """The rest of the event is written."""
    summary = scene.run([identify("u1", name="Ann", company={"id": ["g1"], "name": "x" * 300})])
    assert outcomes(summary) == {"rejected": 1}
    assert scene.names("persons") == ["Ann"]
    fields = {example.field for problem in summary.problems for example in problem.examples}
    assert {"traits.company.id", "traits.company.name"} <= fields


def test_a_shared_company_name_survives_the_split_into_runs_and_windows(scene: Scene) -> None:
    """The same end, whatever is read ahead: the journal knows the organization by its name."""
    scene.config = with_delivery(scene.config, lookahead=1)
    scene.run([identify("u1", company="Newco"), identify("u2", company="NEWCO")])
    scene.run([identify("u3", company="newco")])
    assert (set(links(scene).values()), len(organizations(scene))) == ({"Newco"}, 1)
