"""The conversation about one record: refusals, deleted records, persons who may not be created, links."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipedrive_cli.delivery.effects import Refusal, Write
from pipedrive_cli.model import Outcome, PipedriveCode

from .pretend import GROUP, PLAN, ROLE, USER, Pretend, alias, group, identify, lead, terms

DELIVERED, UNCHANGED, SKIPPED, REJECTED = Outcome.DELIVERED, Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.REJECTED


def refusing(address: str, value: object, *, named: bool) -> Callable[[Write], Refusal | None]:
    """A Pipedrive that refuses one value, and says which field it was or not."""

    def refuse(write: Write) -> Refusal | None:
        if write.fields.get(address) != value:
            return None
        return Refusal(PipedriveCode("refused_400"), "Validation failed", (address,) if named else ())

    return refuse


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
def test_a_refused_value_is_left_out_and_its_event_rejected_with_that_field(exists: bool) -> None:
    """The rest is written, also what other fields of the same event say."""
    world = Pretend(refuse=refusing(ROLE, "bad", named=True))
    if exists:
        world.run(identify("e0", "a", 0))
    world.run(identify("e1", "a", 1, role="bad", plan="p"), identify("e2", "a", 2, name="Ann"))
    assert (world.alone().get(ROLE), world.alone()[PLAN], world.alone()["name"]) == (None, "p", "Ann")
    assert (world.outcomes["e1"], world.outcomes["e2"]) == (REJECTED, DELIVERED)
    assert world.complaints["e1"] == ["refused_value"]


def test_a_mended_event_sends_what_is_missing() -> None:
    """The same identity, taken up again because it was rejected."""
    world = Pretend(refuse=refusing(ROLE, "bad", named=True)).run(identify("e1", "a", 1, role="bad", plan="p"))
    world.run(identify("e1", "a", 1, role="good", plan="p"))
    assert (world.alone()[ROLE], world.outcomes["e1"]) == ("good", DELIVERED)
    assert dict(world.writes[-1].fields) == {ROLE: "good"}


def test_a_refused_fold_is_taken_apart_and_only_the_guilty_event_rejected() -> None:
    """Oldest first, each with its own outcome."""
    world = Pretend(refuse=refusing(ROLE, "bad", named=False)).run(identify("e0", "a", 0))
    world.run(identify("e3", "a", 3, name="Ann"), identify("e2", "a", 2, role="bad"), identify("e1", "a", 1, plan="p"))
    assert world.outcomes == {"e0": DELIVERED, "e1": DELIVERED, "e2": REJECTED, "e3": DELIVERED}
    assert (world.alone()[PLAN], world.alone()["name"]) == ("p", "Ann")
    assert ROLE not in world.alone()


def test_an_update_whose_answer_shows_no_record_takes_nothing_from_it() -> None:
    """What the record had stays, also when each event is written on its own after a refusal."""
    world = Pretend(silent=True, refuse=refusing(ROLE, "bad", named=False))
    world.put("persons", **{USER: "a", "name": "Old", "emails": ["old@x.test"]})
    world.run(
        identify("e1", "a", 1, plan="p", emails=["n1@x.test"]),
        identify("e2", "a", 2, emails=["n2@x.test"]),
        identify("e3", "a", 3, role="bad"),
    )
    assert world.outcomes == {"e1": DELIVERED, "e2": DELIVERED, "e3": REJECTED}
    assert (world.alone()["name"], world.alone()[PLAN]) == ("Old", "p")
    assert {"old@x.test", "n1@x.test", "n2@x.test"} == set(world.emails())


def test_a_refused_creation_is_taken_apart_too() -> None:
    """The next event creates the record."""
    world = Pretend(refuse=refusing(ROLE, "bad", named=False))
    world.run(identify("e1", "a", 1, role="bad"), identify("e2", "a", 2, plan="p"))
    assert world.outcomes == {"e1": REJECTED, "e2": DELIVERED}
    assert len(world.records["persons"]) == 1


def test_a_refused_event_of_its_own_is_rejected() -> None:
    """There is nothing to take apart."""
    world = Pretend(refuse=refusing(ROLE, "bad", named=False)).run(identify("e1", "a", 1, role="bad"))
    assert (world.records["persons"], world.complaints["e1"]) == ({}, ["refused_400"])


def test_a_refusal_while_a_key_is_changed_ends_the_alias_too() -> None:
    """Nothing is left open."""
    world = Pretend().run(identify("e1", "a", 1))
    world.refuse = lambda _: Refusal(PipedriveCode("refused_400"), "no")
    world.run(alias("e2", "a", "b", 2))
    assert world.outcomes["e2"] is REJECTED
    world.refuse = lambda _: None
    world.run(alias("e2", "a", "b", 2))
    assert world.outcomes["e2"] is DELIVERED
    assert list(world.names.values()) == list(world.records["persons"]) * 2


@pytest.mark.parametrize("merges", [True, False])
@pytest.mark.parametrize("bad", ["e2", "e4"])
def test_a_refused_event_does_not_take_an_alias_along(merges: bool, bad: str) -> None:
    """The fold is taken apart; the two ids are one person all the same."""
    address = PLAN if bad == "e2" else ROLE
    world = Pretend(refuse=refusing(address, bad, named=False)).run(identify("e0", "a", 0))
    if merges:
        world.run(identify("e1", "b", 1))
    world.run(identify("e2", "b", 2, plan="e2"), alias("e3", "a", "b", 3), identify("e4", "b", 4, role="e4"))
    assert {e: world.outcomes[e] for e in ("e2", "e3", "e4")} == {
        "e2": DELIVERED,
        "e3": DELIVERED,
        "e4": DELIVERED,
    } | {bad: REJECTED}
    world.run(identify("e5", "a", 5, plan="q"))
    assert (world.alone()[USER], world.alone()[PLAN]) == ("b", "q")


def test_an_alias_whose_every_event_is_refused_is_rejected() -> None:
    """There is nobody to join."""
    world = Pretend(refuse=lambda _: Refusal(PipedriveCode("no"), "no"))
    world.run(identify("e1", "a", 1), identify("e2", "b", 2), alias("e3", "a", "b", 3))
    assert set(world.outcomes.values()) == {REJECTED}


# --- Deleted records --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_a_deleted_record_is_made_again_with_what_we_had_written(listed: bool) -> None:
    """A late event is not its only content."""
    world = Pretend(listed=listed).run(identify("e1", "a", 1, name="Ann", role="r", emails=["a@x"], phones=["+1 2"]))
    world.records["persons"].clear()
    world.run(identify("e2", "a", 2, plan="p"))
    values = world.alone()
    assert (values["name"], values[ROLE], values[PLAN], world.emails()) == ("Ann", "r", "p", ["a@x"])
    assert len(values["phones"]) == 1


def test_a_deleted_record_whose_key_another_one_bears_is_that_one_now() -> None:
    """Somebody has made it anew."""
    world = Pretend().run(identify("e1", "a", 1, role="r"))
    (old,) = world.records["persons"]
    world.records["persons"][999] = world.records["persons"].pop(old)
    world.run(identify("e2", "a", 2, plan="p"))
    assert list(world.records["persons"]) == [999]
    assert world.alone()[PLAN] == "p"


def test_a_deleted_record_is_skipped_where_the_config_says_so() -> None:
    """deleted: skip."""
    world = Pretend(terms(deleted="skip")).run(identify("e1", "a", 1))
    world.records["persons"].clear()
    world.run(identify("e2", "a", 2, role="r"))
    assert (world.records["persons"], world.outcomes["e2"]) == ({}, SKIPPED)


def test_an_alias_whose_record_was_deleted_ends() -> None:
    """Whatever comes of it, no event stays open."""
    for choice in (terms(deleted="skip"), terms(deleted="recreate")):
        world = Pretend(choice).run(identify("e1", "a", 1))
        world.records["persons"].clear()
        world.run(alias("e2", "a", "b", 2), identify("e3", "b", 3, role="r"))
        assert world.outcomes["e2"] in {DELIVERED, SKIPPED}


# --- Persons who may not be created -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lookahead", [1, 100])
@pytest.mark.parametrize("known", [True, False])
def test_without_create_missing_persons_an_event_waits_for_somebody_to_appear(lookahead: int, known: bool) -> None:
    """At the end of the input it is rejected; its organization is written all the same."""
    late = [identify("e2", "a", 2)] if known else []
    world = Pretend().run(group("e1", "a", "g", 1, may_create=False), *late, lookahead=lookahead)
    assert world.alone("organizations")[GROUP] == "g"
    assert len(world.records["persons"]) == len(late)
    assert world.outcomes["e1"] is (DELIVERED if known else REJECTED)
    assert world.complaints["e1"] == ([] if known else ["person_not_found"])


# --- Links ------------------------------------------------------------------------------------------------------------


def test_a_rejected_organization_holds_back_only_the_link() -> None:
    """The person gets everything else."""
    world = Pretend(refuse=lambda write: Refusal(PipedriveCode("no"), "no") if write.kind == "organizations" else None)
    world.run(identify("e1", "a", 1, name="Ann", plan="p"), group("e2", "a", "g", 2, said={"role": "r"}))
    assert world.records["organizations"] == {}
    assert (world.alone()[ROLE], world.outcomes["e2"]) == ("r", REJECTED)
    assert "depends_on" in world.complaints["e2"]


def test_the_newest_group_is_the_persons_organization() -> None:
    """A late event of an older group changes nothing."""
    world = Pretend().run(group("e2", "a", "new", 2)).run(group("e1", "a", "old", 1))
    assert world.records["organizations"][world.alone()["organization"]][GROUP] == "new"


def test_repeating_a_history_writes_nothing() -> None:
    """Events of another identity with the same content: no request at all is left."""
    world = Pretend(listed=False)
    for n in range(3):
        world.run(
            identify(f"i{n}", "a", n, name="Ann", role="r", emails=["a@x"]),
            group(f"g{n}", "a", "g", n, name="Acme"),
        )
    assert [write.action for write in world.writes] == ["create", "create"]
    assert world.looks == 0
    assert {world.outcomes[f"{what}{n}"] for what in "ig" for n in (1, 2)} == {UNCHANGED}


def test_leads_depend_on_their_person() -> None:
    """A person that was refused takes its leads along; without the refused value it does not."""
    world = Pretend(refuse=refusing(ROLE, "bad", named=False))
    world.run(identify("e1", "a", 1, role="bad"), lead("e2", "a", 2, may_create=False))
    assert world.records["leads"] == {}
    assert world.outcomes["e2"] is REJECTED
    world = Pretend(refuse=refusing(ROLE, "bad", named=True))
    world.run(identify("e1", "a", 1, role="bad"), lead("e2", "a", 2, may_create=False))
    assert len(world.records["leads"]) == 1


def test_a_record_is_never_made_without_its_key() -> None:
    """Pipedrive refuses the user id: the event is rejected, and no stranger is left behind."""
    world = Pretend(refuse=refusing(USER, "a", named=True)).run(identify("e1", "a", 1, role="r"))
    assert (world.records["persons"], world.outcomes["e1"]) == ({}, REJECTED)


def test_a_record_that_was_skipped_as_deleted_comes_back_whole() -> None:
    """Whatever the event that brings it back says, and however much later."""
    world = Pretend().run(identify("e1", "a", 1, role="r"))
    world.records["persons"].clear()
    world.terms = terms(deleted="skip")
    world.run(identify("e2", "a", 2, role="s"))
    world.terms = terms()
    world.run(identify("e3", "a", 3, plan="p"))
    assert (world.alone()[ROLE], world.alone()[PLAN]) == ("r", "p")
