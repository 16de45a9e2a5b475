"""The look at events from which a mapping is made: which traits, how often, with what values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.model import KINDS
from pipedrive_cli.run.traits import TEXT_KEPT, TRAITS_KEPT, VALUES_KEPT, TraitsFound, look

NOT_MAPPED: dict[str, Any] = {"role": "CTO", "address": {"city": "Oslo"}, "flat.city": "Bergen", "nothing": None}


def looked(folder: Path, *files: list[Any], at_most: int = 1000) -> TraitsFound:
    """What a look at these files of events finds."""
    for number, file in enumerate(files):
        lines = (json.dumps(event) for event in file)
        (folder / f"{number}.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return look(resolve_sources([str(folder / f"{number}.ndjson") for number in range(len(files))]), at_most)


def identify(number: int = 0, **traits: Any) -> dict[str, Any]:
    """An identify event."""
    return {"type": "identify", "userId": "u", "messageId": f"i{number}", "traits": traits}


def test_traits_of_every_kind_are_found_with_their_values(tmp_path: Path) -> None:
    """Where each kind's traits stand; nested ones by dots, flattened ones as they are, and the object they are in."""
    events = [
        {"type": "identify", "userId": "u", "messageId": "1", "traits": {"name": "X", **NOT_MAPPED}},
        {"type": "group", "userId": "u", "groupId": "g", "messageId": "2", "traits": {"tier": "pro"},
         "context": {"traits": {"role": "Buyer"}}},
        {"type": "track", "userId": "u", "event": "Demo", "messageId": "3", "properties": {"rating": 4, "amount": 2}},
        {"type": "track", "userId": "u", "event": "Order Completed", "messageId": "4",
         "properties": {"products": [{"sku": "a"}, {"sku": "b", "brand": "N"}]}},
    ]  # fmt: skip
    found = looked(tmp_path, events)
    traits = {(seen.kind, seen.path): (seen.count, seen.values) for seen in found.seen if not seen.whole}
    assert traits == {
        ("persons", "role"): (2, ("CTO", "Buyer")),
        ("persons", "address.city"): (1, ("Oslo",)),
        ("persons", "flat.city"): (1, ("Bergen",)),
        ("organizations", "tier"): (1, ("pro",)),
        ("leads", "rating"): (1, (4,)),
        ("products", "brand"): (1, ("N",)),
    }
    assert [(seen.path, seen.values) for seen in found.seen if seen.whole] == [("address", ({"city": "Oslo"},))]
    assert found.kinds == frozenset(KINDS)
    assert (found.events, found.whole, found.amounts_without_currency) == (4, True, 1)


def test_of_many_events_each_file_has_its_share(tmp_path: Path) -> None:
    """A small file of another kind is not hidden behind a large one; what one leaves goes to those after it."""
    many = [identify(number, role="CTO") for number in range(50)]
    group = {"type": "group", "groupId": "g", "messageId": "g", "traits": {"tier": "pro"}}
    found = looked(tmp_path, [group], many, [group], at_most=21)
    assert (found.events, found.whole) == (12, False)
    assert {seen.path for seen in found.seen} == {"role", "tier"}


def test_strangers_do_not_choose_how_much_is_kept(tmp_path: Path) -> None:
    """Names, values and texts have limits; what is frequent stays."""
    odd = [{f"x{number}-{index}": "y" * 999 for index in range(60)} for number in range(50)]
    found = looked(tmp_path, [identify(number, role=f"r{number}", **more) for number, more in enumerate(odd)])
    assert len(found.seen) == TRAITS_KEPT
    role = next(seen for seen in found.seen if seen.path == "role")
    assert (role.count, len(role.values)) == (50, VALUES_KEPT)
    assert all(len(str(value)) <= TEXT_KEPT for seen in found.seen for value in seen.values)


ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.lists(ANYTHING, max_size=4))
def test_no_event_keeps_a_look_from_its_end(tmp_path_factory: pytest.TempPathFactory, odd: list[Any]) -> None:
    """Whatever stands in a file, and in an event's traits."""
    events = [*odd, *({**identify(), "traits": value} for value in odd)]
    found = looked(tmp_path_factory.getbasetemp(), events)
    assert found.whole
