"""Aliases in every constellation: what is merged, what is re-keyed, what waits, what is refused."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from pipedrive_cli.delivery.effects import Refusal, Write
from pipedrive_cli.delivery.precedence import NO_TIME
from pipedrive_cli.model import Outcome, PipedriveCode

from .pretend import GROUP, PLAN, ROLE, USER, Pretend, alias, group, identify, lead, terms

DELIVERED, UNCHANGED, SKIPPED, REJECTED = Outcome.DELIVERED, Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.REJECTED
Merging = Literal["survivor", "union", "nothing"]


def keys(world: Pretend) -> list[str]:
    """The user ids of the persons there are."""
    return sorted(str(values.get(USER)) for values in world.records["persons"].values())


def actions(world: Pretend) -> list[str]:
    """What was written, in order."""
    return [write.action for write in world.writes]


def no_merges(write: Write) -> Refusal | None:
    """A key without the permission to merge."""
    return Refusal(PipedriveCode("refused"), "no permission to merge") if write.action == "merge" else None


@pytest.mark.parametrize("merging", ["survivor", "union", "nothing"])
@pytest.mark.parametrize("listed", [True, False])
def test_two_persons_that_exist_are_merged_and_the_current_one_survives(merging: Merging, listed: bool) -> None:
    """The survivor keeps what it had, gets what it lacked, and no email or phone is lost."""
    world = Pretend(merging=merging, listed=listed)
    loser = world.put("persons", **{USER: "a", "role": "a", "plan": "a", "emails": ["a@x"], "phones": ["1"]})
    survivor = world.put("persons", **{USER: "b", "name": "Bea", "role": "b", "emails": ["b@x"]})
    world.run(alias("e", "a", "b", 1))
    assert list(world.records["persons"]) == [survivor]
    assert loser != survivor
    values = world.alone()
    assert (values[USER], values["name"], values[ROLE], values[PLAN]) == ("b", "Bea", "b", "a")
    assert world.emails() == ["b@x", "a@x"]
    assert [item["value"] for item in values["phones"]] == ["1"]
    assert world.outcomes == {"e": DELIVERED}


def test_the_previous_one_alone_gets_the_current_id() -> None:
    """One PATCH, and from then on both ids name it."""
    world = Pretend().run(identify("e1", "a", 1, name="Ann")).run(alias("e2", "a", "b", 2))
    assert (keys(world), actions(world), world.outcomes["e2"]) == (["b"], ["create", "update"], DELIVERED)
    world.run(identify("e3", "a", 3, role="late"), identify("e4", "b", 3, plan="now"))
    assert (keys(world), world.alone()[ROLE], world.alone()[PLAN]) == (["b"], "late", "now")


def test_a_previous_one_that_only_waits_flows_into_the_current_one() -> None:
    """Nothing is merged: one creation holds both, what the current one said first."""
    world = Pretend().run(
        identify("e1", "a", 1, role="a", plan="a", emails=["a@x"]),
        identify("e2", "b", 0, role="b", emails=["b@x"]),
        alias("e3", "a", "b", 2),
    )
    assert actions(world) == ["create"]
    assert (world.alone()[USER], world.alone()[ROLE], world.alone()[PLAN]) == ("b", "b", "a")
    assert sorted(world.emails()) == ["a@x", "b@x"]
    assert set(world.outcomes.values()) == {DELIVERED}


def test_the_current_one_exists_and_the_previous_one_waits() -> None:
    """It flows into the record that is there."""
    world = Pretend().run(identify("e0", "b", 1, role="b"))
    world.run(alias("e1", "a", "b", 3), identify("e2", "a", 2, role="a", plan="a"))
    assert actions(world) == ["create", "update"]
    assert (world.alone()[ROLE], world.alone()[PLAN]) == ("b", "a")


@pytest.mark.parametrize("lookahead", [1, 100])
def test_an_unknown_previous_one_waits_for_the_rest_of_the_input(lookahead: int) -> None:
    """Whoever comes later in the same run settles it."""
    world = Pretend().run(
        alias("e1", "a", "b", 9), identify("e2", "b", 1), identify("e3", "a", 2, role="r"), lookahead=lookahead
    )
    assert (keys(world), world.alone()[ROLE]) == (["b"], "r")
    assert world.outcomes["e1"] is DELIVERED


def test_an_unknown_previous_one_is_rejected_and_its_link_kept_for_whoever_comes_late() -> None:
    """The late one lands on the current person, at the lower rank."""
    world = Pretend().run(alias("e1", "a", "b", 9), identify("e2", "b", 1, role="b"))
    assert (world.outcomes["e1"], world.complaints["e1"]) == (REJECTED, ["alias_unknown"])
    world.run(identify("e3", "a", 5, role="a", plan="a"))
    assert (keys(world), world.alone()[ROLE], world.alone()[PLAN]) == (["b"], "b", "a")
    world.run(alias("e1", "a", "b", 9))
    assert (world.outcomes["e1"], world.complaints["e1"]) == (SKIPPED, ["alias_same"])


def test_a_value_from_before_the_alias_fills_blanks_and_one_from_after_it_is_the_persons_own() -> None:
    """From the alias on the previous id is another name of the person."""
    world = Pretend().run(identify("e1", "b", 1, role="b", plan="b"), alias("e2", "a", "b", 5), identify("x", "a", 2))
    world.run(identify("e3", "a", 4, role="before"), identify("e4", "a", 6, plan="after"))
    assert (world.alone()[ROLE], world.alone()[PLAN]) == ("b", "after")


@pytest.mark.parametrize("lookahead", [1, 100])
def test_an_alias_said_twice_is_skipped_the_second_time(lookahead: int) -> None:
    """They are one already."""
    world = Pretend().run(
        identify("e1", "a", 1), alias("e2", "a", "b", 2), alias("e3", "a", "b", 3), lookahead=lookahead
    )
    world.run(alias("e4", "a", "b", 4))
    assert [world.outcomes[f"e{n}"] for n in (2, 3, 4)] == [DELIVERED, SKIPPED, SKIPPED]


@pytest.mark.parametrize("lookahead", [1, 100])
def test_an_alias_back_is_skipped(lookahead: int) -> None:
    """The two are one already; no ring is made of them."""
    world = Pretend().run(
        identify("e1", "a", 1),
        identify("e2", "b", 1),
        alias("e3", "a", "b", 2),
        alias("e4", "b", "a", 3),
        lookahead=lookahead,
    )
    world.run(alias("e5", "b", "a", 4), identify("e6", "a", 5, role="r"))
    assert keys(world) == ["b"]
    assert [world.outcomes[f"e{n}"] for n in (3, 4, 5, 6)] == [DELIVERED, SKIPPED, SKIPPED, DELIVERED]


def test_an_alias_to_oneself_is_skipped() -> None:
    """It asks for nothing."""
    world = Pretend().run(identify("e1", "a", 1), alias("e2", "a", "a", 2))
    assert (keys(world), world.outcomes["e2"]) == (["a"], SKIPPED)


def test_a_previous_id_that_is_somebody_elses_is_rejected() -> None:
    """Two strangers would be merged."""
    world = Pretend().run(*(identify(k, k, 1) for k in "abc"), alias("e1", "a", "b", 2)).run(alias("e2", "a", "c", 3))
    assert keys(world) == ["b", "c"]
    assert (world.outcomes["e2"], world.complaints["e2"]) == (REJECTED, ["alias_reused"])


@pytest.mark.parametrize("listed", [True, False])
def test_a_chain_whose_middle_nobody_knew_still_ends_in_one_person(listed: bool) -> None:
    """a is b, b is c; b was never seen: a lands in c, whichever alias came first."""
    world = Pretend(listed=listed)
    for key in "ac":
        world.put("persons", **{USER: key, "name": key, "emails": [f"{key}@x"]})
    world.run(alias("e1", "b", "c", 2)).run(alias("e2", "a", "b", 1))
    assert (keys(world), sorted(world.emails())) == (["c"], ["a@x", "c@x"])


@pytest.mark.parametrize("merging", ["survivor", "union", "nothing"])
def test_a_chain_of_merges_loses_nothing(merging: Merging) -> None:
    """Every contact of three persons, and what only the first one had, arrive at the last one."""
    world = Pretend(merging=merging)
    world.put("persons", **{USER: "a", "role": "a", "emails": ["a@x"]})
    world.put("persons", **{USER: "b", "plan": "b", "emails": ["b@x"]})
    world.put("persons", **{USER: "c", "emails": ["c@x"]})
    world.run(alias("e1", "b", "c", 5), alias("e2", "a", "b", 6))
    assert (keys(world), sorted(world.emails())) == (["c"], ["a@x", "b@x", "c@x"])
    assert (world.alone()[ROLE], world.alone()[PLAN]) == ("a", "b")


def test_a_foreign_name_of_the_previous_one_is_better_than_a_fallback() -> None:
    """Merged or re-keyed, the person is called what a person has written."""
    for first in (identify("e1", "b", 1, role="r"), alias("e2", "a", "b", 2)):
        world = Pretend()
        world.put("persons", **{USER: "a", "name": "Ann"})
        world.run(first).run(identify("e1", "b", 1, role="r"), alias("e2", "a", "b", 2))
        assert world.alone()["name"] == "Ann"


def test_a_group_link_of_the_previous_one_fills_a_blank() -> None:
    """As any other field."""
    world = Pretend().run(group("e1", "a", "g", 1), identify("e2", "b", 1)).run(alias("e3", "a", "b", 2))
    organization = world.records["organizations"][world.alone()["organization"]]
    assert organization[GROUP] == "g"


def test_a_lead_of_the_previous_one_hangs_on_the_current_person() -> None:
    """Both waited; there is one person."""
    world = Pretend().run(lead("e1", "a", 1), alias("e2", "a", "b", 2), identify("e3", "b", 3))
    (record,) = world.records["persons"]
    assert world.alone("leads")["person"] == record


# --- rekey, refusals --------------------------------------------------------------------------------------------------


def test_rekey_mode_rejects_where_both_exist_and_keeps_them_apart() -> None:
    """What was said of the previous one in the same window goes to the previous one."""
    world = Pretend(terms(alias="rekey")).run(identify("e1", "a", 1), identify("e2", "b", 1))
    world.run(alias("e3", "a", "b", 2), identify("e4", "a", 3, role="a"), identify("e5", "b", 3, role="b"))
    assert (world.outcomes["e3"], world.complaints["e3"]) == (REJECTED, ["alias_both_exist"])
    assert (world.with_key("a")[ROLE], world.with_key("b")[ROLE]) == ("a", "b")
    world.run(identify("e6", "a", 4, role="a2"))
    assert world.with_key("a")[ROLE] == "a2"


def test_a_refused_merge_keeps_the_two_apart() -> None:
    """Pipedrive said no: the alias is rejected, and every event goes to whom it names."""
    world = Pretend(refuse=no_merges).run(identify("e1", "a", 1), identify("e2", "b", 1))
    world.run(alias("e3", "a", "b", 2), identify("e4", "a", 1, role="a"), identify("e5", "b", 1, role="b"))
    assert world.outcomes == {"e1": DELIVERED, "e2": DELIVERED, "e3": REJECTED, "e4": DELIVERED, "e5": DELIVERED}
    assert (world.with_key("a")[ROLE], world.with_key("b")[ROLE]) == ("a", "b")


def test_a_refused_merge_leaves_those_behind_the_previous_one_with_it() -> None:
    """z is a; a is not b: what was said of z is a's, and a still gets its id."""
    world = Pretend(refuse=no_merges).run(identify("e1", "z", 1), identify("e2", "b", 1), identify("e3", "y", 1))
    world.run(alias("e4", "z", "a", 2), alias("e5", "a", "b", 3), identify("e6", "z", 4, role="z"))
    assert world.outcomes["e5"] is REJECTED
    assert world.outcomes["e4"] is DELIVERED
    assert world.with_key("a")[ROLE] == "z"
    assert keys(world) == ["a", "b", "y"]


