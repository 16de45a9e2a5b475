"""Streams and files for programs: JSON on stdout, files that are written whole or not at all, standard input."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from pipedrive_cli.cli.endings import told
from pipedrive_cli.errors import UserMistake
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


def write_file(option: str, path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Writes a temporary file and renames it. By default only its owner can read it. Raises UserMistake."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")  # mode 0600
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            beside.chmod(mode)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserMistake(f"{option} {path}: {error.strerror or error}", code="usage") from error


def standard_input() -> BinaryIO | None:
    """The bytes of standard input; None if it is closed, as under some schedulers."""
    return None if sys.stdin is None else sys.stdin.buffer
