"""A case of the config's own tests: a YAML file with what is given and what is expected.

    given:
      fields: {persons: {Tier: "enum:Pro,Free", Born: date}}    # types; what the config maps is text unless it is named
      records: {persons: [{name: Ada, User id: u1}]}            # what Pipedrive holds before
      events: [{type: identify, userId: u1, traits: {tier: Pro}}]   # or a file of events, beside this one
    expect:
      outcomes: {m1: delivered, m2: rejected bad_value}         # by message id
      records: {persons: [{name: Ada, Tier: Pro}]}              # all records of a kind; and of each the named fields
      requests: [{action: update, record: person of user u1, fields: {Tier: Pro}}]    # in the words of previews

Read and written here, run by `run.case`. YAML is loaded with this module alone, for it is slow to load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import yaml

from pipedrive_cli.config.document import Node, parse
from pipedrive_cli.config.load import read_text
from pipedrive_cli.errors import ConfigProblem, ConfigProblems
from pipedrive_cli.model import KINDS, Kind, Outcome

Row = dict[str, Any]
Expected = Mapping[str, Any]

_GIVEN: Final = ("fields", "records", "events")
_EXPECT: Final = ("outcomes", "records", "requests")
_REQUEST: Final = ("action", "record", "fields")
SUFFIXES: Final = (".yaml", ".yml")


class Case(msgspec.Struct, frozen=True):
    """One case. `expected` has the keys that the file has: what is not named there is not compared."""

    path: Path
    events: tuple[Row, ...] | Path
    fields: Mapping[Kind, Mapping[str, str]]
    records: Mapping[Kind, tuple[Row, ...]]
    expected: Expected


def load_case(path: Path) -> Case:
    """The case in a file. Raises ConfigProblems with every mistake, each with its line."""
    problems: list[ConfigProblem] = []
    text = read_text(path, problems)
    if text is None:
        raise ConfigProblems(str(path), problems, what="case")
    return case_of(text, path)


def case_of(text: str, path: Path) -> Case:
    """The case of this text; `path` is where it stands. Raises ConfigProblems."""
    problems: list[ConfigProblem] = []
    root = parse(text, problems)
    reader = _Reader(problems)
    case = None
    if not problems:
        case = reader.case(path, root or Node({}, 1, 1))
    if problems or case is None:
        problems.sort(key=lambda problem: (problem.line or 0, problem.path))
        raise ConfigProblems(str(path), problems, what="case")
    return case


def given_text(fields: Mapping[Kind, Mapping[str, str]], events: Sequence[Row]) -> str:
    """The text of a case with these fields and events, in which nothing is expected yet."""
    types = {kind: dict(named) for kind, named in fields.items() if named}
    given = ({"fields": types} if types else {}) | {"events": [dict(event) for event in events]}
    block = yaml.safe_dump({"given": given}, allow_unicode=True, sort_keys=False, width=120)
    return f"# A case for `pipedrive-cli test`: change it, add others beside it.\n{block}"


def written_case(text: str, found: Expected) -> str:
    """The text of a case with `found` as what is expected; the rest stays as it is written."""
    problems: list[ConfigProblem] = []
    root = parse(text, problems)
    block = yaml.safe_dump({"expect": found}, allow_unicode=True, sort_keys=False, width=120)
    entries = root.data if root is not None and isinstance(root.data, dict) else {}
    lines = text.splitlines(keepends=True)
    if "expect" not in entries:
        return text + ("" if not text or text.endswith("\n") else "\n") + block
    first = entries["expect"].key_line - 1
    later = [entry.key_line - 1 for entry in entries.values() if entry.key_line - 1 > first]
    end = min(later, default=len(lines))
    return "".join([*lines[:first], block, *lines[end:]])


class _Reader:
    """Turns the tree of a file into a case, and adds a problem for all that has no place in one."""

    def __init__(self, problems: list[ConfigProblem]) -> None:
        self.problems = problems

    def case(self, path: Path, root: Node) -> Case:
        if not (isinstance(root.data, dict) and {"given", "expect"} & root.data.keys()):
            self.wrong("", "is no case: there is neither `given` nor `expect` in it", root.line)
            return Case(path, (), {}, {}, {})
        parts = self.section(root, "", ("given", "expect"))
        given = self.section(parts.get("given"), "given", _GIVEN)
        expect = self.section(parts.get("expect"), "expect", _EXPECT)
        events = given.get("events")
        if events is None:
            self.wrong("given.events", "is missing: a case needs events", root.line)
        expected: dict[str, Any] = {}
        if "outcomes" in expect:
            expected["outcomes"] = self.outcomes(expect["outcomes"])
        if "records" in expect:
            expected["records"] = self.records(expect["records"], "expect.records")
        if "requests" in expect:
            expected["requests"] = self.requests(expect["requests"])
        return Case(
            path,
            self.events(path, events),
            self.fields(given.get("fields")),
            self.records(given.get("records"), "given.records"),
            expected,
        )

    def wrong(self, path: str, message: str, line: int | None, hint: str | None = None) -> None:
        self.problems.append(ConfigProblem(path, message, line, hint))

    def section(self, node: Node | None, path: str, known: Sequence[str] | None) -> dict[str, Node]:
        """The entries of a section; with `known` each must be one of those."""
        if node is None or node.data is None:
            return {}
        if not isinstance(node.data, dict):
            self.wrong(path, "must be a section with keys", node.line)
            return {}
        for name, entry in node.data.items():
            if known is not None and name not in known:
                where = f"{path}.{name}" if path else name
                self.wrong(where, "has no place in a case", entry.key_line, f"one of {', '.join(known)}")
        return node.data

    def rows(self, node: Node | None, path: str) -> tuple[Row, ...]:
        """A list of sections, as plain values."""
        if node is None or node.data is None:
            return ()
        if not isinstance(node.data, list) or not all(isinstance(item.data, dict) for item in node.data):
            self.wrong(path, "must be a list of sections, each with keys", node.line)
            return ()
        return tuple(_plain(item) for item in node.data)

    def events(self, path: Path, node: Node | None) -> tuple[Row, ...] | Path:
        if node is not None and isinstance(node.data, str):
            return path.parent / node.data
        return self.rows(node, "given.events")

    def kinds(self, node: Node | None, path: str) -> dict[Kind, Node]:
        return cast(dict[Kind, Node], self.section(node, path, KINDS))

    def records(self, node: Node | None, path: str) -> dict[Kind, tuple[Row, ...]]:
        return {kind: self.rows(rows, f"{path}.{kind}") for kind, rows in self.kinds(node, path).items()}

    def fields(self, node: Node | None) -> dict[Kind, dict[str, str]]:
        found: dict[Kind, dict[str, str]] = {}
        for kind, fields in self.kinds(node, "given.fields").items():
            path = f"given.fields.{kind}"
            found[kind] = {}
            for name, entry in self.section(fields, path, None).items():
                if isinstance(entry.data, str):
                    found[kind][name] = entry.data
                else:
                    self.wrong(f"{path}.{name}", "must be a type, such as date or enum:Pro,Free", entry.line)
        return found

    def outcomes(self, node: Node) -> dict[str, str]:
        found = {}
        for message_id, entry in self.section(node, "expect.outcomes", None).items():
            words = str(entry.data).split()
            if not isinstance(entry.data, str) or not words or words[0] not in {each.value for each in Outcome}:
                hint = f"one of {', '.join(each.value for each in Outcome)}, and a problem code if it matters"
                self.wrong(f"expect.outcomes.{message_id}", "is no outcome", entry.line, hint)
            found[message_id] = " ".join(words)
        return found

    def requests(self, node: Node) -> tuple[Row, ...]:
        rows = self.rows(node, "expect.requests")
        for number, row in enumerate(rows):
            for name in row.keys() - set(_REQUEST):
                self.wrong(f"expect.requests[{number}].{name}", "is nothing of a request", node.line, _one_of(_REQUEST))
        return rows


def _one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}"


def _plain(node: Node) -> Any:
    if isinstance(node.data, dict):
        return {name: _plain(value) for name, value in node.data.items()}
    if isinstance(node.data, list):
        return [_plain(value) for value in node.data]
    return node.data
