"""Writes whose answer never came, with clocks that disagree and times that pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.sandbox import Sandbox
from pipedrive_cli.sandbox.clock import LoopClock
from tests.harness import Event, Killed, Scene, alias, identify, killed_at, ordered, outcomes, track

CREATIONS: dict[str, Event] = {
    "persons": identify("u1", name="Ann"),
    "leads": track("u1", "Signed Up"),
    "products": ordered("u1", [{"name": "Chair", "price": 1}], currency="EUR"),
}


def with_clock(folder: Path, hours: float) -> Scene:
    """An account whose clock is ahead of ours by so many hours."""
    scene = Scene(folder)
    scene.sandbox = Sandbox(scene.sandbox_options, LoopClock(datetime.now(UTC) + timedelta(hours=hours)))
    for kind, name in scene.keys:
        scene.sandbox.add_field(kind, name=name)
    return scene


@pytest.mark.parametrize("hours", [-26, -1, 1, 26])
@pytest.mark.parametrize("kind", sorted(CREATIONS))
def test_a_lost_answer_is_found_whatever_our_clock_says(tmp_path: Path, kind: str, hours: float) -> None:
    """What changed since is asked for by Pipedrive's own clock, in the same run and after the process died."""
    path = "/api/v1/leads" if kind == "leads" else f"/api/v2/{kind}"
    for name, plan in (("same run", f"silence-after@POST {path}#1"), ("next run", "")):
        folder = tmp_path / name
        folder.mkdir()
        scene = with_clock(folder, hours)
        scene.faults(plan)
        if plan:
            scene.run([CREATIONS[kind]])
        else:
            _die_after_the_post(scene, kind, path)
        scene.faults("")
        scene.run([CREATIONS[kind]])
        assert len(scene.contents()[kind]) == 1


def test_a_lead_that_was_archived_meanwhile_is_found_when_the_doubt_is_old(tmp_path: Path) -> None:
    """The process died after the POST, and the lead was archived before the next run, days later."""
    scene = Scene(tmp_path)
    scene.run([track("u1", "Earlier")])
    _die_after_the_post(scene, "leads", "/api/v1/leads")
    (lead,) = [row for row in scene.sandbox.contents(ids=True)["leads"] if row["title"] == "Signed Up"]
    scene.sandbox.set_value("leads", lead["id"], "is_archived", True)
    journal = Journal.open(scene.state)
    with journal.transaction():
        journal._db.execute("UPDATE writes SET sent_at = sent_at - 200000 WHERE state = 'sent'")
    journal.close()
    scene.run([CREATIONS["leads"]])
    assert scene.names("leads") == ["Earlier", "Signed Up"]


def test_a_merge_without_an_answer_is_neither_lost_nor_sent_again(tmp_path: Path) -> None:
    """The loser is asked for: it is gone, so the merge was done, and the survivor gets what it lacked."""
    scene = Scene(tmp_path)
    scene.run([identify("old", 1, name="Old", city="Rome", email="old@b.test"), identify("new", 2, name="New")])
    scene.faults("silence-after@PUT *")
    summary = scene.run([alias("old", "new", 3)])
    (person,) = scene.contents()["persons"]
    assert person["custom_fields"] == {"User id": "new", "City": "Rome"}
    assert [email["value"] for email in person["emails"]] == ["old@b.test"]
    assert outcomes(summary) == {"delivered": 1}
    assert len([call for call in scene.writes if call.startswith("PUT")]) == 1


def test_what_was_never_done_is_sent_again_after_the_look(tmp_path: Path) -> None:
    """The answer is lost before the work: nobody is found, so the person is made once."""
    scene = Scene(tmp_path)
    scene.faults("silence-before@POST *#1")
    assert outcomes(scene.run([CREATIONS["persons"]])) == {"delivered": 1}
    assert (scene.names("persons"), len(scene.writes)) == (["Ann"], 2)


def test_what_cannot_be_found_out_is_not_guessed(tmp_path: Path) -> None:
    """No look succeeds: the event fails, the write stays open, and the next run settles it before all else."""
    scene = Scene(tmp_path)
    scene.run([identify("u0", name="Other")])
    scene.faults("silence-after@POST *#1,500@GET /api/v2/persons*#2-99")
    assert outcomes(scene.run([CREATIONS["persons"]])) == {"failed": 1}
    journal = Journal.open(scene.state)
    assert [(write.kind, write.key, write.state) for write in journal.open_writes()] == [("persons", "u1", "doubt")]
    journal.close()
    scene.faults("")
    summary = scene.run([CREATIONS["persons"]])
    assert (scene.names("persons"), scene.writes) == (["Ann", "Other"], [])
    assert summary.exit_code == 0


def _die_after_the_post(scene: Scene, kind: str, path: str) -> None:
    """Kills runs at one step after the other until one has sent the POST and recorded nothing of its answer."""
    for commit in range(1, 40):
        try:
            with killed_at(commit, kept=False):
                scene.run([CREATIONS[kind]])
        except Killed:
            if f"POST {path}" in scene.writes:
                return
    raise AssertionError(f"no run died after POST {path}")
