"""What may know what: arrows point one way, pure modules do no I/O, and every foreign library has one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "pipedrive_cli"
FILES = sorted(ROOT.rglob("*.py"))

# The lower a room's rank, the less it may know: a module imports from lower ranks and from its own room alone.
RANKS: dict[str, int] = {
    "version": 0,
    "model": 0,
    "errors": 0,
    "secret": 0,
    "text_forms": 0,
    "timestamps": 0,
    "virtual_time": 0,
    "config": 1,
    "events": 2,
    "pipedrive": 3,
    "transform": 4,
    "setup": 5,
    "delivery": 6,
    "report": 7,
    "run": 8,
    "library": 9,
    "cli": 10,
    "pipedrive_cli": 11,
    "__main__": 11,
}

# Who may start the sandbox, which itself knows nothing of the rest.
STARTS_THE_SANDBOX = ("run.embedded", "run.case", "run.connection", "run.rehearse", "run.rehearse_online", "cli.")

PURE = (
    "model",
    "transform.",
    "setup.",
    "delivery.precedence",
    "delivery.fold",
    "delivery.pending_event",
    "delivery.backlog",
    "delivery.window",
    "delivery.journal.rows",
    "delivery.effects",
    "delivery.outcomes",
    "delivery.upsert",
    "delivery.identity",
    "delivery.leads",
    "delivery.desk",
    "delivery.retry",
    "delivery.budget",
    "delivery.brakes",
    "pipedrive.catalog",
    "pipedrive.bodies",
    "pipedrive.fields",
    "pipedrive.account",
    "pipedrive.answer",
    "report.summary",
    "report.problems",
    "report.safe_text",
    "report.timeline",
    "report.run_context",
    "report.axes",
    "report.charts",
)
IMPURE = frozenset(
    {"httpx", "sqlite3", "rich", "typer", "time", "random", "os", "asyncio", "secrets", "socket", "uuid"}
    | {"io", "sys", "tempfile", "shutil", "subprocess", "threading", "multiprocessing", "concurrent", "logging"}
)
# Of what a pure module may import, these functions reach the clock or the disk all the same.
REACHES_OUT = frozenset(
    {"now", "utcnow", "today", "open", "exists", "stat", "mkdir", "unlink", "expanduser", "cwd"}
    | {f"{verb}_{what}" for verb in ("read", "write") for what in ("text", "bytes")}
)

# Foreign library -> the modules that may import it.
PLACES: dict[str, tuple[str, ...]] = {
    "httpx": ("pipedrive.client", "pipedrive.webhook", "sandbox.transport"),
    "sqlite3": ("delivery.journal.", "run.fold_store"),
    "rich": ("report.",),
    "jinja2": ("report.html",),
    "markupsafe": ("report.html",),
    "typer": ("cli.",),
    "yaml": ("config.",),
    "uvicorn": ("sandbox.",),
    "phonenumbers": ("pipedrive.contacts",),
    "fsspec": ("events.cloud",),
    "distributed": ("run.dask_folding",),
    "time": ("run.", "cli.", "sandbox."),
    "random": ("run.", "sandbox."),
}


def name_of(file: Path) -> str:
    """A module's name below `pipedrive_cli`: `delivery.upsert`; a package's is that of its folder."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "pipedrive_cli"


@cache
def tree_of(file: Path) -> ast.Module:
    """A module, parsed once for all tests."""
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(file: Path) -> frozenset[str]:
    """Full names of all that a module imports, wherever in it; `from a import b` gives `a.b` where that is a module."""
    return frozenset(_imports(file))


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written out"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


MODULES = {f"pipedrive_cli.{name_of(file)}" for file in FILES}
OURS = {
    name_of(file): sorted({i.removeprefix("pipedrive_cli.") for i in imports(file) if i.startswith("pipedrive_cli")})
    for file in FILES
}


def rank(module: str) -> tuple[int, str]:
    """A module's rank and the part it belongs to."""
    part = module.split(".", maxsplit=1)[0]
    return (RANKS[module], module) if module in RANKS else (RANKS[part], part)


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(
        module == place or f"{module}.".startswith(place if place.endswith(".") else f"{place}.") for place in places
    )


