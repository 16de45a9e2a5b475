"""Reading ahead: worth it where looks come close together, and never where they are rare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.listing import ReadAhead


def _cost(needed: list[int], size: int) -> int:
    """Tokens for reading these of the records 0 to `size`, in that order."""
    ahead, tokens, read = ReadAhead(lambda: list(range(size))), 0, set[int]()
    for record in needed:
        if record in read:
            continue
        page = ahead.page(record)
        tokens += 10 if len(page) > 10 else 1
        read.update(page if len(page) > 10 else (record,))
    return tokens


@pytest.mark.parametrize(("every", "most"), [(1, 111), (2, 112), (5, 122), (9, 150), (15, 67), (100, 10)])
def test_what_a_thousand_records_cost(every: int, most: int) -> None:
    """All of them: ten pages and a few tokens. Few of them: a token each."""
    assert _cost(list(range(0, 1_000, every)), 1_000) <= most


@given(st.sets(st.integers(0, 2_000), max_size=400))
def test_reading_ahead_never_costs_much_more_than_reading_alone(needed: set[int]) -> None:
    """At most twice as much, whatever the pattern, and a page that was the last."""
    assert _cost(sorted(needed), 2_001) <= 2 * len(needed) + 10


def test_a_record_of_another_window_is_read_alone() -> None:
    """Nobody knows what follows it."""
    ahead = ReadAhead(lambda: list(range(100)))
    assert not any(ahead.page(record) for record in range(1_000, 1_050))
