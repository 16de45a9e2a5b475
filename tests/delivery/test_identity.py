"""Which record a job is about: Pipedrive's ids, conflicts of identity, adoption by email."""

from __future__ import annotations

import msgspec
import pytest

from pipedrive_cli.delivery.effects import Refusal, Write
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.model import Outcome

from .pretend import GROUP, PLAN, ROLE, USER, Pretend, group, identify, terms

DELIVERED, REJECTED = Outcome.DELIVERED, Outcome.REJECTED


@pytest.mark.parametrize("lookahead", [1, 100])
def test_a_pipedrive_id_wins_and_joins_both_names(lookahead: int) -> None:
    """The record gets the user id, and later events by user id alone land there."""
    world = Pretend()
    world.put("persons", 7, name="Ann")
    world.run(
        identify("e1", "a", 1, pipedrive_id=7, role="r"),
        identify("e2", None, 2, pipedrive_id=7, plan="p"),
        identify("e3", "a", 3, phones=["1"]),
        lookahead=lookahead,
    )
    assert list(world.records["persons"]) == [7]
    values = world.alone()
    assert (values[USER], values[ROLE], values[PLAN], len(values["phones"])) == ("a", "r", "p", 1)
    assert set(world.outcomes.values()) == {DELIVERED}


def test_an_unknown_pipedrive_id_is_rejected_and_creates_nothing() -> None:
    """Other events of the same user are not."""
    world = Pretend().run(identify("e1", "a", 1, pipedrive_id=7, role="r"))
    assert (world.records["persons"], world.complaints["e1"]) == ({}, ["unknown_pipedrive_id"])
    world.run(identify("e2", "a", 1, pipedrive_id=7, role="r"), identify("e3", "a", 2, plan="p"))
    assert (world.outcomes["e2"], world.outcomes["e3"]) == (REJECTED, DELIVERED)
    assert ROLE not in world.alone()


def test_a_record_that_bears_another_key_is_a_conflict() -> None:
    """Neither record is touched by the guilty event."""
    world = Pretend()
    world.put("persons", 7, **{USER: "b"})
    world.run(identify("e1", "a", 1, pipedrive_id=7, role="r"), identify("e2", "a", 2, plan="p"))
    assert (world.outcomes["e1"], world.complaints["e1"]) == (REJECTED, ["identity_conflict"])
    assert ROLE not in world.with_key("b")
    assert world.with_key("a")[PLAN] == "p"


def test_a_key_that_belongs_to_another_record_is_a_conflict() -> None:
    """The id names one record, the user id another."""
    world = Pretend()
    world.put("persons", 7, name="Ann")
    world.put("persons", 8, **{USER: "a"})
    world.run(identify("e1", "a", 1, pipedrive_id=7, role="r"))
    assert world.complaints["e1"] == ["identity_conflict"]
    assert all(ROLE not in values for values in world.records["persons"].values())


@pytest.mark.parametrize("lookahead", [1, 100])
@pytest.mark.parametrize("backwards", [False, True])
def test_two_users_who_claim_one_record_stay_two(lookahead: int, backwards: bool) -> None:
    """The record's own key decides, whatever stands first in the input; no stranger's values reach it."""
    world = Pretend()
    world.put("persons", 7, **{USER: "b"})
    events = [
        identify("e1", "a", 1, role="a"),
        identify("e2", "b", 2, pipedrive_id=7, role="b"),
        identify("e3", "a", 3, pipedrive_id=7, plan="a"),
    ]
    world.run(*(events[::-1] if backwards else events), lookahead=lookahead)
    assert world.outcomes == {"e1": DELIVERED, "e2": DELIVERED, "e3": REJECTED}
    assert (world.with_key("b")[ROLE], world.with_key("a")[ROLE]) == ("b", "a")
    assert PLAN not in world.with_key("b")


def test_two_users_who_claim_a_record_without_a_key_stay_two() -> None:
    """The first claim stands, the other event is rejected."""
    world = Pretend()
    world.put("persons", 7, name="Ann")
    world.run(
        identify("e1", "a", 1, pipedrive_id=7, role="a"),
        identify("e2", "b", 2, pipedrive_id=7, role="b"),
        identify("e3", "b", 3, plan="b"),
    )
    assert world.outcomes == {"e1": DELIVERED, "e2": REJECTED, "e3": DELIVERED}
    assert (world.records["persons"][7][USER], world.with_key("b")[PLAN]) == ("a", "b")


def test_one_user_cannot_be_two_records() -> None:
    """The second id is a conflict."""
    world = Pretend()
    world.put("persons", 7, name="Ann")
    world.put("persons", 8, name="Bea")
    world.run(identify("e1", "a", 1, pipedrive_id=7), identify("e2", "a", 2, pipedrive_id=8, role="r"))
    assert world.outcomes == {"e1": DELIVERED, "e2": REJECTED}
    assert ROLE not in world.records["persons"][8]


