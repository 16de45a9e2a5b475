"""Streams and files that are not for eyes alone: JSON on stdout, files that are whole or not there, standard input."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.report.json_line import json_line
from pipedrive_cli.report.safe_stdout import abandon


def print_json(value: Any) -> None:
    """One JSON object and a newline."""
    print_bytes(json_line(value))


def print_bytes(content: bytes) -> None:
    """`content`, on stdout, now; nowhere if whoever read it has gone."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        abandon(sys.stdout)


def write_file(option: str, path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Written beside and renamed; for its owner alone, as it has personal data. Raises UserMistake, with the option."""
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
    """The bytes of standard input; None where somebody closed it, as some schedulers do."""
    return None if sys.stdin is None else sys.stdin.buffer