def test_a_refused_merge_can_be_tried_again() -> None:
    """The rejected alias is taken up when it is read again."""
    world = Pretend(refuse=no_merges).run(identify("e1", "a", 1), identify("e2", "b", 1)).run(alias("e3", "a", "b", 2))
    world.refuse = lambda _: None
    world.run(alias("e3", "a", "b", 2))
    assert (keys(world), world.outcomes["e3"]) == (["b"], DELIVERED)


# --- Pipedrive's ids --------------------------------------------------------------------------------------------------


def test_aliases_by_pipedrives_ids_merge_too() -> None:
    """pipedrivePreviousId and pipedriveCurrentId name persons without any user id."""
    world = Pretend()
    world.put("persons", 1, name="One", plan="p")
    world.put("persons", 2, name="Two")
    world.run(alias("e", 1, 2, 5))
    assert list(world.records["persons"]) == [2]
    assert world.alone()[PLAN] == "p"


def test_an_alias_of_a_user_id_to_an_id_of_pipedrive_merges() -> None:
    """One of the two named by Pipedrive's id."""
    world = Pretend()
    world.put("persons", 2, name="Two")
    world.run(identify("e1", "a", 1, role="r")).run(alias("e2", "a", 2, 5))
    assert list(world.records["persons"]) == [2]
    assert world.alone()[ROLE] == "r"


