"""Events that touch every kind of record, for runs that are disturbed in every way."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.harness import Event, alias, group, identify, ordered, track, viewed

# What an earlier run has brought, so that later ones find persons to update and to merge.
FIRST: list[Event] = [
    identify("x1", 1, name="Xenia", role="r", email="x1@b.test"),
    identify("x0", 2, name="Xe", city="Cork", email="x0@b.test"),
]
ALL: list[Event] = [
    *FIRST,
    alias("x0", "x1", 3),
    track("x0", "After the merge", 4),
    identify("u1", 5, email="a@b.test", name="Ann", role="dev"),
    group("u1", "g1", 6, name="Acme", industry="IT"),
    track("u1", "Signed Up", 7, rating="5"),
    viewed("u1", "p1", 8, name="Chair", price=5, currency="EUR"),
    ordered(
        "u1",
        [{"product_id": "p2", "name": "Table", "price": 9}, {"name": "Without a code", "price": 1}],
        9,
        currency="EUR",
    ),
    identify("old", 10, name="Old", city="Rome", email="old@b.test"),
    alias("old", "u1", 11),
    track("old", "Later", 12),
    group("u2", "g1", 13),
    track("u3", "Nobody knows me", 14),
    identify("u4", 15, phone="123"),
    identify("x1", 16, role="boss"),
]

Contents = dict[str, list[dict[str, Any]]]


def comparable(contents: Contents) -> Contents:
    """Contents without the order and the primary flags of contacts, which the order of windows may change."""
    plain: Contents = msgspec.msgpack.decode(msgspec.msgpack.encode(contents))
    for row in (*plain["persons"], *plain["organizations"]):
        for name in ("emails", "phones"):
            if name in row:
                row[name] = sorted(contact["value"] for contact in row[name])
    for rows in plain.values():
        rows.sort(key=lambda row: msgspec.json.encode(row, order="deterministic"))
    return plain
