"""Looking once more: a creation that was judged not done, and was sent again, may have been late after all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.delivery.live_desk import LiveDesk
from pipedrive_cli.report.summary import Summary
from tests.harness import Event, Scene, group, identify, outcomes, viewed

KINDS: dict[str, tuple[Event, dict[str, Any], str]] = {
    "persons": (identify("k1", 1, name="Ann"), {"name": "Ann"}, "User id"),
    "organizations": (group(None, "k1", 1, name="Acme"), {"name": "Acme"}, "Group id"),
    "products": (viewed("u1", "k1", 1, name="Chair"), {"name": "Chair", "code": "k1"}, ""),
}


def run_with_late_twin(scene: Scene, kind: str, *, twin: bool) -> Summary:
    """The first creation is lost on the way; with `twin` it is done after all, just before the run's end."""
    event, body, field = KINDS[kind]
    real = LiveDesk.look_once_more

    async def late(desk: LiveDesk) -> None:
        if twin:
            custom = {"custom_fields": {scene.key(kind, field): "k1"}} if field else {}
            scene.sandbox.add_record(kind, {**body, **custom})
        await real(desk)

    scene.faults(f"reset-before@POST /api/v2/{kind}#1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveDesk, "look_once_more", late)
        return scene.run([event])


@pytest.mark.parametrize("kind", KINDS)
def test_a_late_twin_is_warned_about(tmp_path: Path, kind: str) -> None:
    """The warning names both records, and the event is delivered all the same."""
    scene = Scene(tmp_path)
    summary = run_with_late_twin(scene, kind, twin=True)
    assert (outcomes(summary), summary.exit_code) == ({"delivered": 1}, 0)
    (problem,) = summary.problems
    assert problem.code == "twin_records"
    first, second = (row["id"] for row in scene.sandbox.contents(ids=True)[kind])
    told = problem.examples[0].message or problem.message
    assert f"{min(first, second)}, {max(first, second)}" in told


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_was_late_nothing_is_said(tmp_path: Path, kind: str) -> None:
    """One record, and no warning."""
    scene = Scene(tmp_path)
    summary = run_with_late_twin(scene, kind, twin=False)
    assert (outcomes(summary), summary.problems) == ({"delivered": 1}, ())
    assert len(scene.contents()[kind]) == 1


def test_a_run_without_doubts_does_not_look_again(tmp_path: Path) -> None:
    """It would cost a request for nothing."""
    scene = Scene(tmp_path)
    scene.run([identify("k1", 1, name="Ann")])
    assert scene.sent[-1] == "POST /api/v2/persons"
