"""Parses YAML text into a tree of plain values with their lines. The only module that reads YAML; imported late,
because YAML is slow to load. Knows nothing of what the config may hold."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

from pipedrive_cli.errors import ConfigProblem

Scalar: TypeAlias = str | int | float | bool | None

TAG: Final = "tag:yaml.org,2002:"
NODES_AT_MOST: Final = 20_000  # a few lines of nested aliases can expand to more values than memory holds
NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,29})(\.[0-9]{0,30})?", re.ASCII)
BOOLEANS: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
QUOTED: Final = re.compile(r"'(?P<mark>(?:<[a-z ]+>|.)(?='))?[^']*'")  # mark: a term of PyYAML's, or one character
NOT_PLAIN_NUMBER: Final = "is a number that YAML does not read as it is written (leading zero, 0x, colon, exponent)"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file, with its line (from 1) and the line of its key, which is the same for list items."""

    data: Scalar | list[Node] | dict[str, Node]
    line: int
    key_line: int


class TooLarge(Exception):
    """The document has more values than any config."""


class Unreadable(Exception):
    """A value for which a problem is reported; its key is left out of the tree."""


def parse(text: str, problems: list[ConfigProblem]) -> Node | None:
    """The document's tree; None if it is empty, or if it cannot be read and `problems` now has the reason."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return None
        return Walk(problems).node(root, "", root.start_mark.line + 1)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.append(ConfigProblem("", "holds a character that YAML does not allow (a control character?)", line))
    except yaml.MarkedYAMLError as error:
        problems.append(syntax_problem(error, text))
    except RecursionError:
        problems.append(ConfigProblem("", "is nested too deeply"))
    except Unreadable:
        pass
    except TooLarge:
        problems.append(ConfigProblem("", f"stands for more than {NODES_AT_MOST:,} values", hint="use fewer aliases"))
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML raises a bare ValueError for an escape such as "\UFFFFFFFF".
        problems.append(ConfigProblem("", "is no YAML"))
    return None


def syntax_problem(error: yaml.MarkedYAMLError, text: str) -> ConfigProblem:
    """PyYAML's message, without its excerpts of the file, which may contain a token."""
    mark = error.problem_mark or error.context_mark
    message = QUOTED.sub(
        lambda match: match[0] if match["mark"] else "'…'", error.problem or error.context or "unreadable"
    )
    if mark is None:
        return ConfigProblem("", f"is no YAML: {message}")
    if error.context_mark is not None and error.context_mark.line != mark.line:
        message += f", in what begins in line {error.context_mark.line + 1}"
    rows = text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else ""
    if "\t" in row[: mark.column + 1]:
        hint = "indent with spaces: YAML allows no tabs"
    elif "${" in row:
        hint = 'within braces or brackets put a variable in quotes: "${NAME}"'
    else:
        hint = "look at the indentation, at colons without a space behind, and at unclosed quotes or brackets above"
    return ConfigProblem("", f"is no YAML: {message} (column {mark.column + 1})", mark.line + 1, hint)


class Walk:
    """Turns PyYAML's nodes into our tree, and adds a problem for everything that has no place in a config."""

    def __init__(self, problems: list[ConfigProblem]) -> None:
        self.problems = problems
        self.left = NODES_AT_MOST
        self.above: set[int] = set()  # the nodes around the present one: an alias to one of them would never end

    def node(self, node: yaml.Node, path: str, key_line: int) -> Node:
        self.left -= 1
        if self.left < 0 or id(node) in self.above:
            raise TooLarge
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return Node(self.scalar(node, path), line, key_line)
        self.above.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return Node(self.mapping(node, path), line, key_line)
            if isinstance(node, yaml.SequenceNode):
                return Node(self.sequence(node, path), line, key_line)
        finally:
            self.above.discard(id(node))
        raise TooLarge  # never reached: there is no fourth kind of node

    def mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == f"{TAG}merge":
                for name, value in self.merge(value_node, path, line).items():
                    merged.setdefault(name, value)
                continue
            key = self.key(key_node, path)
            if key is None:
                continue
            inner = f"{path}.{shown_path(key)}" if path else shown_path(key)
            if key in entries:
                message = f"stands here twice; the first is in line {entries[key].key_line}"
                self.problems.append(ConfigProblem(inner, message, line, "keep one of the two"))
                continue
            with suppress(Unreadable):
                entries[key] = self.node(value_node, inner, line)
        return merged | entries

    def sequence(self, node: yaml.SequenceNode, path: str) -> list[Node]:
        items: list[Node] = []
        for index, item in enumerate(node.value):
            with suppress(Unreadable):
                items.append(self.node(item, f"{path}[{index}]", item.start_mark.line + 1))
        return items

    def merge(self, node: yaml.Node, path: str, line: int) -> dict[str, Node]:
        """The entries that `<<: *other` adds."""
        whole = self.node(node, path, line)
        sources = whole.data if isinstance(whole.data, list) else [whole]
        found: dict[str, Node] = {}
        for source in sources:
            if isinstance(source.data, dict):
                found = source.data | found
            else:
                self.problems.append(ConfigProblem(path, "<< takes in another section, and this is none", line))
        return found

    def key(self, node: yaml.Node, path: str) -> str | None:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            self.problems.append(ConfigProblem(path, "a key must be text, not a list or a section", line))
            return None
        if node.tag in {f"{TAG}str", f"{TAG}timestamp", f"{TAG}value"}:
            return str(node.value)
        kind = node.tag.removeprefix(TAG)
        reading = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing"}.get(kind)
        name = shown_path(node.value)
        message = f"the key {name} is not read as text" + (f" but as {reading}" if reading else "")
        self.problems.append(ConfigProblem(path, message, line, f'put it in quotes: "{name}"'))
        return None

    def scalar(self, node: yaml.ScalarNode, path: str) -> Scalar:
        text = str(node.value)
        match node.tag.removeprefix(TAG):
            case "str" | "timestamp" | "value" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return BOOLEANS.get(text.lower(), False)
            case "int" | "float":
                if match := NUMBER.fullmatch(text):
                    plain = text.replace("_", "")
                    return float(plain) if match[1] else int(plain)
                message, hint = NOT_PLAIN_NUMBER, "put text in quotes; write numbers plainly"
            case _:
                message, hint = "bears a YAML tag (!...), which means nothing here", "leave the tag out"
        self.problems.append(ConfigProblem(path, message, node.start_mark.line + 1, hint))
        raise Unreadable


def shown_path(name: str) -> str:
    """A key that is safe in messages: short, without control characters, and cut at a colon without a space, because
    the text behind it may be a token."""
    head, colon, rest = name.partition(":")
    short = f"{head}:…" if colon and rest and " " not in head else name
    short = short if len(short) <= 60 else f"{short[:59]}…"
    return short if short.isprintable() else ascii(short)[1:-1]
