"""The traits and properties that are read without any mapping, by kind of record: words alone, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipedrive_cli.model import Kind

NAME_TRAITS: Final = ("firstName", "firstname", "first_name", "lastName", "lastname", "last_name")
PERSON_TRAITS: Final = ("id", "userId", "previousId", "name", *NAME_TRAITS, "email", "phone", "visible_to", "add_time")
ORGANIZATION_TRAITS: Final = ("id", "groupId", "userId", "name", "visible_to", "add_time")
AMOUNTS: Final = ("revenue", "value", "total", "amount")
LEAD_PROPERTIES: Final = (*AMOUNTS, "currency", "expected_close_date", "label_ids", "visible_to")
CODES: Final = ("product_id", "productId", "sku")
PRODUCT_PROPERTIES: Final = (*CODES, "name", "price", "currency", "quantity")
ORDERED_PROPERTIES: Final = (*CODES, "name", "price", "amount", "value", "currency")
ORDER_PROPERTIES: Final = ("products", "currency")  # an order's own that are used; the others are counted as left out

# Where the traits of each kind stand in a whole event.
HOLDERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "persons": ("traits", "context.traits"),
    "organizations": ("traits",),
    "leads": ("properties",),
    "products": ("properties", "properties.products"),
}

ALWAYS_READ: Final[Mapping[Kind, tuple[str, ...]]] = {
    "persons": PERSON_TRAITS,
    "organizations": ORGANIZATION_TRAITS,
    "leads": LEAD_PROPERTIES,
    "products": PRODUCT_PROPERTIES,
}
