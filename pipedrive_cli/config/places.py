"""Finds the lines of keys in the config file, for problems that are found only when the account is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipedrive_cli.config.load import read_text
from pipedrive_cli.errors import ConfigProblem

if TYPE_CHECKING:
    from pipedrive_cli.config.document import Node


def with_lines(file: Path, problems: Iterable[ConfigProblem]) -> list[ConfigProblem]:
    """The problems with the lines of their keys added; unchanged if the file cannot be read any more."""
    from pipedrive_cli.config.document import parse  # noqa: PLC0415 - YAML is for those who need it

    problems = list(problems)
    unread: list[ConfigProblem] = []
    text = read_text(file, unread) if problems else None
    root = None if text is None else parse(text, unread)
    if root is None:
        return problems
    return [ConfigProblem(p.path, p.message, p.line or line_of_path(root, p.path), p.hint) for p in problems]


def line_of_path(node: Node, path: str) -> int | None:
    """The line of the key at `path`. Names of traits may contain dots, as in `fields.persons.address.city`."""
    if not isinstance(node.data, dict):
        return None
    if path in node.data:
        return node.data[path].key_line
    for key, inner in node.data.items():
        if path.startswith(f"{key}.") and (line := line_of_path(inner, path[len(key) + 1 :])) is not None:
            return line
    return None