def test_an_event_without_time_is_before_every_alias() -> None:
    """It never overrides one that has a time."""
    world = Pretend().run(identify("e1", "b", None, role="b"), alias("e2", "a", "b", -9), identify("e3", "a", None))
    world.run(identify("e4", "a", None, role="a"))
    assert (world.alone()[ROLE], NO_TIME < -9) == ("b", True)


def test_what_flows_nowhere_ends_all_the_same() -> None:
    """The previous one's only event is rejected: so is its alias, and the link is kept."""
    world = Pretend().run(alias("e1", "a", "b", 2), identify("e2", "a", 1, pipedrive_id=77))
    assert (world.outcomes["e1"], world.outcomes["e2"]) == (REJECTED, REJECTED)


def test_context_of_an_alias_makes_nobody() -> None:
    """It describes the current person, whom it never brings into being."""
    said: dict[str, Any] = {"role": "r"}
    world = Pretend().run(alias("e1", "a", "b", 2, said=said))
    assert (world.records["persons"], world.outcomes["e1"]) == ({}, REJECTED)
    world.run(identify("e2", "a", 1)).run(alias("e3", "z", "b", 2, said=said))
    assert (keys(world), world.alone()[ROLE], world.outcomes["e3"]) == (["b"], "r", REJECTED)


