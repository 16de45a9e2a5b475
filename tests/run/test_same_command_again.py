"""The same command again changes nothing, whatever was rejected: of equal times the event that was read later wins."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.delivery.journal import Journal
from tests.examples import every
from tests.harness import (
    Event,
    Killed,
    Scene,
    alias,
    event,
    group,
    identify,
    killed_at,
    ordered,
    outcomes,
    viewed,
    with_delivery,
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# Events of one moment, the first of which has one value that is refused.
TIES: dict[str, list[Event]] = {
    "persons": [
        identify("u1", 5, name="Old", email=True, role="r1"),
        identify("u1", 5, name="New", email="a@x.test", role="r2"),
    ],
    "parts of names": [
        identify("u1", 5, firstName="Old", email=True),
        identify("u1", 5, lastName="New", email="a@x.test"),
        identify("u1", 5, firstName="Newest", role="r"),
    ],
    "organizations": [
        group("u1", "g1", 5, name="Old", industry=["no", {"text": 1}]),
        group("u1", "g1", 5, name="New", industry="Sea"),
    ],
    "products": [
        viewed("u1", "c1", 5, name="Old", price="much", brand="b1", quantity=1),
        viewed("u1", "c1", 5, name="New", price=5, currency="EUR", brand="b2", quantity=2),
    ],
    "an order's own": [
        ordered("u1", [{"product_id": "c1", "name": "Old", "price": "much"}, {"product_id": "c2", "name": "Two"}], 5),
        ordered("u1", [{"product_id": "c1", "name": "New", "price": 4}], 5, currency="EUR"),
    ],
}


def timeless(events: Sequence[Event]) -> list[Event]:
    return [{name: value for name, value in each.items() if name != "timestamp"} for each in events]


@pytest.mark.parametrize("timed", [True, False], ids=["equal times", "without times"])
@pytest.mark.parametrize("kind", TIES)
@pytest.mark.parametrize("lookahead", [1, 1000])
def test_a_rejected_event_does_not_win_the_tie_when_it_comes_again(
    scene: Scene, kind: str, timed: bool, lookahead: int
) -> None:
    """Three times the same command: the first run decides, the others send nothing and say the same."""
    events = TIES[kind] if timed else timeless(TIES[kind])
    scene.config = with_delivery(lookahead=lookahead)
    first = scene.run(events)
    assert first.events.rejected == 1
    contents = scene.contents()
    for _ in range(2):
        again = scene.run(events)
        assert (scene.writes, again.events.rejected) == ([], 1)
        assert scene.contents() == contents


def test_a_mended_event_keeps_its_place_in_the_order(scene: Scene, tmp_path: Path) -> None:
    """What was refused arrives; what a later event of the same moment has replaced does not come back."""
    rejects = tmp_path / "bad.ndjson"
    scene.run(TIES["persons"], rejects=rejects)
    mended = json.loads(rejects.read_text())
    mended["traits"]["email"] = "mended@x.test"
    summary = scene.run([mended])
    assert outcomes(summary) == {"delivered": 1}
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["custom_fields"]["Role"]) == ("New", "r2")
    assert [row["value"] for row in person["emails"]] == ["a@x.test", "mended@x.test"]


@pytest.mark.campaign
def test_events_of_one_moment_end_as_they_were_first_read(tmp_path: Path) -> None:
    """Whatever the windows are, and wherever a run is killed: read later is newer."""
    events = [identify("u1", 5, name=f"N{n}", role=f"r{n}") for n in range(4)]
    events += [group(f"u{n}", "g1", 5, name=f"O{n}") for n in range(4)]
    for lookahead, commit in itertools.product((1, 3, 1000), range(1, 30, every(6))):
        folder = tmp_path / f"{lookahead}-{commit}"
        folder.mkdir()
        scene = Scene(folder, config=with_delivery(lookahead=lookahead))
        try:
            with killed_at(commit, kept=True):
                scene.run(events)
        except Killed:
            scene.run(events)
        (organization,) = scene.contents()["organizations"]
        (first,) = (row for row in scene.contents()["persons"] if row["custom_fields"]["User id"] == "u1")
        found = (organization["name"], first["name"], first["custom_fields"]["Role"])
        assert found == ("O3", "N3", "r3"), (lookahead, commit)


def test_a_journal_from_before_has_no_numbers(scene: Scene) -> None:
    """Its values stand at the beginning of the order, and are replaced by later events as ever."""
    scene.run([identify("u1", 5, name="Old", role="r1")])
    journal = Journal.open(scene.state)
    with journal.transaction():
        journal._db.execute("UPDATE events SET number = 0")
        journal.set_fact("events numbered", None)
    journal.close()
    assert outcomes(scene.run([identify("u1", 5, role="r2")])) == {"delivered": 1}
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"]["Role"] == "r2"


# -- aliases


def test_a_link_of_an_older_journal_counts_as_settled(scene: Scene) -> None:
    """It does not tell which aliases were rejected: none of them is looked at again."""
    scene.run([identify("new", 1, name="Ada"), alias("old", "new", 2)])
    journal = Journal.open(scene.state)
    with journal.transaction():
        journal._db.execute("UPDATE aliases SET unknown = 0")
    journal.close()
    summary = scene.run([alias("old", "new", 3)])
    assert [(problem.code, problem.outcome) for problem in summary.problems] == [("alias_same", "skipped")]


def anonymous(name: str | None = None, time: int = 1, **more: Any) -> Event:
    """A track event of somebody without a user id."""
    return event("track", time, anonymousId="anon-1", event=name or "Viewed Pricing", properties={}, **more)


def test_a_rejected_alias_is_the_same_on_every_rerun(scene: Scene) -> None:
    """Its link is kept for whoever comes late, and that does not make the two one person."""
    events = [identify("new", 1, name="Ada"), alias("old", "new", 2)]
    for run in range(3):
        summary = scene.run(events)
        assert {(problem.code, problem.outcome) for problem in summary.problems} == {("alias_unknown", "rejected")}
        assert summary.events.rejected == 1
        assert run == 0 or scene.writes == []
    scene.run([identify("old", 3, role="late")])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "new", "Role": "late"}


@pytest.mark.parametrize("lookahead", [1, 1000])
@pytest.mark.parametrize("own", [True, False], ids=["its own anonymous id", "that of a skipped event"])
@pytest.mark.parametrize("skipped", ["track", "page", "identify"])
@pytest.mark.parametrize("first", [True, False])
def test_an_alias_of_a_skipped_visitor_is_skipped(
    scene: Scene, lookahead: int, own: bool, skipped: str, first: bool
) -> None:
    """As Segment's pages tell people to send it; wherever the visitor's events stand, and on every rerun."""
    link = alias("anon-1", "u1", 2)
    if own:
        link["anonymousId"] = "anon-1"
    visitor = event(skipped, 1, anonymousId="anon-1", **({"event": "Viewed"} if skipped == "track" else {}))
    person = identify("u1", 3, name="Ada") | {"anonymousId": "anon-1"}
    events = [visitor, link, person] if first else [person, link, visitor]
    scene.config = with_delivery(lookahead=lookahead)
    summary = scene.run(events)
    assert outcomes(summary) == {"delivered": 1, "skipped": 2}
    assert summary.exit_code == 0
    assert scene.names("persons") == ["Ada"]
    assert outcomes(scene.run(events)) == {"duplicate": 1, "skipped": 2}
    assert scene.writes == []


def test_an_alias_whose_ids_are_one_already_is_skipped(scene: Scene) -> None:
    """By an earlier merge, under whatever message id it comes."""
    scene.run([identify("old", 1, name="Ada"), identify("new", 1, name="Ada"), alias("old", "new", 2)])
    summary = scene.run([alias("old", "new", 3)])
    assert [(problem.code, problem.outcome) for problem in summary.problems] == [("alias_same", "skipped")]
