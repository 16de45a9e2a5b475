"""Folders of RudderStack's and Segment's exports that are named by a day, and which of them `--since` leaves out. Pure.

The day is the day of the upload. An event is uploaded after it happened, and its time is never later than its
`receivedAt`. So a folder may hold events of any earlier time, but none of a later day. Therefore `--since` leaves
folders out before they are listed, and `--until` leaves out none. The day is in the time zone of the server that wrote
the folder, hence a day of slack.

A name counts as a day only where it can mean nothing else, in a folder

- below `rudder-logs/<source>/` or `gw/`, named `2026-03-01` or, as older servers wrote it, `03-01-2026`;
- named by a whole day in seconds or milliseconds since 1970, as Segment does;
- named `2026-03-01` anywhere else, for the files in it whose names begin with seconds since 1970 of about that day, as
  RudderStack's do. Other folders of that name may mean something else: a month's events under the month's first day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

SLACK: Final = timedelta(days=1)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AMERICAN: Final = re.compile(r"(\d\d)-(\d\d)-(\d{4})", re.ASCII)
_EPOCH: Final = re.compile(r"(\d{10})(?:000)?", re.ASCII)  # of 2001 and later, in s or ms
_FILE: Final = re.compile(r"(\d{10})\.", re.ASCII)
_DAY: Final = 86_400
_EPOCH_BEGINS: Final = datetime(1970, 1, 1, tzinfo=UTC)


def first_day(since: int) -> date:
    """The first day whose folder may hold an event of `since` (microseconds since 1970 UTC) or later."""
    try:
        return (_EPOCH_BEGINS + timedelta(microseconds=since)).date() - SLACK
    except OverflowError:  # far out of any calendar
        return date.min if since < 0 else date.max


@dataclass(slots=True)
class DaysLeftOut:
    """Decides which folders and files are too old, and counts them. With `first` None nothing is left out."""

    first: date | None = None
    folders: int = 0
    files: int = 0
    _total: DaysLeftOut | None = None  # the counter for all arguments

    @property
    def active(self) -> bool:
        """Whether there is a day before which folders are left out."""
        return self.first is not None

    def __bool__(self) -> bool:
        return bool(self.folders or self.files)

    def for_argument(self, parts: Sequence[str]) -> DaysLeftOut:
        """The rules for one argument: below an old day that the user named nothing is left out."""
        asked_for = self.first is not None and is_before(self.first, parts)
        return DaysLeftOut(None if asked_for else self.first, _total=self)

    def is_dated(self, parts: Sequence[str]) -> bool:
        """Whether a folder, or one of the folders above it, is certainly named by a day."""
        return is_before(date.max, parts)

    def leaves_out_folder(self, parts: Sequence[str]) -> bool:
        """Whether this folder is left out; if so, counts it."""
        left_out = self.first is not None and is_before(self.first, parts)
        self._count(folders=left_out)
        return left_out

    def leaves_out_file(self, parts: Sequence[str]) -> bool:
        """Whether this file is left out; if so, counts it."""
        left_out = self.first is not None and is_file_before(self.first, parts)
        self._count(files=left_out)
        return left_out

    def _count(self, *, folders: bool = False, files: bool = False) -> None:
        self.folders += folders
        self.files += files
        if self._total is not None:
            self._total._count(folders=folders, files=files)


def is_before(first: date, folders: Sequence[str]) -> bool:
    """Whether a folder, given as the names from the root to it, certainly holds only events from before that day."""
    days = (_folder_day(folders[: n + 1]) for n in range(len(folders)))
    return any(day is not None and day < first for day in days)


def is_file_before(first: date, parts: Sequence[str]) -> bool:
    """Whether a file (its name is the last of `parts`) certainly holds only events from before that day."""
    *folders, name = parts
    if is_before(first, folders):
        return True
    written = _FILE.match(name)
    day = _iso(folders[-1]) if folders else None
    return written is not None and day is not None and day < first and abs(_day_of(int(written[1])) - day) <= SLACK


def _folder_day(parts: Sequence[str]) -> date | None:
    *before, name = parts
    if epoch := _EPOCH.fullmatch(name):
        seconds = int(epoch[1])
        return _day_of(seconds) if seconds % _DAY == 0 else None
    if before[-1:] == ["gw"] or before[-2:-1] == ["rudder-logs"]:
        return _iso(name) or _american(name)
    return None


def _iso(name: str) -> date | None:
    return _date(name) if _ISO.fullmatch(name) else None


def _american(name: str) -> date | None:
    found = _AMERICAN.fullmatch(name)
    return None if found is None else _date(f"{found[3]}-{found[1]}-{found[2]}")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None  # the 30th of February


def _day_of(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
