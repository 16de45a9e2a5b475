"""Values that JSON cannot say, and PHP's lists: refused by their field where they are used, harmless elsewhere."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pipedrive_cli.model import BrokenText, Contact

from .transform_scenes import at, codes, compiled, event, refused, run

HALF = BrokenText("cut \ufffd")


@pytest.mark.parametrize("value", [HALF, math.nan, math.inf])
@pytest.mark.parametrize(
    "trait", ["role", "plan", "age", "name", "firstName", "email", "phone", "visible_to", "add_time"]
)
def test_what_cannot_be_sent_is_refused_by_its_trait(trait: str, value: Any) -> None:
    """The rest of the event is sent, and the event can be mended."""
    result = run(event("identify", traits={trait: value, "address": {"city": "Aachen"}}))
    assert (codes(result), refused(result)) == (["bad_value"], [f"traits.{trait}"])
    (change,) = result.changes
    assert change.fields == {at(4): "Aachen"}


@pytest.mark.parametrize("value", [HALF, [HALF], {"a": HALF}, math.nan, [math.inf]])
def test_without_an_account_it_is_refused_all_the_same(value: Any) -> None:
    """A field whose type nobody knows takes what comes, but not what no journal and no JSON can hold."""
    result = compiled(None).transform(event("identify", traits={"role": value}))
    assert (codes(result), refused(result)) == (["bad_value"], ["traits.role"])


def test_where_nobody_reads_it_it_does_no_harm() -> None:
    """An unmapped trait is dropped, whatever it holds."""
    result = run(event("identify", traits={"shoe": HALF, "ratio": math.nan, "role": "CTO"}))
    assert codes(result) == []
    assert result.changes[0].fields == {at(2): "CTO"}


@pytest.mark.parametrize("properties", [{"product_id": HALF}, {"name": HALF, "sku": "s"}, {"sku": "s", "brand": HALF}])
def test_products_are_no_exception(properties: dict[str, Any]) -> None:
    """An id, a name, a mapped property."""
    result = run(event("track", name="Product Viewed", properties=properties))
    assert len(refused(result)) == 1


def test_an_address_with_half_a_character_is_refused() -> None:
    """It would be another address without that part."""
    traits = {"name": "Acme", "address": {"street": HALF, "city": "Aachen"}}
    result = run(event("group", group_id="g1", traits=traits))
    assert refused(result) == ["traits.address"]


@pytest.mark.parametrize("given", [["a@x.example", "b@x.example"], {"0": "a@x.example", "4": "b@x.example"}])
def test_a_list_with_gaps_is_that_list(given: Any) -> None:
    """PHP writes it as an object of digits: emails, products, options."""
    (change,) = run(event("identify", traits={"email": given})).changes
    assert change.emails == (Contact("a@x.example"), Contact("b@x.example"))
    products = {"1": {"product_id": "p1"}, "3": {"product_id": "p2"}}
    result = run(event("track", name="Order Completed", properties={"products": products}))
    assert [each.record.key for each in result.changes] == ["p1", "p2"]
    (change,) = run(event("identify", traits={"role": {"0": "CTO", "2": "CEO"}})).changes
    assert change.fields == {at(2): "CTO, CEO"}


def test_phps_empty_object_for_us_lets_an_event_pass() -> None:
    """`integrations: {Pipedrive: {}}` means: send."""
    result = run(event("identify", traits={"name": "Ann"}, integrations={"All": False, "Pipedrive": []}))
    assert codes(result) == []
