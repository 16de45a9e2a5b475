"""`retry`: what runs left failed or pending is sent again from the journal, without the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.replay import Replay
from tests.harness import Event, Scene, alias, identify, lines, outcomes, track, with_delivery, with_identity
from tests.run.events_of_all_kinds import ALL, comparable

NOBODY = "refused@POST /api/v2/persons"  # nobody answers the door: what was sent surely did not arrive


def retry(scene: Scene, run: str | None = None, **more: Any) -> Summary:
    """One `retry` of that run, or of all of them."""

    def asked(job: Replay) -> None:
        job.options = replace(job.options, sources=(), retry=True, retry_run=run, **more)

    return scene.run(b"", before=asked)


def left(scene: Scene) -> list[str]:
    """The identities of events whose bodies the journal keeps."""
    journal = Journal.open(scene.state)
    try:
        return sorted(event.identity for event in journal.unfinished())
    finally:
        journal.close()


def run_names(scene: Scene) -> list[str]:
    """The names of the journal's runs, newest first."""
    journal = Journal.open(scene.state)
    try:
        return [name for _, name, _, _ in journal.runs()]
    finally:
        journal.close()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, config=with_delivery(max_attempts=2))


def failed_at_first(scene: Scene, events: list[Event] | bytes, **more: Any) -> Summary:
    """A run in which no person could be made."""
    scene.faults(NOBODY)
    summary = scene.run(events, **more)
    scene.faults("")
    return summary


def test_what_failed_and_what_waited_for_it_is_sent_again_without_the_file(scene: Scene) -> None:
    """Afterwards nothing is left, and no body is kept."""
    failed_at_first(scene, [identify("u1", 1, name="Ann"), track("u1", "Signed Up", 2)])
    assert len(left(scene)) == 2
    (scene.folder / "events.ndjson").unlink()
    summary = retry(scene)
    assert outcomes(summary) == {"delivered": 2}
    assert (summary.exit_code, summary.input_complete) == (0, True)
    assert (scene.names("persons"), scene.names("leads")) == (["Ann"], ["Signed Up"])
    assert left(scene) == []
    assert retry(scene).events.read == 0


def test_events_of_all_kinds_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """A run that could write nothing, and its retry, are one undisturbed run."""
    (tmp_path / "calm").mkdir()
    calm = Scene(tmp_path / "calm")
    calm.run(ALL)
    scene = Scene(tmp_path, config=with_delivery(max_attempts=2))
    scene.faults("refused@POST *,refused@PATCH *,refused@PUT *")
    scene.run(ALL)
    scene.faults("")
    for _ in range(3):
        retry(scene)
    assert comparable(scene.contents()) == comparable(calm.contents())
    assert retry(scene).exit_code == 0


def test_an_event_without_message_id_and_one_of_a_batch_keep_who_they_are(scene: Scene) -> None:
    """The file replayed after the retry is nothing but duplicates."""
    first, second = identify("u1", 1, name="Ann"), identify("u2", 2, name="Bob")
    del first["messageId"]
    content = lines([{"batch": [second, {**first, "userId": "u3"}]}, first])
    failed_at_first(scene, content)
    assert outcomes(retry(scene)) == {"delivered": 3}
    assert outcomes(scene.run(content)) == {"duplicate": 3}


def test_problems_of_a_retry_name_the_place_in_the_file(scene: Scene) -> None:
    """Not a place in the journal, which nobody can open in an editor."""
    failed_at_first(scene, [identify("u1", 1, role="r"), identify("u2", 2, name="Bob")])
    scene.config = with_identity(scene.config, name_fallback=())
    summary = retry(scene)
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    (example,) = summary.problems[0].examples
    assert (Path(example.file or "").name, example.line) == ("events.ndjson", 1)


def test_a_mended_mapping_is_used(scene: Scene) -> None:
    """The events are kept as they were read, not as what they were taken for."""
    failed_at_first(scene, [identify("u1", 1, name="Ann", city="Rome")])
    scene.config = msgspec.structs.replace(
        scene.config, fields=msgspec.structs.replace(scene.config.fields, persons={"city": "Role"})
    )
    retry(scene)
    assert scene.contents()["persons"][0]["custom_fields"] == {"User id": "u1", "Role": "Rome"}


def test_what_is_late_does_not_undo_what_is_newer(scene: Scene) -> None:
    """The failed event is older than one that arrived in the meantime."""
    scene.run([identify("u1", 1, name="Ann")])
    scene.faults("refused@PATCH /api/v2/persons/*")
    scene.run([identify("u1", 5, role="old", city="Rome")])
    scene.faults("")
    scene.run([identify("u1", 9, role="new")])
    assert retry(scene).exit_code == 0
    assert scene.contents()["persons"][0]["custom_fields"] == {"User id": "u1", "Role": "new", "City": "Rome"}


def test_one_run_alone_is_retried_by_name_or_its_end(scene: Scene) -> None:
    """The others' events stay as they are."""
    for number in range(4):
        failed_at_first(scene, [identify(f"u{number}", name=f"N{number}")])
    newest_first = run_names(scene)
    retry(scene, newest_first[3])
    assert scene.names("persons") == ["N0"]
    retry(scene, newest_first[2][-4:])
    assert scene.names("persons") == ["N0", "N1"]
    retry(scene)
    assert scene.names("persons") == ["N0", "N1", "N2", "N3"]


