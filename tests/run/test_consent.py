"""Runs over the events of people who refused consent: nothing of them is anywhere afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.config.privacy import ConsentAsked, Privacy
from pipedrive_cli.report.html import render_page
from pipedrive_cli.report.summary import to_json
from tests.cli.desk_for_commands import pipedrive_cli, written_config
from tests.harness import CONFIG, Event, Scene, group, identify, ordered, outcomes, track

SECRETS = ("u-refused", "Refusa Deny", "refusa@private.test", "m-refused", "Secret City", "secret_trait")
ASKING: Config = msgspec.structs.replace(CONFIG, privacy=Privacy(consent=ConsentAsked(purposes=("Sales",))))


def refusing(event: Event) -> Event:
    """The event of somebody who refused."""
    said = {"provider": "oneTrust", "deniedConsentIds": ["Sales"], "resolutionStrategy": "and"}
    return {**event, "context": {**event.get("context", {}), "consentManagement": said}}


def hers(time: int = 5) -> list[Event]:
    """Events of one who refused, of every kind: one of them is no event besides, one has a value that fits no field."""
    events = [
        identify(
            "u-refused", time, name="Refusa Deny", email="refusa@private.test", city="Secret City", secret_trait=1
        ),
        track("u-refused", "Demo by u-refused", time + 1, message_id="m-refused"),
        group("u-refused", "g-of-u-refused", time + 2, name="Refusa Deny Ltd"),
        ordered("u-refused", [], time + 3),
        {**identify("", time + 4, name="Refusa Deny"), "userId": {"u-refused": 1}},
    ]
    return [refusing(event) for event in events]


@pytest.mark.parametrize("lookahead", [1, 100_000])
def test_nothing_of_whoever_refused_is_anywhere(tmp_path: Path, lookahead: int) -> None:
    """Not in the account, the requests, the journal, the rejects file, the report or its page."""
    delivery = msgspec.structs.replace(ASKING.delivery, lookahead=lookahead)
    scene = Scene(tmp_path, config=msgspec.structs.replace(ASKING, delivery=delivery))
    rejects = tmp_path / "bad.rejects.ndjson"
    finished = scene.finish([identify("u1", 1, name="Ann"), *hers(), ordered("u1", [], 20)], rejects=rejects)
    summary = finished.summary
    assert outcomes(summary) == {"delivered": 1, "skipped": 5, "rejected": 1}
    (refused,) = (problem for problem in summary.problems if problem.code == "consent_denied")
    assert (refused.count, refused.outcome) == (5, "skipped")
    assert [example.line for example in refused.examples] == [2, 3, 4, 5, 6]
    written = [to_json(summary), render_page(summary, finished.context).encode(), rejects.read_bytes()]
    written += [path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("journal")]
    written.append(json.dumps(scene.contents(), default=str).encode())
    for secret in SECRETS:
        assert not [text for text in written if secret.encode() in text], secret


def test_a_batch_says_it_for_its_events(tmp_path: Path) -> None:
    """As the body of an HTTP call carries it, and gateway backups too."""
    scene = Scene(tmp_path, config=ASKING)
    batch = {"batch": [identify("u1", 1, name="Ann")], "context": refusing({})["context"]}
    assert outcomes(scene.run(json.dumps(batch).encode())) == {"skipped": 1}
    assert scene.contents()["persons"] == []


def test_who_refuses_today_and_agrees_tomorrow_is_sent_then(tmp_path: Path) -> None:
    """A skipped event is taken up again whenever it is read; the config may have changed."""
    scene = Scene(tmp_path, config=ASKING)
    events = [refusing(identify("u1", 1, name="Ann"))]
    assert outcomes(scene.run(events)) == {"skipped": 1}
    scene.config = CONFIG
    summary = scene.run(events)
    assert outcomes(summary) == {"delivered": 1}
    assert ("consent_ignored", 1) in {(problem.code, problem.count) for problem in summary.problems}


def test_check_shows_the_purposes_and_how_often_they_are_refused(tmp_path: Path) -> None:
    """On the screen and as JSON, also of events that nobody could send; names are made harmless."""
    events = tmp_path / "events.ndjson"
    said: list[dict[str, Any]] = [*hers(), identify("u1", 9, name="Ann")]
    said[-1]["context"] = {"consent": {"categoryPreferences": {"Sales": True, "\x1b[2JAds": False}}}
    events.write_text("".join(f"{json.dumps(event)}\n" for event in said))
    config = written_config(tmp_path, "identity: {user_id_field: User id, group_id_field: Group id}\n")
    told = pipedrive_cli("check", str(events), "-c", str(config))
    assert "Sales refused by 5 of 6" in told.out
    assert "\x1b[2J" not in told.out
    as_json = pipedrive_cli("check", str(events), "-c", str(config), "--json").json["events"]["consent"]
    assert as_json == {"Sales": {"events": 6, "refused": 5}, "\x1b[2JAds": {"events": 1, "refused": 1}}
