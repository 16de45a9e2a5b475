"""Brakes: a run counts on paper what it would write, and stops before the write that is one too many."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config.model import Brakes, Delivery
from pipedrive_cli.delivery.brakes import BrakeCounter
from pipedrive_cli.errors import StopRun
from pipedrive_cli.run import paper_pass
from tests.examples import examples
from tests.harness import CONFIG, Event, Scene, alias, group, identify, track, with_delivery


def people(number: int, first: int = 1) -> list[Event]:
    return [identify(f"u{n}", n, name=f"Person {n}") for n in range(first, first + number)]


def test_eleven_creations_in_one_window_and_a_brake_of_ten_write_nothing(tmp_path: Path) -> None:
    """The window is counted before its first write."""
    scene = Scene(tmp_path)
    summary = scene.run(people(11), brakes={"created": 10})
    assert (summary.exit_code, summary.reason, summary.events.pending) == (4, "brake", 11)
    assert not scene.writes
    assert scene.run(people(11), brakes={"created": 11}).events.delivered == 11


def test_a_later_window_is_not_begun_that_would_pass_the_brake(tmp_path: Path) -> None:
    """What the windows before have written counts."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=4))
    summary = scene.run(people(11), brakes={"created": 10})
    assert (summary.exit_code, summary.reason) == (4, "brake")
    assert len(scene.writes) == summary.events.delivered == 8


def test_all_kinds_of_record_count_together(tmp_path: Path) -> None:
    """Persons, organizations and leads are three creations."""
    scene = Scene(tmp_path)
    events = [identify("u1", 1, name="Ada"), group("u1", "g1", 2, name="Acme"), track("u1", "Asked", 3)]
    assert scene.run(events, brakes={"created": 2}).reason == "brake"
    assert not scene.writes
    assert scene.run(events, brakes={"created": 3}).exit_code == 0


@pytest.mark.parametrize("brake", ["updated", "merged"])
def test_updates_and_merges_have_brakes_of_their_own(tmp_path: Path, brake: str) -> None:
    """A merge cannot be undone: a brake of 0 keeps a run from any."""
    scene = Scene(tmp_path)
    scene.run([*people(2), identify("u3", 5, name="C")])
    events = [identify("u3", 8, name="D")] if brake == "updated" else [alias("u1", "u2", 9)]
    assert scene.run(events, brakes={brake: 0}).reason == "brake"
    assert not scene.writes
    assert scene.run(events, brakes={brake: 1}).exit_code == 0


def test_what_a_brake_keeps_back_is_not_noted_as_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops a write that leaves, where people have changed the account since it was counted on paper."""
    scene = Scene(tmp_path)
    scene.run(people(1))

    async def counted_before(*_: object) -> None:
        """The paper saw no update."""

    monkeypatch.setattr(paper_pass, "stop_before", counted_before)
    assert scene.run([identify("u1", 9, name="D")], brakes={"updated": 0}).reason == "brake"
    assert not scene.writes
    with sqlite3.connect(scene.state) as journal:
        assert journal.execute("SELECT count(*) FROM befores").fetchone() == (0,)


def test_the_config_has_brakes_and_the_command_line_overrides_them(tmp_path: Path) -> None:
    """`delivery.brakes` is for cron; whoever runs by hand may raise one."""
    config = msgspec.structs.replace(CONFIG, delivery=Delivery(brakes=Brakes(created=1)))
    scene = Scene(tmp_path, config=config)
    assert scene.run(people(2)).reason == "brake"
    assert scene.run(people(2), brakes={"created": 2}).exit_code == 0


def test_what_changes_nothing_passes_any_brake(tmp_path: Path) -> None:
    """Events that repeat what is there are counted as unchanged on paper, too."""
    scene = Scene(tmp_path)
    scene.run(people(3))
    again = [identify(f"u{n}", 50 + n, name=f"Person {n}") for n in (1, 2, 3)]
    summary = scene.run(again, brakes={"created": 0, "updated": 0, "merged": 0})
    assert (summary.exit_code, summary.events.unchanged) == (0, 3)


def test_counting_costs_no_request_more(tmp_path: Path) -> None:
    """What was looked up for the count serves the run."""
    plain, braked = Scene(tmp_path / "a"), Scene(tmp_path / "b")
    plain.folder.mkdir()
    braked.folder.mkdir()
    first = people(5)
    later = [identify(f"u{n}", 90 + n, name=f"Other {n}", email=f"u{n}@example.com") for n in range(1, 8)]
    for scene, more in ((plain, {}), (braked, {"brakes": {"created": 9, "updated": 9}})):
        more_options: dict[str, Any] = dict(more)
        scene.run(first)
        scene.run(later, **more_options)
    assert sorted(plain.sent) == sorted(braked.sent)
    assert plain.contents() == braked.contents()


def test_an_unread_alias_waits_on_paper_as_it_does_in_the_run(tmp_path: Path) -> None:
    """Copies of events in the count end nothing: the run's own events have their outcomes once."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=1))
    events = [alias("early", "u1", 5), identify("u1", 6, name="Ada"), identify("early", 2, role="CTO")]
    summary = scene.run(events, brakes={"created": 5, "merged": 5})
    assert summary.exit_code == 0 and summary.events.read == 3


def test_each_write_is_counted_when_it_leaves() -> None:
    """Somebody may change the account after the count: the write that is one too many is not sent."""
    brakes = BrakeCounter({"created": 1})
    brakes.begin("create")
    brakes.take_back("create")
    brakes.begin("create")
    brakes.begin("update")
    with pytest.raises(StopRun) as stop:
        brakes.begin("create")
    assert (stop.value.code, stop.value.exit_code) == ("brake", 4)


@settings(max_examples=examples(50))
@given(st.integers(0, 6), st.integers(1, 6), st.sampled_from([1, 2, 100]))
def test_never_more_than_the_brake_and_never_stopped_below_it(brake: int, number: int, lookahead: int) -> None:
    """For any number of new persons and any window."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        scene = Scene(Path(folder), config=with_delivery(lookahead=lookahead))
        summary = scene.run(people(number), brakes={"created": brake})
        created = len(scene.contents()["persons"])
        assert created <= brake
        assert (summary.reason == "brake") == (number > brake)
        if number <= brake:
            assert created == number
