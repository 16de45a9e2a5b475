"""`--results`: a line of JSON for every event, with its outcome and the records that it has reached."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.errors import UserMistake
from tests.harness import Scene, alias, event, group, identify, track, viewed


def results_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_event_has_one_line_with_its_place_its_outcome_and_its_records(tmp_path: Path) -> None:
    """Delivered, rejected and skipped events, leads and links: one line each, with what became of them."""
    scene, results = Scene(tmp_path), tmp_path / "results.ndjson"
    events = [
        identify("u1", 1, name="Ada", role="CTO"),
        group("u1", "g1", 2, name="Acme"),
        track("u1", "Asked", 3, message_id="lead-1"),
        viewed("u1", "p1", 4, name="Bike"),
        event("identify", 5, message_id="nobody", traits={"name": "Nobody"}),
        event("page", 6, message_id="a-page", userId="u1"),
    ]
    summary = scene.run(events, results=results)
    lines = {line["message_id"]: line for line in results_of(results)}
    assert len(lines) == summary.events.read == 6
    person = scene.sandbox.contents(ids=True)["persons"][0]["id"]
    organization = scene.sandbox.contents(ids=True)["organizations"][0]["id"]
    group_line = lines[events[1]["messageId"]]
    assert group_line["outcome"] == "delivered" and group_line["line"] == 2 and group_line["index"] is None
    assert group_line["file"].endswith("events.ndjson")
    assert {(r["kind"], r["id"], r["action"]) for r in group_line["records"]} == {
        ("organizations", organization, "created"),
        ("persons", person, "created"),
    }
    lead = scene.sandbox.contents(ids=True)["leads"][0]["id"]
    assert {"kind": "leads", "id": lead, "action": "created"} in lines["lead-1"]["records"]
    assert lines["nobody"] | {"file": "", "line": 0} == {
        "file": "",
        "line": 0,
        "index": None,
        "message_id": "nobody",
        "outcome": "rejected",
        "codes": ["missing_user_id"],
        "records": [],
    }
    assert lines["a-page"]["outcome"] == "skipped"


def test_a_second_run_has_a_line_for_each_duplicate_and_replaces_the_file(tmp_path: Path) -> None:
    """What an earlier run has handled is one line too, and of copies within a run each has its own."""
    scene, results = Scene(tmp_path), tmp_path / "results.ndjson"
    twice = identify("u1", 1, message_id="m1", name="Ada")
    scene.run([twice, twice, identify("u2", 2, name="Bo")], results=results)
    assert sorted(line["outcome"] for line in results_of(results)) == ["delivered", "delivered", "duplicate"]
    scene.run([twice, twice, identify("u2", 3, name="Bo")], results=results)
    outcomes = [(line["line"], line["outcome"]) for line in results_of(results)]
    assert sorted(outcomes) == [(1, "duplicate"), (2, "duplicate"), (3, "unchanged")]


def test_a_merge_names_the_person_that_is_left(tmp_path: Path) -> None:
    """The alias and what came under the previous id have reached the survivor."""
    scene, results = Scene(tmp_path), tmp_path / "results.ndjson"
    scene.run([identify("old", 1, name="Ada"), identify("new", 2, name="Ada L.")])
    scene.run([alias("old", "new", 3)], results=results)
    (line,) = results_of(results)
    survivor = scene.sandbox.contents(ids=True)["persons"][0]["id"]
    assert line["records"] == [{"kind": "persons", "id": survivor, "action": "merged"}]


def test_results_are_for_their_owner_alone_and_never_onto_a_source(tmp_path: Path) -> None:
    """Events are personal data, and an export is never overwritten."""
    scene, results = Scene(tmp_path), tmp_path / "results.ndjson"
    source = scene.write("in.ndjson", [identify("u1", 1, name="Ada")])
    scene.run(source, results=results)
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    before = source.read_bytes()
    with pytest.raises(UserMistake, match="--results"):
        scene.run(source, results=source)
    assert source.read_bytes() == before
