"""Lists that do not move on, and answers of odd shapes: a failed look-up after a few requests, and no twin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.bodies import id_of, rows_of, values_of
from pipedrive_cli.pipedrive.pages import MOST_IDLE, Pages
from tests.examples import examples
from tests.harness import Event, Scene, group, identify, outcomes, track, viewed

LONG = "u" * 120  # cannot be searched for, so that all is listed
LISTS = {
    "/api/v2/persons": [identify(LONG, 1, name="Ada")],
    "/api/v2/organizations": [group(None, "g" * 120, 1, name="Acme")],
    "/api/v2/products": [viewed("u1", "p" * 120, 1, name="Chair")],
    "/api/v1/leads": [identify("u1", 1, name="Ada"), track("u1", "Signed Up", 2)],
    "/api/v1/leads/archived": [identify("u1", 1, name="Ada"), track("u1", "Signed Up", 2)],
    "/api/v2/personFields": [identify("u1", 1, name="Ada")],
    "/api/v2/dealFields": [identify("u1", 1, name="Ada"), track("u1", "Signed Up", 2)],
}


def filled(scene: Scene, number: int = 3) -> None:
    """Records of every kind that others have made."""
    for n in range(number):
        scene.sandbox.add_record("persons", {"name": f"P{n}"})
        scene.sandbox.add_record("organizations", {"name": f"O{n}"})
        scene.sandbox.add_record("products", {"name": f"C{n}", "code": f"c{n}"})
        scene.sandbox.add_record("leads", {"title": f"L{n}", "person_id": 1})


@pytest.mark.parametrize("path", LISTS)
def test_a_list_that_names_the_same_next_page_is_a_failed_look_up(tmp_path: Path, path: str) -> None:
    """After a few requests, and nothing is made on the strength of it."""
    scene = Scene(tmp_path)
    filled(scene)
    scene.faults(f"stuck@GET {path}")
    summary = scene.run(LISTS[path])
    assert summary.exit_code in {1, 4}
    assert Counter(scene.sent)[f"GET {path}"] <= 12
    kind = "leads" if "leads" in path else path.rpartition("/")[2]
    assert f"POST /api/v{2 - ('leads' in path)}/{kind}" not in scene.writes


@pytest.mark.parametrize("path", LISTS)
def test_null_where_rows_are_meant_is_empty(tmp_path: Path, path: str) -> None:
    """`data: null` of an empty account."""
    if path.endswith("Fields"):
        return  # without fields the config does not fit
    scene = Scene(tmp_path)
    scene.faults(f"no-data@GET {path}")
    assert scene.run(LISTS[path]).exit_code == 0


@pytest.mark.parametrize("path", [*LISTS, "/api/v1/currencies", "/api/v1/leadLabels"])
def test_odd_rows_are_passed_over(tmp_path: Path, path: str) -> None:
    """Numbers, nulls and objects without an id stand among the rows of a list."""
    scene = Scene(tmp_path)
    filled(scene)
    scene.faults(f"odd-rows@GET {path}")
    events: list[Event] = LISTS.get(
        path, [*LISTS["/api/v1/leads"], viewed("u1", "p1", name="C", price=1, currency="EUR")]
    )
    assert scene.run(events).exit_code == 0
    assert scene.run(events).exit_code == 0


def test_odd_entries_among_contacts_and_prices_are_none(tmp_path: Path) -> None:
    """They neither break a run nor go back to Pipedrive."""
    scene = Scene(tmp_path)
    events = [identify("u1", 1, name="Ann", email="a@b.test"), viewed("u1", "p1", 2, name="C", price=1, currency="EUR")]
    scene.run(events)
    scene.faults("odd-contacts@* *")
    more = [identify("u1", 3, email="c@d.test"), viewed("u1", "p1", 4, price=2, currency="USD")]
    assert outcomes(scene.run([*events, *more])) == {"duplicate": 2, "delivered": 2}
    (person,) = scene.contents()["persons"]
    assert [row["value"] for row in person["emails"]] == ["a@b.test", "c@d.test"]


@pytest.mark.parametrize("number", [500, 700])
def test_a_full_page_that_says_nothing_of_a_next_one_makes_no_twin(tmp_path: Path, number: int) -> None:
    """It is asked for once more; what may stand behind it is not made again, and costs no more than some requests."""
    scene = Scene(tmp_path)
    for n in range(number):
        custom = {scene.key("persons", "User id"): f"{n:03d}{LONG}"}
        scene.sandbox.add_record("persons", {"name": f"N{n}", "custom_fields": custom})
    last = [identify(f"{n:03d}{LONG}", n, name=f"N{n}") for n in range(number - 9, number)]
    scene.faults("unpaged@GET /api/v2/persons")
    assert outcomes(scene.run(last)) == {"failed": 9}
    assert len(scene.sent) <= 8
    scene.faults("unpaged@GET /api/v2/persons#1")
    assert outcomes(scene.run(last)) == {"unchanged": 9}


def test_leads_that_slip_to_the_front_while_they_are_listed_are_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody deletes leads between two pages: those that moved from the second page to the first are known."""
    scene = Scene(tmp_path)
    person = scene.sandbox.add_record(
        "persons", {"name": "Ann", "custom_fields": {scene.key("persons", "User id"): "u1"}}
    )
    for n in range(700):
        scene.sandbox.add_record("leads", {"title": f"L{n}", "person_id": person, "origin_id": f"m{n}"})
    events = [track("u1", f"L{n}", 1 + n, message_id=f"m{n}") for n in range(490, 560)]
    real, pages = scene.sandbox._dispatch, 0
    rows = list(scene.sandbox.account.stores["leads"].living())[:40]

    def dispatch(request, *rest):  # type: ignore[no-untyped-def] # passed through
        nonlocal pages
        response = real(request, *rest)
        if request.path == "/api/v1/leads" and request.method == "GET":
            pages += 1
            if pages == 1:
                for row in rows:
                    scene.sandbox.delete_record("leads", row.id)
        return response

    monkeypatch.setattr(scene.sandbox, "_dispatch", dispatch)
    assert outcomes(scene.run(events)) == {"unchanged": 70}
    assert len(scene.names("leads")) == 660


