"""Reports without people (`--redact`): places, codes, counts and fields stay, users and values become short hashes.

One value has one hash within a report, so that its reader sees what belongs together, and another one in every other
report: whoever knows an email must not find it by trying.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipedrive_cli.model import FILE_PROBLEMS
from pipedrive_cli.report.problems import words_for
from pipedrive_cli.report.run_context import RunContext
from pipedrive_cli.report.summary import Example, ProblemGroup, Summary

HASH_BYTES: Final = 4
# What messages say of events: quoted values, emails, and records by their keys.
_SAID: Final = re.compile(
    r"""(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|‘[^’]*’|“[^”]*”)"""
    r"|(?P<email>[^\s\"'<>,;:()]+@[^\s\"'<>,;:()]+)"
    r"|(?P<counted>[^\s'\",:][^'\",:]*?)(?= × \d)"  # a value that does not fit
    r"|(?<=--user )(?P<asked>\S+)"
    r"|(?<= of user )(?P<user>\S+?)(?=[}:,;]|\s|$)"
    r"|(?<= of group )(?P<group>\S+?)(?=[}:,;]|\s|$)"
    r"|(?<= of event )(?P<event>\S+?)(?=[}:,;]|\s|$)"
    r"|(?<=product )(?P<product>\S+?)(?=[}:,;]|\s|$)"
    r"|(?<=product named )(?P<named>[^}:;]+)"
)


def redactor_if(wanted: bool) -> Redactor | None:
    """A redactor for one report, whose hashes nobody else can make; None where nobody asked for it."""
    return Redactor(secrets.token_bytes(16)) if wanted else None


class Redactor:
    """Makes the people in one report unrecognisable. `salt` is random, and new for every report."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def hash(self, value: object) -> str:
        """The short hash of a name or value."""
        text = value if isinstance(value, str) else repr(value)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, key=self._salt)
        return f"#{digest.hexdigest()}"

    def text(self, message: str) -> str:
        """A message without the values in it."""
        return _SAID.sub(self._of_match, message)

    def _of_match(self, match: re.Match[str]) -> str:
        said = match[0]
        return self.hash(said[1:-1] if match["quoted"] else said)

    def summary(self, summary: Summary) -> Summary:
        """A summary without people; counts, codes, places and fields are those of the run."""
        return msgspec.structs.replace(summary, problems=tuple(map(self.problem, summary.problems)))

    def problem(self, problem: ProblemGroup) -> ProblemGroup:
        """One kind of problem. Messages about single events go: they may quote anything."""
        about_file = problem.code in FILE_PROBLEMS
        examples = tuple(self._example(example, about_file=about_file) for example in problem.examples)
        message = self.text(problem.message)
        hint = None if problem.hint is None else problem.hint if _is_fixed(problem) else self.text(problem.hint)
        return msgspec.structs.replace(problem, message=message, hint=hint, examples=examples)

    def _example(self, example: Example, *, about_file: bool) -> Example:
        return msgspec.structs.replace(
            example,
            message_id=self._or_none(example.message_id),
            user=self._or_none(example.user),
            value=self._or_none(example.value),
            message=self.text(example.message) if about_file and example.message is not None else None,
        )

    def context(self, context: RunContext) -> RunContext:
        """What a page shows besides."""
        return msgspec.structs.replace(
            context, command=self.text(context.command), remarks=tuple(map(self.text, context.remarks))
        )

    def value(self, value: Any) -> Any:
        """A value of a request's body: keys, yes and no, and what is empty stay."""
        if value is None or isinstance(value, bool) or value in ("", [], {}):
            return value
        if isinstance(value, Mapping):
            return {key: self.value(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        return self.hash(value)

    def _or_none(self, value: str | None) -> str | None:
        return None if not value else self.hash(value)


def _is_fixed(problem: ProblemGroup) -> bool:
    """Whether the hint is the one that every such problem has."""
    return problem.hint == words_for(problem.code).hint
