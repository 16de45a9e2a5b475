"""Streams for programs: JSON on stdout, and standard input."""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

from pipedrive_cli.cli.endings import told
from pipedrive_cli.report.json_line import json_line
from pipedrive_cli.report.safe_stdout import abandon


def print_json(value: Any) -> None:
    """Prints one JSON object and a newline."""
    content = json_line(value)
    told.get().json = True
    print_bytes(content)


def print_bytes(content: bytes) -> None:
    """Writes `content` to stdout and flushes it; drops it if the reader has gone."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        abandon(sys.stdout)


def standard_input() -> BinaryIO | None:
    """The bytes of standard input; None if it is closed, as under some schedulers."""
    return None if sys.stdin is None else sys.stdin.buffer
