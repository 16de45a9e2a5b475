"""Reads an amount and its currency, for a product's price or a lead's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipedrive_cli.pipedrive.values import NUMBERS, Unfit, WrongCurrency
from pipedrive_cli.transform.mapping import FieldMap, Notes
from pipedrive_cli.transform.rules import MappingRules


def money(
    mapped: FieldMap,
    values: Mapping[str, Any],
    names: Sequence[str],
    where: str,
    target: str,
    currency: Any,
    rules: MappingRules,
    notes: Notes,
) -> tuple[int | float, str] | None:
    """The first amount among `names` that says something (0 does), with its currency; None where it has none.

    `where` is the path of `values`, with a dot at its end; `target` is Pipedrive's name of the amount. An amount
    without a currency rejects the event. Amounts after the first are counted as dropped.
    """
    found: tuple[int | float, str] | None = None
    taken = False
    for name in names:
        given = values.get(name)
        if given is None:
            continue
        if taken:
            mapped.drop_unless_mapped(name, notes)
            continue
        if type(given) not in NUMBERS and notes.says_nothing(given, where, name):
            continue
        taken = True
        try:
            found = rules.money(given, currency)
        except WrongCurrency as reason:
            notes.reject_value("properties.currency", currency, "currency", reason)
        except Unfit as reason:
            notes.reject_value(where + name, given, target, reason)
    return found
