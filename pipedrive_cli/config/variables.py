"""Replaces `${NAME}` in a value. Pure: the environment is passed in. Replaced text is not expanded again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

TOKEN_VARIABLE = "PIPEDRIVE_API_TOKEN"  # noqa: S105 - the name of the variable, not what it holds
REFERENCE = re.compile(r"\$(?P<escape>\$\{)|\$\{(?P<name>[^{}]*)(?P<end>\}?)")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
CAPITALS = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expanded:
    """Text with its variables replaced. `unset`: names that are not set; `broken`: there is a `${` without a name."""

    text: str
    replaced: bool = False
    unset: tuple[str, ...] = ()
    broken: bool = False


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """Replace each `${NAME}`; `$${` becomes `${`."""
    unset: list[str] = []
    broken = False
    names = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal broken, names
        if match["escape"]:
            return "${"
        name = match["name"]
        names += 1
        if not match["end"] or not NAME.fullmatch(name):
            broken = True
            return ""
        if name not in environ:
            unset.append(name)
            return ""
        return environ[name]

    result = REFERENCE.sub(replacement, text)
    return Expanded(result, names > 0, tuple(unset), broken)


def named_variables(name: str) -> str:
    """A variable's name for a message; hidden if it may be a token that somebody wrote between the braces."""
    return f"the environment variable {name}" if CAPITALS.fullmatch(name) else "the environment variable named here"
