"""Runs over events of people who asked not to be sent: nothing of them is anywhere afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.config.privacy import Privacy
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.html import render_page
from pipedrive_cli.report.summary import to_json
from tests.cli.desk_for_commands import pipedrive_cli, written_config
from tests.harness import CONFIG, Event, Scene, alias, event, group, identify, lines, ordered, outcomes, track
from tests.run.test_retry import left, retry

SECRETS = ("u-gone", "Gonda Goner", "gonda@private.test", "m-gone", "Secret City", "secret_trait", "anon-gone")


def suppressing(folder: Path, *names: str, lookahead: int = 100_000) -> Config:
    """The config of the tests with a list of these people."""
    listed = folder / "suppressed.txt"
    listed.write_text("".join(f"{name}\n" for name in names))
    delivery = msgspec.structs.replace(CONFIG.delivery, lookahead=lookahead)
    return msgspec.structs.replace(CONFIG, privacy=Privacy(suppress=listed), delivery=delivery)


def hers(time: int = 5) -> list[Event]:
    """Events of one who asked, of every kind. The last tells whose email it is; one is no event besides."""
    return [
        event("identify", time, anonymousId="anon-gone", traits={"name": "Gonda Goner", "secret_trait": 1}),
        track("u-gone", "Demo by u-gone", time + 1, message_id="m-gone", note="Secret City"),
        group("u-gone", "g-of-u-gone", time + 2, name="Gonda Goner Ltd"),
        ordered("u-gone", [], time + 3),
        alias("anon-gone", "u-gone", time + 4),
        {**identify("", time + 5, name="Gonda Goner"), "userId": {"u-gone": "u-gone"}},
        {**identify("", time + 5, name="Gonda Goner"), "traits": [], "userId": "u-gone"},
        identify("u-gone", time + 6, name="Gonda Goner", email="Gonda@private.test", city="Secret City"),
    ]


def written(scene: Scene, finished: Any, rejects: Path) -> list[bytes]:
    """All that a run has left anywhere."""
    summary = finished.summary
    texts = [to_json(summary), render_page(summary, finished.context).encode()]
    texts += [path.read_bytes() for path in rejects.parent.iterdir() if path.name.startswith(("journal", "bad"))]
    return [*texts, json.dumps(scene.contents(), default=str).encode()]


def holds_none(texts: list[bytes]) -> None:
    for secret in SECRETS:
        assert not [text for text in texts if secret.encode() in text], secret


def test_nothing_of_whoever_asked_is_anywhere(tmp_path: Path) -> None:
    """By the email alone that the last of her events tells: not in the account, journal, rejects file, report, page."""
    scene = Scene(tmp_path, config=suppressing(tmp_path, "gonda@private.test"))
    rejects = tmp_path / "bad.rejects.ndjson"
    finished = scene.finish([identify("u1", 1, name="Ann"), *hers(), ordered("u1", [], 20)], rejects=rejects)
    assert outcomes(finished.summary) == {"delivered": 1, "skipped": 8, "rejected": 1}
    (group_,) = (problem for problem in finished.summary.problems if problem.code == "suppressed")
    assert (group_.count, group_.outcome) == (8, "skipped")
    assert [example.line for example in group_.examples[:3]] != []
    holds_none(written(scene, finished, rejects))


def test_her_ids_are_remembered_as_hashes_when_her_email_is_gone(tmp_path: Path) -> None:
    """Later runs skip what names her by id alone; off the list again, she is sent again."""
    scene = Scene(tmp_path, config=suppressing(tmp_path, "gonda@private.test"))
    scene.run([identify("u-gone", 1, email="gonda@private.test")])
    assert outcomes(scene.run([identify("u-gone", 2, name="Gonda"), identify("u2", 2)])) == {
        "delivered": 1,
        "skipped": 1,
    }
    holds_none([path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("journal")])
    scene.config = suppressing(tmp_path, "somebody@else.test")
    assert outcomes(scene.run([identify("u-gone", 3, name="Gonda")])) == {"delivered": 1}


def test_event_by_event_and_from_a_pipe(tmp_path: Path) -> None:
    """With a window of one event what came before is sent; all that comes after is not."""
    scene = Scene(tmp_path, config=suppressing(tmp_path, "gonda@private.test", lookahead=1))
    told = identify("u-gone", 1, email="gonda@private.test")
    summary = scene.run([told, *hers(5)[1:4], alias("anon-gone", "u-gone"), identify("u2", 2, name="Bo")], stdin=True)
    assert outcomes(summary) == {"delivered": 1, "skipped": 5}
    assert scene.names("persons") == ["Bo"]


def test_an_alias_of_an_earlier_run_is_followed(tmp_path: Path) -> None:
    """Whichever name of the one person is on the list."""
    for listed, named in (("old", "new"), ("new", "old")):
        folder = tmp_path / listed
        folder.mkdir()
        scene = Scene(folder)
        scene.run([identify("old", 1, name="A"), identify("new", 2, name="B"), alias("old", "new", 3)])
        scene.config = suppressing(folder, listed)
        assert outcomes(scene.run([track(named, "Demo", 9), track("x", "Demo", 9)])) == {"delivered": 1, "skipped": 1}


def test_whom_the_account_knows_by_a_listed_email_is_not_sent(tmp_path: Path) -> None:
    """Her identify was delivered before, so it tells nothing; the journal has seen her address."""
    scene = Scene(tmp_path)
    before = identify("u-gone", 1, name="Gonda", email="gonda@private.test")
    scene.run([before])
    scene.config = suppressing(tmp_path, "gonda@private.test")
    assert outcomes(scene.run([before, track("u-gone", "Demo", 9)])) == {"duplicate": 1, "skipped": 1}
    assert scene.contents()["leads"] == []


def test_what_waits_for_retry_is_judged_again(tmp_path: Path) -> None:
    """It is skipped, and the journal keeps its body no longer; nor after a replay that reads it again."""
    events = [*hers(), identify("u1", 1, name="Ann")]
    for again in (retry, lambda scene: scene.run(events)):
        folder = tmp_path / str(id(again))
        folder.mkdir()
        scene = Scene(folder)
        scene.faults("refused@POST /api/v2/persons,refused@POST /api/v2/organizations")
        scene.run(events)
        assert len(left(scene)) > 3
        scene.faults("")
        scene.config = suppressing(folder, "gonda@private.test")
        counted = outcomes(again(scene))
        assert counted["skipped"] >= 3
        assert counted["delivered"] == 1
        assert left(scene) == []
        assert scene.names("persons") == ["Ann"]


def test_a_rejects_file_is_judged_as_any_file(tmp_path: Path) -> None:
    """What was to be mended there is skipped, and the new rejects file has nothing of it."""
    scene = Scene(tmp_path)
    rejects = tmp_path / "bad.rejects.ndjson"
    scene.run(hers(), rejects=rejects)
    assert b"u-gone" in rejects.read_bytes()
    (tmp_path / "mended.ndjson").write_bytes(rejects.read_bytes())
    rejects.unlink()
    scene.config = suppressing(tmp_path, "u-gone")
    summary = scene.run(tmp_path / "mended.ndjson", rejects=rejects)
    assert summary.events.read == summary.events.skipped
    assert not rejects.exists()


def test_what_stands_in_a_rejects_file_goes(tmp_path: Path) -> None:
    """An earlier run has written it there; so it does of a line that was no JSON. What is of others stays."""
    scene = Scene(tmp_path)
    rejects = tmp_path / "bad.rejects.ndjson"
    torn = b'{"type": "identify", "userId": "u-gone", "traits": {"name": "Gonda Goner"'
    scene.run(lines([ordered("u1", [], 1), *hers()]) + torn + b"\n", rejects=rejects)
    assert rejects.read_bytes().count(b"u-gone") >= 3
    scene.config = suppressing(tmp_path, "u-gone")
    scene.run([identify("u2", 1, name="Bo")], rejects=rejects)
    assert b"u-gone" not in rejects.read_bytes()
    assert b'"u1"' in rejects.read_bytes()


def test_a_list_that_takes_its_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first request, so that nobody takes the silence for a fault."""
    monkeypatch.setattr("pipedrive_cli.run.suppression.LARGE", 5)
    notes: list[str] = []
    scene = Scene(tmp_path, config=suppressing(tmp_path, "u-gone", "u-too"))
    scene.run([identify("u1")], before=lambda job: setattr(job, "note", notes.append))
    assert [note for note in notes if "people who must not be sent is read" in note]


