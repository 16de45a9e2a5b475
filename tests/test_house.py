"""The page that shows the house (`docs/architecture.md`), its words and its codes, held against the code."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

from pipedrive_cli.errors import StopCode
from pipedrive_cli.model import ComplaintCode
from pipedrive_cli.report.problems import PROBLEMS, NoticeCode
from tests.test_architecture import FILES, RANKS, ROOT, name_of, tree_of
from tests.test_readme import code_words, first_cells, marked

OURS = [file for file in FILES if "sandbox" not in file.relative_to(ROOT).parts]
LONGEST = 480  # lines of a module

# Functions and classes of one name in two modules: each is what Python, the command line or the library calls it.
DOUBLES = {"check", "compact", "create_fields", "list_fields", "preview", "replay", "run", "schema"}

CODES: dict[str, frozenset[str]] = {
    "complaints": frozenset(get_args(ComplaintCode)),
    "stops": frozenset(get_args(StopCode)),
    "notices": frozenset(get_args(NoticeCode)),
}


def path_of(file: Path) -> str:
    """As the page names a module: `delivery/upsert.py`."""
    return file.relative_to(ROOT).as_posix()


def is_heading(file: Path) -> bool:
    """Whether a package's `__init__.py` only says what its room is for."""
    return file.name == "__init__.py" and len(tree_of(file).body) == 1


def rows_of(name: str) -> list[list[str]]:
    """The cells of every row of the table that the page has under a marker."""
    rows = [line.strip("| ").split(" | ") for line in marked(name).splitlines() if line.startswith("| ")]
    return rows[1:]


def test_every_module_is_named_once() -> None:
    """Whoever looks for a module finds one line about it, and no module that is gone."""
    named = [word for cell in first_cells(marked("modules")) for word in re.findall(r"`([^`]+\.py)`", cell)]
    assert [name for name, n in Counter(named).items() if n > 1] == []
    assert sorted(named) == sorted(path_of(file) for file in FILES if not is_heading(file))


def test_every_path_on_the_page_exists() -> None:
    """Also those that stand in sentences."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {found for found in re.findall(r"`([\w/]+(?:\.py|/))`", text) if not found.startswith("tests/")}
    named |= {f"../{found}" for found in re.findall(r"`(tests/[\w/]+\.py)`", text)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_rooms_stand_in_the_order_in_which_they_may_know_each_other() -> None:
    """The page's table of rooms is the one that the architecture is held to."""
    rooms = [Path(word).stem for word in code_words(first_cells(marked("rooms")))]
    assert rooms == [*(room for room in RANKS if room != "pipedrive_cli"), "sandbox"]


@cache
def words_in(path: str) -> str:
    """The names and docstrings of a module as one text of small words: `PendingEvent` is `pending event`."""
    names: list[str] = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                names.append(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names += [name, ast.get_docstring(node) or ""]
            case ast.Module():
                names.append(ast.get_docstring(node) or "")
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", "\n".join(names))
    return re.sub(r"[ ]+", " ", apart.casefold())


def test_every_word_of_the_glossary_is_in_use() -> None:
    """In a name or a docstring of the module that is said to define it."""
    defined = [(row[0], row[2].strip("`")) for row in rows_of("words")]
    assert [word for word, where in defined if not re.search(rf"\b{word}s?\b", words_in(where))] == []


def test_every_word_is_explained_once() -> None:
    """One word has one meaning."""
    words = [row[0] for row in rows_of("words")]
    assert [word for word, n in Counter(words).items() if n > 1] == []


def test_a_name_means_one_thing() -> None:
    """No public function or class has the name of another module's, save a few that are known."""
    modules: defaultdict[str, set[str]] = defaultdict(set)
    for file in OURS:
        for node in tree_of(file).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                modules[node.name].add(name_of(file))
    assert {name for name, places in modules.items() if len(places) > 1} == DOUBLES
    assert len(DOUBLES) <= 20


def test_no_module_is_too_long_to_be_read() -> None:
    """What grows beyond that is two things."""
    long = [path_of(file) for file in OURS if len(file.read_text(encoding="utf-8").splitlines()) > LONGEST]
    assert long == []


def literals() -> Iterator[str]:
    """Every text in the code outside the three lists of codes and their words."""
    for file in OURS:
        tree = tree_of(file)
        listed = {
            id(inner)
            for node in tree.body
            if isinstance(node, ast.AnnAssign) and "Code" in ast.unparse(node.target)
            for inner in ast.walk(node)
        }
        if name_of(file) == "report.problems":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in listed:
                yield node.value


def test_every_code_is_in_use() -> None:
    """mypy knows that no other code is used; none is listed that nobody uses."""
    assert set().union(*CODES.values()) - set(literals()) == set()


def test_every_complaint_has_words() -> None:
    """A heading and what to do, for each code that an event can be told with; and no words for what there is not."""
    assert (CODES["complaints"] | CODES["notices"]) - set(PROBLEMS) == set()
    assert set(PROBLEMS) - set().union(*CODES.values()) == set()


def test_the_page_names_codes_that_there_are() -> None:
    """Scripts are written against the table of frequent problem codes."""
    assert set(code_words(first_cells(marked("codes")))) - set().union(*CODES.values()) - {""} == set()
