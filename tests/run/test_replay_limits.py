"""Runs that end early: budgets, limits, filters, refusals by cause, and a token that is found nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipedrive_cli.config.values import Reserve
from pipedrive_cli.errors import StateHeld, UserMistake
from pipedrive_cli.report.summary import to_json
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.run.options import Filters
from tests.harness import (
    CANARY,
    Event,
    Scene,
    group,
    identify,
    options,
    outcomes,
    track,
    viewed,
    with_delivery,
)
from tests.run.events_of_all_kinds import ALL


def crowd(number: int) -> list[Event]:
    """So many persons, one event each."""
    made = (identify(f"u{n}", n, name=f"N{n:04d}", role=f"r{n}") for n in range(number))
    return [{**each, "messageId": f"crowd-{n}"} for n, each in enumerate(made)]


def test_a_spent_day_stops_the_run_and_a_later_one_continues(tmp_path: Path) -> None:
    """Exit code 4, with the time to come back; the rest is pending, and nothing is sent twice."""
    scene = Scene(tmp_path, options(daily_tokens=400), config=with_delivery(leave_tokens=Reserve()))
    events = crowd(100)
    finished = scene.finish(events)
    summary = finished.summary
    assert (summary.exit_code, summary.status, summary.reason) == (4, "stopped", "day_spent")
    assert summary.events.delivered > 50
    assert summary.events.delivered + summary.events.pending == 100
    assert len(scene.contents()["persons"]) == summary.events.delivered
    refused = [status for _, status in scene.answers if status == 429]
    assert len(refused) <= 40  # at most one for each request that was in flight
    _begin_a_new_day(scene)
    again = scene.run(events)
    assert outcomes(again) == {"delivered": summary.events.pending, "duplicate": summary.events.delivered}
    assert scene.names("persons") == sorted(f"N{n:04d}" for n in range(100))


def test_part_of_the_day_is_left_to_others(tmp_path: Path) -> None:
    """With leave_tokens at 10 % no 429 is caused, and the last tenth of the day is still there, as the report says."""
    scene = Scene(tmp_path, options(daily_tokens=400))
    summary = scene.run(crowd(100))
    assert (summary.exit_code, summary.reason) == (4, "day_spent")
    assert [status for _, status in scene.answers if status == 429] == []
    assert 320 <= scene.sandbox.tokens_spent <= 360
    assert summary.tokens.left_today == 400 - scene.sandbox.tokens_spent
    told = next(problem for problem in summary.problems if problem.code == "day_spent")
    assert f"but for {summary.tokens.left_today} tokens" in told.message


@pytest.mark.parametrize("plan", ["lite", "growth", pytest.param("ultimate", marks=pytest.mark.slow)])
def test_the_burst_limit_is_kept_and_used(tmp_path: Path, plan: str) -> None:
    """No 429 is caused on any plan, and most of what is allowed is used."""
    scene = Scene(tmp_path, options(plan=plan, latency=0.15), plan=plan)
    allowed = {"lite": 20, "growth": 40, "ultimate": 120}[plan]
    number = allowed * 8
    scene.run(crowd(number))
    writes = [r for r in scene.sandbox.requests if r.method == "POST"]
    assert [r for r in scene.sandbox.requests if r.status == 429] == []
    assert len(writes) == number
    took = writes[-1].time - writes[0].time
    assert number / (took / 2 + 1) >= 0.85 * allowed


def test_max_tokens_is_never_overrun(tmp_path: Path) -> None:
    """The run stops before it would spend more than it was given."""
    scene = Scene(tmp_path)
    summary = scene.run(crowd(50), max_tokens=150)
    assert (summary.exit_code, summary.reason) == (4, "max_tokens")
    assert scene.sandbox.tokens_spent <= 150
    assert summary.tokens.spent == scene.sandbox.tokens_spent
    assert summary.events.delivered > 0
    assert scene.run(crowd(50)).exit_code == 0
    assert len(scene.contents()["persons"]) == 50


def test_a_deadline_stops_the_run(tmp_path: Path) -> None:
    """What is not done by then is pending, and a later run does it."""
    scene = Scene(tmp_path, options(latency=1.0), config=with_delivery(concurrency=2))
    summary = scene.run(crowd(30), deadline=10.0)
    assert (summary.exit_code, summary.reason) == (4, "deadline")
    assert 0 < summary.events.delivered < 30
    assert summary.seconds < 13
    assert scene.run(crowd(30)).exit_code == 0
    assert len(scene.contents()["persons"]) == 30


def test_limit_counts_events_that_were_not_handled_before(tmp_path: Path) -> None:
    """Ten and ten again are twenty persons; what is known does not count."""
    scene = Scene(tmp_path)
    first = scene.run(crowd(30), limit=10)
    second = scene.run(crowd(30), limit=10)
    assert outcomes(first) == {"delivered": 10}
    assert outcomes(second) == {"delivered": 10, "duplicate": 10}
    assert not second.input_complete
    assert len(scene.contents()["persons"]) == 20


def test_filters_leave_events_out_and_count_them(tmp_path: Path) -> None:
    """Filtered events are not read: one number, and no outcome."""
    scene = Scene(tmp_path)
    events = [*crowd(5), track("u1", "Signed Up", 10), track("u2", "Signed Up", 11), track("u1", "Other", 12)]
    asked = Filters(types=frozenset({"track"}), names=frozenset({"signed up"}), users=frozenset({"u1"}))
    summary = scene.run(events, filters=asked)
    assert (outcomes(summary), summary.filtered) == ({"delivered": 1}, 7)
    assert scene.names("leads") == ["Signed Up"]


def test_a_key_that_dies_in_the_middle_ends_with_exit_code_3(tmp_path: Path) -> None:
    """401: the rest is pending; with a living key the next run completes it."""
    scene = Scene(tmp_path)
    scene.refusals("key-dies#12")
    summary = scene.run(crowd(40))
    assert (summary.exit_code, summary.reason) == (3, "credentials_refused")
    assert summary.events.delivered + summary.events.pending == 40
    scene.refusals("")
    assert scene.run(crowd(40)).exit_code == 0
    assert len(scene.contents()["persons"]) == 40


# From the third creation on nothing is let through any more.
SHUT = "html403@POST *#3-99,html403@GET /api/v2/persons#2-99"


@pytest.mark.parametrize(("plan", "code"), [(SHUT, "firewall"), ("payment", "account_closed")])
def test_firewall_and_unpaid_account_stop_the_run(tmp_path: Path, plan: str, code: str) -> None:
    """Exit code 4, and nobody knocks again."""
    scene = Scene(tmp_path)
    scene.run(crowd(1))
    if plan == "payment":
        scene.refusals(plan)
        summary = scene.run(crowd(40))
        assert (summary.exit_code, summary.reason, summary.events.read) == (4, code, 0)
        assert len(scene.sent) == 1
        return
    scene.config = with_delivery(concurrency=1)
    scene.faults(plan)
    summary = scene.run(crowd(40))
    assert (summary.exit_code, summary.reason) == (4, code)
    assert outcomes(summary) == {"duplicate": 1, "delivered": 2, "pending": 37}
    assert scene.answers[-1] == ("GET /api/v2/persons", 403)  # the look at what became of the third
    assert len(scene.writes) == 3


@pytest.mark.parametrize("refusal", ["scope@leads", "permission@leads", "off@leads", "cap@leads#0"])
def test_a_kind_that_is_refused_stays_pending_and_the_others_arrive(tmp_path: Path, refusal: str) -> None:
    """A missing scope, a switched-off feature or a full plan stops its kind of record: exit code 4."""
    scene = Scene(tmp_path)
    events = [*crowd(3), *(track(f"u{n}", "Signed Up", 20 + n) for n in range(3)), viewed("u1", "p1", name="Chair")]
    scene.refusals(refusal)
    summary = scene.run(events)
    assert outcomes(summary) == {"delivered": 4, "pending": 3}
    assert (summary.exit_code, summary.status) == (4, "stopped")
    assert (len(scene.contents()["persons"]), scene.names("products")) == (3, ["Chair"])
    scene.refusals("")
    again = scene.run(events)
    assert outcomes(again) == {"delivered": 3, "duplicate": 4}
    assert len(scene.contents()["leads"]) == 3


def test_pipedrive_that_cannot_be_reached_ends_before_anything_is_read(tmp_path: Path) -> None:
    """At the start: exit code 4, and no journal is made."""
    scene = Scene(tmp_path)
    scene.faults("refused")
    summary = scene.run(crowd(3))
    assert (summary.exit_code, summary.reason, summary.events.read) == (4, "unreachable", 0)
    assert not scene.state.exists()


def test_pipedrive_that_falls_silent_ends_the_run(tmp_path: Path) -> None:
    """Ten calls in a row without any answer: exit code 4; the rest is pending, not failed."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=4, max_attempts=2))
    scene.run(crowd(60))
    scene.faults("reset-before@* /api/v2/persons/*")
    changed = [identify(f"u{n}", 100 + n, role="new") for n in range(60)]
    summary = scene.run(changed)
    assert (summary.exit_code, summary.reason) == (4, "unreachable")
    assert summary.events.failed < 20
    assert summary.events.pending > 40
    scene.faults("")
    assert scene.run(changed).exit_code == 0


