"""Recognises event files, rejects files and URLs by their names. Pure."""

from __future__ import annotations

import re
from typing import Final

GLOB: Final = re.compile(r"[*?\[]")  # what makes a name a pattern
_EVENTS: Final = (".json", ".ndjson", ".jsonl", ".log")
_PACKED_OTHERS: Final = (".tar", ".csv", ".tsv", ".parquet", ".sql", ".xml")
_TABLES: Final = (".csv", ".tsv", ".parquet")
EVENT_ENDINGS: Final = f"{', '.join(_EVENTS)}, .gz or .zst"
TABLE_ENDINGS: Final = f"{', '.join(_TABLES)}, also with .gz or .zst behind"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters at least: C:\ is a drive
_REJECTS: Final = re.compile(r"\.rejects\.ndjson(\.(gz|zst))?$", re.IGNORECASE)


def is_event_file(name: str) -> bool:
    """Whether a file of this name (without folders), found in a folder, counts as an event file."""
    lower = name.lower()
    if lower.startswith(".") or is_rejects_file(lower):
        return False
    unpacked = lower.removesuffix(".gz").removesuffix(".zst")
    if unpacked != lower:
        return not unpacked.endswith(_PACKED_OTHERS)
    return lower.endswith(_EVENTS)


def is_table_file(name: str) -> bool:
    """The same for tables, whose rows are read as events."""
    lower = name.lower()
    return not lower.startswith(".") and lower.removesuffix(".gz").removesuffix(".zst").endswith(_TABLES)


def is_packed_file(name: str) -> bool:
    """Whether a file of this name should be packed. Only its bytes tell whether it is."""
    return name.lower().endswith((".gz", ".zst"))


def is_rejects_file(name: str) -> bool:
    """Whether this is the name of a rejects file of an earlier run."""
    return _REJECTS.search(name) is not None


def is_url(argument: str) -> bool:
    """Whether a SOURCE argument is a URL."""
    return _SCHEME.match(argument) is not None


def scheme_of(url: str) -> str:
    """`s3` of s3://bucket/key, in lower case; empty for text that is no URL."""
    match = _SCHEME.match(url)
    return match[1].lower() if match is not None else ""
