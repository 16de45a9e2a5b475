"""Writes the rejects file: the rejected and failed events as they were read, to be mended and replayed.

Each line is the event's own bytes with one more key, `_pipedrive_cli`, that says what is wrong; a later run ignores its
message. The key is spliced into the bytes, which are never re-encoded: a 20-digit number keeps its digits.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import msgspec

from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.events.splitting import members_of
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.json_line import encodable_values
from pipedrive_cli.report.standing_rejects import Since, StandingRejects, reject_key
from pipedrive_cli.report.written_file import place_of

KEY = "_pipedrive_cli"
LONGEST_LINE = 4 * 1024 * 1024  # bytes; a longer line was never read as an event
KEPT_OF_LONGER = 1024
_BOM = b"\xef\xbb\xbf"
_BARE: Final[Mapping[str, msgspec.Raw | bytes]] = {"type": b""}  # members of an event in which KEY is not


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with an event."""

    code: str
    message: str
    field: str | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value of the key `_pipedrive_cli`: the problem that decided the outcome, and `problems`, which has them all.

    `line` counts from 1, `index` from 0 within a batch line. `identity` and `time` (microseconds since 1970 UTC) are
    the event's, so that a mended event is recognised. Both are None for a line that is no event.
    """

    file: str
    line: int
    index: int | None = None
    identity: str | None = None
    time: int | None = None
    outcome: Outcome
    code: str
    message: str
    field: str | None
    problems: tuple[Problem, ...] = ()


class OriginNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The same for an event with which nothing is wrong: where it comes from, and by what it is known again.

    Only a line that nobody could read whole has a `code`.
    """

    file: str
    line: int
    index: int | None = None
    identity: str | None = None
    time: int | None = None
    code: str | None = None


class RejectsWriter:
    """Writes a temporary file and moves it to the path of the rejects file at the end.

    A run without rejects creates no file. What an earlier run has written there stays as it is until it is handled: see
    `standing_rejects`. As a context manager it calls `close`, or `discard` on an exception. The mode is 0600, because
    events are personal data.
    """

    def __init__(self, path: Path) -> None:
        """Raises `UserMistake` when `path` cannot be written."""
        self._place = place_of("--rejects", path, kept=True)
        self.path = path
        self.count = 0
        self._standing = StandingRejects(self._place)
        self._file: BinaryIO | None = None
        self._temporary: Path | None = None

    def add(self, raw: bytes, note: Note, *, cut: bool = False) -> None:
        """Adds one event: `raw` is its own JSON, or the whole line if that is no JSON.

        With `cut` `raw` is only the beginning of a line that is too long.
        """
        self.count += 1
        if self._standing.has(reject_key(note.identity, note.file, note.line, note.index)):
            return
        if self._file is None:
            self._file = self._open()
        self._file.write(reject_line(raw, note, cut=cut))

    def close(self, since: Since | None = None) -> Path | None:
        """Brings the file to its place, with the lines of an earlier run that are still to be mended.

        Returns the path; None if this run had no rejects. `since` tells which lines are handled; None: none is.
        """
        added, self._file = self._file, None
        if added is not None:
            added.close()
        elif not self._place.exists():
            return None
        with contextlib.ExitStack() as stack:
            if added is not None and self._temporary is not None:
                stack.callback(self._temporary.unlink, missing_ok=True)
            changed, kept = added is not None, False
            whole, whole_path = self._made()
            stack.callback(whole_path.unlink, missing_ok=True)
            with whole:
                for line, is_open in self._standing.kept(since):
                    changed |= not is_open
                    if is_open:
                        kept = True
                        whole.write(line if line.endswith(b"\n") or added is None else line + b"\n")
                if self._temporary is not None:
                    with self._temporary.open("rb") as new:
                        shutil.copyfileobj(new, whole)
                whole.flush()
                os.fsync(whole.fileno())
            if changed and (kept or added is not None):
                whole_path.replace(self._place)
            elif changed:
                self._place.unlink(missing_ok=True)  # all of it is handled
        self._temporary = None
        return self.path if self.count else None

    def discard(self) -> None:
        """Deletes what was written; an earlier file at `path` stays."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # closing writes the buffer, and the disk may be full
                self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
        self._file = self._temporary = None

    def __enter__(self) -> RejectsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _open(self) -> BinaryIO:
        file, self._temporary = self._made()
        return file

    def _made(self) -> tuple[BinaryIO, Path]:
        """A new file beside the rejects file."""
        descriptor, name = tempfile.mkstemp(dir=self._place.parent, prefix=f".{self._place.name}.", suffix=".tmp")
        return os.fdopen(descriptor, "wb"), Path(name)


def reject_line(raw: bytes, note: Note | OriginNote, *, cut: bool = False, bare: bool = False) -> bytes:
    """One line of a rejects file, newline included; parameters as for `RejectsWriter.add`.

    `bare`: `raw` is certainly a JSON object, and has something but no note of ours. So it need not be decoded again.
    """
    mark = msgspec.json.encode(KEY) + b":" + _encode(note)
    if cut or len(raw) > LONGEST_LINE:
        # A cut through a character must not make the line undecodable.
        text = raw[:KEPT_OF_LONGER].removeprefix(_BOM).decode("utf-8", "ignore")
        return b"{" + mark + b',"raw":' + msgspec.json.encode(text) + b"}\n"
    raw = raw.removeprefix(_BOM)
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return b"{" + mark + b',"raw_base64":"' + base64.b64encode(raw) + b'"}\n'
    members = _BARE if bare else _members(raw)
    if members is None:
        return b"{" + mark + b',"raw":' + msgspec.json.encode(text) + b"}\n"
    return _splice(raw, members, mark)


def _members(raw: bytes) -> Mapping[str, msgspec.Raw | bytes] | None:
    if too_deep(raw):
        return None
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        pass
    try:
        # JSON may have numbers and halves of characters that the decoder refuses; NaN it may not.
        json.loads(raw, parse_constant=_no_constant, parse_int=str)
        return members_of(raw.strip())
    except (ValueError, RecursionError):
        return None  # no JSON object: the line is kept as text


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _splice(raw: bytes, members: Mapping[str, msgspec.Raw | bytes], mark: bytes) -> bytes:
    if KEY in members:
        kept = [
            msgspec.json.encode(name) + b":" + bytes(value).strip() for name, value in members.items() if name != KEY
        ]
        body = b",".join(kept)
    else:
        body = raw.strip()[1:-1].rstrip()
    # Valid JSON has line ends only between its parts, never inside a string.
    body = body.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"{" + body + (b"," if members.keys() - {KEY} else b"") + mark + b"}\n"


def _encode(note: Note | OriginNote) -> bytes:
    try:
        return msgspec.json.encode(note)
    except UnicodeEncodeError:
        return msgspec.json.encode(encodable_values(msgspec.to_builtins(note)))
