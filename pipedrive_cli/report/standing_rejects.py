"""What stands in the rejects file of an earlier run, and which of its lines are still to be mended.

Somebody may be mending the file. So a line that stays is kept byte for byte, and an event that stands there already
does not come in a second time. A line goes once its event is handled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import entries, head_of
from pipedrive_cli.events.identity import digest
from pipedrive_cli.events.people import People, people_in_text
from pipedrive_cli.model import Consent

PIECE: Final = 16 * 1024 * 1024  # bytes; a longer line is none of ours, and is kept in pieces
AT_ONCE: Final = 500  # lines that are judged together
KEYS_AT_MOST: Final = 500_000  # of lines that are known again; an event beyond may come in twice


@dataclass(frozen=True, slots=True)
class Since:
    """What has become of events since they were rejected.

    `handled` says which digests need nothing any more, `denies` whether a user refused consent, `suppresses` whether
    somebody asked not to be sent, and `finished` are the files that this run has read to their end: of a line there
    that is no event nothing else tells that it was mended.
    """

    handled: Callable[[Sequence[bytes]], set[bytes]]
    denies: Callable[[Consent | None], bool]
    suppresses: Callable[[People], bool]
    finished: Collection[str]


@dataclass(frozen=True, slots=True)
class _Line:
    raw: bytes
    events: tuple[Entry, ...] = ()  # none: it is no event yet
    file: str | None = None  # from which the line came
    keys: tuple[bytes, ...] = ()


class _Origin(msgspec.Struct):
    file: str | None = None
    line: int | None = None
    index: int | None = None


_decode_origin: Final = msgspec.json.Decoder(_Origin | None).decode


def reject_key(identity: str | None, file: str, line: int, index: int | None) -> bytes:
    """By what a reject is known again: the event's identity, or the place of a line that is no event."""
    if identity is not None:
        return digest(identity)
    return hashlib.blake2b(f"{line} {index} {file}".encode("utf-8", "backslashreplace"), digest_size=16).digest()


@dataclass(slots=True)
class StandingRejects:
    """The lines of a rejects file that is there already."""

    path: Path
    _keys: set[bytes] | None = None
    _again: set[bytes] = field(default_factory=set)

    def has(self, key: bytes) -> bool:
        """Whether a reject stands there already; if so, its line stays. Raises OSError."""
        if self._keys is None:
            self._keys = set()
            for line in self._lines():
                self._keys.update(line.keys)
                if len(self._keys) >= KEYS_AT_MOST:
                    break
        if key not in self._keys:
            return False
        self._again.add(key)
        return True

    def kept(self, since: Since | None) -> Iterator[tuple[bytes, bool]]:
        """Every line with its end, and whether it is still to be mended. Without `since` all are. Raises OSError."""
        every = self._lines()
        while lines := list(islice(every, AT_ONCE)):
            asked = [key for line in lines if line.events for key in line.keys if key not in self._again]
            handled = since.handled(asked) if since is not None else set()
            for line in lines:
                yield line.raw, since is None or self._open(line, since, handled)

    def _open(self, line: _Line, since: Since, handled: set[bytes]) -> bool:
        if any(key in self._again for key in line.keys):
            return True
        if line.events:
            return not all(
                key in handled or since.denies(event.consent()) or since.suppresses(event.people())
                for key, event in zip(line.keys, line.events, strict=True)
            )
        if since.suppresses(people_in_text(line.raw.decode("utf-8", "replace").replace('\\"', '"'))):
            return False
        return not (line.keys and line.file in since.finished)

    def _lines(self) -> Iterator[_Line]:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            while raw := file.readline(PIECE):
                yield _read(raw)


def _read(raw: bytes) -> _Line:
    # As events are read, for an event that is not quite JSON is the same one in the next run.
    if (head := head_of(raw)) is None:
        return _Line(raw)
    try:
        origin = _decode_origin(head.own)
        events = tuple(entries(raw, head, "", 0))
    except (ValueError, RecursionError):
        return _Line(raw)
    keys = tuple(digest(event.identity) for event in events if event.identity is not None)
    if len(keys) == len(events):
        return _Line(raw, events, keys=keys)
    if origin is None or origin.file is None or origin.line is None:
        return _Line(raw)
    return _Line(raw, file=origin.file, keys=(reject_key(None, origin.file, origin.line, origin.index),))
