"""Pieces of HTML, and the one way by which text from outside gets into them.

Everything that an event, a file name or Pipedrive brought goes through `text` or `prose`: hidden characters become
visible, then HTML is escaped. No other module of the page escapes anything.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from pipedrive_cli.report.escape import plain

SENTENCE = 2_000  # characters of a sentence; values are cut at `plain`'s own limit
_CODE = re.compile("`([^`]+)`")


def text(value: str, limit: int = 200) -> str:
    """`value` as it can stand between two tags or within a quoted attribute."""
    return html.escape(plain(value, limit))


def prose(sentence: str) -> str:
    """A sentence in which what stands between backticks is code, as in the terminal's words."""
    return _CODE.sub(r"<code>\1</code>", text(sentence, SENTENCE))


def code(value: str) -> str:
    """A value to be read letter by letter; isolated, so that right-to-left letters move nothing around it."""
    return f"<code>{text(value)}</code>"


def section(title: str, content: str) -> str:
    """A part of the page, or nothing where it has no content."""
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>" if content else ""


def items(lines: Iterable[str]) -> str:
    """A list of lines that are markup already, or nothing."""
    listed = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{listed}</ul>" if listed else ""


def folded(title: str, content: str) -> str:
    """Something that is there for those who open it."""
    return f"<details><summary>{title}</summary>{content}</details>" if content else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; the cells are markup already, those after the first are numbers.

    Wide ones are scrolled by themselves, so that the page need not be.
    """
    lines = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    if not lines:
        return ""
    titles = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{heads[0]}: {heads[1]}">'
        f'<table class="numbers"><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
    )
