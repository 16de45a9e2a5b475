"""What Pipedrive refuses: a value costs its field, the same refusal again and again its kind of record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.delivery.retry import in_words
from pipedrive_cli.sandbox.endpoint import Endpoint
from pipedrive_cli.sandbox.wire import Request, Response, refusal
from tests.harness import Event, Scene, group, identify, options, outcomes, track, viewed, with_delivery

SAME = 20  # equal refusals in a row that are about the kind


def refusing(scene: Scene, says: Callable[[str, Mapping[str, Any]], str | None]) -> None:
    """From here on the sandbox answers 400 where `says` has something to say of a request and its body."""
    real = scene.sandbox._dispatch

    def dispatch(request: Request, match: Any, endpoint: Endpoint | None) -> Response:
        if request.method in {"POST", "PATCH"}:
            message = says(f"{request.method} {request.path}", msgspec.json.decode(request.body))
            if message is not None:
                raise refusal(2, 400, message, "ERR_SCHEMA_VALIDATION_FAILED")
        return real(request, match, endpoint)

    scene.sandbox._dispatch = dispatch  # type: ignore[method-assign] # a Pipedrive of other rules


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, config=with_delivery(concurrency=1))


def crowd(number: int, start: int = 0) -> list[Event]:
    return [identify(f"u{n}", n, name=f"N{n}") for n in range(start, start + number)]


# -- a value


@pytest.mark.parametrize("exists", [False, True], ids=["created", "updated"])
def test_a_refused_value_gives_way_to_the_next_best_one(scene: Scene, exists: bool) -> None:
    """The newest role is refused by name: the older event's is written, and only the newest is rejected."""
    if exists:
        scene.run([identify("u1", 0, name="Ann", role="first")])
    role = scene.key("persons", "Role")

    def says(call: str, body: Mapping[str, Any]) -> str | None:
        bad = body.get("custom_fields", {}).get(role) == "bad"
        return f"custom_fields.{role}: The value is not allowed" if bad else None

    refusing(scene, says)
    summary = scene.run([identify("u1", 1, name="Ann Lee", role="good"), identify("u1", 2, role="bad", city="Rome")])
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["custom_fields"]) == ("Ann Lee", {"User id": "u1", "Role": "good", "City": "Rome"})
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}
    (problem,) = summary.problems
    assert (problem.code, problem.examples[0].field) == ("refused_value", "Role")


def test_a_refused_name_gives_way_to_an_older_one(scene: Scene) -> None:
    """A name is made of three inputs; the refused event's are left out together."""
    refusing(scene, lambda call, body: "name: The value is not allowed" if body.get("name") == "Bad Name" else None)
    summary = scene.run([identify("u1", 1, name="Ann Lee"), identify("u1", 2, name="Bad Name", role="dev")])
    (person,) = scene.contents()["persons"]
    assert (person["name"], person["custom_fields"]["Role"]) == ("Ann Lee", "dev")
    assert outcomes(summary) == {"delivered": 1, "rejected": 1}


def test_a_refused_value_of_the_crm_is_not_touched(scene: Scene) -> None:
    """Nothing else says what to write: the field stays as it was."""
    scene.run([identify("u1", 0, name="Ann", role="first")])
    role = scene.key("persons", "Role")
    refusing(scene, lambda call, body: f"custom_fields.{role}: no" if role in body.get("custom_fields", {}) else None)
    summary = scene.run([identify("u1", 2, role="bad", city="Rome")])
    assert outcomes(summary) == {"rejected": 1}
    assert scene.contents()["persons"][0]["custom_fields"] == {"User id": "u1", "Role": "first", "City": "Rome"}


# -- the kind


def test_the_same_refusal_in_a_row_stops_the_kind_and_the_others_go_on(scene: Scene) -> None:
    """Twenty records are refused alike: the rest stays pending, exit code 4, and products arrive."""
    refusing(scene, lambda call, body: "Nothing goes today" if call == "POST /api/v2/persons" else None)
    summary = scene.run([*crowd(40), viewed("u1", "p1", 50, name="Chair")])
    assert (summary.exit_code, summary.reason) == (4, "kind_refused")
    assert outcomes(summary) == {"rejected": SAME - 1, "pending": 40 - SAME + 1, "delivered": 1}
    assert scene.writes.count("POST /api/v2/persons") == SAME
    assert scene.names("products") == ["Chair"]


def test_the_refused_kind_arrives_once_it_is_taken_again(scene: Scene) -> None:
    """What was pending and what was rejected is taken up by the next run over the file."""
    refusing(scene, lambda call, body: "Nothing goes today" if call == "POST /api/v2/persons" else None)
    events = crowd(30)
    scene.run(events)
    del scene.sandbox._dispatch
    assert outcomes(scene.run(events)) == {"delivered": 30}


