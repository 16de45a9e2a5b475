"""Who takes over a person by email: it depends on the events, not on their order, and a preview foretells it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipedrive_cli import virtual_time
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run import connection
from tests.examples import examples
from tests.harness import Event, Scene, alias, identify, options, outcomes, track, with_delivery
from tests.run.test_preview import previewed

OFFICE, UNA = "office@x.test", "una@x.test"


def by_hand(scene: Scene, name: str, *emails: str, user: str | None = None) -> int:
    """Somebody types a person into Pipedrive."""
    custom = {} if user is None else {"custom_fields": {scene.key("persons", "User id"): user}}
    body = {"name": name, "emails": [{"value": email} for email in emails], **custom}
    return int(scene.sandbox.add_record("persons", body))


def owners(scene: Scene) -> dict[str, list[str | None]]:
    """The user ids of the persons by name."""
    found: dict[str, list[str | None]] = {}
    for row in scene.contents()["persons"]:
        found.setdefault(row["name"], []).append(row["custom_fields"].get("User id"))
    return found


def twins(summary: Summary) -> int:
    return sum(problem.count for problem in summary.problems if problem.code == "twin_by_email")


def foretold(scene: Scene, events: Iterable[Event]) -> Summary:
    """What a preview that looks at the account says of these events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "to_account", lambda _: scene._connect())
        asked: dict[str, Any] = {"online": True, "state": scene.state, "run": virtual_time.run}
        return previewed(scene.folder, events, scene.config, **asked).summary


TAKE_OVER = [
    identify("u0", 10, name="Zed", email=OFFICE),
    identify("u1", 20, name="Una", email=UNA),
    identify("u1", 30, email=OFFICE),
]


@pytest.mark.parametrize("lookahead", [1, 1000])
@pytest.mark.parametrize("runs", [[[0, 1, 2]], [[1, 2, 0]], [[0], [1, 2]], [[1, 2], [0]]], ids=str)
def test_several_emails_of_which_one_is_somebodys_already(
    tmp_path: Path, runs: Sequence[Sequence[int]], lookahead: int
) -> None:
    """That one is no match: the other one, which is nobody's, is. In any order of files and runs."""
    scene = Scene(tmp_path, config=with_delivery(lookahead=lookahead))
    by_hand(scene, "Una (by hand)", UNA)
    for run in runs:
        events = [TAKE_OVER[number] for number in run]
        seen = foretold(scene, events)
        assert seen.records == scene.run(events).records
    assert owners(scene) == {"Una": ["u1"], "Zed": ["u0"]}


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))][::5], ids=str)
def test_in_a_window_the_oldest_event_with_the_email_decides(tmp_path: Path, order: Sequence[int]) -> None:
    """Whoever comes first in the file; events without the email do not count."""
    scene = Scene(tmp_path)
    by_hand(scene, "Front Desk", OFFICE)
    events = [
        identify("ada", 1, name="Ada"),
        identify("ada", 30, email=OFFICE.upper()),
        identify("bo", 20, name="Bo", email=OFFICE),
        identify("cy", 40, name="Cy", email=OFFICE),
    ]
    in_order = [events[number] for number in order]
    seen = foretold(scene, in_order)
    summary = scene.run(in_order)
    assert seen.records == summary.records
    assert owners(scene) == {"Ada": ["ada"], "Bo": ["bo"], "Cy": ["cy"]}
    (bo,) = (row["id"] for row in scene.sandbox.contents(ids=True)["persons"] if row["name"] == "Bo")
    assert (bo, summary.records.persons.updated, summary.records.persons.created) == (1, 1, 2)


def test_of_one_moment_the_one_that_is_read_first_decides(tmp_path: Path) -> None:
    """And it is the same on the next try."""
    scene = Scene(tmp_path)
    by_hand(scene, "Front Desk", OFFICE)
    scene.run([identify("bo", 5, name="Bo", email=OFFICE), identify("ada", 5, name="Ada", email=OFFICE)])
    (first,) = (row for row in scene.sandbox.contents(ids=True)["persons"] if row["id"] == 1)
    assert first["name"] == "Bo"


@pytest.mark.parametrize("reverse", [False, True])
def test_somebody_who_is_there_already_needs_no_person(tmp_path: Path, reverse: bool) -> None:
    """An older event of a user whom Pipedrive knows does not keep the person from a new one."""
    scene = Scene(tmp_path)
    by_hand(scene, "Front Desk", OFFICE)
    by_hand(scene, "Known", user="known")
    events = [identify("known", 1, email=OFFICE), identify("new", 9, name="New", email=OFFICE)]
    assert foretold(scene, events[:: -1 if reverse else 1]).records.persons.created == 0
    scene.run(events[:: -1 if reverse else 1])
    assert owners(scene) == {"New": ["new"], "Known": ["known"]}


