"""A Secret is shown by nothing and given back by `reveal` alone."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import msgspec
import pytest

from pipedrive_cli.secret import Secret

CANARY = "c4n4ry5ecret"


def test_no_way_of_printing_shows_the_text() -> None:
    """repr, str, format, f-strings with a width, and containers show stars."""
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{secret!r}", repr([secret]), str({1: secret})]
    assert CANARY not in "".join(shown)
    assert secret.reveal() == CANARY


def test_no_encoder_takes_it_by_accident() -> None:
    """pickle, json and msgspec refuse, and their refusals do not show it either."""
    secret = Secret(CANARY)
    for encode in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError) as refusal:
            encode(secret)
        assert CANARY not in "".join(traceback.format_exception(refusal.value))


def test_it_has_no_dict_to_dump() -> None:
    """vars() finds nothing, so debuggers and loggers that dump attributes find nothing either."""
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_secrets_compare_by_their_text() -> None:
    """Equal texts are equal, also beyond ASCII; a plain string never equals a Secret."""
    assert Secret(CANARY) == Secret(CANARY)
    assert hash(Secret(CANARY)) == hash(Secret(CANARY))
    assert Secret("grün") != Secret("grau")
    assert Secret(CANARY) != CANARY
    assert copy.deepcopy([Secret(CANARY)]) == [Secret(CANARY)]
    assert not Secret("")
