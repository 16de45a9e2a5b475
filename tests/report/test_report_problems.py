"""Every problem that the program can raise has its words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pipedrive_cli
from pipedrive_cli.report.problems import PROBLEMS, words_for

PACKAGE = Path(pipedrive_cli.__file__).parent
# Callables that make a problem, and where in their positional arguments its code stands.
MAKERS = {
    "Complaint": 0,
    "Trouble": 0,
    "Refusal": 0,
    "Failure": 0,
    "KindStops": 1,
    "StopRun": 1,
    "refusal": 0,
    "reject": 0,
    "notes.count": 0,
    "reject_all": 2,
    "reject_alias": 1,
    "_first_key": 0,
    "_key": 2,
}
# These carry their words with them and end the run before there is a report.
OWN_WORDS = {"UserMistake", "SourceMissing", "StateHeld", "__init__"}


def name_of(call: ast.Call) -> str:
    """The last name of what is called; `notes.count` with its owner, for many things count."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="notes"), attr="count"):
            return "notes.count"
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def codes_in(source: str) -> Iterator[str]:
    """The codes of problems that a module makes, as literals."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or (name := name_of(node)) in OWN_WORDS:
            continue
        position = MAKERS.get(name, len(node.args))
        candidates = [
            *node.args[position : position + 1],
            *(word.value for word in node.keywords if word.arg == "code"),
        ]
        for candidate in candidates:
            if (
                isinstance(candidate, ast.Constant)
                and isinstance(candidate.value, str)
                and candidate.value.isidentifier()
            ):
                yield candidate.value


@cache
def used() -> dict[str, str]:
    """Every code in the sources, with the module that makes it. The sandbox speaks as Pipedrive, not as we do."""
    return {
        code: path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if "sandbox" not in path.parts
        for code in codes_in(path.read_text(encoding="utf-8"))
    }


def test_every_code_in_the_sources_has_words() -> None:
    """Nobody reads a bare code in a report; a new one cannot be forgotten here."""
    assert {code: where for code, where in used().items() if code not in PROBLEMS} == {}


def test_the_codes_are_found() -> None:
    """The search above sees each way in which the sources name a code."""
    source = 'Complaint("a", "m")\nnotes.reject("b", "m")\nStopRun("m", code="c")\nreject_all(job, parts, "d", "m")\n'
    assert list(codes_in(source + 'UserMistake("m", code="e")')) == ["a", "b", "c", "d"]
    assert {"missing_user_id", "bad_value", "alias_reused"} <= used().keys()


def test_words_have_one_form() -> None:
    """The message is a heading; the hint is whole sentences."""
    for code, (message, hint) in PROBLEMS.items():
        assert code == code.lower()
        assert message[0].islower() or message.startswith(("Pipedrive", "--")), code
        assert not message.endswith("."), code
        assert hint is None or (hint.endswith(".") and len(hint) < 120), code


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("http_403", "HTTP 403"),
        ("ERR_SCHEMA_VALIDATION_FAILED", "Pipedrive refused"),
        ("feature_capping_leads_limit", "limit of the company's"),
    ],
)
def test_pipedrives_own_codes_have_words_too(code: str, said: str) -> None:
    """Their set is open: they are told by their form, and never lack a hint."""
    assert said in words_for(code).message
    assert words_for(code).hint


def test_an_unknown_code_is_still_readable() -> None:
    """A report of another version, or a code from elsewhere, is shown as words."""
    assert words_for("brand_new_code").message == "brand new code"
