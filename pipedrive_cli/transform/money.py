"""An amount and its currency, as a product's price and a lead's value take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipedrive_cli.pipedrive.values import Unfit, number, says_nothing
from pipedrive_cli.transform.mapping import Notes
from pipedrive_cli.transform.rules import MappingRules


def money(
    values: Mapping[str, Any],
    names: Sequence[str],
    where: str,
    target: str,
    currency: Any,
    rules: MappingRules,
    notes: Notes,
) -> tuple[int | float, str] | None:
    """The first of `names` that says something in `values`, 0 too, with the currency; nothing without one.

    `where` is the path of `values` with its dot, `target` what Pipedrive calls the amount.
    """
    for name in names:
        given = values.get(name)
        if given is None or says_nothing(given):
            continue
        try:
            amount = number(given)
        except Unfit as reason:
            notes.unfit(where + name, given, target, reason)
            return None
        if says_nothing(currency):
            notes.count("amount_without_currency", "an amount without a currency is not sent", where + name)
            return None
        try:
            return amount, rules.currency(currency)
        except Unfit as reason:
            notes.unfit("properties.currency", currency, "currency", reason)
            return None
    return None
