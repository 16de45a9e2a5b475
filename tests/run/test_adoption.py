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
from tests.harness import Event, Scene, alias, group, identify, options, outcomes, track, with_delivery, with_identity
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


# -- any roads that lead to one record

MATCHING = with_identity(match_organizations="name", company="company")
NAMES = ("Acme", "acme", "Beta")
BY_KIND = {"persons": "pipedrivePersonId", "organizations": "pipedriveGroupId"}
There = tuple[str, dict[str, Any], str | None]  # kind, body, and the key that the record bears


@st.composite
def accounts(draw: st.DrawFn) -> list[There]:
    """Records that were typed in, some with emails or names that the events have, too."""
    emails = st.lists(st.sampled_from((OFFICE, UNA)), max_size=2, unique=True)
    there: list[There] = []
    for number in range(draw(st.integers(0, 2))):
        body = {"name": f"P{number}", "emails": [{"value": email} for email in draw(emails)]}
        there.append(("persons", body, draw(st.sampled_from((None, None, "u0", "u2")))))
    for _ in range(draw(st.integers(0, 2))):
        there.append(
            ("organizations", {"name": draw(st.sampled_from(NAMES))}, draw(st.sampled_from((None, None, "g0"))))
        )
    return there


def _named_by_id(kind: str, key: str, count: int) -> Event:
    """Pipedrive's id for a key, always the same one: two keys for one record are nobody's order to decide."""
    number = int(key[1:]) + 1
    return {"context": {"externalId": [{"type": BY_KIND[kind], "id": number}]}} if number <= count else {}


@st.composite
def windows(draw: st.DrawFn, there: Sequence[There], start: int = 0) -> list[Event]:
    """Events that name persons and organizations by key, id, email and name; no two of one moment."""
    events: list[Event] = []
    count = {kind: sum(each[0] == kind for each in there) for kind in BY_KIND}
    for number in range(draw(st.integers(2, 6))):
        time = start + 10 * number
        user, key = draw(st.sampled_from(("u0", "u1", "u2"))), draw(st.sampled_from(("g0", "g1")))
        told: dict[str, Any] = {"role": f"r{time}"}
        if draw(st.booleans()):
            told["email"] = draw(st.sampled_from((OFFICE, UNA)))
        match draw(st.sampled_from(("name", "company", "company", "group", "group", "lead", "id", "group id"))):
            case "name":
                events.append(identify(user, time, name=user.upper(), **told))
            case "company":
                name = {"name": draw(st.sampled_from(NAMES))}
                events.append(
                    identify(user, time, company=draw(st.sampled_from((name, {"id": key}, {"id": key} | name))), **told)
                )
            case "group":
                named = {"name": draw(st.sampled_from(NAMES))} if draw(st.booleans()) else {}
                events.append(group(draw(st.sampled_from((user, None))), key, time, industry=f"i{time}", **named))
            case "lead":
                events.append(track(user, f"L{time}", time))
            case "id":
                events.append(identify(user, time, **told) | _named_by_id("persons", user, count["persons"]))
            case _:
                by_id = _named_by_id("organizations", key, count["organizations"])
                events.append(group(user, key, time, industry=f"i{time}") | by_id)
    if draw(st.integers(0, 3)) == 3:
        events.append(alias("u2", "u1", start + 1000))
    return events


def _scene(folder: str, there: Sequence[There], **delivery: Any) -> Scene:
    scene = Scene(Path(folder), options(latency=0.2), config=with_delivery(MATCHING, **delivery))
    for kind, body, key in there:
        field = scene.key(kind, "User id" if kind == "persons" else "Group id")
        scene.sandbox.add_record(kind, body if key is None else {**body, "custom_fields": {field: key}})
    return scene


def _foretold_and_run(scene: Scene, events: Sequence[Event]) -> None:
    """The run does what the preview has said."""
    seen = foretold(scene, events)
    summary = scene.run(events)
    assert (seen.records, seen.events) == (summary.records, summary.events)


def _ended(events: Sequence[Event], there: Sequence[There], workers: int) -> list[tuple[Any, ...]]:
    """The account after these events, with the ids of what was there. The same events again write nothing."""
    with TemporaryDirectory() as folder:
        scene = _scene(folder, there, concurrency=workers)
        _foretold_and_run(scene, events)
        scene.run(events)
        assert scene.writes == []
        found = scene.sandbox.contents(ids=True)
    return sorted(
        (
            kind,
            row["id"] if row["id"] <= sum(each[0] == kind for each in there) else 0,
            str(row["name"]).casefold(),
            str(sorted(row["custom_fields"].items())),
            str(sorted(email["value"] for email in row.get("emails", ()))),
            str((row.get("org") or {}).get("name")).casefold(),
        )
        for kind in BY_KIND
        for row in found[kind]
    )


@pytest.mark.slow
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_in_one_window_no_order_of_events_changes_who_is_who(data: st.DataObject) -> None:
    """Nor does the number of workers; and a preview foretells it."""
    there = data.draw(accounts())
    events = data.draw(windows(there))
    other = data.draw(st.permutations(events))
    assert _ended(other, there, data.draw(st.sampled_from([1, 8]))) == _ended(events, there, 8)


@pytest.mark.slow
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_preview_foretells_the_run_after_people_have_been_at_work(data: st.DataObject) -> None:
    """They delete, merge, empty and change keys between two runs, whatever the look-ahead and the workers."""
    there = data.draw(accounts())
    with TemporaryDirectory() as folder:
        lookahead, workers = data.draw(st.sampled_from([1000, 3])), data.draw(st.sampled_from([1, 8]))
        scene = _scene(folder, there, lookahead=lookahead, concurrency=workers)
        _foretold_and_run(scene, data.draw(windows(there)))
        for _ in range(data.draw(st.integers(1, 3))):
            kind = data.draw(st.sampled_from(list(BY_KIND)))
            ids = [row["id"] for row in scene.sandbox.contents(ids=True)[kind]]
            field = scene.key(kind, "User id" if kind == "persons" else "Group id")
            match data.draw(st.sampled_from(("delete", "merge", "empty", "rekey"))):
                case "delete" if ids:
                    scene.sandbox.delete_record(kind, data.draw(st.sampled_from(ids)))
                case "merge" if len(ids) > 1:
                    loser, survivor = data.draw(st.permutations(ids))[:2]
                    scene.sandbox.merge_records(kind, loser, survivor)
                case "empty" if ids:
                    scene.sandbox.set_value(kind, data.draw(st.sampled_from(ids)), field, None)
                case "rekey" if ids:
                    key = data.draw(st.sampled_from(("u0", "u1", "g0", "other")))
                    scene.sandbox.set_value(kind, data.draw(st.sampled_from(ids)), field, key)
        _foretold_and_run(scene, data.draw(windows(there, 5000)))
