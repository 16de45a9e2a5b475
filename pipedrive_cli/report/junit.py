"""Writes the results of `test` as JUnit's XML, which CI servers show beside the tests of code. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from pipedrive_cli.report.safe_text import visible_text

LONGEST = 2_000  # characters of one difference


class JUnitCase(NamedTuple):
    """One case: its name, how many seconds it took, and what differed."""

    name: str
    seconds: float
    differences: tuple[str, ...]


def junit(cases: Sequence[JUnitCase]) -> bytes:
    """The cases as one suite. Characters that XML cannot hold are shown as escapes."""
    failures = sum(bool(case.differences) for case in cases)
    total = sum(case.seconds for case in cases)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="pipedrive-cli" tests="{len(cases)}" failures="{failures}" errors="0" time="{total:.3f}">',
    ]
    for case in cases:
        name = quoteattr(_visible(case.name))
        lines.append(f'  <testcase classname="pipedrive-cli" name={name} time="{case.seconds:.3f}">')
        if case.differences:
            text = "\n".join(map(_visible, case.differences))
            lines.append(f"    <failure message={quoteattr(_visible(case.differences[0]))}>{escape(text)}</failure>")
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>", ""]).encode()


def _visible(text: str) -> str:
    return visible_text(text, limit=LONGEST)
