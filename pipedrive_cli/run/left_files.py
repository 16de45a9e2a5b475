"""Files that were not read to their end, and what that means for a run.

A file that was found and breaks off is excused while its writer may be at work: once for each state of it. Whatever
else was found and could not be read is told by every run, which then ends with exit code 1. A file that the user named,
or a store that gave no more, ends the run early: exit code 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import Complaint, Place
from pipedrive_cli.report.wording import first_of

Verdict: TypeAlias = Literal["excused", "told", "stops"]

UNREACHABLE: Final = "source_unreachable"
_STORE_FAILED: Final = frozenset({UNREACHABLE, "source_unreadable"})
# What these hold behind the place where reading ended may be what other events wait for.
_MORE_TO_COME: Final = _STORE_FAILED | {"gzip_broken", "zstd_broken"}
_CUT_OFF: Final = "the file ends in the middle of a line, and has not changed since a run last saw it so"


class LeftReading(Protocol):
    """A reading that is over."""

    @property
    def source(self) -> Source: ...
    @property
    def left(self) -> Entry | None: ...
    @property
    def torn(self) -> bool: ...


class LeftFile(NamedTuple):
    """A file that was not read to its end, where reading ended, and why."""

    place: Place
    why: Complaint
    verdict: Verdict

    @property
    def more_to_come(self) -> bool:
        """Whether events may wait for what was not read."""
        return self.verdict != "excused" and self.why.code in _MORE_TO_COME


def left_file(reading: LeftReading, seen_torn: Callable[[Source], bool]) -> LeftFile | None:
    """What is to be told of a reading; None: it came to the end of its source.

    `seen_torn` says whether an earlier run has seen the source break off just as it does now.
    """
    source, left = reading.source, reading.left
    if left is None:
        return None
    why = left.refusal or Complaint("unfinished_line", "the last line has no end")
    if source.named or why.code == UNREACHABLE or (source.cloud is not None and why.code in _STORE_FAILED):
        return LeftFile(left.place, Complaint(why.code, why.message), "stops")
    if not reading.torn:
        return LeftFile(left.place, Complaint(why.code, why.message), "told")
    if not seen_torn(source):
        unfinished = f"{why.message}; what comes after is left for another run"
        message = why.message if why.code == "unfinished_line" else unfinished
        return LeftFile(left.place, Complaint("unfinished_line", message), "excused")
    told = Complaint("cut_off", _CUT_OFF) if why.code == "unfinished_line" else Complaint(why.code, why.message)
    return LeftFile(left.place, told, "told")


def stop_of(left: Iterable[LeftFile]) -> StopRun | None:
    """Why a run ends early that left these files; None if it does not."""
    files = [each.place.file for each in left if each.verdict == "stops"]
    if not files:
        return None
    return StopRun(
        f"{first_of(files, 1)} could not be read to the end",
        code="input_unread",
        hint="the report says why, and what to do about it",
    )
