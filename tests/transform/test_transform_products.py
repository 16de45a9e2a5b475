"""What Product Viewed and Order Completed become."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.config.model import Fields
from pipedrive_cli.model import Change, RecordName, Transformed

from .transform_scenes import NOON, at, codes, event, refused, run


def viewed(properties: dict[str, Any], **sections: Any) -> Transformed:
    """A Product Viewed with these properties."""
    return run(event("track", name="Product Viewed", properties=properties), **sections)


def ordered(properties: dict[str, Any], **sections: Any) -> Transformed:
    """An Order Completed with these properties."""
    return run(event("track", name="order completed", properties=properties), **sections)


def test_a_product_viewed_is_a_product() -> None:
    """Its code is the key, its quantity the unit that the oldest event settles, its price one of a currency."""
    properties = {"product_id": "p1", "name": "Bike", "price": "200", "currency": "usd", "quantity": 2, "brand": "B"}
    result = viewed(properties)
    assert result.changes == (
        Change(
            RecordName("products", "p1"),
            NOON,
            fields={at(31): "B", "name": "Bike", "prices.USD": {"price": 200, "currency": "USD"}},
            oldest={"unit": "2"},
        ),
    )


def test_a_product_needs_no_user() -> None:
    """An anonymous visitor's product is a product."""
    made = event("track", name="PRODUCT VIEWED", user_id=None, anonymous_id="a", properties={"sku": "S"})
    assert [c.record for c in run(made).changes] == [RecordName("products", "S")]


@pytest.mark.parametrize(
    ("properties", "key"),
    [
        ({"product_id": " p1 ", "productId": "p2", "sku": "s"}, "p1"),
        ({"product_id": "", "productId": "p2", "sku": "s"}, "p2"),
        ({"product_id": None, "sku": 7}, "7"),
        ({"product_id": 7.0}, "7"),
    ],
)
def test_the_code_is_the_first_id_as_text(properties: dict[str, Any], key: str) -> None:
    """product_id, productId, sku; without a name, the code stands in for one."""
    (change,) = viewed(properties).changes
    assert (change.record.key, change.fallback_name, change.fields) == (key, key, {})


def test_a_product_without_a_code_is_known_by_its_name() -> None:
    """The name is its record name and its name."""
    (change,) = viewed({"name": " Bike\u200b "}).changes
    assert change.record == RecordName("products", None, name="Bike")
    assert (change.fields, change.fallback_name) == ({"name": "Bike"}, None)


@pytest.mark.parametrize(
    ("properties", "code", "field"),
    [
        ({"price": 5}, "product_unnamed", "properties"),
        ({"product_id": {"x": 1}, "sku": "s"}, "bad_product_id", "properties.product_id"),
        ({"product_id": True}, "bad_product_id", "properties.product_id"),
        ({"product_id": "x" * 256}, "bad_product_id", "properties.product_id"),
    ],
)
def test_a_product_that_cannot_be_told_from_others_is_rejected(
    properties: dict[str, Any], code: str, field: str
) -> None:
    """Another id in place of a bad one would make a twin."""
    result = viewed(properties)
    assert (result.changes, codes(result), refused(result)) == ((), [code], [field])


@pytest.mark.parametrize(
    ("properties", "code", "field"),
    [
        ({"price": 5}, "amount_without_currency", "properties.price"),
        ({"price": "cheap", "currency": "USD"}, "bad_value", "properties.price"),
        ({"price": 5, "currency": "JPY"}, "bad_value", "properties.currency"),
        ({"quantity": [1]}, "bad_value", "properties.quantity"),
    ],
)
def test_a_price_needs_a_number_and_a_currency(properties: dict[str, Any], code: str, field: str) -> None:
    """The product is kept without it."""
    result = viewed({"sku": "s", "name": "N"} | properties)
    assert (codes(result), refused(result)) == ([code], [field])
    assert result.changes == (Change(RecordName("products", "s"), NOON, fields={"name": "N"}),)


def test_an_order_gives_its_currency_to_its_products() -> None:
    """They have no unit and no tax; the price is price, amount or value; a product ordered twice is two changes. What
    is not used is counted, an order's own properties by the path that names them."""
    items = [
        {"product_id": "p1", "name": "A", "price": 1, "quantity": 4},
        {"product_id": "p2", "amount": 2},
        {"product_id": "p1", "value": 0},
    ]
    result = ordered({"order_id": "o", "total": 9, "tax": "7.5", "currency": "EUR", "products": items})
    assert [(c.record.key, c.fields, c.oldest) for c in result.changes] == [
        ("p1", {"name": "A", "prices.EUR": {"price": 1, "currency": "EUR"}}, {}),
        ("p2", {"prices.EUR": {"price": 2, "currency": "EUR"}}, {}),
        ("p1", {"prices.EUR": {"price": 0, "currency": "EUR"}}, {}),
    ]
    assert result.complaints == ()
    own = [("products", f"$.properties.{name}") for name in ("order_id", "total", "tax")]
    assert result.dropped == (("products", "quantity"), *own)


@pytest.mark.parametrize("products", [None, [], {}, "p1", 5])
def test_an_order_without_a_list_of_products_is_rejected(products: Any) -> None:
    """Missing, empty or something else."""
    result = ordered({"products": products})
    assert (result.changes, codes(result), refused(result)) == ((), ["products_missing"], ["properties.products"])


def test_a_bad_product_of_an_order_is_named_and_the_good_ones_are_kept() -> None:
    """The complaint says which; a currency the account lacks is told once, not once a product."""
    items = [{"sku": "a", "price": 1}, 5, {"price": 2}, {"sku": {"x": 1}}, {"sku": "b", "price": 3}]
    result = ordered({"currency": "JPY", "products": items})
    assert [c.record.key for c in result.changes] == ["a", "b"]
    assert list(zip(codes(result), refused(result), strict=True)) == [
        ("bad_value", "properties.currency"),
        ("bad_product", "properties.products[1]"),
        ("product_unnamed", "properties.products[2]"),
        ("bad_product_id", "properties.products[3].sku"),
    ]


def test_unmapped_properties_of_products_are_named_once_an_event() -> None:
    """What an order says beside its products, too."""
    items = [{"sku": "a", "colour": "red"}, {"sku": "b", "colour": "blue", "brand": "B"}]
    assert ordered({"coupon": "x", "products": items}).dropped == (
        ("products", "colour"),
        ("products", "$.properties.coupon"),
    )


def test_a_mapped_unit_or_tax_replaces_the_fixed_one() -> None:
    """The config's word goes before the destination's habits."""
    mapped = Fields(products={"pack": "unit", "vat": "tax"})
    (change,) = viewed({"sku": "s", "pack": "box", "quantity": 3}, fields=mapped).changes
    assert (change.fields, change.oldest) == ({"unit": "box"}, {})
    (change,) = ordered({"tax": 5, "products": [{"sku": "s", "vat": 19}]}, fields=mapped).changes
    assert change.fields == {"tax": 19}