def test_pages_stand_still_when_nothing_is_new() -> None:
    """A place twice, or new places without anything new."""
    pages = Pages()
    assert [pages.stuck(place, [place]) for place in ("a", "b", "c", "b")] == [False, False, False, True]
    pages = Pages()
    told = [pages.stuck(place, [1, 2]) for place in range(MOST_IDLE + 2)]
    assert told == [*[False] * (MOST_IDLE + 1), True]
    assert Pages().stuck(None, []) is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
KEYS = ("id", "emails", "phones", "prices", "custom_fields", "org_id", "update_time", "visible_to", "code", "a" * 40)
RECORDS = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)


@settings(max_examples=examples(60))
@given(st.sampled_from(["persons", "organizations", "products", "leads"]), RECORDS)
def test_values_are_read_of_whatever_a_record_shows(kind: str, record: dict[str, object]) -> None:
    """No shape breaks the reading; contacts are contacts, prices have text or numbers."""
    values = values_of(kind, record)  # type: ignore[arg-type] # a kind's name
    if kind == "persons":
        for name in ("emails", "phones"):
            assert all(isinstance(row["value"], str) for row in values.get(name, ()))
    for address, row in values.items():
        if address.startswith("prices."):
            assert all(isinstance(value, str | int | float) for value in row.values())
    assert id_of(kind, record) is None or rows_of(kind, [record]) == [record]  # type: ignore[arg-type]


@settings(max_examples=examples(60))
@given(JSON)
def test_an_answer_can_be_asked_anything(body: object) -> None:
    """Whatever JSON it holds."""
    answer = Answer(
        200, {"date": str(body)}, body if isinstance(body, dict) else {"data": body, "additional_data": body}
    )
    assert answer.next_cursor is None or answer.next_cursor
    assert answer.next_start is None or answer.next_start >= 0
    assert answer.rows is None or all(isinstance(row, dict) for row in answer.rows)
    assert isinstance(answer.error, str)
    assert answer.code is None or len(answer.code) <= 80
    assert answer.date is None or answer.date.year >= 2000