def test_the_newer_parts_of_a_name_survive_a_merge() -> None:
    """What was said of the previous id after the alias is the person's own, and newer than what the survivor had."""
    world = Pretend().run(identify("e1", "old", 5, first_name="Late"), identify("e2", "new", 1, first_name="Early"))
    world.run(alias("e3", "old", "new", 3))
    world.run(identify("e4", "new", 9, last_name="Lee"))
    assert world.alone()["name"] == "Late Lee"


def test_the_values_of_a_current_person_who_is_gone_fill_blanks_alone() -> None:
    """What the previous one has stays; the one who was deleted adds what it lacked."""
    world = Pretend().run(identify("e1", "old", 1, role="old"), identify("e2", "new", 2, role="new", plan="new"))
    world.records["persons"] = {r: v for r, v in world.records["persons"].items() if v[USER] == "old"}
    world.run(alias("e3", "old", "new", 9))
    assert (world.alone()[USER], world.alone()[ROLE], world.alone()[PLAN]) == ("new", "old", "new")


def test_two_persons_without_names_are_called_by_the_present_id() -> None:
    """What the previous one was called for want of a name goes with it."""
    world = Pretend().run(identify("e1", "old", 1, role="r"), identify("e2", "new", 2))
    assert world.run(alias("e3", "old", "new", 9)).alone()["name"] == "new"


