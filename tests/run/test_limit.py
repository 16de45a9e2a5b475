"""`--limit`: what waits for the part of the input that is not read is pending, not rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Scene, alias, identify, outcomes, track, with_identity


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, config=with_identity(create_missing_persons=False))


def test_a_lead_whose_person_comes_after_the_limit_is_pending(scene: Scene) -> None:
    """The next run reads on and finds the person."""
    events = [track("u1", "Signed Up", 1), identify("u2", 2, name="Bob"), identify("u1", 3, name="Ann")]
    summary = scene.run(events, limit=2)
    assert outcomes(summary) == {"delivered": 1, "pending": 1}
    assert (summary.exit_code, summary.input_complete) == (1, False)
    assert "waits_for_input" in {problem.code for problem in summary.problems}
    assert outcomes(scene.run(events)) == {"delivered": 2, "duplicate": 1}
    assert scene.names("leads") == ["Signed Up"]


def test_an_alias_whose_previous_person_comes_after_the_limit_is_pending(scene: Scene) -> None:
    """Whether they are one is known when the previous one has been seen."""
    events = [identify("new", 1, name="New"), alias("old", "new", 5), identify("old", 3, city="Rome")]
    summary = scene.run(events, limit=2)
    assert outcomes(summary) == {"delivered": 1, "pending": 1}
    assert [(problem.code, problem.outcome) for problem in summary.problems] == [("waits_for_input", "pending")]
    assert scene.run(events).exit_code == 0
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["custom_fields"]) == ("New", {"User id": "new", "City": "Rome"})


def test_a_limit_that_is_not_reached_changes_nothing(scene: Scene) -> None:
    """The input was read to its end: who is nowhere is nobody."""
    summary = scene.run([track("u1", "Signed Up", 1), identify("u2", 2, name="Bob")], limit=3)
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}


def test_a_limit_that_is_just_the_length_of_the_input_reads_it_to_its_end(scene: Scene) -> None:
    """There is nothing behind it that anybody could wait for."""
    summary = scene.run([track("u1", "Signed Up", 1), identify("u2", 2, name="Bob")], limit=2)
    assert summary.input_complete
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}


def test_the_limit_counts_events_that_were_not_handled_before(scene: Scene) -> None:
    """Three runs of two take up six events, each of them once."""
    events = [identify(f"u{n}", n, name=f"N{n}") for n in range(6)]
    for done in (2, 4, 6):
        scene.run(events, limit=2)
        assert len(scene.names("persons")) == done
