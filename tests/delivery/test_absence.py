"""Absence is not concluded too early: slow servers, somebody in between, people, wrong clocks, ids that are none."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.sandbox import Sandbox
from pipedrive_cli.sandbox.clock import LoopClock
from pipedrive_cli.sandbox.wire import Request, Response
from tests.harness import (
    Event,
    Killed,
    Scene,
    alias,
    group,
    identify,
    killed_after,
    ordered,
    outcomes,
    track,
    viewed,
    with_delivery,
    with_identity,
)

PATHS = {
    "persons": "/api/v2/persons",
    "organizations": "/api/v2/organizations",
    "products": "/api/v2/products",
    "leads": "/api/v1/leads",
}
ONE: dict[str, list[Event]] = {
    "persons": [identify("u1", 1, name="Ada")],
    "organizations": [group(None, "g1", 1, name="Acme")],
    "products": [viewed("u1", "p1", 1, name="Chair")],
    "leads": [identify("u1", 1, name="Ada"), track("u1", "Demo Requested", 2)],
}
KINDS = tuple(PATHS)


def killed_after_the_post(scene: Scene, kind: str, events: list[Event]) -> None:
    """A run that dies as soon as its POST has left, and records nothing of it."""
    with killed_after(scene, "POST", PATHS[kind]), pytest.raises(Killed):
        scene.run(events)


def once(scene: Scene, kind: str) -> None:
    """One record of the kind, in the end."""
    assert len(scene.contents()[kind]) == 1, scene.contents()[kind]


# -- slow servers


@pytest.mark.parametrize("seconds", [9, 29, 34])
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_and_a_slow_server_make_no_twin(tmp_path: Path, kind: str, seconds: int) -> None:
    """The process dies at once after the POST, which is carried out only seconds later; it is started again at once."""
    scene = Scene(tmp_path)
    scene.faults(f"reset-later={seconds}@POST {PATHS[kind]}#1")  # nobody hears of the answer, as after a kill
    killed_after_the_post(scene, kind, ONE[kind])
    scene.faults("")
    summary = scene.run(ONE[kind])
    assert summary.exit_code == 0
    once(scene, kind)
    assert set(outcomes(scene.run(ONE[kind]))) == {"duplicate"}


@pytest.mark.parametrize("fault", ["504-later=9", "reset-later=20", "silence-later=33", "html422-later=12", "late=31"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_after_the_trouble_is_waited_for(tmp_path: Path, kind: str, fault: str) -> None:
    """The answer says nothing, the work is done later, within the timeout and the settling."""
    scene = Scene(tmp_path)
    scene.faults(f"{fault}@POST {PATHS[kind]}#1")
    assert scene.run(ONE[kind]).exit_code == 0
    once(scene, kind)
    assert scene.writes.count(f"POST {PATHS[kind]}") == 1


BY_NAME: dict[str, list[Event]] = {
    "organizations": [
        identify(f"u{n}", n, name=f"N{n}", company={"name": name}) for n, name in enumerate(["Acme", "ACME"])
    ],
    "products": [ordered("u1", [{"name": "Chair", "price": 1}], 1, currency="EUR")],
}


@pytest.mark.parametrize("fault", ["reset-after", "reset-before", "reset-later=9", "html422-later=20"])
@pytest.mark.parametrize("kind", BY_NAME)
def test_what_is_known_by_its_name_alone_is_found_by_it(tmp_path: Path, kind: str, fault: str) -> None:
    """An organization without a group id, a product without a code: one of it, in the same run and after a kill."""
    for name in ("same run", "next run"):
        folder = tmp_path / name
        folder.mkdir()
        scene = Scene(folder, config=with_identity(company="company"))
        scene.faults(f"{fault}@POST {PATHS[kind]}#1")
        if name == "next run":
            killed_after_the_post(scene, kind, BY_NAME[kind])
        assert scene.run(BY_NAME[kind]).exit_code == 0
        once(scene, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_timeout_makes_no_server_faster(tmp_path: Path, kind: str) -> None:
    """With a timeout of two seconds and a settling of one, every write takes five."""
    scene = Scene(tmp_path, config=with_delivery(timeout=2.0, settle=1.0))
    scene.faults(f"late=5@POST {PATHS[kind]}")
    assert scene.run(ONE[kind]).exit_code == 0
    once(scene, kind)


def test_only_the_record_in_doubt_waits(tmp_path: Path) -> None:
    """One worker, one person whose answer is lost: all others are written before the doubt is over, its lead after."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    scene.faults("reset-before@POST /api/v2/persons#1")
    crowd = [identify(f"u{n}", n, name=f"N{n}") for n in range(20)]
    summary = scene.run([*crowd, *(track(f"u{n}", "Signed Up", 50 + n) for n in range(20))])
    assert summary.exit_code == 0
    posts = [r for r in scene.sandbox.requests if r.method == "POST"]
    again = [n for n, r in enumerate(posts) if r.path == PATHS["persons"]][-1]
    assert posts[again].time > 30
    assert (again, len(posts)) == (20 + 19, 41)  # after all persons and their leads; its own lead comes last
    assert Counter(r.path for r in posts[:again])[PATHS["leads"]] == 19
    assert all(r.time < 5 for r in posts[:again])


