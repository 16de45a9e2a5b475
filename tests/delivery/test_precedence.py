"""Which value wins: the standing of what is in a field now."""

from __future__ import annotations

from pipedrive_cli.delivery.precedence import FILL, FOREIGN, FieldState, PrecedenceRules, RecordState, precedence


def test_a_value_that_replaced_ours_stands_no_lower_than_ours_did() -> None:
    """Somebody knew our value and changed it: what could not have replaced ours does not replace theirs."""
    state = RecordState(fields={"role": FieldState(0, 20, "ours")})
    assert precedence("persons", state, {"role": "theirs"}, "role", PrecedenceRules()) == (0, 20, 0)


def test_a_value_that_replaced_ours_stands_higher_where_that_is_protected() -> None:
    """With `existing: fill` no event replaces it, not even one that is newer than ours was."""
    state = RecordState(fields={"role": FieldState(0, 20, "ours")})
    rules = PrecedenceRules(existing="fill")
    assert precedence("persons", state, {"role": "theirs"}, "role", rules) == (FILL, FOREIGN, 0)
