"""What an hourly import is, for whoever writes it down for cron, systemd, Kubernetes or GitHub: names, paths, words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pipedrive_cli.errors import UserMistake

Scheduler: TypeAlias = Literal["cron", "systemd", "kubernetes", "github"]
SCHEDULERS: tuple[Scheduler, ...] = get_args(Scheduler)

MINUTE = 17  # on the hour everybody's jobs begin
# Exit codes that are no failure of the schedule: some events were rejected, which the log tells; and another run of
# this account is under way, which does the work.
REJECTED, HELD = 1, 5
STOPPED = 143  # by SIGTERM, in order
NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,50}[a-z0-9])?")  # what Kubernetes takes as the name of a CronJob
_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}  # control characters, bytes that are no UTF-8, breaks of lines
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffe\uffff"  # text would not be as it looks


@dataclass(frozen=True, slots=True)
class ScheduledSource:
    """A SOURCE that means the same from every folder, and the folder that it lies in; None for a URL."""

    argument: str
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduledImport:
    """One import, as this machine would run it. All paths are absolute.

    `variables` are those that the config reads, `files` those that it names, relative to its folder where they lie
    below it. `folder` is where the log, the figures and the rejected events go.
    """

    name: str
    tool: tuple[str, ...]
    sources: tuple[ScheduledSource, ...]
    config: str
    folder: str
    state: str | None = None
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    keyring: bool = False
    user: str | None = None

    def file(self, ending: str) -> str:
        """A file of this import in its folder."""
        return f"{self.folder.rstrip('/')}/{self.name}{ending}"

    @property
    def words(self) -> tuple[str, ...]:
        """The command line on this machine."""
        state = () if self.state is None else ("--state", self.state)
        return (*self.tool, "replay", *self.arguments, "-c", self.config, *state, *self.outputs(self.folder))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The sources as the command line has them."""
        return tuple(source.argument for source in self.sources)

    def outputs(self, folder: str) -> tuple[str, ...]:
        """The options for what a run leaves in a folder."""
        start = f"{folder.rstrip('/')}/{self.name}"
        return ("--rejects", f"{start}.rejects.ndjson", "--metrics", f"{start}.prom", "--quiet")

    @property
    def settings(self) -> str:
        """The file with the variables, one `NAME='value'` a line."""
        return self.file(".env")


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a schedule."""

    name: str
    text: str


def checked_import(job: ScheduledImport) -> ScheduledImport:
    """The import, whose names can stand in any such file. Raises UserMistake."""
    if NAME.fullmatch(job.name) is None:
        raise UserMistake(
            "--name: small letters, digits and hyphens, at most 52, with a letter or digit at both ends", code="usage"
        )
    for path in _paths(job):
        if any(unicodedata.category(character) in _CATEGORIES or character in _TURNING for character in path):
            raise UserMistake(
                f"{path!a} holds a line break, another control character, or bytes that are no UTF-8: "
                "it cannot stand in a schedule",
                code="usage",
                hint="rename it, or name it by a pattern such as exports/*",
            )
    return job


def _paths(job: ScheduledImport) -> Iterable[str]:
    return (*job.tool, *job.arguments, job.config, job.folder, *job.files, *([] if job.state is None else [job.state]))
