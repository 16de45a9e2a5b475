"""What replays cost, beside the least that they could: `python tests/benchmarks/bench_tokens.py [NAME...]`. Minutes."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import Account, config, event_file, told
from token_floor import floor
from workload import Mix, events

from pipedrive_cli.report.summary import Summary

BIG = Mix(100_000, 5_000)


def windows(folder: Path) -> None:
    """100,000 events of 5,000 users into an empty account."""
    source = event_file(folder / "big.ndjson", events(BIG))
    for window in (100_000, 20_000):
        least = floor(events(BIG), window)
        summary = Account().replay(source, config(lookahead=window))
        share = summary.tokens.spent / least.tokens
        told(f"tokens for 100,000 events, windows of {window:,}", f"{share:.3f} of the floor", "1.05", share <= 1.05)


def again(folder: Path) -> None:
    """The same file once more with an empty journal."""
    mix = Mix(100_000, 5_000, aliases=0.0, leads=0.0, stable=True)
    source = event_file(folder / "stable.ndjson", events(mix))
    account = Account()
    account.replay(source, config())
    summary = account.replay(source, config())
    told("the same file again, journal lost", f"{_writes(summary)} writes", "0", _writes(summary) == 0)
    lists = {label for label in summary.requests.by_endpoint if "search" in label or "{id}" in label}
    told("and it only lists", f"{sorted(lists)} beside listings", "[]", not lists)


def mostly_known(folder: Path) -> None:
    """10,000 persons that the account holds, of whom a fifth changed."""
    account = Account()
    chance = random.Random(1)
    people = [_identify(user, "dev", f"a{user}") for user in range(10_000)]
    account.replay(event_file(folder / "before.ndjson", people), config())
    changed = set(chance.sample(range(10_000), 2_000))
    now = [_identify(user, "lead" if user in changed else "dev", f"b{user}", day=2) for user in range(10_000)]
    summary = account.replay(event_file(folder / "now.ndjson", now), config())
    spent = summary.tokens.spent
    told("10,000 persons, 80 % unchanged, journal lost", f"{spent:,} tokens", "10,500", spent <= 10_500)


def few_of_many(folder: Path) -> None:
    """An account of 50,000 persons, of whom a file is about 20."""
    account = Account()
    key = account.keys["User id"]
    for user in range(50_000):
        account.sandbox.add_record("persons", {"name": f"Person {user}", "custom_fields": {key: f"user-{user}"}})
    file = event_file(folder / "few.ndjson", [_identify(user * 31, "dev", f"c{user}") for user in range(20)])
    summary = account.replay(file, config())
    pages = summary.requests.by_endpoint.get("GET /api/v2/persons", 0)
    figure = f"{pages} of 100 pages listed, {summary.tokens.spent:,} tokens"
    told("20 persons of an account of 50,000", figure, "no full listing", pages < 100)


def _identify(user: int, role: str, message: str, day: int = 1) -> dict[str, Any]:
    return {
        "type": "identify",
        "messageId": message,
        "userId": f"user-{user}",
        "timestamp": f"2025-01-{day:02d}T00:00:00Z",
        "traits": {"name": f"Person {user}", "email": f"user{user}@shop.example", "role": role, "plan": "free"},
    }


def _writes(summary: Summary) -> int:
    return sum(n for label, n in summary.requests.by_endpoint.items() if not label.startswith("GET "))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measures = (windows, again, mostly_known, few_of_many)
        for measure in (m for m in measures if m.__name__ in sys.argv[1:] or not sys.argv[1:]):
            measure(Path(name))
