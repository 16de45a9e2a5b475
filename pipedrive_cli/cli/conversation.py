"""Asks questions at a terminal. Callers ask only if the conversation is `live`, which means that somebody is there.

Questions go to stderr. Text of events or accounts is made harmless before it is shown in a question.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from pipedrive_cli.config.values import BadValue, secret
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.secret import Secret

QUESTION_LIMIT = 500
ROOM_FOR_ANSWER = 10  # columns

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Conversation:
    """`live`: somebody is there to be asked. Ctrl-C and Ctrl-D raise typer.Abort."""

    live: bool

    def ask_text(self, question: str, default: str = "") -> str:
        """Asks for text; returns it trimmed, or the default for Enter."""
        shown = f" [{visible_text(default)}]" if default else ""
        answer = typer.prompt(_lines(question, shown), default=default, show_default=False, err=True, type=str)
        return str(answer).strip()

    def ask_until(self, question: str, read: Callable[[str], Read], default: str = "") -> Read:
        """Asks until `read` accepts the answer; shows the `BadValue` that `read` raises."""
        while True:
            try:
                return read(self.ask_text(question, default))
            except BadValue as refusal:
                show_note("; ".join([f"That {refusal.message}", *([refusal.hint] if refusal.hint else [])]))

    def ask_secret(self, question: str) -> Secret:
        """Asks for a key, which is not shown while it is typed."""
        while True:
            answer = typer.prompt(_lines(question), default="", show_default=False, err=True, hide_input=True)
            try:
                return secret(str(answer))
            except BadValue as refusal:
                show_note(f"The key {refusal.message}.")

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """Asks for yes or no."""
        return typer.confirm(_lines(question), default=default, err=True)


def _lines(question: str, behind: str = "") -> str:
    """The question in lines that break between words, with room for `[Y/n]: ` behind it."""
    room = shutil.get_terminal_size().columns - ROOM_FOR_ANSWER
    return "\n".join(textwrap.wrap(visible_text(question, QUESTION_LIMIT) + behind, max(room, ROOM_FOR_ANSWER)))


def at_the_terminal(*, yes: bool) -> Conversation:
    """A conversation at the terminal of standard input; with `yes` nobody is asked."""
    return Conversation(not yes and sys.stdin is not None and sys.stdin.isatty())
