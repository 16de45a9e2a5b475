"""A firewall that dislikes what one record says: that record is set aside and named, and the others arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipedrive_cli.report.summary import Summary
from tests.harness import Event, Scene, group, identify, outcomes, track, viewed, with_delivery

ATTACK = "1 UNION SELECT"
BAD: dict[str, tuple[Event, Event]] = {
    # kind: the disliked event, and an earlier one of the same record
    "persons": (identify("bad", 100, name="Bea", role=ATTACK), identify("bad", 1, name="Bea")),
    "organizations": (group(None, "bad", 100, name="Acme", industry=ATTACK), group(None, "bad", 1, name="Acme")),
    "products": (viewed("u1", "bad", 100, name="Chair", brand=ATTACK), viewed("u1", "bad", 1, name="Chair")),
    "leads": (track("u1", ATTACK, 100), track("u1", "Harmless", 1)),
}


def crowd(number: int, text: str = "") -> list[Event]:
    return [identify(f"u{n}", n + 1, name=f"Person {n}{text}") for n in range(number)]


def told(summary: Summary) -> list[tuple[str, str | None]]:
    """The failed events: code and message id."""
    return [(p.code, e.message_id) for p in summary.problems for e in p.examples if p.outcome == "failed"]


@pytest.mark.parametrize("concurrency", [1, "auto"])
@pytest.mark.parametrize("there", [False, True], ids=["created", "updated"])
@pytest.mark.parametrize("kind", BAD)
def test_one_disliked_record_is_named_and_the_others_arrive(
    tmp_path: Path, kind: str, there: bool, concurrency: int | str
) -> None:
    """Whatever the kind, and whether it is made or changed: no other event is held up."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=concurrency))
    bad, earlier = BAD[kind]
    people = crowd(12)
    scene.run([*people[:2], *([earlier] if there else [])])
    scene.refusals(f"content:{ATTACK}")
    summary = scene.run([*people, bad])
    assert (summary.exit_code, summary.reason) == (1, None)
    assert outcomes(summary) == {"duplicate": 2, "delivered": 10, "failed": 1}
    assert told(summary) == [("firewall_content", bad["messageId"])]
    assert len(scene.names("persons")) == 12 + (kind == "persons" and there)
    scene.refusals("")
    assert outcomes(scene.run([*people, bad])) == {"duplicate": 12, "delivered": 1}


def test_a_disliked_fold_is_not_taken_apart(tmp_path: Path) -> None:
    """Each event alone would knock at the firewall again."""
    scene = Scene(tmp_path)
    scene.run([identify("bad", 1, name="Bea")])
    scene.refusals(f"content:{ATTACK}")
    summary = scene.run([identify("bad", n, role=ATTACK if n == 6 else f"r{n}", city=f"c{n}") for n in range(2, 7)])
    assert (len(scene.writes), outcomes(summary)) == (1, {"failed": 5})


def test_five_disliked_records_in_a_row_stop_the_run(tmp_path: Path) -> None:
    """Then it is this tool that the firewall dislikes: exit code 4, and no more knocking."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    scene.refusals("content:Person")
    summary = scene.run(crowd(40))
    assert (summary.exit_code, summary.reason) == (4, "firewall_content")
    assert outcomes(summary) == {"failed": 5, "pending": 35}
    assert len(scene.writes) == 5


def test_others_between_them_keep_the_run_going(tmp_path: Path) -> None:
    """Every other record is disliked: twenty are named, twenty arrive."""
    scene = Scene(tmp_path, config=with_delivery(concurrency=1))
    scene.refusals("content:odd")
    summary = scene.run([identify(f"u{n}", n, name=f"P{n} {('odd', 'even')[n % 2]}") for n in range(40)])
    assert outcomes(summary) == {"failed": 20, "delivered": 20}


def test_a_page_after_the_work_was_done_makes_no_twin(tmp_path: Path) -> None:
    """The look finds the record: it was made, and the page was wrong."""
    scene = Scene(tmp_path)
    scene.faults("html403-after@POST /api/v2/persons#1")
    assert outcomes(scene.run([identify("u1", 1, name="Ann")])) == {"delivered": 1}
    assert scene.names("persons") == ["Ann"]


@pytest.mark.parametrize("others", [0, 3000])
def test_a_search_for_what_the_firewall_dislikes_is_not_the_client_shut_out(tmp_path: Path, others: int) -> None:
    """The user id itself looks like an attack: that one is named, among few persons and among too many to list."""
    scene = Scene(tmp_path)
    for number in range(others):
        scene.sandbox.add_record("persons", {"name": f"Other {number}"})
    scene.refusals(f"content:{ATTACK}")
    bad = identify(ATTACK, 50, name="Bea")
    summary = scene.run([*crowd(4), bad])
    assert outcomes(summary) == {"delivered": 4, "failed": 1}
    assert told(summary) == [("firewall_content", bad["messageId"])]