@pytest.mark.parametrize("backwards", [False, True])
def test_of_two_previous_persons_of_others_the_later_aliass_fills_a_blank(backwards: bool) -> None:
    """Nobody knows when their values were written."""
    world = Pretend()
    for key, role in (("one", "first"), ("two", "second"), ("new", "")):
        world.put("persons", **{USER: key, "role": role})
    aliases = [alias("e1", "one", "new", 5), alias("e2", "two", "new", 9)]
    assert world.run(*(aliases[::-1] if backwards else aliases), lookahead=1).alone()[ROLE] == "second"


def test_an_alias_that_nobody_could_settle_is_settled_by_the_next_one() -> None:
    """a is b; then z, who is there, is a."""
    world = Pretend().run(identify("e1", "z", 1, role="r"), identify("e2", "b", 1, plan="p"))
    world.run(alias("e3", "a", "b", 5), alias("e4", "z", "a", 6), lookahead=1)
    assert (world.alone()[USER], world.alone()[ROLE], world.alone()[PLAN]) == ("b", "r", "p")


@pytest.mark.parametrize("address", ["role", "name", "first_name"])
@pytest.mark.parametrize("merged", [True, False])
def test_a_value_of_the_present_id_outranks_newer_ones_from_before_the_alias(merged: bool, address: str) -> None:
    """Whether the two are merged, or the previous one gets the present id and the value comes late."""
    said: list[dict[str, Any]] = [{address: "old"}, {address: "new"}]
    old, new = identify("e1", "old", 5, **said[0]), identify("e2", "new", 1, **said[1])
    joined = alias("e3", "old", "new", 9)
    world = Pretend()
    for event in (old, new, joined) if merged else (old, joined, new):
        world.run(event)
    assert world.alone()[ROLE if address == "role" else "name"] == "new"


def test_a_value_is_lowered_by_aliases_that_were_settled_long_ago() -> None:
    """a is b, who became c in an earlier run: what b had ranks above what a had."""
    world = Pretend().run(identify("e1", "b", 1, plan="of b"), identify("e2", "c", 1))
    world.run(alias("e3", "b", "c", 5))
    world.run(identify("e4", "a", 3, plan="of a"))
    assert world.run(alias("e5", "a", "b", 4)).alone()[PLAN] == "of b"


def test_an_alias_is_about_persons_alone() -> None:
    """Organizations may have a user's present and former id for their own."""
    world = Pretend().run(identify("e1", "a", 1), identify("e2", "b", 1)).run(alias("e3", "a", "b", 2))
    world.run(group("e4", None, "a", 3, name="A"), group("e5", None, "b", 3, name="B"))
    assert {(v[GROUP], v["name"]) for v in world.records["organizations"].values()} == {("a", "A"), ("b", "B")}


def test_who_bears_the_id_of_a_person_that_went_is_merged_in_its_place() -> None:
    """Somebody had deleted the previous one, and typed it in again with its id."""
    world = Pretend().run(identify("e1", "a", 1), identify("e2", "b", 1))
    world.records["persons"] = {r: v for r, v in world.records["persons"].items() if v[USER] == "b"}
    world.put("persons", **{USER: "a", "role": "typed"})
    assert world.run(alias("e3", "a", "b", 2)).alone()[ROLE] == "typed"
