"""Reads what programs write that is not quite JSON, or not quite what it means. Pure.

JavaScript cuts texts in the middle of an emoji, Python writes NaN and Infinity, others numbers out of range. PHP writes
an empty list for an empty object, and an object of digits for a list with gaps. None of that costs an event: where
nobody reads such a value it does no harm, and where somebody does it is refused there, by its field.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.model import BrokenText

_HALF: Final = re.compile("[\ud800-\udfff]")
_LONGEST_WHOLE: Final = 4000  # digits; Python refuses to read more


def loads(raw: bytes) -> Any:
    """The value of JSON text, which may hold NaN, Infinity, numbers out of range (they become infinite) and halves of
    surrogate pairs (their texts become `BrokenText`, in names U+FFFD).

    Raises ValueError for anything else that is no JSON, and RecursionError where it is nested too deep.
    """
    return _mended(json.loads(raw.decode(), parse_int=_whole))


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_WHOLE else math.inf


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value if _HALF.search(value) is None else BrokenText(_HALF.sub("\ufffd", value))
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_HALF.sub("\ufffd", name): _mended(item) for name, item in value.items()}
    return value


def dumps(value: Any) -> bytes:
    """What `json.loads` has read, in bytes that `loads` reads again: NaN and halves of pairs stay what they were."""
    return json.dumps(value, separators=(",", ":")).encode()


def as_list(value: Any) -> list[Any] | None:
    """A list, also where PHP wrote it as an object of digits: `{"1": a, "3": b}`; None for anything else."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(name.isascii() and name.isdecimal() for name in value):
        return [value[name] for name in sorted(value, key=int)]
    return None


def external_ids(value: Any) -> list[Any]:
    """The ids of `context.externalId`: a list, also in a text, or a single one that stands there alone."""
    found = structured(value)
    return [found] if isinstance(found, dict) and "type" in found else as_list(found) or []


def object_in(value: Any) -> Any:
    """The object that a text holds, as databases and queues write what was one; anything else as it is."""
    found = structured(value)
    return found if isinstance(found, dict) else value


def structured(value: Any) -> Any:
    """The object or list that a text holds; anything else as it is."""
    text = value.shown if isinstance(value, BrokenText) else value
    if isinstance(text, str) and text.lstrip().startswith(("{", "[")):
        raw = text.encode()
        try:
            return value if too_deep(raw) else loads(raw)
        except (ValueError, RecursionError):
            return value
    return value


def unsaid(value: Any) -> bool:
    """Whether a value that should be an object says nothing: PHP's empty list, or blank text."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