def test_a_module_knows_only_what_stands_below_it() -> None:
    """No import goes upwards or sideways; the sandbox is started from a few named places alone."""
    pairs = [(module, other) for module in OURS if not module.startswith("sandbox") for other in OURS[module]]
    for module, other in pairs:
        if other.split(".")[0] == "sandbox":
            assert within(module, STARTS_THE_SANDBOX), f"{module} imports {other}"
            continue
        (own_rank, own_part), (other_rank, other_part) = rank(module), rank(other)
        assert other_rank < own_rank or other_part == own_part or own_rank == other_rank == 0, (
            f"{module} imports {other}"
        )


def test_the_sandbox_is_an_opinion_of_its_own() -> None:
    """The sandbox imports nothing of ours: if it shared our tables, we would be wrong together."""
    known = {other for module, others in OURS.items() if module.startswith("sandbox") for other in others}
    assert {other for other in known if not other.startswith("sandbox")} == set()


def test_no_modules_import_each_other_in_a_ring() -> None:
    """Every module can be understood after those it imports."""
    state: dict[str, str] = {}

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert state.get(module) != "open", " -> ".join((*way, module))
        if module in state:
            return
        state[module] = "open"
        for other in OURS.get(module, ()):
            if other != module and not module.startswith(f"{other}."):  # a package may gather its own modules
                visit(other, (*way, module))
        state[module] = "done"

    for module in OURS:
        visit(module, ())


DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def says_that_it_is_pure(file: Path) -> bool:
    """Whether a docstring, of the module or of anything in it, promises that nothing outside is reached."""
    docstrings = (ast.get_docstring(node) or "" for node in ast.walk(tree_of(file)) if isinstance(node, DOCUMENTED))
    return any(re.search(r"\bPure\b|\b(?i:no|without)\s+I/O\b", docstring) for docstring in docstrings)


PURE_FILES = [file for file in FILES if within(name_of(file), PURE) or says_that_it_is_pure(file)]


def test_a_pure_module_reaches_nothing_outside() -> None:
    """What is decided is decided without network, disk, clock, chance or terminal; who says so is held to it."""
    assert PURE_FILES
    for file in PURE_FILES:
        assert {name.split(".")[0] for name in imports(file)} & IMPURE == set(), file
        called = {ast.unparse(node.func) for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)}
        assert {name for name in called if name.rpartition(".")[2] in REACHES_OUT} == set(), file


def test_every_pure_module_that_is_listed_exists() -> None:
    """A module that is renamed does not escape its rule."""
    names = [name_of(file) for file in FILES]
    assert [pure for pure in (*PURE, *STARTS_THE_SANDBOX) if not any(within(name, (pure,)) for name in names)] == []


@pytest.mark.parametrize("library", sorted(PLACES))
def test_a_foreign_library_has_its_place(library: str) -> None:
    """What only one part may know of, no other imports."""
    users = [name_of(file) for file in FILES if library in {name.split(".")[0] for name in imports(file)}]
    assert [user for user in users if not within(user, PLACES[library])] == []


def test_no_template_goes_round_the_escaping() -> None:
    """What a page shows is escaped, whichever template shows it."""
    templates = sorted(ROOT.rglob("*.html"))
    around = re.compile(r"\bsafe\b|autoescape|__html__")
    assert [(file.name, found[0]) for file in templates if (found := around.search(file.read_text("utf-8")))] == []
    assert templates


def test_every_module_says_what_it_is_for() -> None:
    """A docstring opens every module, and nothing prints behind the report's back."""
    for file in FILES:
        tree = tree_of(file)
        assert (ast.get_docstring(tree) or "").strip(), file
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        called = {function.id for function in calls if isinstance(function, ast.Name)}
        assert called & {"print", "input", "eval", "exec", "breakpoint"} == set(), file


def test_every_test_states_a_behaviour() -> None:
    """Each test function has a docstring of its own."""
    silent = [
        f"{file.name}::{node.name}"
        for file in sorted(Path(__file__).parent.rglob("test_*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
