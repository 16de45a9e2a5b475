"""Files that cron finds again: passed over by content, continued where they have grown, never lost."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config.privacy import ConsentAsked, Privacy
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.events.source import Source
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.report.wording import next_steps
from pipedrive_cli.run.known_files import KnownFiles
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.preview import Preview, PreviewOptions
from tests.harness import CONFIG, Event, Scene, identify, lines, outcomes, with_delivery, with_identity


class Cron:
    """A folder that a run is pointed at again and again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.folder = scene.folder / "exports"
        self.folder.mkdir()

    def put(self, name: str, events: Iterable[Event], *, packed: bool = False) -> Path:
        path = self.folder / name
        content = lines(events)
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    def run(self, **more: Any) -> Summary:
        return self.scene.run(self.folder, **more)


@pytest.fixture
def cron(tmp_path: Path) -> Cron:
    return Cron(Scene(tmp_path))


def people(*users: str) -> list[Event]:
    return [identify(user, name=user.upper()) for user in users]


def test_a_file_that_was_read_to_its_end_is_passed_over(cron: Cron) -> None:
    """The next run reads none of its events, and says that all is well."""
    cron.put("a.ndjson", people("u1", "u2"))
    assert outcomes(cron.run()) == {"delivered": 2}
    again = cron.run()
    assert (again.events.read, again.exit_code, again.input_complete) == (0, 0, True)


def test_a_new_file_beside_known_ones_is_read_alone(cron: Cron) -> None:
    """As the hourly export of a cron run."""
    cron.put("a.ndjson", people("u1"))
    cron.run()
    cron.put("b.ndjson", people("u2"))
    assert outcomes(cron.run()) == {"delivered": 1}
    assert cron.run().events.read == 0


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_file_is_known_by_its_content_not_by_its_name_or_date(cron: Cron, packed: bool) -> None:
    """Renamed, copied or touched it is the same file."""
    path = cron.put("a.ndjson", people("u1"), packed=packed)
    cron.run()
    os.utime(path, (1, 1))
    assert cron.run().events.read == 0
    moved = path.rename(cron.folder / "renamed.ndjson")
    assert cron.run().events.read == 0
    (cron.folder / "copy.ndjson").write_bytes(moved.read_bytes())
    assert cron.run().events.read == 0


def test_a_touched_or_renamed_file_is_digested_once_more_and_not_with_every_run(cron: Cron) -> None:
    """A folder that was moved costs one look at its bytes, not one an hour."""
    path = cron.put("a.ndjson", people("u1"))
    cron.run()
    os.utime(path, (1, 1))
    cron.put("b.ndjson", []).write_bytes(path.read_bytes())
    cron.run()
    files = KnownFiles(Journal.open(cron.scene.state), b"")
    for name in ("a.ndjson", "b.ndjson"):
        known = files.journal.known_file(str(cron.folder / name))
        status = (cron.folder / name).stat()
        assert known is not None
        assert (known.size, known.changed) == (status.st_size, status.st_mtime_ns)
    files.journal.close()


def test_a_rotated_log_and_its_successor_are_told_apart(cron: Cron) -> None:
    """`app.log` becomes `app.1.log` and a new one begins under its name: only that one is read, now and later."""
    path = cron.put("app.log", people("u1", "u2"))
    cron.run()
    path.rename(cron.folder / "app.1.log")
    cron.put("app.log", people("u3"))
    assert outcomes(cron.run()) == {"delivered": 1}
    assert cron.run().events.read == 0


def test_a_file_that_has_grown_is_continued(cron: Cron) -> None:
    """Only what is new is read, and its problems bear the line that an editor shows."""
    path = cron.put("a.ndjson", people("u1", "u2"))
    cron.run()
    with path.open("ab") as file:
        file.write(b"\n" + lines(people("u3")) + b"{broken\n")
    summary = cron.run()
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    (problem,) = summary.problems
    assert (problem.code, problem.examples[0].line) == ("bad_json", 5)
    assert cron.run().events.read == 0
    with path.open("ab") as file:
        file.write(lines(people("u4")))
    assert outcomes(cron.run()) == {"delivered": 1}
    assert cron.scene.names("persons") == ["U1", "U2", "U3", "U4"]