def test_a_changed_list_counts_for_files_that_are_known(tmp_path: Path) -> None:
    """Its content does, not its comments or its place; a person who is off the list again is sent."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines([identify("u1", 1, name="Ann"), identify("u2", 1, name="Bo")]))
    scene = Scene(tmp_path, config=suppressing(tmp_path, "u1"))
    assert outcomes(scene.run(folder)) == {"delivered": 1, "skipped": 1}
    scene.config = suppressing(tmp_path, "# nothing new", "", "u1")
    assert scene.run(folder).events.read == 0
    scene.config = suppressing(tmp_path, "u3")
    assert outcomes(scene.run(folder)) == {"delivered": 1, "duplicate": 1}


def test_a_list_that_cannot_be_read_stops_before_anything(tmp_path: Path) -> None:
    """Whoever is on it would be sent: exit code 2, and no request."""
    scene = Scene(tmp_path, config=suppressing(tmp_path, "{"))
    with pytest.raises(UserMistake, match="line 1 is no JSON") as raised:
        scene.run([identify("u1")])
    assert (raised.value.exit_code, scene.sent) == (2, [])
    (tmp_path / "suppressed.txt").unlink()
    with pytest.raises(UserMistake, match="cannot be read"):
        scene.run([identify("u1")])
    assert not scene.state.exists()


@pytest.mark.parametrize("command", ["replay", "preview", "rehearse", "check", "preview --online"])
def test_every_command_that_reads_events_has_the_list(tmp_path: Path, command: str) -> None:
    """With the path from the config's folder, whatever folder it is called in."""
    events = tmp_path / "events.ndjson"
    events.write_bytes(lines([identify("u1", 1, name="Ann"), *hers()]))
    (tmp_path / "suppressed.txt").write_text("Gonda@Private.test\n")
    config = written_config(
        tmp_path,
        "identity: {user_id_field: User id, group_id_field: Group id}\nprivacy: {suppress: suppressed.txt}\n",
    )
    name, *more = command.split()
    offline = name == "preview" and not more
    told = pipedrive_cli(
        name, str(events), "-c", str(config), *([] if offline or name == "rehearse" else ["--sandbox"])
    )
    texts = [told.out.encode(), told.err.encode()]
    assert b"asked not to be sent" in texts[0] + texts[1] or offline
    holds_none(texts)


def test_as_many_processes_as_there_are_find_the_same(tmp_path: Path) -> None:
    """A large file is read by several: what the last part tells holds for the first."""
    from tests.run.test_shared_reading import Patient, shared

    events = [identify(f"u{n % 40}", n, name=f"N{n}") for n in range(200)]
    events += [identify("u7", 300, email="gonda@private.test"), alias("u9", "u7", 301), {"type": "?", "userId": "u7"}]
    seen = []
    crew = Patient(1)
    for name, cores in (("alone", 1), ("shared", 2)):
        (tmp_path / name).mkdir()
        scene = Scene(tmp_path / name, config=suppressing(tmp_path / name, "gonda@private.test"))
        with shared(crew, 400, cores):
            seen.append((outcomes(scene.run(events)), scene.names("persons")))
        assert bool(crew.taken) is (cores > 1)
    crew.close()
    assert seen[0] == seen[1]
    assert seen[0][0]["skipped"] == 13
    assert len(seen[0][1]) == 38
