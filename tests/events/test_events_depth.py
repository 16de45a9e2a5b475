"""How deep JSON text nests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.depth import DEPTH_LIMIT, too_deep

FEW = DEPTH_LIMIT + 1


def depth_of(value: Any) -> int:
    """How deep a value nests, by walking it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(
    st.recursive(
        st.text('[]{}"\\a') | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}"\\a'), inner)
    ),
    st.integers(DEPTH_LIMIT - 4, DEPTH_LIMIT),
)
def test_brackets_count_where_they_open_something(value: Any, around: int) -> None:
    """Whatever stands in strings and keys, text is too deep where its value is."""
    for _ in range(around):
        value = [value, "]"]
    assert too_deep(json.dumps(value).encode()) == (depth_of(value) > DEPTH_LIMIT)


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * FEW, True),
        (b'["' + b"[" * FEW, False),
        (b'["\\"' + b"[" * FEW, False),
        (b"[]" * FEW, False),
        (b'["]",' * FEW, True),
        (b'"' + b'\\"' * 1_000_000 + b"[" * FEW, False),
    ],
)
def test_text_that_is_no_json_is_counted_too(text: bytes, deep: bool) -> None:
    """What breaks off, in a string or between two, has the depth it had reached."""
    assert too_deep(text) == deep