def test_a_file_that_was_changed_in_the_middle_and_has_grown_is_read_whole(cron: Cron) -> None:
    """What was there before it is not what was read."""
    cron.put("a.ndjson", people("u1", "u2"))
    cron.run()
    cron.put("a.ndjson", people("u3", "u4", "u5"))
    assert outcomes(cron.run()) == {"delivered": 3}


def test_a_file_that_became_shorter_is_read_whole(cron: Cron) -> None:
    """There is nothing to continue."""
    both = people("u1", "u2")
    cron.put("a.ndjson", both)
    cron.run()
    cron.put("a.ndjson", [both[0], *people()])
    assert outcomes(cron.run()) == {"duplicate": 1}


def test_a_packed_file_that_has_grown_is_read_whole(cron: Cron) -> None:
    """A gzip member cannot be entered in its middle; what is known of it is a duplicate."""
    path = cron.put("a.ndjson.gz", people("u1"), packed=True)
    cron.run()
    with path.open("ab") as file:
        file.write(gzip.compress(lines(people("u2"))))
    assert outcomes(cron.run()) == {"duplicate": 1, "delivered": 1}
    assert cron.run().events.read == 0


def test_a_last_line_without_its_end_is_completed_by_the_next_run(cron: Cron) -> None:
    """A file that somebody is still writing is not known, and loses no event."""
    first, second = people("u1", "u2")
    whole = lines([first, second])
    path = cron.folder / "a.ndjson"
    path.write_bytes(whole[:-20])
    assert outcomes(cron.run()) == {"delivered": 1}
    path.write_bytes(whole)
    assert outcomes(cron.run()) == {"delivered": 1, "duplicate": 1}
    assert cron.run().events.read == 0


def test_a_last_event_without_a_newline_is_followed_by_others(cron: Cron) -> None:
    """It was an event; what is appended to it later is not read as if a line began there."""
    first, second = people("u1", "u2")
    path = cron.folder / "a.ndjson"
    path.write_bytes(lines([first])[:-1])
    assert outcomes(cron.run()) == {"delivered": 1}
    assert cron.run().events.read == 0
    path.write_bytes(lines([first, second]))
    assert outcomes(cron.run()) == {"delivered": 1, "duplicate": 1}


def test_with_another_mapping_files_are_read_again(cron: Cron) -> None:
    """What was skipped or rejected under the old config may be an event for the new one."""
    cron.put("a.ndjson", [{"type": "identify", "anonymousId": "x", "messageId": "m1", "traits": {"name": "Ann"}}])
    assert outcomes(cron.run()) == {"skipped": 1}
    assert cron.run().events.read == 0
    cron.scene.config = with_identity(anonymous="use")
    assert outcomes(cron.run()) == {"delivered": 1}
    assert cron.run().events.read == 0


def test_with_other_purposes_files_are_read_again(cron: Cron) -> None:
    """Who is skipped for want of consent under one config may be an event for the next, and the other way round."""
    refused = {"consentManagement": {"provider": "oneTrust", "deniedConsentIds": ["Sales"]}}
    cron.put("a.ndjson", [{**identify("u1", name="Ann"), "context": refused}])
    cron.scene.config = msgspec.structs.replace(CONFIG, privacy=Privacy(consent=ConsentAsked(purposes=("Sales",))))
    assert outcomes(cron.run()) == {"skipped": 1}
    assert cron.run().events.read == 0
    cron.scene.config = CONFIG
    assert outcomes(cron.run()) == {"delivered": 1}


def test_another_pace_is_no_other_mapping(cron: Cron) -> None:
    """Settings of how to deliver make no file unknown."""
    cron.put("a.ndjson", people("u1"))
    cron.run()
    cron.scene.config = with_delivery(CONFIG, concurrency=2)
    assert cron.run().events.read == 0


def test_reread_reads_known_files_and_leaves_them_known(cron: Cron) -> None:
    """Their events are duplicates, and without the option they are passed over again."""
    cron.put("a.ndjson", people("u1"))
    cron.run()
    assert outcomes(cron.run(reread=True)) == {"duplicate": 1}
    assert cron.run().events.read == 0


