"""Which value wins: the standing of what is in a field now."""

from __future__ import annotations

import pytest

from pipedrive_cli.delivery.precedence import (
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
