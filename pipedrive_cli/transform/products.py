"""Product Viewed and Order Completed: products, one record per code, with a price per currency."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipedrive_cli.config.known_traits import CODES, ORDER_PROPERTIES
from pipedrive_cli.events.lenient import as_list
from pipedrive_cli.model import NOTHING, OWN, Change, Complaint, Event, Outcome, RecordName, Transformed
from pipedrive_cli.pipedrive.values import Unfit, plain, says_nothing
from pipedrive_cli.text_forms import is_usual_key, names_nobody, visible
from pipedrive_cli.transform.mapping import FieldMap, Notes
from pipedrive_cli.transform.money import money
from pipedrive_cli.transform.rules import MappingRules

LONGEST = 255
PLACEHOLDER = "an id that names nothing counts as missing"
NO_PRODUCTS = Complaint(
    "products_missing", "the order has no list of products", "properties.products", outcome=Outcome.REJECTED
)


def product_viewed(event: Event, rules: MappingRules) -> Transformed:
    """One product, with its quantity as the unit (the unit of the oldest event wins)."""
    notes = rules.notes()
    item = event.properties
    change = _product(event, item, "properties.", rules.viewed, ("price",), item.get("currency"), rules, notes)
    return Transformed((change,) if change else (), None, tuple(notes.complaints), tuple(notes.dropped))


def order_completed(event: Event, rules: MappingRules) -> Transformed:
    """The order's products, with the order's currency. A bad product gets a complaint, the others are kept."""
    order = event.properties
    items = as_list(order.get("products"))
    if not items:
        return Transformed(complaints=(NO_PRODUCTS,))
    notes = rules.notes()
    code = order.get("currency")
    changes = []
    for index, item in enumerate(items):
        where = f"properties.products[{index}]."
        if not isinstance(item, dict):
            notes.reject("bad_product", "a product is no object", where.rstrip("."), item)
            continue
        own = item.get("currency")
        beside = code if own is None or notes.says_nothing(own, where, "currency") else own
        change = _product(event, item, where, rules.ordered, ("price", "amount", "value"), beside, rules, notes)
        if change is not None:
            changes.append(change)
    for name, value in order.items():
        # An order's `tax` is an amount of money, and Pipedrive's product tax a percentage: it is among these.
        if name not in ORDER_PROPERTIES and value is not None:
            notes.drop_trait("products", _path_of(name))
    return Transformed(tuple(changes), None, tuple(notes.complaints), tuple(dict.fromkeys(notes.dropped)))


@lru_cache(maxsize=1_024)  # orders share the names of their properties
def _path_of(name: str) -> str:
    return f"$.properties.{name}"


def _product(
    event: Event,
    item: Mapping[str, Any],
    where: str,
    mapped: FieldMap,
    price_names: tuple[str, ...],
    currency: Any,
    rules: MappingRules,
    notes: Notes,
) -> Change | None:
    item = mapped.wanted(item)
    named = _key_and_name(item, where, mapped, notes)
    if named is None:
        return None
    key, name = named
    fields: dict[str, Any] = {}
    mapped.read(item, where, fields, notes, event, currency)
    if name is not None and "name" not in fields:
        fields["name"] = name
    if price := money(mapped, item, price_names, where, "price", currency, rules, notes):
        amount, code = price
        fields[f"prices.{code}"] = {"price": amount, "currency": code}
    return Change(
        RecordName("products", key, None, name if key is None else None),
        event.time,
        OWN,
        fields,
        oldest=_unit(item, where, mapped, notes) if mapped is rules.viewed else NOTHING,
        fallback_name=None if "name" in fields else key,
    )


def _unit(item: Mapping[str, Any], where: str, mapped: FieldMap, notes: Notes) -> Mapping[str, Any]:
    """The quantity as the unit, unless the config maps a trait to the unit."""
    quantity = item.get("quantity")
    if quantity is None or "unit" in mapped.types or notes.says_nothing(quantity, where, "quantity"):
        return NOTHING
    unit = plain(quantity)
    if unit is None or len(unit) > LONGEST:
        notes.reject_value(
            where + "quantity", quantity, "unit", Unfit("takes a number or text of at most 255 characters")
        )
        return NOTHING
    return {"unit": unit}


def _key_and_name(
    item: Mapping[str, Any], where: str, mapped: FieldMap, notes: Notes
) -> tuple[str | None, str | None] | None:
    """The product's code and name. None, with a complaint, where it has neither or its code is bad."""
    key = None
    for trait in CODES:
        value = item.get(trait)
        if value is None:
            continue
        if key is None and type(value) is str and is_usual_key(value):
            key = value
            continue
        if says_nothing(value):
            continue
        if key is not None:
            mapped.drop_unless_mapped(trait, notes)
            continue
        key = None if isinstance(value, bool) else plain(value)
        # No other code replaces a bad one: that would create a second record of the same product.
        if key is None or len(key := visible(key)) > LONGEST:
            notes.reject("bad_product_id", "a product's id is text of at most 255 characters", where + trait, value)
            return None
        if names_nobody(key):
            notes.count_problem("placeholder_id", PLACEHOLDER, where + trait, value)
            key = None
    name = None
    value = item.get("name")
    if value is not None and not notes.says_nothing(value, where, "name"):
        name = plain(value)
        if name is None or len(name := name.strip()) > LONGEST:
            notes.reject_value(where + "name", value, "name", Unfit("takes text of at most 255 characters"))
            name = None
    if key is None and name is not None:
        name = visible(name)  # it is what the product is known by
    if key is None and (name is None or names_nobody(name)):
        notes.reject("product_unnamed", "a product has neither an id nor a name", where.rstrip("."))
        return None
    return key, name
