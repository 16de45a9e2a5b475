"""The courier: order between records, and what hangs on a record that failed."""

from __future__ import annotations

from pathlib import Path

from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.run_log import LiveFigures, RunLog
from pipedrive_cli.model import Complaint, Outcome, Place
from tests.harness import Scene, group, identify, options, outcomes, track, with_delivery, with_identity


def test_organizations_come_before_persons_and_persons_before_leads(tmp_path: Path) -> None:
    """Whatever the order of events, nothing is sent before what it links to is there."""
    scene = Scene(tmp_path, options(latency=1.0))
    scene.run([track("u1", "Signed Up", 1), identify("u1", 2, name="Ann"), group("u1", "g1", 3, name="Acme")])
    assert scene.writes == ["POST /api/v2/organizations", "POST /api/v2/persons", "POST /api/v1/leads"]


def test_many_records_are_under_way_at_once_and_each_of_them_in_order(tmp_path: Path) -> None:
    """Twenty persons with five events each, one by one: each ends with its newest value."""
    scene = Scene(tmp_path, options(latency=0.3), config=with_delivery(lookahead=30))
    events = [identify(f"u{n}", 20 * turn + n, role=f"turn {turn}") for turn in range(5) for n in range(20)]
    scene.run(events)
    roles = {row["custom_fields"]["Role"] for row in scene.contents()["persons"]}
    assert (roles, len(scene.contents()["persons"])) == ({"turn 4"}, 20)


def test_a_lead_of_a_person_that_failed_is_pending_and_says_so(tmp_path: Path) -> None:
    """A record that fails holds back only the events that need it; the next run brings them."""
    scene = Scene(tmp_path, config=with_delivery(max_attempts=2))
    scene.faults("refused@POST /api/v2/persons#1-2")
    events = [identify("u1", 1, name="Ann"), track("u1", "Signed Up", 2), group(None, "g1", 3, name="Acme")]
    summary = scene.run(events)
    assert outcomes(summary) == {"failed": 1, "pending": 1, "delivered": 1}
    assert "depends_on" in {problem.code for problem in summary.problems}
    assert scene.run(events).exit_code == 0
    assert scene.names("leads") == ["Signed Up"]


def test_a_link_holds_back_only_the_link(tmp_path: Path) -> None:
    """The organization cannot be made: the person is, and is linked by the next run."""
    scene = Scene(tmp_path, config=with_delivery(max_attempts=2))
    scene.faults("refused@POST /api/v2/organizations#1-2")
    events = [identify("u1", 1, name="Ann"), group("u1", "g1", 2, name="Acme")]
    summary = scene.run(events)
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["org"]) == ("Ann", None)
    assert (summary.events.delivered, summary.exit_code) == (1, 1)
    assert scene.run(events).exit_code == 0
    assert scene.contents()["persons"][0]["org"]["name"] == "Acme"


def test_problems_are_told_with_the_outcome_of_their_event() -> None:
    """A record of an event failed, another one is pending: no report has more failures than failed events."""
    log = RunLog(0, LiveFigures(), journaled=False)
    origin = EventOrigin("m-1", Place("a.ndjson", 1))
    for other in (Outcome.PENDING, Outcome.DELIVERED):
        event = PendingEvent(b"", origin, open=2)
        event.complain(Complaint("in_doubt", "nobody knows", outcome=Outcome.FAILED))
        event.end_change(Outcome.FAILED)
        event.end_change(other)
        log.end_event(event)
    assert log.live_figures.outcomes == {Outcome.PENDING: 1, Outcome.FAILED: 1}
    assert log._counts["problem"] == {"in_doubt pending": 1, "in_doubt failed": 1}


def test_a_refused_person_holds_back_its_leads_as_rejected(tmp_path: Path) -> None:
    """Without any name a person is rejected, and so is what depends on it."""
    scene = Scene(tmp_path, config=with_identity(name_fallback=()))
    summary = scene.run([identify("u1", 1, role="dev"), track("u1", "Signed Up", 2)])
    assert outcomes(summary) == {"rejected": 2}
    assert (scene.writes, summary.exit_code) == ([], 1)


def test_one_worker_does_what_many_do(tmp_path: Path) -> None:
    """With a concurrency of 1 nothing waits for something that comes after it."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    summary = scene.run([track("u1", "A", 1), group("u1", "g1", 2), track("u2", "B", 3), identify("u1", 4, name="Ann")])
    assert outcomes(summary) == {"delivered": 4}
    assert scene.names("leads") == ["A", "B"]