def test_of_two_records_with_one_key_the_oldest_is_taken() -> None:
    """The lowest id."""
    world = Pretend()
    world.put("persons", 7, **{USER: "a"})
    world.put("persons", 8, **{USER: "a"})
    world.run(identify("e1", "a", 1, role="r"))
    assert ROLE in world.records["persons"][7]
    assert ROLE not in world.records["persons"][8]


# --- match_email ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_the_one_person_without_a_user_id_who_has_the_email_is_adopted(listed: bool) -> None:
    """Instead of a twin: it gets the user id, and keeps what a fallback would replace."""
    world = Pretend(listed=listed)
    world.put("persons", 7, name="Ann", emails=["A@x"])
    world.run(identify("e1", "a", 1, emails=["a@X"], role="r"))
    assert list(world.records["persons"]) == [7]
    values = world.alone()
    assert (values[USER], values["name"], values[ROLE], world.emails()) == ("a", "Ann", "r", ["A@x"])
    world.run(identify("e2", "a", 2, plan="p"))
    assert list(world.records["persons"]) == [7]


@pytest.mark.parametrize(
    ("others", "on"),
    [([{USER: "z"}], True), ([{}, {}], True), ([{}], False)],
    ids=["has a user id", "two without", "switched off"],
)
def test_nobody_else_is_adopted(others: list[dict[str, str]], on: bool) -> None:
    """Somebody with a user id of their own, one of several, or anybody at all when it is switched off."""
    world = Pretend(terms(match_email=on))
    for values in others:
        world.put("persons", None, emails=["a@x"], **values)
    world.run(identify("e1", "a", 1, emails=["a@x"]))
    assert len(world.records["persons"]) == len(others) + 1


def test_others_who_are_somebody_do_not_stand_in_the_way_of_an_adoption() -> None:
    """Of several persons with the email the only one that is nobody's is adopted."""
    world = Pretend()
    world.put("persons", 7, emails=["a@x"])
    world.put("persons", 8, emails=["a@x"], **{USER: "z"})
    world.run(identify("e1", "a", 1, emails=["a@x"]))
    assert (world.records["persons"][7][USER], len(world.records["persons"])) == ("a", 2)


def test_two_emails_of_two_people_adopt_neither() -> None:
    """One match by each email is no one match."""
    world = Pretend()
    world.put("persons", 7, emails=["a@x"])
    world.put("persons", 8, emails=["b@x"])
    world.run(identify("e1", "a", 1, emails=["a@x", "b@x"]))
    assert len(world.records["persons"]) == 3


def test_twins_are_told_of_once_however_often_the_write_is_refused() -> None:
    """Each refusal costs the value that it names, and no second search."""

    def refuse(write: Write) -> Refusal | None:
        return next((Refusal("refused_value", "no", (a,)) for a in (ROLE, PLAN) if a in write.fields), None)

    world = Pretend(refuse=refuse)
    world.put("persons", 5, **{USER: "u1"})
    world.put("persons", 6, emails=["t@x.org"])
    world.run(identify("e1", "u1", 10, emails=["t@x.org"], role="x", plan="y"))
    assert world.complaints["e1"].count("twin_by_email") == 1
    assert world.emails(world.records["persons"][5]) == ["t@x.org"]


def test_a_user_id_that_somebody_emptied_is_none() -> None:
    """Pipedrive shows an emptied text as ""."""
    world = Pretend()
    world.put("persons", 7, **{USER: ""})
    world.run(identify("e1", None, 1, pipedrive_id=7, role="r"))
    (state,) = world.states.values()
    assert msgspec.msgpack.decode(state, type=RecordState).key is None


def test_of_two_users_the_one_with_the_oldest_event_adopts() -> None:
    """By whichever of the person's addresses it comes, and whatever newer events say."""
    world = Pretend()
    record = world.put("persons", emails=["x@x", "y@x"])
    world.run(
        identify("e1", "later", 5, emails=["x@x"]),
        identify("e2", "first", 1, emails=["x@x"]),
        identify("e3", "first", 9, emails=["y@x"]),
    )
    assert world.records["persons"][record][USER] == "first"


def test_an_organization_is_for_whoever_had_its_name_first() -> None:
    """An older event of another name says nothing."""
    world = Pretend(terms=terms(match_organizations=True))
    record = world.put("organizations", name="acme")
    world.run(
        group("e1", None, "renamed", 1, name="Other"),
        group("e2", None, "renamed", 9, name="acme"),
        group("e3", None, "first", 5, name="acme"),
    )
    assert world.records["organizations"][record][GROUP] == "first"


def test_a_record_that_is_named_by_its_id_alone_is_known_by_its_key_from_then_on() -> None:
    """The event says no user id; the record does."""
    world = Pretend()
    record = world.put("persons", **{USER: "a"})
    world.run(identify("e1", None, 1, pipedrive_id=record, role="r"))
    assert world.names == {("persons", "a"): record}
