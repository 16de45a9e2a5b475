"""Fields and options that go within the day that they are kept, or in mid-run; fields that nobody can write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Fields, Identity, Leads
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.sandbox.wire import v2_refusal
from tests.harness import Scene, group, identify, options, outcomes, track, viewed, with_delivery

CONFIG = Config(
    identity=Identity(user_id_field="User id", group_id_field="Group id"),
    fields=Fields(
        persons={"role": "Role", "tier": "Tier"},
        organizations={"industry": "Branch"},
        leads={"rating": "Rating"},
        products={"brand": "Brand"},
    ),
    leads=Leads(default_currency="EUR"),
)
Act = Callable[[Scene], None]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An account with a field Tier that has two options, and a run that has seen all its fields."""
    scene = Scene(tmp_path, config=CONFIG)
    scene.keys["persons", "Tier"] = scene.sandbox.add_field(
        "persons", name="Tier", field_type="enum", options=("Gold", "Silver")
    )
    others = [group("u0", "g0", industry="i"), viewed("u0", "p0", brand="b", price=1, currency="USD")]
    scene.run([*everything("u0"), *others])
    return scene


def everything(user: str) -> list[dict[str, object]]:
    """Events of one user that write every field of persons and leads."""
    return [identify(user, name=user, role="r", tier="Gold"), track(user, "Demo", rating="5", value=3)]


def delete(kind: str, name: str) -> Act:
    return lambda scene: scene.sandbox.delete_field(kind, scene.key(kind, name))


def take_gold(scene: Scene) -> None:
    scene.sandbox.delete_option("persons", scene.key("persons", "Tier"), "Gold")


def named(summary: Summary) -> str:
    """All that the summary says."""
    return msgspec.json.encode(summary).decode()


def refuse_roles(scene: Scene) -> None:
    """Pipedrive takes no role that begins with x."""
    real, role = scene.sandbox._dispatch, scene.key("persons", "Role")

    def dispatch(request, match, endpoint):  # type: ignore[no-untyped-def]  # as the sandbox's own
        body = msgspec.json.decode(request.body) if request.body else {}
        if str(body.get("custom_fields", {}).get(role, "")).startswith("x"):
            raise v2_refusal(400, f"Validation failed: custom_fields.{role}: not this", "ERR_SCHEMA_VALIDATION_FAILED")
        return real(request, match, endpoint)

    scene.sandbox._dispatch = dispatch  # type: ignore[method-assign]


GONE = [
    (delete("persons", "Role"), lambda u: identify(u, name=u, role="x"), "Role"),
    (delete("persons", "User id"), lambda u: identify(u, name=u, role="x"), "User id"),
    (delete("organizations", "Branch"), lambda u: group(u, f"g-{u}", industry="x"), "Branch"),
    (delete("organizations", "Group id"), lambda u: group(u, f"g-{u}", industry="x"), "Group id"),
    (delete("deals", "Rating"), lambda u: track("u0", f"Lead {u}", rating="x"), "Rating"),
    (delete("products", "Brand"), lambda u: viewed("u0", f"p-{u}", brand="x"), "Brand"),
]


@pytest.mark.parametrize(("act", "made", "name"), GONE, ids=[name for _, _, name in GONE])
def test_a_field_that_was_deleted_within_the_day_is_named_and_the_events_wait(
    scene: Scene, act: Act, made: Callable[[str], dict[str, object]], name: str
) -> None:
    """Nothing is blamed on a value, the account is read again once, and nothing is written twice afterwards."""
    act(scene)
    events = [made(f"u{n}") for n in range(1, 6)]
    summary = scene.run(events)
    assert set(outcomes(summary)) == {"pending"}
    assert (summary.exit_code, summary.reason) == (2, "config")
    assert name in str(scene.last.live_figures) + named(summary)
    assert sum(call.endswith("Fields") for call in scene.sent) <= 3


def test_a_field_that_is_deleted_in_mid_run_stops_it(scene: Scene) -> None:
    """What was sent before stays, the rest waits; the copy that the journal keeps is the new one."""
    scene.config = with_delivery(CONFIG, lookahead=2, concurrency=1)
    events = [identify(f"u{n}", name=f"N{n}", role="x") for n in range(1, 9)]
    posts = 0
    real = scene.sandbox._dispatch

    def dispatch(request, match, endpoint):  # type: ignore[no-untyped-def]  # as the sandbox's own
        nonlocal posts
        posts += request.method == "POST"
        if posts == 4 and scene.key("persons", "Role") in scene.sandbox.account.fields["persons"].custom:
            delete("persons", "Role")(scene)
        return real(request, match, endpoint)

    scene.sandbox._dispatch = dispatch  # type: ignore[method-assign]
    summary = scene.run(events)
    del scene.sandbox._dispatch
    assert outcomes(summary) == {"delivered": 3, "pending": 1}
    assert summary.reason == "config"
    again = msgspec.structs.replace(CONFIG, fields=msgspec.structs.replace(CONFIG.fields, persons={"tier": "Tier"}))
    scene.config = again
    assert outcomes(scene.run(events)) == {"duplicate": 3, "delivered": 5}