def test_a_restart_goes_on_with_everybody_else_at_once(tmp_path: Path) -> None:
    """What an earlier run left in doubt does not hold up the others."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    scene.faults("reset-before@POST /api/v2/persons#1")
    people = [identify(f"u{n}", n, name=f"N{n}") for n in range(10)]
    killed_after_the_post(scene, "persons", people)
    before = len(scene.sandbox.requests)
    summary = scene.run(people)
    assert outcomes(summary) == {"delivered": 10}
    posts = [r.time for r in scene.sandbox.requests[before:] if r.method == "POST"]
    assert max(posts[:9]) - posts[0] < 2
    assert posts[9] - posts[0] > 30


@pytest.mark.parametrize("hours", [-30, -2, 2, 30, 24 * 365])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_was_set_meanwhile_shortens_no_wait(tmp_path: Path, kind: str, hours: float) -> None:
    """Pipedrive's `Date` jumps between the kill and the next run: what is done nine seconds later makes no twin."""
    scene = Scene(tmp_path)
    scene.faults(f"reset-later=9@POST {PATHS[kind]}#1")
    killed_after_the_post(scene, kind, ONE[kind])
    scene.faults(f"misdated={hours * 3600}")
    assert scene.run(ONE[kind]).exit_code == 0
    once(scene, kind)


