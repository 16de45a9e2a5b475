"""What strangers wrote reaches a terminal as visible text and as nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.report.safe_text import encodable, fit_encoding, visible_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 顧客 🎉", "Zoë 顧客 🎉"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b\x7f\x00", "\\x9b\\x7f\\x00"),
        ("\u202e\u2066", "\\u202e\\u2066"),
        ("\u200b\u200d\ufeff\u00ad", "\\u200b\\u200d\\ufeff\\xad"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\u3164", "\\u3164"),
        ("[bold]", "[bold]"),
        ("Việt Nam, e\u0302\u0323, บริษัทที่", "Việt Nam, e\u0302\u0323, บริษัทที่"),
        ("Z" + "\u0301" * 10 + "a\u0301", "Z" + "\u0301" * 8 + "\\u0301" * 2 + "a\u0301"),
    ],
)
def test_the_invisible_is_made_visible(text: str, shown: str) -> None:
    """Letters of any script stay; what acts on a terminal or hides becomes its escape."""
    assert visible_text(text) == shown


@given(ANY_TEXT, st.integers(1, 40))
def test_nothing_hidden_is_left_and_the_limit_holds(text: str, limit: int) -> None:
    """For any text: no control, format or surrogate character, never longer than asked for."""
    shown = visible_text(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_what_is_cut_says_so() -> None:
    """A cut text ends in an ellipsis, and an escape is left out whole rather than shown in part."""
    assert visible_text("abcdef", 6) == "abcdef"
    assert visible_text("abcdefg", 6) == "abcde…"
    assert visible_text("abc\x1b", 6) == "abc…"


@given(ANY_TEXT)
def test_any_text_can_be_written_as_utf_8(text: str) -> None:
    """Text without lone surrogates is unchanged by that."""
    written = encodable(text).encode("utf-8")
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert written.decode("utf-8") == text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_any_text_fits_a_narrow_encoding(encoding: str) -> None:
    """A stream that cannot hold a letter gets its escape, and typographic signs as a typewriter has them."""
    assert fit_encoding("… ━ 顧", encoding) == "~ = \\u9867"
    assert fit_encoding("… ━ 顧", "utf-8") == "… ━ 顧"
