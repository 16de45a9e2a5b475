"""The account's fields are kept for a day, and asked for again when a value does not fit what was kept."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pipedrive_cli.config.model import Fields, Leads
from pipedrive_cli.delivery.retry import KindStops
from pipedrive_cli.model import Kind, PipedriveCode
from pipedrive_cli.pipedrive.account import Field
from pipedrive_cli.pipedrive.reading_account import read_fields
from pipedrive_cli.pipedrive.reading_lists import Send
from tests.harness import CONFIG, Scene, group, identify, outcomes, track

PERSON_FIELDS, LABELS = "GET /api/v2/personFields", "GET /api/v1/leadLabels"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An account whose persons have a field Plan with the one option Free, and a run that has seen it."""
    config = msgspec.structs.replace(
        CONFIG, fields=Fields(persons={"plan": "Plan"}), leads=Leads(default_currency="EUR")
    )
    scene = Scene(tmp_path, config=config)
    scene.sandbox.add_field("persons", name="Plan", field_type="enum", options=("Free",))
    scene.run([identify("u1", name="Ann", plan="Free")])
    return scene


def add_option(scene: Scene, label: str) -> None:
    """As somebody does in Pipedrive's settings."""
    persons = scene.sandbox.account.fields["persons"]
    (plan,) = (field for field in persons.custom.values() if field.name == "Plan")
    scene.sandbox.account.fields.add_option(plan, label, 0)


def test_an_option_that_was_added_since_is_found(scene: Scene) -> None:
    """Whoever follows the report's advice and runs again need not wait for tomorrow."""
    add_option(scene, "Pro")
    summary = scene.run([identify("u1", plan="Pro"), identify("u2", plan="Pro")])
    assert outcomes(summary) == {"delivered": 2}
    assert scene.sent.count(PERSON_FIELDS) == 1


def test_values_that_fit_ask_for_nothing(scene: Scene) -> None:
    """An import every hour does not pay for the fields every hour."""
    scene.run([identify("u2", plan="Free")])
    assert PERSON_FIELDS not in scene.sent


def test_it_is_asked_once_in_a_run(scene: Scene) -> None:
    """However many values do not fit, the account is what it is."""
    summary = scene.run([identify(f"u{n}", plan="Gold") for n in range(5)])
    assert outcomes(summary) == {"rejected": 5}
    assert scene.sent.count(PERSON_FIELDS) == 1


def test_a_label_that_was_added_since_is_found(scene: Scene) -> None:
    """The labels of leads are kept for a day, too."""
    scene.run([track("u1", "Demo", label_ids="Hot")])
    scene.sandbox.account.add_lead_label("Icy", "blue")
    assert outcomes(scene.run([track("u1", "Call", label_ids="Icy")])) == {"delivered": 1}
    assert scene.sent.count(LABELS) == 1


def test_a_run_that_stops_at_that_question_leaves_its_event_pending(scene: Scene) -> None:
    """Nobody knows whether the value fits by now; and every event that was read has an outcome."""
    summary = scene.run([identify("u1", plan="Pro"), identify("u2", plan="Free")], max_tokens=3)
    assert (summary.reason, outcomes(summary)) == ("max_tokens", {"pending": 1})
    add_option(scene, "Pro")
    assert outcomes(scene.run([identify("u1", plan="Pro")])) == {"delivered": 1}


def test_where_that_question_is_refused_what_was_known_stands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for what the run learns afterwards of other kinds: persons are found by the same field as before."""

    async def refused(send: Send, kind: Kind) -> tuple[Field, ...]:
        if kind == "persons":
            raise KindStops(kind, PipedriveCode("http_403"), "the key may not read personFields")
        return await read_fields(send, kind)

    monkeypatch.setattr("pipedrive_cli.run.account.read_fields", refused)
    gold = identify("u1", plan="Gold")
    summary = scene.run([gold, group("u1", "g1", name="Acme"), identify("u1", plan="Free", name="Ann Lee")])
    assert outcomes(summary) == {"rejected": 1, "delivered": 2}
    assert scene.names("persons") == ["Ann Lee"]


def test_what_was_read_before_the_account_was_asked_again_waits(scene: Scene) -> None:
    """A field was made anew with another type: an event that was read for the old one is not to blame for that."""
    scene.sandbox.delete_field("persons", next(iter(_plans(scene))))
    scene.sandbox.add_field("persons", name="Plan")
    events = [identify("u3", plan="Free"), identify("u2", plan="Gold")]  # Gold asks for the fields again
    assert outcomes(scene.run(events)) == {"failed": 1, "delivered": 1}
    assert outcomes(scene.run(events)) == {"delivered": 1, "duplicate": 1}


def _plans(scene: Scene) -> list[str]:
    return [key for key, field in scene.sandbox.account.fields["persons"].custom.items() if field.name == "Plan"]
