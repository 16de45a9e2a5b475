"""Events as a web shop's SDK would leave them, seeded: `python tests/benchmarks/workload.py 100000 5000`.

Four in ten are identify, a tenth group, a quarter leads, a quarter products seen or ordered, one in a hundred alias.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

GIVEN = ("Ada", "Björn", "Chidi", "Dana", "Esmé", "Farid", "Gül", "Hana", "José", "明", "Ōsaka", "Pip")
FAMILY = ("Abe", "Brontë", "Çelik", "de la Cruz", "Eriksen", "Fox", "Grünwald", "O'Hara", "Sato")
BEGIN = datetime(2025, 6, 1, tzinfo=UTC)
BROWSER = {
    "app": {"name": "shop", "version": "3.2.0", "build": "3.2.0"},
    "library": {"name": "SDK for browsers", "version": "2.9.4"},
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "locale": "de-CH",
    "ip": "198.51.100.7",
    "screen": {"width": 1920, "height": 1080, "density": 1},
    "os": {"name": "", "version": ""},
    "page": {"path": "/shop", "url": "https://shop.example/shop", "title": "Shop", "referrer": ""},
}


@dataclass(frozen=True)
class Mix:
    """How many events of how many users, and of what."""

    events: int
    users: int
    seed: int = 1
    leads: float = 0.25
    aliases: float = 0.01
    products: int = 500
    stable: bool = False  # a user's traits are the same whenever they are told


def events(mix: Mix) -> Iterator[dict[str, Any]]:
    """The events, oldest first, a second apart."""
    chance = random.Random(mix.seed)
    now_called: dict[int, int] = {}  # user -> who that user became
    known: list[int] = []
    for number in range(mix.events):
        user = chance.randrange(mix.users)
        while user in now_called:
            user = now_called[user]
        when = (BEGIN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        event: dict[str, Any] = {
            "messageId": f"{chance.getrandbits(128):032x}",
            "anonymousId": f"visitor-{user}",
            "userId": f"user-{user}",
            "channel": "web",
            "context": BROWSER,
            **dict.fromkeys(("originalTimestamp", "sentAt", "receivedAt", "timestamp"), when),
            "integrations": {"All": True},
        }
        what = chance.random()
        if what < mix.aliases:
            before = chance.choice(known) if known else user
            if before == user or before in now_called:
                yield event | {"type": "page", "name": "Start", "properties": {}}
                continue
            now_called[before] = user
            yield event | {"type": "alias", "previousId": f"user-{before}"}
        elif what < mix.aliases + mix.leads:
            yield event | _lead(chance)
        else:
            kind = _kind(chance.random(), mix, number, user, chance)
            if kind["type"] in ("identify", "group"):
                known.append(user)
            yield event | kind


def _lead(chance: random.Random) -> dict[str, Any]:
    source = chance.choice(["ads", "web", "fair"])
    properties = {"value": chance.randrange(1, 9000), "currency": "USD", "source": source}
    return {"type": "track", "event": chance.choice(["Demo Asked For", "Signed Up"]), "properties": properties}


def _kind(what: float, mix: Mix, number: int, user: int, chance: random.Random) -> dict[str, Any]:
    if what < 0.54:
        own = random.Random(f"{mix.seed}/{user}") if mix.stable else chance
        traits = {
            "name": f"{own.choice(GIVEN)} {own.choice(FAMILY)}",
            "email": f"user{user}@shop.example",
            "phone": f"+4144{user:07d}",
            "role": own.choice(["dev", "lead", "ops"]),
            "plan": own.choice(["free", "team"]),
        }
        return {"type": "identify", "traits": traits}
    if what < 0.67:
        firm = user % max(1, mix.users // 10)
        firm_traits = {"name": f"Firm {firm}", "industry": "Retail", "employees": firm}
        return {"type": "group", "groupId": f"firm-{firm}", "traits": firm_traits}
    if what < 0.87:
        properties = _product(chance.randrange(mix.products)) | {"currency": "USD", "quantity": 1}
        return {"type": "track", "event": "Product Viewed", "properties": properties}
    items = [_product(code) for code in chance.sample(range(mix.products), 2)]
    properties = {"order_id": f"order-{number}", "currency": "USD", "total": 40, "tax": 2, "products": items}
    return {"type": "track", "event": "Order Completed", "properties": properties}


def _product(code: int) -> dict[str, Any]:
    return {"product_id": f"item-{code}", "name": f"Item {code}", "price": code + 0.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int)
    parser.add_argument("users", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leads", type=float, default=0.25)
    parser.add_argument("--aliases", type=float, default=0.01)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--stable", action="store_true")
    for event in events(Mix(**vars(parser.parse_args()))):
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