@pytest.mark.parametrize(
    "more", [{"limit": 1}, {"limit": 2}, {"filters": Filters(users=frozenset({"u1"}))}], ids=["cut", "enough", "filter"]
)
def test_what_is_not_read_as_a_whole_does_not_become_known(cron: Cron, more: dict[str, Any]) -> None:
    """--limit and filters look at a part; the next run sees the rest."""
    cron.put("a.ndjson", people("u1", "u2"))
    assert cron.run(**more).exit_code == 0
    later = cron.run()
    assert later.events.read == 2
    assert later.events.duplicate >= 1
    assert cron.scene.names("persons") == ["U1", "U2"]


@pytest.mark.parametrize("plan", ["refused@POST /api/v2/persons#2-3", "429-daily@POST /api/v2/persons#2"])
def test_failed_and_pending_events_keep_their_file_unknown(cron: Cron, plan: str) -> None:
    """It is read again until all of it has arrived; the file beside it need not be."""
    cron.scene.config = with_delivery(max_attempts=2, concurrency=1, lookahead=1)
    cron.put("a.ndjson", people("u1"))
    cron.put("b.ndjson", people("u2"))
    cron.scene.faults(plan)
    first = cron.run()
    assert (first.events.delivered, first.exit_code) == (1, 1 if plan.startswith("refused") else 4)
    cron.scene.faults("")
    again = cron.run()
    assert (again.events.read, again.events.delivered) == (1, 1)
    assert cron.run().events.read == 0


def test_the_copy_of_an_event_that_failed_keeps_its_file_unknown_too(cron: Cron) -> None:
    """Both files hold the event, and neither has brought it."""
    cron.scene.config = with_delivery(max_attempts=2)
    event = people("u1")
    cron.put("a.ndjson", event)
    cron.put("b.ndjson", [*event, *people("u2")])
    cron.scene.faults("refused@POST /api/v2/persons#1-4")
    cron.run()
    cron.scene.faults("")
    assert cron.run().events.read == 3
    assert cron.scene.names("persons") == ["U1", "U2"]


def test_rejected_events_do_not_keep_their_file_unknown(cron: Cron) -> None:
    """They will not work as they are: an hourly run does not tell of them each hour."""
    cron.put("a.ndjson", [{"type": "identify", "messageId": "m1"}])
    assert cron.run().exit_code == 1
    assert cron.run().exit_code == 0


def test_what_the_report_advises_brings_the_rejected_events(cron: Cron) -> None:
    """Whoever has run without a rejects file gets one although the folder's files are known."""
    cron.put("a.ndjson", [{"type": "identify", "messageId": "m1"}])
    (advice,) = next_steps(cron.run())
    assert "--rejects FILE" in advice and "--reread" in advice
    rejects = cron.scene.folder / "rejects.ndjson"
    cron.run(reread=True, rejects=rejects)
    assert rejects.read_bytes().count(b"\n") == 1


def test_a_file_named_outright_is_always_read(cron: Cron) -> None:
    """Whoever names a file wants to see what becomes of it; also beside its folder."""
    path = cron.put("a.ndjson", people("u1"))
    cron.run()
    assert outcomes(cron.scene.run(path)) == {"duplicate": 1}


def test_a_file_that_vanishes_on_the_way_is_nobodys_traceback(tmp_path: Path) -> None:
    """It is handed on to be read, where what is wrong with it is said."""
    gone = Source("gone", named=False, size=5, path=tmp_path / "gone.ndjson")
    assert KnownFiles(Journal.open(), b"").to_read(gone) is gone


def previewed(cron: Cron, **more: Any) -> tuple[Summary, int]:
    """What a preview of the folder says, and how many files it has passed over."""
    options = PreviewOptions((str(cron.folder),), state=cron.scene.state, **more)
    job = Preview(cron.scene.config, "config.yaml", options)
    return asyncio.run(job.run()), job.live_figures.files_passed_over


def test_a_preview_passes_over_what_a_replay_passes_over(cron: Cron) -> None:
    """Its numbers are those of the replay that comes; with --reread, of a replay with --reread."""
    cron.put("a.ndjson", [*people("u1"), {"type": "identify", "messageId": "m-bad"}])
    cron.run()
    cron.put("b.ndjson", people("u2"))
    summary, passed_over = previewed(cron)
    assert (outcomes(summary), passed_over) == ({"delivered": 1}, 1)
    summary, passed_over = previewed(cron, reread=True)
    assert (outcomes(summary), passed_over) == ({"duplicate": 1, "rejected": 1, "delivered": 1}, 0)
    assert outcomes(cron.run()) == {"delivered": 1}
