"""Reads an amount and its currency, for a product's price or a lead's value."""

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
    """The first amount among `names` that is not blank (0 counts), with the currency; None without amount or currency.

    `where` is the path of `values`, with a dot at its end; `target` is Pipedrive's name of the amount.
    """
    for name in names:
        given = values.get(name)
        if given is None or says_nothing(given):
            continue
        try:
            amount = number(given)
        except Unfit as reason:
            notes.reject_value(where + name, given, target, reason)
            return None
        if says_nothing(currency):
            notes.count_problem("amount_without_currency", "an amount without a currency is not sent", where + name)
            return None
        try:
            return amount, rules.currency(currency)
        except Unfit as reason:
            notes.reject_value("properties.currency", currency, "currency", reason)
            return None
    return None
