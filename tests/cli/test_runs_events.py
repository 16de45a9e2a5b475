"""`runs events`: what became of an event, and what is known of a user, without SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.desk_for_commands import Ended, pipedrive_cli
from tests.harness import Scene, alias, group, identify, track


def asked(scene: Scene, *arguments: str) -> Ended:
    return pipedrive_cli("runs", "events", *arguments, "--state", scene.state)


def test_an_event_has_its_outcome_and_its_run(tmp_path: Path) -> None:
    """As text and as JSON; the run is the one whose report names it."""
    scene = Scene(tmp_path)
    first = identify("u1", 1, name="Ada")
    summary = scene.run([first])
    ended = asked(scene, first["messageId"])
    assert ended.code == 0 and "delivered" in ended.out and summary.run in ended.out
    known = asked(scene, first["messageId"], "--json").json["event"]
    assert (known["outcome"], known["run"], known["waiting"]) == ("delivered", summary.run, False)


def test_an_event_tells_where_it_went_and_what_was_wrong(tmp_path: Path) -> None:
    """The records that show what it said, with the fields; the problems, with the place in the file."""
    scene = Scene(tmp_path)
    first, lead = identify("u1", 1, name="Ada", role="CTO", visible_to="nobody"), track("u1", "Asked", 2)
    scene.run([first, lead])
    known = asked(scene, first["messageId"], "--json").json["event"]
    (person,) = known["records"]
    assert (person["kind"], person["fields"]) == ("persons", ["Role", "name"])
    assert [(each["code"], each["field"]) for each in known["problems"]] == [("bad_value", "traits.visible_to")]
    assert known["place"].endswith("events.ndjson:1")
    (made,) = asked(scene, lead["messageId"], "--json").json["event"]["records"]
    assert (made["kind"], made["id"]) == ("leads", scene.sandbox.contents(ids=True)["leads"][0]["id"])
    shown = asked(scene, first["messageId"]).out
    assert "rejected" in shown and "Role, name" in shown and "events.ndjson:1" in shown


def test_an_event_that_waits_for_retry_is_told_as_such(tmp_path: Path) -> None:
    """So that support knows what to do."""
    scene = Scene(tmp_path)
    lost = identify("u1", 1, name="Ada")
    scene.run([lost], max_tokens=14)
    known = asked(scene, lost["messageId"], "--json").json["event"]
    assert known["waiting"] and known["outcome"] in {"failed", "pending"}
    assert "retry" in asked(scene, lost["messageId"]).out


def test_a_user_has_a_record_names_and_fields_with_the_times_of_their_events(tmp_path: Path) -> None:
    """Also under a former id; a value said in passing is told from the user's own."""
    scene = Scene(tmp_path)
    scene.run([identify("old", 1, name="Ada", role="CTO"), identify("u1", 4, city="Cork"), group("u1", "g1", 5)])
    scene.run([alias("old", "u1", 9)])
    known = asked(scene, "--user", "old", "--json").json["user"]
    assert (known["kind"], known["names"]) == ("persons", ["old", "u1"])
    assert known["id"] == scene.sandbox.contents(ids=True)["persons"][0]["id"]
    assert known["aliases"] == [{"previous": "old", "current": "u1", "time": "2024-03-01T12:00:09Z"}]
    fields = {field["field"]: field for field in known["fields"]}
    assert (fields["City"]["value"], fields["City"]["time"]) == ("Cork", "2024-03-01T12:00:04Z")
    assert fields["Role"]["value"] == "CTO"
    event = asked(scene, fields["City"]["event"], "--json").json["event"]
    assert (event["outcome"], event["waiting"]) == ("delivered", False)
    shown = asked(scene, "--user", "u1").out
    assert "City" in shown and "old is another name of u1 since 2024-03-01T12:00:09Z" in shown


def test_hostile_values_are_escaped(tmp_path: Path) -> None:
    """Names and values come from events."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ada", role="a\x1b[2Jb"), track("u1", "Asked", 2)])
    ended = asked(scene, "--user", "u1")
    assert "\x1b" not in ended.out and "\\x1b[2J" in ended.out


def test_who_asks_for_a_user_as_if_it_were_an_event_is_told_how(tmp_path: Path) -> None:
    """The whole command, and only where there is such a user."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ada")])
    assert "runs events --user u1" in asked(scene, "u1").err and "--user" not in asked(scene, "u2").err


@pytest.mark.parametrize("arguments", [("nothing-like-that",), ("--user", "nobody"), (), ("m", "--user", "u")])
def test_what_is_not_known_is_a_mistake_with_advice(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 2: an id is compared exactly."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ada")])
    ended = asked(scene, *arguments)
    assert ended.code == 2 and ended.err
