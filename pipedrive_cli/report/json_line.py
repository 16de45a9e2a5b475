"""Writes a result as one line of JSON, whatever text of events it contains."""

from __future__ import annotations

from typing import Any

import msgspec

from pipedrive_cli.report.safe_text import encodable


def json_line(value: Any) -> bytes:
    """One JSON value and a newline, in UTF-8. Lone surrogates (in file names or events) become visible escapes."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_encodable(msgspec.to_builtins(value)))
    return encoded + b"\n"


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value
