"""Product Viewed and Order Completed: products, one record per code, with a price per currency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.events.lenient import as_list
from pipedrive_cli.model import NOTHING, Change, Complaint, Event, Outcome, Rank, RecordName, Transformed
from pipedrive_cli.pipedrive.values import Unfit, number, plain, says_nothing
from pipedrive_cli.transform.mapping import FieldMap, Notes
from pipedrive_cli.transform.money import money
from pipedrive_cli.transform.rules import CODES, MappingRules

LONGEST = 255
NO_PRODUCTS = Complaint(
    "products_missing", "the order has no list of products", "properties.products", outcome=Outcome.REJECTED
)


def product_viewed(event: Event, rules: MappingRules) -> Transformed:
    """One product, with its quantity as the unit (the unit of the oldest event wins)."""
    notes = Notes()
    item = event.properties
    change = _product(event, item, "properties.", rules.viewed, ("price",), item.get("currency"), rules, notes, NOTHING)
    return Transformed((change,) if change else (), None, tuple(notes.complaints), tuple(notes.dropped))


def order_completed(event: Event, rules: MappingRules) -> Transformed:
    """The order's products, with the order's currency and tax. A bad product gets a complaint, the others are kept."""
    order = event.properties
    items = as_list(order.get("products"))
    if not items:
        return Transformed(complaints=(NO_PRODUCTS,))
    notes = Notes()
    shared: dict[str, Any] = {}
    tax = order.get("tax")
    if tax is not None and not says_nothing(tax):
        try:
            shared["tax"] = number(tax)
        except Unfit as reason:
            notes.reject_value("properties.tax", tax, "tax", reason)
    code = order.get("currency")
    changes = []
    for index, item in enumerate(items):
        where = f"properties.products[{index}]"
        if not isinstance(item, dict):
            notes.reject("bad_product", "a product is no object", where, item)
            continue
        change = _product(
            event, item, f"{where}.", rules.ordered, ("price", "amount", "value"), code, rules, notes, shared
        )
        if change is not None:
            changes.append(change)
    return Transformed(tuple(changes), None, tuple(notes.complaints), tuple(dict.fromkeys(notes.dropped)))


def _product(
    event: Event,
    item: Mapping[str, Any],
    where: str,
    mapped: FieldMap,
    price_names: tuple[str, ...],
    currency: Any,
    rules: MappingRules,
    notes: Notes,
    shared: Mapping[str, Any],
) -> Change | None:
    named = _key_and_name(item, where, notes)
    if named is None:
        return None
    key, name = named
    fields: dict[str, Any] = {}
    mapped.read(item, where, fields, notes, currency)
    if name is not None:
        fields.setdefault("name", name)
    for address, value in shared.items():
        fields.setdefault(address, value)
    if price := money(item, price_names, where, "price", currency, rules, notes):
        amount, code = price
        fields[f"prices.{code}"] = {"price": amount, "currency": code}
    return Change(
        RecordName("products", key, None, name if key is None else None),
        event.time,
        Rank.OWN,
        fields,
        oldest=_unit(item, where, mapped, notes) if mapped is rules.viewed else NOTHING,
        fallback_name=None if "name" in fields else key,
    )


def _unit(item: Mapping[str, Any], where: str, mapped: FieldMap, notes: Notes) -> Mapping[str, Any]:
    """The quantity as the unit, unless the config maps a trait to the unit."""
    quantity = item.get("quantity")
    if quantity is None or "unit" in mapped.types or says_nothing(quantity):
        return NOTHING
    unit = plain(quantity)
    if unit is None or len(unit) > LONGEST:
        notes.reject_value(
            where + "quantity", quantity, "unit", Unfit("takes a number or text of at most 255 characters")
        )
        return NOTHING
    return {"unit": unit}


def _key_and_name(item: Mapping[str, Any], where: str, notes: Notes) -> tuple[str | None, str | None] | None:
    """The product's code and name. None, with a complaint, where it has neither or its code is bad."""
    key = None
    for trait in CODES:
        value = item.get(trait)
        if value is None or says_nothing(value):
            continue
        key = None if isinstance(value, bool) else plain(value)
        # No other code replaces a bad one: that would create a second record of the same product.
        if key is None or len(key := key.strip()) > LONGEST:
            notes.reject("bad_product_id", "a product's id is text of at most 255 characters", where + trait, value)
            return None
        break
    name = None
    value = item.get("name")
    if value is not None and not says_nothing(value):
        name = plain(value)
        if name is None or len(name := name.strip()) > LONGEST:
            notes.reject_value(where + "name", value, "name", Unfit("takes text of at most 255 characters"))
            name = None
    if key is None and name is None:
        notes.reject("product_unnamed", "a product has neither an id nor a name", where.rstrip("."))
        return None
    return key, name
