"""`replay --refill`: events that were handled under another mapping fill what was added since."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Fields
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.report.summary import Summary
from tests.examples import every, examples
from tests.harness import CONFIG, Event, Scene, alias, group, identify, killed_at, lines, outcomes, track, viewed
from tests.harness import Killed as ProcessDied
from tests.run.test_preview import online


def mapped(**kinds: dict[str, str]) -> Config:
    """The config with another mapping: `persons={"role": "Role"}`."""
    return msgspec.structs.replace(CONFIG, fields=Fields(**kinds))


ROLE = mapped(persons={"role": "Role"})
BOTH = mapped(
    persons={"role": "Role", "city": "City"}, leads={"rating": "Rating"}, organizations={"industry": "Branch"}
)
EVENTS = [
    identify("u1", 1, name="Ada", role="CTO", city="Cork"),
    identify("u2", 2, name="Bo", role="CEO"),
    group("u1", "g1", 3, name="Acme", industry="IT"),
    track("u1", "Asked", 4, message_id="l1", rating="5"),
]


def noticed(summary: Summary, code: str) -> int:
    return sum(problem.count for problem in summary.problems if problem.code == code)


def field(scene: Scene, kind: str, name: str) -> dict[str, Any]:
    """Name (title) -> what the field holds."""
    rows = scene.contents()[kind]
    return {str(row.get("name", row.get("title"))): row["custom_fields"].get(name) for row in rows}


def test_old_events_fill_a_new_field_and_nothing_else_is_written(tmp_path: Path) -> None:
    """One PATCH for each record that lacks a value; no second lead; a second refill sends nothing."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    scene.config = BOTH
    summary = scene.run(EVENTS, refill=True)
    assert summary.exit_code == 0
    assert sorted(call.split("/")[-2] for call in scene.writes) == ["leads", "organizations", "persons"]
    assert all(call.startswith("PATCH ") for call in scene.writes)
    assert field(scene, "persons", "City") == {"Ada": "Cork", "Bo": None}
    assert field(scene, "leads", "Rating") == {"Asked": "5"}
    assert field(scene, "organizations", "Branch") == {"Acme": "IT"}
    again = scene.run(EVENTS, refill=True)
    assert (outcomes(again), scene.writes) == ({"duplicate": 4}, [])


def test_without_refill_such_events_are_duplicates_and_counted_with_what_to_do(tmp_path: Path) -> None:
    """Nothing is sent; the notice names the kinds and the option."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    scene.config = mapped(persons={"role": "Role", "city": "City"})
    summary = scene.run(EVENTS)
    assert (outcomes(summary), scene.writes, summary.exit_code) == ({"duplicate": 4}, [], 0)
    assert noticed(summary, "other_mapping") == 4, "identify, group and track are about persons"
    assert any("--refill" in (problem.hint or "") for problem in summary.problems)
    scene.config = ROLE
    assert not noticed(scene.run(EVENTS), "other_mapping")


def test_a_mapping_of_products_alone_concerns_no_other_event(tmp_path: Path) -> None:
    """The journal knows the mapping kind by kind."""
    scene = Scene(tmp_path, config=ROLE)
    events = [*EVENTS, viewed("u1", "p1", 9, name="Bike", brand="Bianchi")]
    scene.run(events)
    scene.config = mapped(persons={"role": "Role"}, products={"brand": "Brand"})
    assert noticed(scene.run(events), "other_mapping") == 1
    assert outcomes(scene.run(events, refill=True)) == {"delivered": 1, "duplicate": 4}
    assert field(scene, "products", "Brand") == {"Bike": "Bianchi"}


def test_a_person_s_word_stands_and_is_counted(tmp_path: Path) -> None:
    """What somebody has changed since we wrote it is not undone by a mapping that reads the event otherwise."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS[:2])
    ids = {row["name"]: row["id"] for row in scene.sandbox.contents(ids=True)["persons"]}
    scene.sandbox.set_value("persons", ids["Ada"], scene.key("persons", "Role"), "by hand")
    scene.config = mapped(persons={"city": "Role"})
    events = [EVENTS[0], {**EVENTS[1], "traits": {**EVENTS[1]["traits"], "city": "Bonn"}}]
    summary = scene.run(events, refill=True)
    assert field(scene, "persons", "Role") == {"Ada": "by hand", "Bo": "Bonn"}
    assert noticed(summary, "changed_by_hand") == 1