def test_another_run_of_the_same_account_is_turned_away(tmp_path: Path) -> None:
    """While one run holds the journal, a second one sends nothing but its greeting."""
    scene = Scene(tmp_path)
    with locked(scene.state), pytest.raises(StateHeld) as refused:
        scene.run(crowd(3))
    assert refused.value.exit_code == 5
    assert scene.writes == []
    assert scene.run(crowd(3)).exit_code == 0


def test_a_journal_of_another_company_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """`--state` with the wrong company's file: exit code 2."""
    scene = Scene(tmp_path)
    scene.run(crowd(1))
    (tmp_path / "other").mkdir()
    other = Scene(tmp_path / "other", options(company_id=99))
    other.state = scene.state
    with pytest.raises(UserMistake) as refused:
        other.run(crowd(1))
    assert (refused.value.exit_code, refused.value.code) == (2, "journal_of_another_company")
    assert other.writes == []


@pytest.mark.parametrize(
    "plan",
    ["", "500-after:0.3", "reset:0.3", "garbage:0.3", "html403@POST *#2", "429-daily@POST *#3", "unreachable@POST *"],
)
def test_the_api_token_is_found_nowhere(tmp_path: Path, plan: str) -> None:
    """Neither in the journal, nor in the summary, nor in the rejects file, whatever goes wrong."""
    scene = Scene(tmp_path, config=with_delivery(max_attempts=2))
    scene.faults(plan, seed=3)
    summary = to_json(scene.run([*ALL, {"type": "identify"}], rejects=tmp_path / "rejects.ndjson"))
    everything = summary + b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert len(everything) > 1000
    assert CANARY.encode() not in everything


def test_a_token_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    """401 at the start: exit code 3, and neither the summary nor the run's repr shows the token."""
    scene = Scene(tmp_path, options(api_token="another one"))
    summary = scene.run([group("u1", "g1")])
    assert (summary.exit_code, summary.reason) == (3, "credentials_refused")
    assert CANARY not in to_json(summary).decode() + repr(scene.last)


def _begin_a_new_day(scene: Scene) -> None:
    scene.sandbox._limits._left = 10_000
    scene.sandbox._limits._spent_up = False


def test_a_server_that_falls_silent_ends_the_run_within_minutes(tmp_path: Path) -> None:
    """Ten creations in a row that nobody answers: exit code 4, nothing is guessed, and the next run completes it."""
    scene = Scene(tmp_path)
    scene.faults("silence-after@POST *#3-999,silence-before@GET /api/v2/persons#2-999")
    people = crowd(40)
    summary = scene.run(people)
    assert (summary.exit_code, summary.reason) == (4, "unreachable")
    assert summary.seconds < 120
    scene.faults("")
    assert scene.run(people).exit_code == 0
    assert len(scene.contents()["persons"]) == 40
