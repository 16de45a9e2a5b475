"""How a key of the config is declared: what stands beside its type, and what a section is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


def config_key(
    description: str,
    *,
    read: Callable[[object], object] | None = None,
    words: str | None = None,
    written: str | None = None,
    examples: list[Any] | None = None,
    schema: dict[str, Any] | None = None,
    ge: int | None = None,
    le: int | None = None,
) -> msgspec.Meta:
    """The declaration of one key, besides its type.

    `read` converts the file's value and raises `values.BadValue`; `words` then says what the file may hold. `written`
    is the default as one writes it in a file, where that differs from the value. `schema` replaces the JSON Schema of
    the type.
    """
    extra = {"read": read, "words": words, "written": written, "schema": schema}
    return msgspec.Meta(
        description=description,
        examples=examples,
        ge=ge,
        le=le,
        extra={name: value for name, value in extra.items() if value is not None},
    )


TEXT = {"type": "string", "minLength": 1}
TEXT_OR_NULL = {"type": ["string", "null"], "minLength": 1}
DURATION = {"type": ["string", "number"], "pattern": r"^\s*[0-9.]+\s*(ms|s|m|h|d|w)?\s*$", "minimum": 0}
WAIT_WORDS = "a duration such as 30s, at most an hour"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One section of the config."""