def test_a_value_whose_line_is_gone_stays_and_is_named(tmp_path: Path) -> None:
    """A refill adds and takes nothing away; the newer word of another event is no such value."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    roles = field(scene, "persons", "Role")
    scene.config = mapped(persons={"city": "City"})
    summary = scene.run(EVENTS, refill=True)
    assert field(scene, "persons", "Role") == roles
    (problem,) = [each for each in summary.problems if each.code == "unsaid"]
    assert (problem.count, problem.examples[0].field) == (len(roles), "Role")
    assert noticed(scene.run(EVENTS, refill=True), "unsaid") == 0


def test_a_lead_that_somebody_has_archived_is_left_as_it_is(tmp_path: Path) -> None:
    """Who archives a lead is done with it: no old event comes after it."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    (lead,) = scene.sandbox.contents(ids=True)["leads"]
    scene.sandbox.archive_lead(lead["id"])
    scene.config = BOTH
    summary = scene.run(EVENTS, refill=True)
    assert outcomes(summary) == {"delivered": 2, "unchanged": 2}
    assert not any(request.method == "PATCH" and "leads" in request.path for request in scene.sandbox.requests)


def test_a_newer_value_stays_whatever_comes_again(tmp_path: Path) -> None:
    """Which value wins is decided as always: by the event's time."""
    scene = Scene(tmp_path, config=ROLE)
    old = identify("u1", 1, message_id="old", name="Ada", city="Cork")
    scene.run([old])
    scene.config = BOTH
    scene.run([identify("u1", 5, name="Ada", city="Bonn")])
    scene.run([old], refill=True)
    assert field(scene, "persons", "City") == {"Ada": "Bonn"}


def test_a_merge_is_not_made_again_and_a_deleted_record_stays_deleted(tmp_path: Path) -> None:
    """Events that come again bring values, and create nothing."""
    scene = Scene(tmp_path, config=ROLE)
    events = [*EVENTS, identify("old", 7, name="Ada"), alias("old", "u1", 8)]
    scene.run(events[:-1])
    scene.run(events[-1:])
    ids = {row["name"]: row["id"] for row in scene.sandbox.contents(ids=True)["persons"]}
    scene.sandbox.delete_record("persons", ids["Bo"])
    lead = scene.sandbox.contents(ids=True)["leads"][0]["id"]
    scene.sandbox.delete_record("leads", lead)
    scene.config = BOTH
    bo_moved = {**EVENTS[1], "traits": {**EVENTS[1]["traits"], "city": "Bonn"}}
    summary = scene.run([events[0], bo_moved, *events[2:]], refill=True)
    assert summary.exit_code == 0
    assert scene.names("persons") == ["Ada"] and not scene.contents()["leads"]
    assert not [call for call in scene.writes if call.startswith("POST")]


def test_a_lead_gets_its_values_though_somebody_has_deleted_its_person(tmp_path: Path) -> None:
    """The person stays deleted, in the refill and in the one after it."""
    scene = Scene(tmp_path, config=ROLE)
    events = [identify("u1", 1, name="Ada", role="CTO"), track("u1", "Demo", 2, rating="5")]
    scene.run(events)
    scene.sandbox.delete_record("persons", scene.sandbox.contents(ids=True)["persons"][0]["id"])
    scene.config = BOTH
    assert outcomes(scene.run(events, refill=True)) == {"delivered": 1, "unchanged": 1}
    assert outcomes(scene.run(events, refill=True)) == {"duplicate": 2}
    (lead,) = scene.contents()["leads"]
    assert (lead["custom_fields"]["Rating"], scene.names("persons")) == ("5", [])


