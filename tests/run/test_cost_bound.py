"""The cost that `check` calls the most: no run costs more, whatever the account holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.run.estimate import Cost
from pipedrive_cli.run.sample import Sample
from pipedrive_cli.sandbox import SandboxOptions
from tests.harness import Event, Scene, alias, group, identify, lines, ordered, track, viewed, with_delivery


def foretold(scene: Scene, events: list[Event]) -> Cost:
    """What `check` says of them."""
    file = scene.folder / "foretold.ndjson"
    file.write_bytes(lines(events))
    cost = asyncio.run(Sample(scene.config, resolve_sources([str(file)])).read(None)).cost
    assert cost is not None
    return cost


EVENTS = [
    *(identify(f"u{n}", n, name=f"P{n}", email=f"p{n}@example.com") for n in range(12)),
    *(group(f"u{n}", f"g{n % 3}", 20 + n, name=f"Firm {n % 3}") for n in range(6)),
    *(track(f"u{n}", "Asked", 40 + n) for n in range(5)),
    viewed("u1", "p1", 60, name="Bike", price=5, currency="EUR"),
    ordered("u1", [{"product_id": "p2", "name": "Bell", "price": 1}], 61),
    identify("old", 62, name="Old"),
    alias("old", "u1", 63),
]


@pytest.mark.parametrize(("others", "lookahead"), [(0, 100_000), (700, 100_000), (700, 1)])
def test_no_run_costs_more_than_the_most_that_is_foretold(tmp_path: Path, others: int, lookahead: int) -> None:
    """In an empty account it is the least; with many other records there, and event by event, it is below the most."""
    options = SandboxOptions(plan="unlimited", search_lag=0.0)
    scene = Scene(tmp_path, options, config=with_delivery(lookahead=lookahead))
    for n in range(others):
        scene.sandbox.add_record("persons", {"name": f"Other {n}", "emails": [{"value": f"o{n}@example.com"}]})
        scene.sandbox.add_record("organizations", {"name": f"Other {n}"})
    scene.sandbox.index_now()
    cost = foretold(scene, EVENTS)
    spent = scene.run(EVENTS).tokens.spent
    assert spent <= cost.most
    if not others:
        assert spent <= cost.least
