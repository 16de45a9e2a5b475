"""What whole runs cost in tokens, in accounts and orders that tempt to pay more."""

from __future__ import annotations

from pathlib import Path

from pipedrive_cli.report.summary import Summary
from tests.harness import Scene, identify, options

SLOW = options(plan="lite", seats=100, latency=0.15)  # ten requests a second


def looks(summary: Summary) -> dict[str, int]:
    """Requests that read records, by what they read."""
    asked = summary.requests.by_endpoint
    return {label.removeprefix("GET /api/v2/"): n for label, n in asked.items() if label.startswith("GET /api/v2/p")}


def _filled(scene: Scene, number: int) -> None:
    for user in range(number):
        custom = {scene.key("persons", "User id"): f"u{user}", scene.key("persons", "Role"): "dev"}
        emails = [{"value": f"u{user}@shop.example", "primary": True, "label": "work"}]
        scene.sandbox.add_record("persons", {"name": f"U {user}", "emails": emails, "custom_fields": custom})


def test_a_long_run_reads_nobody_whose_emails_stay(tmp_path: Path) -> None:
    """What a listing brought minutes ago shows that no email is to be written: then nobody is read again."""
    scene = Scene(tmp_path, SLOW, plan="lite")
    _filled(scene, 700)
    people = [(f"u{user}", {"email": f"u{user}@shop.example", "role": "lead"}) for user in range(700)]
    summary = scene.run([identify(user, **traits) for user, traits in people])
    assert summary.records.persons.updated == 700
    assert summary.seconds > 65  # so that the listing was older than a minute
    assert looks(summary) == {"persons": 2, "personFields": 1}


def test_a_long_run_reads_whom_it_gives_an_email(tmp_path: Path) -> None:
    """Emails are replaced whole: before a PATCH that carries them a record seen minutes ago is read again."""
    scene = Scene(tmp_path, SLOW, plan="lite")
    _filled(scene, 700)
    people = [identify(f"u{user}", role="lead") for user in range(699)]
    summary = scene.run([*people, identify("u699", email="new@shop.example")])
    assert looks(summary) == {"persons": 2, "personFields": 1, "persons/{id}": 1}