def test_a_folder_that_was_read_to_its_end_is_read_for_a_refill_once(tmp_path: Path) -> None:
    """Passed over or not: a file with events of another mapping is read; afterwards it is known again."""
    scene = Scene(tmp_path, config=ROLE)
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines(EVENTS))
    scene.run(str(folder))
    scene.config = BOTH
    assert noticed(scene.run(str(folder)), "other_mapping")
    assert scene.run(str(folder)).events.read == 0, "read once under the new mapping, and left"
    assert scene.run(str(folder), refill=True).events.delivered
    assert scene.run(str(folder), refill=True).events.read == 0
    assert scene.run(str(folder)).events.read == 0


def test_a_journal_from_before_knows_no_mapping_so_all_its_events_count(tmp_path: Path) -> None:
    """A version that kept no mappings has handled them: under which one nobody knows."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    journal = Journal.open(scene.state)
    with journal.transaction():
        journal._db.execute("DELETE FROM mappings")
    journal.close()
    scene.config = BOTH
    assert scene.run(EVENTS, refill=True).exit_code == 0
    assert field(scene, "persons", "City") == {"Ada": "Cork", "Bo": None}


@pytest.mark.campaign
@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True])
def test_a_refill_that_is_killed_ends_as_one_that_is_not(tmp_path: Path, kept: bool) -> None:
    """At one transaction after the other: run again, and the fields are filled, nothing twice."""
    for number in itertools.count(1 + kept, every(5)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        scene = Scene(folder, config=ROLE)
        scene.run(EVENTS)
        scene.config = BOTH
        try:
            with killed_at(number, kept=kept):
                scene.run(EVENTS, refill=True)
        except ProcessDied:
            pass
        else:
            break
        scene.run(EVENTS, refill=True)
        assert field(scene, "persons", "City") == {"Ada": "Cork", "Bo": None}
        assert field(scene, "leads", "Rating") == {"Asked": "5"}
        assert len(scene.contents()["persons"]) == 2 and len(scene.contents()["leads"]) == 1


USERS = ("u1", "u2")
TRAITS = st.fixed_dictionaries(
    {}, optional={"role": st.sampled_from(["a", "b"]), "city": st.sampled_from(["x", "y"]), "name": st.just("N")}
)


@st.composite
def identifies(draw: st.DrawFn) -> list[Event]:
    times = draw(st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True))
    return [identify(draw(st.sampled_from(USERS)), time, **draw(TRAITS)) for time in times]


@settings(max_examples=examples(40))
@given(identifies(), st.data())
def test_a_refill_ends_as_a_first_run_under_the_new_mapping(events: list[Event], data: st.DataObject) -> None:
    """For every order and split, where nobody else acted."""
    order: Sequence[Event] = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        first = Scene(Path(one), config=BOTH)
        first.run(events)
        refilled = Scene(Path(two), config=ROLE)
        refilled.run(order[:cut])
        refilled.run(order[cut:])
        refilled.config = BOTH
        again: Sequence[Event] = data.draw(st.permutations(events))
        refilled.run(again, refill=True)
        assert refilled.contents() == first.contents()


def test_the_notice_names_the_line_that_was_added(tmp_path: Path) -> None:
    """So that one sees whether a refill is worth its cost."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    scene.config = mapped(persons={"role": "Role", "city": "City"})
    (problem,) = [each for each in scene.run(EVENTS[:1]).problems if each.code == "other_mapping"]
    assert problem.examples[0].field == "persons: city -> City"
    assert (problem.outcome, problem.examples[0].message_id) == (None, EVENTS[0]["messageId"])


def test_events_of_another_config_that_maps_more_are_not_told(tmp_path: Path) -> None:
    """Two configs with one journal: what this one maps has been sent."""
    scene = Scene(tmp_path, config=BOTH)
    scene.run(EVENTS)
    scene.config = ROLE
    assert noticed(scene.run(EVENTS), "other_mapping") == 0


def test_a_preview_counts_such_events_and_foretells_the_refill(tmp_path: Path) -> None:
    """What a refill costs is seen before it."""
    scene = Scene(tmp_path, config=ROLE)
    scene.run(EVENTS)
    scene.config = BOTH
    assert noticed(online(scene, EVENTS).summary, "other_mapping")
    seen = online(scene, EVENTS, refill=True)
    scene.run(EVENTS, refill=True)
    assert sorted(f"{row.method} {row.path}" for row in seen.writes) == sorted(scene.writes)
