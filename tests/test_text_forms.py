"""When two texts are one, and which are no identity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli import text_forms
from pipedrive_cli.text_forms import (
    INVISIBLE,
    caseless_form,
    is_garbled,
    is_usual_key,
    key_text,
    label_form,
    names_nobody,
    visible,
)


@pytest.mark.parametrize(
    "text",
    [
        "null", "NULL", "undefined", "None", "NaN", "nil", "<nil>", "(null)", '"None"', "n/a", "#N/A", "\\N", "true",
        "(not set)", "void 0", "user_id", "nobody", "4.91717E+11", "1E+15",
        "Anonymous", "guest", "unknown", "NOT_AUTHENTICATED",
        "False",
        "0", "00", "-1", "00000000-0000-0000-0000-000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "[object Object]", "[object Undefined]", "{{userId}}", "user-{{ id }}", "${user.id}", "#{id}", "<%= id %>",
        "*|USER|*", "[[user_id]]", "%user%", "%%id%%", "{user_id}", "<user_id>", "__USER_ID__", "-", "--", "?", "...",
    ],
)  # fmt: skip
def test_what_programs_write_for_nobody_is_no_identity(text: str) -> None:
    """Words, zeros, empty UUIDs, unfilled templates, marks without any letter."""
    assert names_nobody(text)


@pytest.mark.parametrize(
    "text",
    [
        "u-1", "1", "10", "a0", "0a", "00-1", "7f8b42a0-4e75-11ea-9643-03698ef1cfd6", "auth0|5f", "ada@example.com",
        "nullify", "Zürich", "日本", "100%", "%40abc%20", "50 % off", "Norén (AB)", "A<B>", "Acme & Co.", "id{x",
        "none-1",        "0000000000000000000000000000000000000001",
    ],
)  # fmt: skip
def test_other_texts_are_identities(text: str) -> None:
    """However odd they look."""
    assert not names_nobody(text)


@given(st.text(alphabet=st.characters() | st.sampled_from(sorted(INVISIBLE))))
def test_a_form_is_its_own_form(text: str) -> None:
    """What was made comparable stays as it is."""
    for form in (visible, label_form, caseless_form):
        assert form(form(text)) == form(text)


def test_labels_are_one_in_any_composition_and_with_any_space() -> None:
    """An accent is the same composed or not; no-break and thin spaces are spaces; what cannot be seen goes."""
    assert label_form("Cafe\u0301") == label_form(" Café ")
    assert label_form("Pro\u00a0plan") == label_form("Pro \u2009 plan\u200b") == "Pro plan"
    assert caseless_form("SA\u0303O Paulo") == caseless_form("São\u202fpaulo")
    assert visible("\ufeff\u202aada@example.com\u202c\u200b ") == "ada@example.com"


@given(st.text(alphabet="nulNUL01-aZ9{}<>*[]| _.@é\u200b"))
def test_the_quick_way_for_a_key_is_the_long_way(text: str) -> None:
    """A usual key is a key as it stands, by all the rules."""
    if is_usual_key(text):
        assert key_text(text) == text
        assert not names_nobody(text)
        assert text_forms._bare_word(text) not in text_forms._NOBODY
        assert text_forms._NO_IDENTITY.fullmatch(text) is None
    elif text_forms._bare_word(text) in text_forms._NOBODY or text_forms._NO_IDENTITY.fullmatch(text) is not None:
        assert names_nobody(text)


@pytest.mark.parametrize("text", ["José", "Łódź", "Ελλάδα", "Москва", "10 €", "“quoted”", "😀 ok"])
def test_utf8_that_was_read_as_another_encoding_is_told(text: str) -> None:
    """And the text itself is not, whatever its letters are."""
    read = text.encode().decode("cp1252", "ignore")
    assert is_garbled(text.encode().decode("latin-1"))
    assert is_garbled(read) or read.encode("cp1252") != text.encode()  # some bytes are no characters there
    assert not is_garbled(text)


@pytest.mark.parametrize("text", ["SÃO PAULO", "Ærø", "Âme", "ÅÄÖ", "Ð", "Ãâ", "×2"])
def test_letters_that_begin_garbled_text_are_letters_too(text: str) -> None:
    """Capitals of Portuguese, French, the North."""
    assert not is_garbled(text)
