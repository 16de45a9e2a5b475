"""Reads the declaration of a key in `model`: its type, what `config_key` adds to it, and both in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import inspect


def unwrapped(info: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any]]:
    """The bare type of a declaration, and the extras that `config_key` added."""
    if isinstance(info, inspect.Metadata):
        inner, extra = unwrapped(info.type)
        return inner, {**extra, **(info.extra or {})}
    return info, {}


def words_of(info: inspect.Type) -> str:
    """What a value may be, in words for people."""
    bare, extra = unwrapped(info)
    if "words" in extra:
        return str(extra["words"])
    match bare:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high) if low is not None and high is not None:
            return f"a whole number from {low:,} to {high:,}"
        case inspect.IntType(ge=low):
            return "a whole number" if low is None else f"a whole number of at least {low:,}"
        case inspect.LiteralType(values=values):
            return one_of_words([str(value) for value in values])
        case inspect.UnionType(types=types):
            return one_of_words([words_of(part) for part in types if not isinstance(part, inspect.NoneType)])
        case inspect.VarTupleType(item_type=item):
            return f"a list of {'texts' if isinstance(item, inspect.StrType) else words_of(item)}"
        case inspect.DictType():
            return "lines of trait: field" if maps_fields(bare) else "lines of name: value"
        case inspect.StructType():
            return "a section"
        case _:
            return "text"


def maps_fields(info: inspect.DictType) -> bool:
    """Whether these lines are of the mapping, and may have its long form."""
    value = info.value_type
    return isinstance(value, inspect.UnionType) and any(isinstance(each, inspect.StructType) for each in value.types)


def one_of_words(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