def test_success_between_refusals_keeps_the_kind_going(scene: Scene) -> None:
    """Every other person is refused: that is about the persons."""
    refusing(scene, lambda call, body: "An odd one" if int(str(body.get("name", "N0"))[1:]) % 2 else None)
    summary = scene.run(crowd(60))
    assert outcomes(summary) == {"rejected": 30, "delivered": 30}
    assert summary.exit_code == 1


def test_different_refusals_keep_the_kind_going(scene: Scene) -> None:
    """Each for a reason of its own."""
    refusing(scene, lambda call, body: f"No {len(str(body['name'])) % 2}: {int(str(body['name'])[1:]) % 2}")
    assert outcomes(scene.run(crowd(40))) == {"rejected": 40}


def test_values_refused_by_name_never_stop_the_kind(scene: Scene) -> None:
    """They are the events' fault, and after some of them the field's, which is then left out."""
    role = scene.key("persons", "Role")
    refusing(scene, lambda call, body: f"custom_fields.{role}: no" if role in body.get("custom_fields", {}) else None)
    summary = scene.run([identify(f"u{n}", n, name=f"N{n}", role="bad") for n in range(40)])
    assert (outcomes(summary), len(scene.names("persons"))) == ({"rejected": 10, "delivered": 30}, 40)


def test_success_with_another_kind_does_not_hide_a_refused_one(scene: Scene) -> None:
    """In a row means: one lead after the other, though persons arrive between them."""
    scene.config = with_delivery(concurrency=1, lookahead=2)
    refusing(scene, lambda call, body: "No leads today" if call == "POST /api/v1/leads" else None)
    events = [each for n in range(30) for each in (identify(f"u{n}", 2 * n, name=f"N{n}"), track(f"u{n}", "A", 2 * n))]
    summary = scene.run(events)
    assert (summary.exit_code, summary.reason) == (4, "kind_refused")
    assert scene.writes.count("POST /api/v1/leads") == SAME
    assert len(scene.names("persons")) == 30


@pytest.mark.parametrize("lookahead", [100_000, 1], ids=["folded", "one by one"])
def test_one_record_that_is_refused_again_and_again_is_not_its_kind(scene: Scene, lookahead: int) -> None:
    """Thirty events of one person, each of them refused: the others arrive."""
    scene.config = with_delivery(concurrency=1, lookahead=lookahead)
    scene.run([identify("u1", 0, name="Ann")])
    refusing(scene, lambda call, body: "Not Ann" if call.endswith("/persons/1") else None)
    summary = scene.run([*(identify("u1", n, role=f"r{n}") for n in range(1, 31)), *crowd(3, start=50)])
    assert outcomes(summary) == {"rejected": 30, "delivered": 3}


# -- --max-failures


def test_max_failures_stops_the_run(tmp_path: Path) -> None:
    """Exit code 4; what was not tried is pending, and the next run does all of it."""
    scene = Scene(tmp_path, config=with_delivery(max_attempts=2, concurrency=2))
    events = [*crowd(5), *crowd(40, start=5)]
    scene.run(events[:5])
    scene.faults("503@PATCH *")
    changed = [identify(f"u{n}", 100 + n, role="new") for n in range(5)]
    summary = scene.run([*changed, *events[5:]], max_failures=3)
    assert (summary.exit_code, summary.reason) == (4, "max_failures")
    assert 3 <= summary.events.failed <= 4
    assert summary.events.pending > 0
    scene.faults("")
    assert scene.run([*changed, *events[5:]]).exit_code == 0


def test_fewer_failures_than_allowed_end_as_they_do_without_the_option(tmp_path: Path) -> None:
    """The run goes to its end."""
    scene = Scene(tmp_path, config=with_delivery(max_attempts=2, concurrency=1))
    scene.faults("refused@POST /api/v2/persons#1-2")
    summary = scene.run(crowd(10), max_failures=3)
    assert (summary.exit_code, summary.events.failed, summary.events.pending) == (1, 1, 0)


def test_rejected_and_pending_events_are_no_failures(tmp_path: Path) -> None:
    """They are somebody else's fault, and trying on helps the rest."""
    scene = Scene(tmp_path, options())
    bad = [{"type": "identify", "messageId": f"b{n}"} for n in range(5)]
    summary = scene.run([*bad, *crowd(3), group(None, "g1", 9, name="Acme")], max_failures=1)
    assert outcomes(summary) == {"rejected": 5, "delivered": 4}


def test_pipedrives_words_name_fields_as_people_do() -> None:
    """A key of forty digits becomes the field's name; what nobody knows stays."""
    role, other = "a" * 40, "b" * 40
    message = f"Validation failed: custom_fields.{role}: too long; {other}"
    assert in_words(message, {role: "Role"}) == f"Validation failed: custom_fields.Role: too long; {other}"
    assert in_words(message, {}) == message
