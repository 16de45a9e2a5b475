"""Which value wins: the standing of what is in a field now."""

from __future__ import annotations

import msgspec
import pytest

from pipedrive_cli.delivery.precedence import (
    CONTEXT,
    DEEPEST,
    FALLBACK,
    FILL,
    FOREIGN,
    LOWEST,
    NO_TIME,
    FieldState,
    Precedence,
    PrecedenceRules,
    RecordState,
    foreign_time,
    merged_state,
    precedence,
    under_former_id,
)


def test_a_value_that_replaced_ours_stands_no_lower_than_ours_did() -> None:
    """Somebody knew our value and changed it: what could not have replaced ours does not replace theirs."""
    state = RecordState(fields={"role": FieldState(0, 20, "ours")})
    assert precedence("persons", state, {"role": "theirs"}, "role", PrecedenceRules()) == (0, 20, 0)


def test_a_value_that_replaced_ours_stands_higher_where_that_is_protected() -> None:
    """With `existing: fill` no event replaces it, not even one that is newer than ours was."""
    state = RecordState(fields={"role": FieldState(0, 20, "ours")})
    rules = PrecedenceRules(existing="fill")
    assert precedence("persons", state, {"role": "theirs"}, "role", rules) == (FILL, FOREIGN, 0)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [("due", (-1, 20, 0)), ("of the merged one", LOWEST), ("by hand", (0, FOREIGN, 0))],
)
def test_after_a_merge_what_is_due_counts_for_more_than_what_was_carried_over(shown: str, expected: Precedence) -> None:
    """The survivor may show the better value, the one that the merged record showed, or what a person has written."""
    state = RecordState(carried_over={"role": FieldState(-1, 20, "due", "of the merged one")})
    assert precedence("persons", state, {"role": shown}, "role", PrecedenceRules()) == expected
    state.fields["role"] = FieldState(0, 10, "ours")
    assert precedence("persons", state, {"role": "due"}, "role", PrecedenceRules()) == (0, 10, 0)


def test_of_values_that_nobody_has_dated_that_of_the_later_alias_counts() -> None:
    """Two former records had them from people; both yield to the survivor's own."""
    times = [foreign_time(RecordState(former_since=since), PrecedenceRules()) for since in (-20, 10, None)]
    assert times == sorted(set(times))


def test_a_merge_of_persons_without_contacts_owes_none() -> None:
    """Or the survivor would be read before each later write."""
    assert (
        merged_state(RecordState(), RecordState(), {"emails": []}, {"emails": []}, PrecedenceRules()) == RecordState()
    )


def test_what_nobody_has_said_of_a_merged_person_is_not_owed() -> None:
    """Neither a name that was made of its id, nor what Pipedrive itself had filled in."""
    fallback, filled_in = (FALLBACK, NO_TIME), LOWEST[:2]
    survivor, former = (
        RecordState({"name": FieldState(*fallback, key), "visible_to": FieldState(*filled_in, seen)})
        for key, seen in (("new", 1), ("old", 3))
    )
    shown, gone = {"name": "new", "visible_to": 1}, {"name": "old", "visible_to": 3}
    assert merged_state(survivor, former, shown, gone, PrecedenceRules()).carried_over == {}


@pytest.mark.parametrize("part", ["fields", "inputs", "carried_over"])
@pytest.mark.parametrize(
    ("rank", "time", "expected"),
    [(0, 9, -1), (0, 10, 0), (-1, 10, -2), (CONTEXT, 5, CONTEXT - 1), (-DEEPEST, 5, -DEEPEST)],
    ids=["before the alias", "after it", "lowered once", "said in passing", "lowered as often as can be"],
)
def test_what_was_set_before_an_alias_ranks_one_lower(part: str, rank: int, time: int, expected: int) -> None:
    """And what an alias has lowered stays below all values of the present id, however early the next alias was."""
    state = msgspec.structs.replace(RecordState(), **{part: {"role": FieldState(rank, time, "r")}})
    assert getattr(under_former_id(state, 9, PrecedenceRules()), part)["role"].rank == expected


def test_what_others_wrote_is_lowered_by_each_alias() -> None:
    """Also where the record was changed after the second one."""
    rules = PrecedenceRules(existing="newest")
    ranks = [under_former_id(RecordState(first_update=20, foreign_rank=r), 9, rules).foreign_rank for r in (0, -1)]
    assert ranks == [0, -2]


def test_what_is_owed_to_a_merged_person_is_owed_to_the_next_one() -> None:
    """A better value had not been written yet when the next merge came."""
    former = RecordState(carried_over={"role": FieldState(-1, 20, "due")}, foreign_rank=-2)
    owed = merged_state(RecordState(), former, {}, {"role": "by hand"}, PrecedenceRules()).carried_over
    assert owed["role"].sent == "due"
