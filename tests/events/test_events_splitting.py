"""JSON text is cut into its outermost values by brackets and strings alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.splitting import items_of, members_of, outermost

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", "}{", "],[", ',"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=4)
separators = [*" \t\r\n\x0b\x0c\x00\x1c\x1d\x1e\x1f,;|\x85\xa0\u200b\u2028\u2029\ufeff", "\\n"]
between = st.lists(st.sampled_from(separators), max_size=3).map(lambda marks: "".join(marks).encode())


@given(st.lists(st.tuples(objects, between), max_size=5), st.booleans())
def test_objects_side_by_side_are_found_whatever_stands_in_and_between_them(
    given: list[tuple[dict[str, Any], bytes]], bracketed: bool
) -> None:
    """Brackets in texts are none, and nothing of an object is lost."""
    texts = [json.dumps(value).encode() for value, _ in given]
    data = b"".join(text + gap for text, (_, gap) in zip(texts, given, strict=True))
    assert outermost(b"[" + data + b"]" if bracketed else data) == (texts, b"")


@given(objects, st.integers(1, 200))
def test_an_object_without_its_end_is_the_rest(value: dict[str, Any], cut: int) -> None:
    """However it is cut off."""
    text = json.dumps(value).encode()
    whole, rest = outermost(b"{}" + text[:-cut])
    assert whole == [b"{}"]
    assert rest == text[:-cut]


@given(st.lists(values, max_size=5))
def test_the_items_of_a_list_are_those_that_a_decoder_finds(given: list[Any]) -> None:
    """With blanks around them, too."""
    text = json.dumps(given).encode()
    found = items_of(text)
    assert found is not None
    assert [json.loads(item) for item in found] == given


@given(objects)
def test_the_members_of_an_object_are_those_that_a_decoder_finds(given: dict[str, Any]) -> None:
    """By their names, as they are meant and not as they are escaped."""
    found = members_of(json.dumps(given).encode())
    assert found is not None
    assert {name: json.loads(value) for name, value in found.items()} == given


@given(st.binary(max_size=100) | st.text(st.sampled_from('{}[]",:\\ a1'), max_size=60).map(str.encode))
def test_any_bytes_can_be_cut(data: bytes) -> None:
    """Nothing is raised, and what is found as a whole list or object is judged by nobody here."""
    whole, rest = outermost(data)
    assert len(b"".join(whole)) + len(rest) <= len(data)
    items_of(data)
    members_of(data)


def test_bad_values_are_kept_as_they_are() -> None:
    """What is in a value is not looked at: so its neighbours are found."""
    assert items_of(b'[1, {"a": tru}, NaN, "\xff"]') == [b"1", b'{"a": tru}', b"NaN", b'"\xff"']
    assert members_of(b'{"a": NaN, "b": [1, tru], "a": 2}') == {"a": b"2", "b": b"[1, tru]"}
    assert items_of(b"[1, 2") is None
    assert members_of(b'{"a": 1} x') is None
    assert msgspec.json.decode(outermost(b'[{"a": 1},')[0][0]) == {"a": 1}
