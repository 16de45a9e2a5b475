"""One lead per track event: known by the message id, hanging on its person, never folded."""

from __future__ import annotations

import pytest

from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.model import Outcome, PipedriveCode

from .pretend import RATING, ROLE, Pretend, identify, lead

DELIVERED, REJECTED = Outcome.DELIVERED, Outcome.REJECTED


@pytest.mark.parametrize("lookahead", [1, 100])
def test_every_track_event_is_a_lead_of_its_person(lookahead: int) -> None:
    """Two of one person, with the message id as origin_id; the person is made with what is said of it."""
    world = Pretend().run(
        lead("m1", "a", 1, said={"role": "r"}, rating=3), lead("m2", "a", 2, rating=4), lookahead=lookahead
    )
    (person,) = world.records["persons"]
    assert {(v["origin_id"], v["person"], v[RATING]) for v in world.records["leads"].values()} == {
        ("m1", person, 3),
        ("m2", person, 4),
    }
    assert world.alone()[ROLE] == "r"
    assert world.outcomes == {"m1": DELIVERED, "m2": DELIVERED}


def test_a_lead_without_its_refused_value_gets_the_mended_one() -> None:
    """Known by its message id it is updated, not made twice."""
    world = Pretend(
        refuse=lambda write: (
            Refusal(PipedriveCode("bad"), "bad", (RATING,)) if write.fields.get(RATING) == "bad" else None
        )
    )
    world.run(lead("m1", "a", 1, rating="bad"))
    assert (len(world.records["leads"]), world.outcomes["m1"]) == (1, REJECTED)
    world.run(lead("m1", "a", 1, rating=5))
    assert (world.alone("leads")[RATING], world.outcomes["m1"]) == (5, DELIVERED)
    assert world.writes[-1].action == "update"


@pytest.mark.parametrize("lookahead", [1, 100])
def test_a_lead_of_nobody_waits_and_is_then_rejected(lookahead: int) -> None:
    """create_missing_persons: false."""
    world = Pretend().run(
        lead("m1", "a", 1, may_create=False),
        lead("m2", "b", 1, may_create=False),
        identify("e", "a", 2),
        lookahead=lookahead,
    )
    assert world.outcomes == {"m1": DELIVERED, "m2": REJECTED, "e": DELIVERED}
    assert world.complaints["m2"] == ["person_not_found", "depends_on"]


def test_a_lead_that_is_there_already_asks_for_nothing() -> None:
    """Its outcome was lost; the event comes again."""
    world = Pretend().run(lead("m1", "a", 1, rating=3))
    world.outcomes.clear()
    world.run(lead("m1", "a", 1, rating=3))
    assert (len(world.records["leads"]), world.outcomes["m1"]) == (1, Outcome.UNCHANGED)
