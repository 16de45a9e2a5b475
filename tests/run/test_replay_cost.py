"""What whole runs cost in tokens, in accounts and orders that tempt to pay more."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipedrive_cli.report.summary import Summary
from tests.harness import Scene, identify, options, with_delivery

SLOW = options(plan="lite", seats=100, latency=0.5)
ONE_BY_ONE = with_delivery(concurrency=1)  # two requests a second: a minute is over after 120 records


def looks(summary: Summary) -> dict[str, int]:
    """Requests that read records, by what they read."""
    asked = summary.requests.by_endpoint
    return {label.removeprefix("GET /api/v2/"): n for label, n in asked.items() if label.startswith("GET /api/v2/p")}


def _filled(scene: Scene, number: int) -> None:
    for user in range(number):
        custom = {scene.key("persons", "User id"): f"u{user}", scene.key("persons", "Role"): "dev"}
        emails = [{"value": f"u{user}@shop.example", "primary": True, "label": "work"}]
        scene.sandbox.add_record("persons", {"name": f"U {user}", "emails": emails, "custom_fields": custom})


@pytest.mark.slow
def test_a_long_run_reads_nobody_whose_emails_stay(tmp_path: Path) -> None:
    """What a listing brought minutes ago shows that no email is to be written: then nobody is read again."""
    scene = Scene(tmp_path, SLOW, ONE_BY_ONE, plan="lite")
    _filled(scene, 150)
    summary = scene.run([identify(f"u{user}", email=f"u{user}@shop.example", role="lead") for user in range(150)])
    assert summary.records.persons.updated == 150
    assert summary.seconds > 65  # so that the listing was older than a minute
    assert looks(summary) == {"persons": 1, "personFields": 1}


@pytest.mark.slow
def test_a_long_run_reads_whom_it_gives_an_email(tmp_path: Path) -> None:
    """Emails are replaced whole: before a PATCH that carries them a record seen minutes ago is read again."""
    scene = Scene(tmp_path, SLOW, ONE_BY_ONE, plan="lite")
    _filled(scene, 150)
    people = [identify(f"u{user}", role="lead") for user in range(149)]
    summary = scene.run([*people, identify("u149", email="new@shop.example")])
    assert looks(summary) == {"persons": 1, "personFields": 1, "persons/{id}": 1}


def test_what_an_earlier_run_found_is_compared_before_it_is_written(tmp_path: Path) -> None:
    """Records that a listing of an earlier run brought: read together, and no write where nothing changes."""
    scene = Scene(tmp_path)
    _filled(scene, 1_500)
    scene.run([identify(f"u{user}", role="dev") for user in range(100)])
    again = scene.run([identify(f"u{user}", role="dev") for user in range(1_000, 1_050)])
    assert scene.writes == []
    assert again.events.unchanged == 50
    assert again.tokens.spent <= 2 + 2 * 10
    few = scene.run([identify(f"u{user}", role="dev") for user in range(1_100, 1_103)])
    assert scene.writes == []
    assert few.tokens.spent == 2 + 3


def test_persons_named_by_pipedrive_s_id_are_read_together(tmp_path: Path) -> None:
    """Each id is known to be there, and to bear no other key, without a request of its own."""
    scene = Scene(tmp_path)
    for user in range(300):
        scene.sandbox.add_record("persons", {"name": f"U {user}"})
    named = [{"externalId": [{"type": "pipedrivePersonId", "id": str(n + 1)}]} for n in range(300)]
    summary = scene.run([identify(f"u{n}", role="dev") | {"context": context} for n, context in enumerate(named)])
    assert summary.records.persons.updated == 300
    assert looks(summary) == {"persons": 1, "personFields": 1}


@pytest.mark.slow
def test_a_long_run_reads_together_whom_it_gives_emails(tmp_path: Path) -> None:
    """Where one after the other is given an email, they are read a hundred at a time and not one by one."""
    scene = Scene(tmp_path, SLOW, ONE_BY_ONE, plan="lite")
    _filled(scene, 450)
    summary = scene.run([identify(f"u{user}", email=f"also-{user}@shop.example") for user in range(450)])
    assert summary.records.persons.updated == 450
    assert looks(summary)["persons/{id}"] <= 12
    assert summary.tokens.spent <= 1.05 * (450 * 5 + 10 + 12)
    emails = [{email["value"] for email in row["emails"]} for row in scene.contents()["persons"]]
    assert all(len(each) == 2 for each in emails)