@pytest.mark.parametrize("wanted", ["nothing-like-it", "", "Z"])
def test_a_run_that_there_is_not_is_a_mistake_and_leaves_no_trace(scene: Scene, wanted: str) -> None:
    """Exit code 2, nothing is sent, and no run is noted; what several runs are called is no name either."""
    for number in range(2):
        failed_at_first(scene, [identify(f"u{number}", name=f"N{number}")])
    before = run_names(scene)
    with pytest.raises(UserMistake) as refused:
        retry(scene, wanted)
    assert (refused.value.exit_code, refused.value.code) == (2, "no_such_run")
    assert (scene.writes, run_names(scene)) == ([], before)


def test_a_retry_that_fails_can_be_repeated_under_the_same_name(scene: Scene) -> None:
    """`retry RUN` until exit code 0 leaves nothing of that run behind."""
    failed_at_first(scene, [identify("u1", name="Ann")])
    (name,) = run_names(scene)
    scene.faults(NOBODY)
    assert retry(scene, name).exit_code == 1
    scene.faults("")
    again = retry(scene, name)
    assert (outcomes(again), again.exit_code) == ({"delivered": 1}, 0)


def test_a_retry_of_a_retry_is_one_of_all_that_is_left(scene: Scene) -> None:
    """Its name is in the list of runs, and must not pass for a run that left nothing."""
    failed_at_first(scene, [identify("u1", name="Ann")])
    scene.faults(NOBODY)
    retry(scene)
    scene.faults("")
    assert outcomes(retry(scene, run_names(scene)[0])) == {"delivered": 1}


def test_what_arrived_by_another_way_is_not_sent_again(scene: Scene) -> None:
    """The file was replayed in the meantime: nothing is left to retry."""
    events = [identify("u1", name="Ann")]
    failed_at_first(scene, events)
    scene.run(events)
    assert retry(scene).events.read == 0
    assert scene.writes == []


def test_a_run_that_was_cut_short_is_to_be_repeated(scene: Scene) -> None:
    """Exit code 4, with the command that reads the rest; the events it had read are sent all the same."""
    events = [identify(f"u{n}", name=f"N{n}") for n in range(3)]
    failed_at_first(scene, events, limit=2)
    summary = retry(scene)
    assert outcomes(summary) == {"delivered": 2}
    assert (summary.exit_code, summary.reason) == (4, "input_left")
    (problem,) = summary.problems
    assert f"pipedrive-cli replay {scene.folder / 'events.ndjson'}" in (problem.hint or "")
    assert scene.run(events).exit_code == 0
    assert retry(scene).exit_code == 0


def test_a_run_that_died_counts_as_cut_short(scene: Scene) -> None:
    """It left no summary, so nobody knows how far it had read."""
    failed_at_first(scene, [identify("u1", name="Ann")])
    journal = Journal.open(scene.state)
    with journal.transaction():
        journal.begin_run("died", "2024-01-01T00:00:00+00:00", "'my file.ndjson'")
    journal.close()
    summary = retry(scene)
    assert (outcomes(summary), summary.exit_code) == ({"delivered": 1}, 4)
    assert "replay 'my file.ndjson'" in (summary.problems[0].hint or "")


def test_a_retry_that_stops_early_leaves_the_rest_for_another_one(scene: Scene) -> None:
    """Tokens run out half way: exit code 4, and the next retry continues."""
    failed_at_first(scene, [identify(f"u{n}", n, name=f"N{n}") for n in range(30)])
    first = retry(scene, max_tokens=100)
    assert (first.exit_code, first.reason) == (4, "max_tokens")
    assert 0 < first.events.delivered < 30
    assert len(left(scene)) == 30 - first.events.delivered
    assert retry(scene).exit_code == 0
    assert len(scene.names("persons")) == 30


def test_what_a_retry_rejects_is_kept_no_longer(scene: Scene) -> None:
    """It stands in the rejects file of the retry instead."""
    failed_at_first(scene, [identify("u1", role="r")])
    scene.config = with_identity(scene.config, name_fallback=())
    rejects = scene.folder / "rejects.ndjson"
    assert outcomes(retry(scene, rejects=rejects)) == {"rejected": 1}
    assert b'"missing_name"' in rejects.read_bytes()
    assert left(scene) == []


def test_aliases_that_waited_are_retried_too(scene: Scene) -> None:
    """A merge that nobody answered is asked for again, once."""
    scene.run([identify("old", 1, name="Old", city="Rome"), identify("new", 2, name="New")])
    scene.faults("refused@PUT *")
    scene.run([alias("old", "new", 3)])
    scene.faults("")
    assert len(left(scene)) == 1
    summary = retry(scene)
    assert (outcomes(summary), summary.records.persons.merged) == ({"delivered": 1}, 1)
    assert scene.names("persons") == ["New"]


NOT_QUITE_JSON = (
    rb'{"type":"identify","messageId":"m1","userId":"u1","traits":{"name":"Ann","visible_to":"nobody","x":"\ud83d"}}'
    b"\n"
    rb'{"type":"identify","userId":"u2","traits":{"name":"Bo","visible_to":"nobody","x":"\ud83d","y":1e400}}'
    b"\n"
    b'{"type":"identify","userId":"u3","traits":{"name":"Cy","visible_to":"nobody","x":NaN}}\n'
)


def test_events_that_are_not_quite_json_are_the_same_again(scene: Scene, tmp_path: Path) -> None:
    """Half an emoji, NaN, a number out of range: `retry` reads them, and a rejects file has each once."""
    rejects = tmp_path / "bad.rejects.ndjson"
    failed_at_first(scene, NOT_QUITE_JSON)
    assert outcomes(retry(scene)) == {"rejected": 3}
    for _ in range(3):
        assert outcomes(scene.run(NOT_QUITE_JSON, rejects=rejects)) == {"rejected": 3}
        assert len(rejects.read_bytes().splitlines()) == 3
