"""This machine's clock may be wrong: nothing that is written goes by it once Pipedrive's has been heard."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.delivery.sender import ServerClock
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import me
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.sandbox import Sandbox, SandboxOptions
from pipedrive_cli.virtual_time import run as run_virtually
from tests.cli.desk_for_commands import CANARY, account, event_file, pipedrive_cli, served, written_config
from tests.harness import Scene, identify, track, viewed, with_delivery

YEAR = 365.25 * 86_400
REAL = time.time


def clock_off(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """From here on this machine's clock is wrong. The sandbox's own, which is Pipedrive's, is right."""
    monkeypatch.setattr(time, "time", lambda: REAL() + seconds)
    monkeypatch.setattr(time, "time_ns", lambda: int((REAL() + seconds) * 1e9))


def dated(event: dict[str, Any], moment: datetime) -> dict[str, Any]:
    return {**event, "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


def problems(summary: Summary) -> dict[str, str]:
    return {problem.code: problem.examples[0].message or "" for problem in summary.problems}


def added(scene: Scene) -> datetime:
    """When the one person was made, as Pipedrive shows it."""
    (record,) = scene.sandbox.account.stores["persons"].records.values()
    return datetime.fromtimestamp(record.added, UTC)


TODAY = datetime.now(UTC).replace(microsecond=0)
EVENTS = [
    dated(identify("u1", name="Newer", role="new"), TODAY - timedelta(days=30)),
    dated(identify("u1", name="Older", role="old"), TODAY - timedelta(days=31)),
    dated(track("u1", "Deal"), TODAY - timedelta(days=29)),
    dated(viewed("u1", "p1", name="Chair"), TODAY - timedelta(days=30)),
]


@pytest.mark.parametrize(("years", "lookahead"), [(-56, 1), (-6, 1000), (-0.5, 1000), (9, 1), (30, 1000)])
def test_a_clock_that_is_years_off_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: float, lookahead: int
) -> None:
    """The newer value wins, new records bear the events' times, and the report says what is wrong with the clock."""
    clock_off(monkeypatch, years * YEAR)
    scene = Scene(tmp_path, config=with_delivery(lookahead=lookahead))
    summary = scene.run(EVENTS)
    assert summary.exit_code == 0
    person = scene.contents()["persons"][0]
    assert (person["name"], person["custom_fields"]["Role"]) == ("Newer", "new")
    assert added(scene) in {TODAY - timedelta(days=days) for days in (30, 31)}
    told = problems(summary)
    assert "clock_ahead" not in told
    assert ("behind" if years < 0 else "ahead of") in told["own_clock_wrong"]


@pytest.mark.parametrize("hours", [-23, 0, 23])
def test_some_hours_are_not_worth_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Up to a day nothing is told."""
    clock_off(monkeypatch, hours * 3600)
    assert problems(Scene(tmp_path).run(EVENTS)) == {}


@pytest.mark.parametrize("years", [0, 9])
def test_an_event_of_the_future_is_cut_back_to_pipedrives_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: float
) -> None:
    """Also where our own clock is there already: else a later correction would never win."""
    clock_off(monkeypatch, years * YEAR)
    scene = Scene(tmp_path)
    summary = scene.run([dated(identify("u1", name="A"), TODAY + timedelta(days=2000))])
    assert "clock_ahead" in problems(summary)
    assert timedelta(0) <= added(scene) - TODAY < timedelta(minutes=10)


def test_an_event_of_this_second_is_no_event_of_the_future(tmp_path: Path) -> None:
    """A `Date` has whole seconds, and was on its way: an event through a pipe is as new as the answer."""
    now = datetime.now(UTC).isoformat()
    assert problems(Scene(tmp_path).run([{**identify("u1", name="A"), "timestamp": now}])) == {}


def heard(*dates: datetime, wall: float = 0.0) -> tuple[float, float]:
    """(latest, ahead) after answers of these dates, a loop-second apart; `wall` is our clock."""

    async def hear() -> tuple[float, float]:
        clock = ServerClock(lambda: wall)
        for date in dates:
            clock.note_answer(me(), Answer(200, {"date": f"{date:%a, %d %b %Y %H:%M:%S} GMT"}, {}))
        return clock.latest(), clock.ahead()

    return run_virtually(hear())


def test_one_answer_with_an_older_date_changes_nothing() -> None:
    """Whoever stands between may have a clock that is wrong; what Pipedrive has said counts."""
    right = datetime(2026, 11, 1, tzinfo=UTC)
    for wrong in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)):
        for dates in ((wrong, right), (right, wrong), (right, wrong, right)):
            latest, _ = heard(*dates)
            assert latest == right.timestamp() + 1


def test_a_date_before_this_program_is_none() -> None:
    """Then our own clock counts, and nothing is told of it."""
    assert heard(datetime(1970, 1, 2, tzinfo=UTC), wall=1_800_000_000.0) == (1_800_000_000.0, 0.0)
    assert heard(wall=5.0) == (5.0, 0.0)


@pytest.mark.parametrize("command", ["preview FILE --online --summary", "check FILE", "replay FILE"])
def test_whoever_looks_at_the_account_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Preview and check say it before a run does."""
    sandbox = Sandbox(SandboxOptions(plan="unlimited", api_token=CANARY))
    sandbox.add_field("persons", name="User id")
    with served(sandbox) as url:
        clock_off(monkeypatch, -6 * YEAR)
        config = written_config(tmp_path, account(url) + "identity: {user_id_field: User id}\n")
        words = command.replace("FILE", str(event_file(tmp_path, *EVENTS))).split()
        told = pipedrive_cli(
            *words, "-c", config, "--json", *(["--state", str(tmp_path / "j")] if "check" not in command else [])
        )
    codes = [problem["code"] for problem in told.json["problems"]]
    assert "own_clock_wrong" in codes
    assert "clock_ahead" not in codes
    assert told.code == 0


def test_offline_our_clock_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else was heard."""
    clock_off(monkeypatch, -6 * YEAR)
    config = written_config(tmp_path, "pipedrive: {company_domain: acme}\nidentity: {user_id_field: User id}\n")
    told = pipedrive_cli("preview", event_file(tmp_path, *EVENTS), "-c", config, "--json")
    assert [problem["code"] for problem in told.json["problems"]] == ["clock_ahead"]
