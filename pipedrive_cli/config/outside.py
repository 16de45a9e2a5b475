"""What a config needs from outside of its file: environment variables, and files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipedrive_cli.config.load import CREDENTIALS, read_text
from pipedrive_cli.config.variables import NAME, REFERENCE, TOKEN_VARIABLE
from pipedrive_cli.errors import ConfigProblem

if TYPE_CHECKING:
    from pipedrive_cli.config.document import Node

FILES: Final = (("pipedrive", "api_token_file"), ("privacy", "suppress"))  # the journal is not read, but kept


@dataclass(frozen=True, slots=True)
class Outside:
    """`variables` in the order of the file, `files` as the config writes them. `keyring`: the key lies there."""

    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    keyring: bool = False


def outside_of(file: Path) -> Outside:
    """What the config in `file`, which is known to be right, needs. The key's variable too, where it names no key."""
    from pipedrive_cli.config.document import parse  # noqa: PLC0415 - YAML is for those who need it

    unread: list[ConfigProblem] = []
    text = read_text(file, unread)
    root = None if text is None else parse(text, unread)
    if root is None:
        return Outside((TOKEN_VARIABLE,))
    named = [name for value in _texts(root) for name in _variables(value)]
    if all(_value(root, "pipedrive", name) is None for name in CREDENTIALS):
        named.append(TOKEN_VARIABLE)
    files = [value for section, key in FILES if (value := _value(root, section, key)) is not None]
    return Outside(tuple(dict.fromkeys(named)), tuple(files), _value(root, "pipedrive", "keyring") is not None)


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node.data, str):
        yield node.data
    elif isinstance(node.data, dict):
        for child in node.data.values():
            yield from _texts(child)
    elif isinstance(node.data, list):
        for child in node.data:
            yield from _texts(child)


def _variables(text: str) -> Iterator[str]:
    for found in REFERENCE.finditer(text):
        if found["name"] and re.fullmatch(NAME, found["name"]):
            yield found["name"]


def _value(root: Node, section: str, key: str) -> str | None:
    """A text of the config, None where there is none."""
    inner = root.data.get(section) if isinstance(root.data, dict) else None
    line = inner.data.get(key) if inner is not None and isinstance(inner.data, dict) else None
    return line.data if line is not None and isinstance(line.data, str) else None
