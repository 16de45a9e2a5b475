"""Writes a result as one line of JSON, whatever text of events it contains."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pipedrive_cli.report.safe_text import encodable
from pipedrive_cli.secret import bytes_without_secrets


def json_line(value: Any) -> bytes:
    """One JSON value and a newline, in UTF-8, as `json_text` writes it. A known key in it is hidden."""
    return bytes_without_secrets(json_text(value).encode() + b"\n")


def json_text(value: Any) -> str:
    """JSON on one line in which no sign is left that a terminal would obey or nobody would see; no information is lost.

    Lone surrogates (in file names or events) become visible escapes.
    """
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = msgspec.json.encode(encodable_values(msgspec.to_builtins(value))).decode()
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def encodable_values(value: Any) -> Any:
    """The same with lone surrogates as escapes, in keys and values at any depth."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable_values(key): encodable_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable_values(item) for item in value]
    return value
