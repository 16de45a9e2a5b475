"""What `--help` shows, for every command there is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import pipedrive_cli
from pipedrive_cli.cli.app import app

from .desk_for_commands import pipedrive_cli as run

PACKAGE = Path(pipedrive_cli.__file__).parent
TEXTS = [PACKAGE.parent / "README.md", *sorted(PACKAGE.glob("docs/*.md")), PACKAGE.parent / "config.example.yaml"]
PLACES = [*sorted(PACKAGE.rglob("*.py")), *TEXTS]
MENTION = re.compile(r"(?:`|\$ )pipedrive-cli ([a-z]+)")


def commands(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """The words that lead to every command and group."""
    yield names
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *names, name)


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_help_is_written_for_people(names: tuple[str, ...]) -> None:
    """No type of Python's, no bracket twice, no sentence cut off."""
    shown = run(*names, "--help")
    assert shown.code == 0
    assert shown.out.startswith("Usage: pipedrive-cli")
    assert not re.search(r"^  \w.*\.\.\.$", shown.out, re.MULTILINE), "a command's line is cut off"
    assert not re.search(r"<\w|list\[|\{|\[\[|\]\]|[A-Z]\]\.\.\.", shown.out.replace("[ARGS]...", ""))


@pytest.mark.parametrize("started", [["-m", "pipedrive_cli"], [str(PACKAGE / "__main__.py")]], ids=["module", "file"])
def test_help_names_the_command_however_it_was_started(started: list[str]) -> None:
    """What is read in a usage line can be typed."""
    shown = subprocess.run(
        [sys.executable, *started, "runs", "--help"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.startswith(b"Usage: pipedrive-cli runs ")


def test_no_message_names_a_command_that_there_is_not() -> None:
    """Whoever does as a hint or a page says gets no usage error."""
    known = {names[0] for names in ALL if names}
    texts = {path: path.read_text(encoding="utf-8") for path in PLACES}
    assert {name for text in texts.values() for name in MENTION.findall(text)} >= {"replay", "check", "retry"}
    unknown = {place: set(MENTION.findall(text)) - known for place, text in texts.items()}
    assert {place: names for place, names in unknown.items() if names} == {}


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_every_help_has_examples_that_are_understood(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on one line of 80 columns, of this command, and with options that there are."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(*names, "--help").out
    assert max(map(len, shown.splitlines())) <= 80
    examples = re.findall(r"^ +pipedrive-cli (.+)$", shown.split("\n  Examples:\n")[1], re.MULTILINE)
    assert examples
    for example in examples:
        assert not names or example.startswith(names[0])
        command: Any = typer.main.get_command(app)
        words = shlex.split(re.split(" [<>] ", example)[0])
        while inner := getattr(command, "commands", None):
            command = inner[words.pop(0) if words and words[0] in inner else "list"]
        command.make_context("pipedrive-cli", words)


@pytest.mark.parametrize("name", ["replay", "retry"])
def test_commands_that_scripts_call_tell_their_exit_codes(name: str) -> None:
    """All of them, in their help."""
    shown = " ".join(run(name, "--help").out.split())
    for code in ("0 every", "1 some", "2 a mistake", "3 the key", "4 stopped", "5 another", "130 or 143"):
        assert code in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("runs", "event", "m1"), "Did you mean 'events'?"),
        (("fields", "creat"), "Did you mean 'create'?"),
        (("replay", "x", "--online"), "No such option: --online. It is one of `preview`, `rehearse`."),
        (("replay", "x", "--dryrun"), "(Possible options: --dry-run)"),
        (("replay", "x", "--limit", "ten"), "'ten' is no whole number."),
    ],
    ids=" ".join,
)
def test_a_slip_is_told_in_the_words_of_people(words: tuple[str, ...], told: str) -> None:
    """A command of a group, though its first word may be left unsaid; a number."""
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "") and told in ended.err
