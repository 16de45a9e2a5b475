"""Different events under one message id: the second is a duplicate, and noticed. Copies of one event are not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.report.summary import Summary
from tests.harness import Event, Scene, identify, lines, outcomes, track, with_delivery

CODE = "same_id_other_content"


def one_id(*events: Event) -> list[Event]:
    return [{**event, "messageId": "same"} for event in events]


def noticed(summary: Summary) -> int:
    return sum(problem.count for problem in summary.problems if problem.code == CODE)


THREE = one_id(identify("u1", 1, name="Ann"), identify("u2", 2, name="Bo"), track("u3", "Demo", 3, value=900))


@pytest.mark.parametrize("lookahead", [1, 1000])
def test_different_events_of_one_id_are_duplicates_and_noticed(tmp_path: Path, lookahead: int) -> None:
    """Whether they wait together or come one by one; it costs no exit code."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=lookahead))
    summary = scene.run(THREE)
    assert (outcomes(summary), noticed(summary), summary.exit_code) == ({"delivered": 1, "duplicate": 2}, 2, 0)
    (problem,) = summary.problems
    assert [example.line for example in problem.examples] == [2, 3]


def test_they_are_noticed_across_runs(tmp_path: Path) -> None:
    """An exporter that fills the id with a constant does so in every file."""
    scene = Scene(tmp_path)
    assert noticed(scene.run(THREE[:1])) == 0
    summary = scene.run(THREE[1:])
    assert (outcomes(summary), noticed(summary)) == ({"duplicate": 2}, 2)


def test_one_word_that_differs_makes_another_event(tmp_path: Path) -> None:
    """Also where both are of one user and one time."""
    scene = Scene(tmp_path)
    assert noticed(scene.run(one_id(identify("u1", 1, name="Ann"), identify("u1", 1, name="Anna")))) == 1


def written_otherwise(event: Event, **more: Any) -> Event:
    """A copy as another route has brought it: other times of the server, other order of keys."""
    shuffled = {name: event[name] for name in reversed(event)}
    shuffled["traits"] = dict(reversed(event["traits"].items()))
    return {**shuffled, "receivedAt": "2024-03-01T13:00:00Z", "sentAt": "2024-03-01T13:00:00Z", "rudderId": "r", **more}


def test_a_copy_is_no_other_event(tmp_path: Path) -> None:
    """However a server has stamped it, and in whatever layout it lies there: gateway backups and archives overlap."""
    scene = Scene(tmp_path)
    event = identify("u1", 1, name="Ann", role="CTO")
    job = {"event_payload": {"batch": [written_otherwise(event)], "context": {"library": {"name": "x"}}}}
    summary = scene.run([event, written_otherwise(event), job])
    assert (outcomes(summary), summary.problems) == ({"delivered": 1, "duplicate": 2}, ())
    assert scene.run([written_otherwise(event, channel="web")]).problems == ()


def test_a_mended_event_may_say_something_else(tmp_path: Path) -> None:
    """That is what it was mended for."""
    scene = Scene(tmp_path)
    rejects = tmp_path / "bad.rejects.ndjson"
    scene.run([identify("u1", 1, name="Ann", visible_to="nobody")], rejects=rejects)
    mended = rejects.read_bytes().replace(b'"nobody"', b'"3"')
    assert noticed(scene.run(mended)) == 0


def test_a_large_file_is_no_exception(tmp_path: Path) -> None:
    """Its parts are read by processes of their own; packed it is read here."""
    scene = Scene(tmp_path)
    filler = [identify(f"u{number}", number, name="Ann", note="x" * 20_000) for number in range(3)] * 200
    (tmp_path / "a.ndjson").write_bytes(lines([*THREE, *filler, *THREE]))
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(lines(THREE)))
    first = scene.run(tmp_path / "a.ndjson")
    assert noticed(first) == 4
    assert noticed(scene.run(tmp_path / "b.ndjson.gz")) == 2


def test_types_that_are_not_for_a_crm_are_skipped_by_name(tmp_path: Path) -> None:
    """An export that has them ends with 0; a type that nobody knows is still a mistake."""
    scene = Scene(tmp_path)
    kinds = ["record", "Merge", "delete", "audiencelist", "record", "page"]
    events = [{"type": kind, "userId": "u1", "messageId": f"k{number}"} for number, kind in enumerate(kinds)]
    summary = scene.run([*events, identify("u1", 1, name="Ann")])
    assert (outcomes(summary), summary.exit_code) == ({"skipped": 6, "delivered": 1}, 0)
    told = {problem.message.rpartition(": ")[2]: problem.count for problem in summary.problems}
    assert told == {"record": 2, "merge": 1, "delete": 1, "audiencelist": 1, "page": 1}
    assert outcomes(scene.run([{"type": "idntify", "userId": "u1", "messageId": "k9"}])) == {"rejected": 1}


def test_lines_of_other_makers_are_told_by_maker(tmp_path: Path) -> None:
    """In a file that has events, too: one problem for each maker, however many lines it has."""
    scene = Scene(tmp_path)
    mixpanel = {"event": "Signed Up", "properties": {"distinct_id": "u1", "time": 1, "token": "t"}}
    amplitude = {"event_type": "signed_up", "user_id": "u1", "event_properties": {}}
    content = [identify("u1", 1, name="Ann"), mixpanel, mixpanel, amplitude]
    summary = scene.run(("\n".join(map(json.dumps, content)) + "\n").encode())
    assert outcomes(summary) == {"delivered": 1, "rejected": 3}
    told = {problem.message.rpartition(": ")[2]: problem.count for problem in summary.problems}
    assert told == {"Mixpanel's export": 2, "Amplitude's export": 1}