def test_a_deleted_person_is_not_adopted(tmp_path: Path) -> None:
    """An earlier run has seen it; a list of what has changed since does not tell that it went."""
    scene = Scene(tmp_path)
    desk = by_hand(scene, "Front Desk", OFFICE)
    scene.run([identify(f"x{n}", 1, name=f"X {n}") for n in range(4)])
    scene.sandbox.delete_record("persons", desk)
    scene.config = with_delivery(deleted="skip")
    assert outcomes(scene.run([identify("new", 9, name="New", email=OFFICE)])) == {"delivered": 1}
    assert owners(scene)["New"] == ["new"]


@pytest.mark.parametrize("others", [0, 1200], ids=["all is listed", "too many to be listed"])
@pytest.mark.parametrize("runs", [True, False], ids=["two runs", "one by one"])
def test_an_email_that_comes_later_makes_a_twin_that_is_noticed(tmp_path: Path, others: int, runs: bool) -> None:
    """The person was made for its lead; then comes the email of somebody who is there. Nobody is merged."""
    scene = Scene(tmp_path, options(), config=with_delivery(lookahead=1))
    ann = by_hand(scene, "Ann (by hand)", "ann@x.test")
    for number in range(others):
        by_hand(scene, f"P {number}", f"p{number}@x.test")
    events = [track("u1", "Demo", 1), identify("u1", 9, name="Ann Reed", email="ann@x.test")]
    summaries = [scene.run(events[:1]), scene.run(events[1:])] if runs else [scene.run(events)]
    assert sum(map(twins, summaries)) == 1
    assert (owners(scene)["Ann Reed"], owners(scene)["Ann (by hand)"]) == (["u1"], [None])
    message = next(problem for problem in summaries[-1].problems if problem.code == "twin_by_email").message
    assert "same email" in message
    assert [example.value for p in summaries[-1].problems for example in p.examples] == [str(ann)]


def test_two_that_are_nobodys_are_left_alone_and_noticed(tmp_path: Path) -> None:
    """Nobody can tell which of them it is."""
    scene = Scene(tmp_path)
    by_hand(scene, "One", OFFICE)
    by_hand(scene, "Two", OFFICE)
    summary = scene.run([identify("u1", 1, name="Ada", email=OFFICE)])
    assert owners(scene) == {"Ada": ["u1"], "One": [None], "Two": [None]}
    assert (twins(summary), summary.exit_code) == (1, 0)


@st.composite
def offices(draw: st.DrawFn) -> tuple[list[Event], list[tuple[str, list[str]]]]:
    """Users who share emails with each other and with persons that were typed in; no two events of one moment."""
    emails = ("a@x.test", "b@x.test", "c@x.test")
    events: list[Event] = []
    for number in range(draw(st.integers(2, 6))):
        user = draw(st.sampled_from(("u0", "u1", "u2")))
        told: dict[str, Any] = {"role": f"r{number}"}
        if draw(st.integers(0, 3)):
            told["email"] = draw(st.sampled_from(emails))
        made = identify(user, 1000 + 10 * number, name=user.upper(), **told)
        events.append(made if draw(st.integers(0, 5)) else track(user, f"L{number}", 1000 + 10 * number))
    if draw(st.integers(0, 3)) == 3:
        events.append(alias("u2", "u1", 2000))
    count = draw(st.integers(0, 3))
    there = [(f"P{n}", draw(st.lists(st.sampled_from(emails), max_size=2, unique=True))) for n in range(count)]
    return events, there


def _ended(events: Sequence[Event], there: Sequence[tuple[str, list[str]]], workers: int) -> list[tuple[Any, ...]]:
    with TemporaryDirectory() as folder:
        scene = Scene(Path(folder), options(latency=0.2), config=with_delivery(concurrency=workers))
        for name, emails in there:
            by_hand(scene, name, *emails)
        seen = foretold(scene, events)
        summary = scene.run(events)
        assert seen.records == summary.records
        rows = scene.sandbox.contents(ids=True)["persons"]
    count = len(there)
    return sorted(
        (
            row["id"] if row["id"] <= count else 0,
            str(row["custom_fields"].get("User id")),
            str(row["custom_fields"].get("Role")),
            tuple(sorted(email["value"] for email in row["emails"])),
        )
        for row in rows
    )


@pytest.mark.slow
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_in_one_window_no_order_of_events_changes_who_is_who(data: st.DataObject) -> None:
    """Nor does the number of workers; and a preview foretells it."""
    events, there = data.draw(offices())
    other = data.draw(st.permutations(events))
    assert _ended(other, there, data.draw(st.sampled_from([1, 8]))) == _ended(events, there, 8)