@pytest.mark.parametrize("fault", ["undated", "misdated=-100000", "misdated=100000"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_or_wrong_date_hides_no_record(tmp_path: Path, kind: str, fault: str) -> None:
    """The look needs no clock: the answer to the creation is lost, and the record is found."""
    scene = Scene(tmp_path)
    scene.faults(f"reset-after@POST {PATHS[kind]}#1,{fault}")
    assert scene.run(ONE[kind]).exit_code == 0
    once(scene, kind)
    assert scene.writes.count(f"POST {PATHS[kind]}") == 1


def test_a_date_that_is_ahead_hides_nobody_whom_others_make(tmp_path: Path) -> None:
    """A listing that is said to be of next year is not believed to be: what somebody makes today is found."""
    scene = Scene(tmp_path)
    scene.faults("misdated=31000000")
    scene.run(ONE["persons"])
    scene.faults("")
    scene.sandbox.add_record("persons", {"name": "Bea", "custom_fields": {scene.key("persons", "User id"): "u2"}})
    scene.run([identify("u2", 5, name="Bea", role="dev")])
    assert scene.names("persons") == ["Ada", "Bea"]


# -- somebody in between


@pytest.mark.parametrize(
    "when", ["after", *(pytest.param(when, marks=pytest.mark.slow) for when in ("before", "later=9"))]
)
@pytest.mark.parametrize("page", ["html400", "html403", "html404", "html422", "html429", "json400", "json403"])
def test_what_somebody_in_between_says_of_a_creation_is_no_refusal(tmp_path: Path, page: str, when: str) -> None:
    """A 4xx that is not of Pipedrive's form, before, after or long before the work: one record, whatever the kind."""
    scene = Scene(tmp_path)
    scene.faults(",".join(f"{page}-{when}@POST {PATHS[kind]}#1" for kind in KINDS))
    for kind in KINDS:
        scene.run(ONE[kind])
    scene.faults("")
    for kind in KINDS:
        assert scene.run(ONE[kind]).exit_code == 0
        once(scene, kind)


MERGED = ("html400-after", "html403-after", "html404-after", "json400-after", "reset-later=9", "html422-later=33")


@pytest.mark.parametrize("fault", MERGED)
def test_what_is_said_of_a_merge_that_is_done_at_some_time_is_no_refusal(tmp_path: Path, fault: str) -> None:
    """By somebody in between, or by a connection that breaks: it is neither lost nor repeated."""
    scene = Scene(tmp_path)
    scene.run([identify("old", 1, name="Old"), identify("new", 2, name="New")])
    scene.faults(f"{fault}@PUT *#1")
    assert outcomes(scene.run([alias("old", "new", 3)])) == {"delivered": 1}
    assert len([call for call in scene.writes if call.startswith("PUT")]) == 1


@pytest.mark.parametrize("odd", ["id-true", "id-negative", "id-zero", "id-text", "no-data"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_id_that_is_none_is_no_id(tmp_path: Path, kind: str, odd: str) -> None:
    """The creation is in doubt, and found: no second one, and the right id is kept."""
    scene = Scene(tmp_path)
    scene.faults(f"{odd}@POST {PATHS[kind]}#1")
    assert scene.run(ONE[kind]).exit_code == 0
    once(scene, kind)
    assert set(outcomes(scene.run(ONE[kind]))) == {"duplicate"}
    journal = Journal.open(scene.state)
    (row,) = scene.sandbox.contents(ids=True)[kind]
    assert row["id"] in [record.id for record in journal.records(kind)]  # type: ignore[arg-type] # a kind's name
    journal.close()


# -- people


@pytest.mark.parametrize("leads", [0, 700])
def test_a_lead_that_somebody_archives_while_it_is_in_doubt_is_found(tmp_path: Path, leads: int) -> None:
    """At once after the kill, among few leads and among many."""
    scene = Scene(tmp_path)
    scene.run([identify("u1", 1, name="Ada")])
    for number in range(leads):
        scene.sandbox.add_record("leads", {"title": f"Other {number}", "person_id": 1})
    killed_after_the_post(scene, "leads", ONE["leads"])
    (lead,) = [row for row in scene.sandbox.contents(ids=True)["leads"] if row["title"] == "Demo Requested"]
    scene.sandbox.set_value("leads", lead["id"], "is_archived", True)
    assert scene.run(ONE["leads"]).exit_code == 0
    assert Counter(scene.names("leads"))["Demo Requested"] == 1


# -- an account that does not show origin_id


def twenty(start: int = 0) -> list[Event]:
    return [identify("u1", 1, name="Ada"), *(track("u1", f"Lead {n}", 10 + n) for n in range(start, start + 20))]


def problems(summary: Summary) -> set[str]:
    return {problem.code for problem in summary.problems}


def test_leads_are_never_repeated_where_nobody_could_see_them(tmp_path: Path) -> None:
    """Twenty leads, every third answer lost: no twin in any run, and the run says why some are not sent again."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    lost = ",".join(f"reset-after@POST /api/v1/leads#{n}" for n in range(2, 20, 3))
    scene.faults(f"{lost},no-origin-id@* /api/v1/leads*")
    events = twenty()
    summary = scene.run(events)
    assert outcomes(summary) == {"delivered": 15, "failed": 6}
    assert problems(summary) == {"in_doubt", "origin_id_hidden"}
    scene.faults("no-origin-id@* /api/v1/leads*")
    again = scene.run(events)
    assert outcomes(again) == {"duplicate": 15, "failed": 6}
    assert scene.writes == []
    assert max(Counter(scene.names("leads")).values()) == 1
    assert len(scene.names("leads")) == 20


def test_the_very_first_lead_is_not_repeated_either(tmp_path: Path) -> None:
    """Nothing has told yet whether leads show their origin_id; a nameless lead of that person may be it."""
    scene = Scene(tmp_path)
    scene.faults("reset-after@POST /api/v1/leads#1,no-origin-id@* /api/v1/leads*")
    assert outcomes(scene.run(ONE["leads"])) == {"delivered": 1, "failed": 1}
    once(scene, "leads")


def test_the_very_first_lead_is_repeated_where_none_of_its_person_is_there(tmp_path: Path) -> None:
    """A lead that came into being would be listed with its person, whatever else it shows."""
    scene = Scene(tmp_path)
    scene.sandbox.add_record(
        "leads", {"title": "Other", "person_id": scene.sandbox.add_record("persons", {"name": "B"})}
    )
    scene.faults("reset-before@POST /api/v1/leads#1,no-origin-id@* /api/v1/leads*")
    assert outcomes(scene.run(ONE["leads"])) == {"delivered": 2}
    assert scene.names("leads") == ["Demo Requested", "Other"]


# -- at the end


@pytest.mark.parametrize("deadline", [3.0, 10.0, 44.0, 60.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_ends_the_waiting_and_leaves_the_doubt_to_the_next_run(
    tmp_path: Path, kind: str, deadline: float
) -> None:
    """Whatever is waited for at that moment; the next run makes no twin."""
    scene = Scene(tmp_path)
    scene.faults(f"reset-later=20@POST {PATHS[kind]}#1,reset-before@POST {PATHS[kind]}#2")
    summary = scene.run(ONE[kind], deadline=deadline)
    assert summary.seconds <= deadline + 1
    scene.faults("")
    assert scene.run(ONE[kind]).exit_code == 0
    once(scene, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_later_than_all_patience_is_told(tmp_path: Path, kind: str) -> None:
    """It is carried out a minute later, when it has been sent again: two records, and the run names them."""
    scene = Scene(tmp_path)
    scene.faults(f"reset-later=50@POST {PATHS[kind]}#1")
    summary = scene.run(ONE[kind])
    assert len(scene.contents()[kind]) == 2
    assert "twin_records" in problems(summary)


def test_a_later_leaving_counts(tmp_path: Path) -> None:
    """A creation that a limit has held back for minutes leaves then, not when it was noted."""
    scene = Scene(tmp_path)
    scene.faults("429@POST /api/v2/persons#1-20,reset-later=20@POST /api/v2/persons#21")
    real = scene.sandbox.answer

    def answer(request: Request) -> Response:
        response = real(request)
        if response.ending == "reset":
            raise Killed
        return response

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(scene.sandbox, "answer", answer)
        scene.run(ONE["persons"])
    scene.faults("")
    assert scene.run(ONE["persons"]).exit_code == 0
    once(scene, "persons")


def test_a_journal_of_an_older_version_is_settled_too(tmp_path: Path) -> None:
    """It knows neither floor nor patience: the look goes all the way, and waits in full."""
    scene = Scene(tmp_path)
    killed_after_the_post(scene, "persons", ONE["persons"])
    journal = Journal.open(scene.state)
    journal._db.execute("UPDATE writes SET left_at = NULL, patience = NULL, floor = NULL, since = NULL")
    journal.close()
    assert outcomes(scene.run(ONE["persons"])) == {"unchanged": 1}
    once(scene, "persons")


def test_the_look_goes_down_to_the_highest_id_that_was_known(tmp_path: Path) -> None:
    """Not further, however many records there are: one page, and what is in doubt costs no listing of the account."""
    scene = Scene(tmp_path)
    for number in range(1200):
        scene.sandbox.add_record("persons", {"name": f"N{number}"})
    scene.run([identify("u0", 1, name="First")])
    scene.faults("reset-before@POST /api/v2/persons#1")
    scene.run(ONE["persons"])
    first = scene.sent.index("POST /api/v2/persons")
    assert scene.sent[first:].count("GET /api/v2/persons") <= 4  # three while it waits, and one at the end
    assert scene.names("persons").count("Ada") == 1


def test_a_restart_much_later_waits_for_nothing(tmp_path: Path) -> None:
    """The write left an hour ago by every clock: its absence is believed at once."""
    scene = Scene(tmp_path)
    clock = LoopClock(datetime.now(UTC) + timedelta(hours=1))
    scene.faults("reset-before@POST /api/v2/persons#1")
    killed_after_the_post(scene, "persons", ONE["persons"])
    journal = Journal.open(scene.state)
    journal._db.execute("UPDATE writes SET left_at = left_at - 3600, sent_at = sent_at - 3600")
    journal.close()
    scene.sandbox = Sandbox(scene.sandbox_options, clock)
    for kind, name in scene.keys:
        scene.sandbox.add_field(kind, name=name)
    assert outcomes(scene.run(ONE["persons"])) == {"delivered": 1}
    posts = [r.time for r in scene.sandbox.requests if r.method == "POST"]
    assert posts[0] < 5