def test_an_option_that_was_taken_out_fails_its_events_and_the_next_run_says_which(scene: Scene) -> None:
    """They were read for an account that is no more; others arrive."""
    take_gold(scene)
    told: list[dict[str, Any]] = [{"tier": "Gold"}, {"tier": "Silver"}, {}]
    events = [identify(f"u{n}", name=f"N{n}", **traits) for n, traits in enumerate(told, 1)]
    first = scene.run(events)
    assert outcomes(first) == {"delivered": 2, "failed": 1}
    assert "account_changed" in {problem.code for problem in first.problems}
    assert "Tier" in named(first)
    second = scene.run(events)
    assert outcomes(second) == {"duplicate": 2, "rejected": 1}
    assert "bad_value" in {problem.code for problem in second.problems}


def test_a_refusal_that_the_account_does_not_explain_is_the_events(scene: Scene) -> None:
    """It is read again once, however many are refused."""
    refuse_roles(scene)
    events = [identify(f"u{n}", name=f"N{n}", role=f"x{n}") for n in range(1, 6)]
    assert outcomes(scene.run(events)) == {"rejected": 5}
    assert scene.sent.count("GET /api/v2/personFields") == 1


def test_a_field_that_nobody_can_write_costs_no_second_request(tmp_path: Path) -> None:
    """The list of fields says so: its values are left out, the rest is sent, and the config's line is told."""
    scene = Scene(tmp_path)
    scene.sandbox.lock_field("persons", scene.key("persons", "Role"))
    summary = scene.run([identify(f"u{n}", name=f"N{n}", role=f"r{n}") for n in range(20)])
    assert outcomes(summary) == {"delivered": 20}
    assert scene.writes == ["POST /api/v2/persons"] * 20
    (problem,) = summary.problems
    assert (problem.code, problem.examples[0].field) == ("field_read_only", "fields.persons.role")


@pytest.mark.parametrize("same", [True, False], ids=["one value", "many values"])
def test_a_field_that_only_refusals_tell_of_is_learnt(tmp_path: Path, same: bool) -> None:
    """After some equal refusals it is the field's: no record is sent twice any more."""
    scene = Scene(tmp_path, options(tells_writable=False), config=with_delivery(concurrency=1))
    scene.sandbox.lock_field("persons", scene.key("persons", "Role"))
    events = [identify(f"u{n}", name=f"N{n}", role="r" if same else f"r{n}") for n in range(60)]
    summary = scene.run(events)
    assert outcomes(summary) == {"rejected": 10, "delivered": 50}
    assert len(scene.writes) == 70
    problems = {problem.code: problem for problem in summary.problems}
    assert problems["field_read_only"].examples[0].field == "fields.persons.role"
    assert problems["field_refused"].count == 50


def test_a_field_is_learnt_under_a_brake_too(tmp_path: Path) -> None:
    """The window on paper is refused nothing: that says nothing about Pipedrive."""
    scene = Scene(tmp_path, options(tells_writable=False), config=with_delivery(concurrency=1))
    scene.sandbox.lock_field("persons", scene.key("persons", "Role"))
    events = [identify(f"u{n}", name=f"N{n}", role=f"r{n}") for n in range(30)]
    assert outcomes(scene.run(events, brakes={"created": 1_000})) == {"rejected": 10, "delivered": 20}


def test_a_field_that_takes_some_values_is_never_given_up(tmp_path: Path) -> None:
    """However many bad ones follow each other, a good one is written."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    refuse_roles(scene)
    bad = [identify(f"b{n}", name=f"B{n}", role=f"x{n}") for n in range(30)]
    good = [identify(f"g{n}", name=f"G{n}", role="fits") for n in range(3)]
    summary = scene.run([*good[:1], *bad, *good[1:]])
    assert outcomes(summary) == {"rejected": 30, "delivered": 3}
    assert sum(row["custom_fields"].get("Role") == "fits" for row in scene.contents()["persons"]) == 3


def test_a_value_that_is_new_is_tried_though_others_were_refused_alike(tmp_path: Path) -> None:
    """Ten times the same bad value says little of another one."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    refuse_roles(scene)
    bad = [identify(f"b{n}", name=f"B{n}", role="x") for n in range(30)]
    summary = scene.run([*bad, identify("g", name="G", role="fits")])
    assert outcomes(summary) == {"rejected": 10, "delivered": 21}
    assert [row["custom_fields"].get("Role") for row in scene.contents()["persons"]].count("fits") == 1
