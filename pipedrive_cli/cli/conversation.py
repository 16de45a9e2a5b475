"""Questions put to somebody at a terminal, and nobody else: where there is no one to ask, every question is refused.

Questions go to stderr. What comes from events or accounts is made harmless before it stands in one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from pipedrive_cli.config.values import BadValue, secret
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.secret import Secret

QUESTION_LIMIT = 500

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Conversation:
    """`live` says whether somebody is there. Ctrl-C and Ctrl-D raise typer.Abort."""

    live: bool

    def text(self, question: str, default: str = "") -> str:
        """An answer, trimmed; the default for Enter."""
        shown = f" [{visible_text(default)}]" if default else ""
        answer = typer.prompt(
            visible_text(question, QUESTION_LIMIT) + shown, default=default, show_default=False, err=True, type=str
        )
        return str(answer).strip()

    def until(self, question: str, read: Callable[[str], Read], default: str = "") -> Read:
        """Asks until `read` takes the answer; what it raises (`BadValue`) is told."""
        while True:
            try:
                return read(self.text(question, default))
            except BadValue as refusal:
                show_note("; ".join([f"That {refusal.message}", *([refusal.hint] if refusal.hint else [])]))

    def hidden(self, question: str) -> Secret:
        """A key, which is not shown while it is typed."""
        while True:
            answer = typer.prompt(
                visible_text(question, QUESTION_LIMIT), default="", show_default=False, err=True, hide_input=True
            )
            try:
                return secret(str(answer))
            except BadValue as refusal:
                show_note(f"The key {refusal.message}.")

    def yes(self, question: str, *, default: bool = True) -> bool:
        """Yes or no."""
        return typer.confirm(visible_text(question, QUESTION_LIMIT), default=default, err=True)


def at_the_terminal(*, yes: bool) -> Conversation:
    """With whoever sits before standard input, unless `yes` says that nobody is to be asked."""
    return Conversation(not yes and sys.stdin is not None and sys.stdin.isatty())
