"""What a file is that holds no events: archives, other encodings, documents, tables. Pure.

Each kind is told by its first bytes or its first lines, with the command that makes event lines of it. So a ZIP archive
is one problem that says what to do, and not a million bad lines.
"""

from __future__ import annotations

import re
import shlex
from typing import Final, NamedTuple

from pipedrive_cli.model import Complaint, Outcome

LOOK: Final = 1 << 16  # bytes of a file's text that show what it is
_LINES: Final = 200  # of these
BAD_LINES: Final = 20  # so many bad lines at a file's start, and not one event, are no slips of somebody who edits


class Foreign(NamedTuple):
    """`what` completes "the file is ..."; `advice` is what to do, with FILE where the file's name belongs."""

    what: str
    advice: str

    def advice_for(self, name: str | None) -> str:
        """The advice with the file's name, quoted for a shell; None: it has none (standard input, an object)."""
        return self.advice if name is None else self.advice.replace("FILE", shlex.quote(name))

    def refusal(self) -> Complaint:
        """The complaint about one line that is of this kind."""
        message = f"the line is of {self.what}: {self.advice_for(None)}"
        return Complaint("other_format", message, None, self.what, Outcome.REJECTED)


_CONVERT: Final = "export the events from the program that wrote it, as NDJSON: one JSON object a line"
_UTF16 = Foreign("UTF-16 text", "convert it: `iconv -f UTF-16 -t UTF-8 FILE > events.ndjson`")
_UTF32 = Foreign("UTF-32 text", "convert it: `iconv -f UTF-32 -t UTF-8 FILE > events.ndjson`")
_UTF16_BARE = {
    "BE": Foreign("UTF-16 text", "convert it: `iconv -f UTF-16BE -t UTF-8 FILE > events.ndjson`"),
    "LE": Foreign("UTF-16 text", "convert it: `iconv -f UTF-16LE -t UTF-8 FILE > events.ndjson`"),
}
_TAR = Foreign("a tar archive", "unpack it, and replay the folder: `mkdir events && tar -xf FILE -C events`")
_EXCEL = Foreign("an Excel workbook", "save its sheet as CSV first")
_ZIP = Foreign("a ZIP archive", "unpack it, and replay the folder: `unzip FILE -d events`")

_AS_ROWS: Final = "name what its columns are: `--as identify --id COLUMN --time COLUMN`"
PARQUET: Final = Foreign("a Parquet file", _AS_ROWS)

# By the first bytes. The longest come first where one begins like another.
_MAGIC: Final[tuple[tuple[bytes, Foreign], ...]] = (
    (b"\xff\xfe\x00\x00", _UTF32),
    (b"\x00\x00\xfe\xff", _UTF32),
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"PAR1", PARQUET),
    (b"ORC", Foreign("an ORC file", _CONVERT)),
    (b"Obj\x01", Foreign("an Avro file", "convert it: `avro-tools tojson FILE > events.ndjson`")),
    (b"ARROW1", Foreign("an Arrow (Feather) file", _CONVERT)),
    (b"SEQ\x06", Foreign("a Hadoop sequence file", "convert it: `hadoop fs -text FILE > events.ndjson`")),
    (b"BZh", Foreign("packed with bzip2", "unpack it: `bzip2 -dc FILE > events.ndjson`")),
    (b"\xfd7zXZ\x00", Foreign("packed with xz", "unpack it: `xz -dc FILE > events.ndjson`")),
    (b"\x04\x22\x4d\x18", Foreign("packed with lz4", "unpack it: `lz4 -dc FILE > events.ndjson`")),
    (b"\xff\x06\x00\x00sNaPpY", Foreign("packed with snappy", "unpack it: `snzip -dc FILE > events.ndjson`")),
    (b"\x89LZO\x00", Foreign("packed with lzop", "unpack it: `lzop -dc FILE > events.ndjson`")),
    (b"LZIP", Foreign("packed with lzip", "unpack it: `lzip -dc FILE > events.ndjson`")),
    (b"\x1f\x9d", Foreign("packed with compress", "unpack it: `uncompress -c FILE > events.ndjson`")),
    (b"x\x9c", Foreign("packed with zlib", "unpack it: `zlib-flate -uncompress < FILE > events.ndjson`")),
    (b"x\xda", Foreign("packed with zlib", "unpack it: `zlib-flate -uncompress < FILE > events.ndjson`")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7-Zip archive", "unpack it, and replay the folder: `7z x FILE -oevents`")),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", "unpack it, and replay the folder: `unrar x FILE events/`")),
    (
        b"SQLite format 3\x00",
        Foreign("an SQLite database", "export its table: `sqlite3 -json FILE 'SELECT * FROM events' | jq -c '.[]'`"),
    ),
    (b"%PDF-", Foreign("a PDF document", _CONVERT)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _EXCEL),
    (b"\x89PNG", Foreign("a picture", "take it out of the folder")),
    (b"\xff\xd8\xff", Foreign("a picture", "take it out of the folder")),
    (b"GIF8", Foreign("a picture", "take it out of the folder")),
)
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# These two are read. Within a packed file they are not: nobody packs twice on purpose.
_TWICE: Final[tuple[tuple[bytes, Foreign], ...]] = (
    (_GZIP, Foreign("packed twice, the second time with gzip", "unpack it once: `PACKER -dc FILE > once.json.gz`")),
    (_ZSTD, Foreign("packed twice, the second time with zstd", "unpack it once: `PACKER -dc FILE > once.json.zst`")),
)
LONGEST_MAGIC: Final = max(len(magic) for magic, _ in _MAGIC)
_TAR_AT, _TAR_MAGIC = 257, b"ustar"
_SHEETS: Final = (b"xl/", b"[Content_Types].xml")
ZEROS: Final = Foreign("zero bytes alone", "its writer, or its disk, has lost what it held: fetch or export it again")
_BINARY: Final = Foreign("of no kind that is known here, and no text", _CONVERT)


def may_be_magic(start: bytes) -> bool:
    """Whether these few bytes may be the beginning of a kind that is told by its first bytes."""
    return any(magic.startswith(start) for magic, _ in _MAGIC)


def kind_of_bytes(start: bytes) -> Foreign | None:
    """What a file is that begins with these bytes, as they are stored; None for text, gzip and zstd."""
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return _EXCEL if kind is _ZIP and any(name in start[:4096] for name in _SHEETS) else kind
    if start[_TAR_AT : _TAR_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
        return _TAR
    if len(start) >= 4 and start[0] != start[1] and b"\0" in (start[0:1], start[1:2]):
        return _wide(start)
    return None


def _wide(start: bytes) -> Foreign | None:
    """UTF-16 or UTF-32 without a byte order mark: of its first characters, which are ASCII, half the bytes are zero."""
    if start[1:4] == start[5:8] == b"\0\0\0" or start[:3] == start[4:7] == b"\0\0\0":
        return _UTF32
    if start[1] == start[3] == 0 and start[2]:
        return _UTF16_BARE["LE"]
    if start[0] == start[2] == 0 and start[3]:
        return _UTF16_BARE["BE"]
    return None


def kind_within(start: bytes, packer: str) -> Foreign | None:
    """What the content of a packed file is that begins with these bytes; None for text."""
    for magic, kind in _TWICE:
        if start.startswith(magic):
            return kind._replace(advice=kind.advice.replace("PACKER", packer))
    if (inner := kind_of_bytes(start)) is None:
        return None
    return Foreign(f"packed with {packer}, and what is in it is {inner.what}", _unpacked_first(inner.advice, packer))


def _unpacked_first(advice: str, packer: str) -> str:
    return f"unpack it with `{packer} -dc FILE > unpacked`; then {advice.replace('FILE', 'unpacked')}"


# -- text that is no event lines

_MEMBER: Final = re.compile(rb'"(?:[^"\\]|\\.){0,200}"\s*:')
_OPENS: Final = re.compile(rb"""[{\[]\s*(?:["'{\[}\]]|\Z)""")  # JSON, or nearly
_OPENS_LIST: Final = re.compile(rb'"((?:[^"\\]|\\.){1,200})"\s*:\s*\[\Z')
_AN_OBJECT: Final = re.compile(rb'\{\s*"[^"]+"\s*:.*\}')
_COLUMN: Final = re.compile(r'"[^",;\t|]{0,80}"|[^\W\d][\w .$()/-]{0,80}')
_LOG: Final = re.compile(
    rb"<\d{1,3}>|\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d{1,3}(?:\.\d{1,3}){3} \S|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
    rb"|\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL)\b|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3} - "
)
_PYTHON: Final = Foreign(
    "Python's own notation, not JSON", "write the lines with `json.dumps`, not with `print` or `str`"
)
_STARTS: Final[tuple[tuple[bytes, Foreign], ...]] = (
    (b"version https://git-lfs.", Foreign("a Git LFS pointer, not the file itself", "fetch it: `git lfs pull`")),
    (b"-----BEGIN PGP", Foreign("encrypted with PGP", "decrypt it: `gpg -d FILE > events.ndjson`")),
    (b"age-encryption.org/", Foreign("encrypted with age", "decrypt it: `age -d FILE > events.ndjson`")),
    (b"%YAML", Foreign("a YAML document", "convert it: `yq -o json -I 0 FILE > events.ndjson`")),
    (b"---", Foreign("a YAML document", "convert it: `yq -o json -I 0 FILE > events.ndjson`")),
    (b"INSERT INTO ", Foreign("an SQL dump", _CONVERT)),
    (b"CREATE TABLE ", Foreign("an SQL dump", _CONVERT)),
    (b"-- ", Foreign("an SQL dump", _CONVERT)),
    (b"{'", _PYTHON),
    (b"b'{", _PYTHON),
)
_HTML: Final = Foreign(
    "an HTML page", "it is often the sign-in or error page that a download got instead: fetch the export again"
)
_XML: Final = Foreign("an XML document", _CONVERT)
_CSV: Final = Foreign("a table of separated values (CSV)", _AS_ROWS)
_LOGS: Final = Foreign(
    "a log, not lines of JSON", "if its lines have JSON in them: `sed 's/^[^{]*//' FILE > events.ndjson`"
)
_QUOTED: Final = Foreign("JSON within JSON texts", "take it out of them: `jq -r . FILE > events.ndjson`")
_AROUND: Final = Foreign(
    "text around JSON", "take it away: `sed 's/^[^{]*//; s/[^}]*$//' FILE > events.ndjson` leaves what is in braces"
)
_PROSE: Final = Foreign("text, but not lines of JSON", _CONVERT)
_BROKEN: Final = Foreign("lines that look like JSON and are not", "see its first line: what wrote it writes no JSON")
_PRETTY: Final = "one JSON document over many lines"


def kind_of_text(text: bytes, *, whole: bool = True) -> Foreign | None:
    """What a text is, of which no line is an event. None: a few bad lines, to be mended one by one.

    `whole` False: its last line, or its only one, has no end (yet); then only what is certain is told.
    """
    lines = [line for line in map(bytes.strip, text[:LOOK].splitlines()) if line][:_LINES]
    if not lines:
        return None
    first = lines[0].removeprefix(b"\xef\xbb\xbf").strip()
    for start, kind in _STARTS:
        if first.startswith(start):
            return kind
    if first.startswith(b"<") and not _LOG.match(first):
        return _HTML if re.search(rb"<!doctype html|<html|<head|<body", text[:4096], re.IGNORECASE) else _XML
    if len(lines) > 1 and (pretty := _pretty(lines)) is not None:
        return pretty
    if b"\0" in text[:LOOK] or not _is_text(text[:LOOK]):
        return None if any(map(_OPENS.match, lines)) else _BINARY
    if not whole and len(lines) == 1:
        return None
    if _LOG.match(first):
        return _LOGS
    if _is_header(first):
        return _CSV
    if not any(line.startswith((b"{", b"[")) for line in lines):
        return _QUOTED if first.startswith(b'"{') else _AROUND if _AN_OBJECT.search(first) else _PROSE
    return _BROKEN if len(lines) >= BAD_LINES else None


def _is_header(line: bytes) -> bool:
    """Whether this may be the first line of a table. Spreadsheets leave columns without a name, but not the first."""
    for separator in ",;\t|":
        first, *others = line.decode(errors="replace").split(separator)
        named = [column for column in others if column]
        if named and _COLUMN.fullmatch(first) and all(map(_COLUMN.fullmatch, named)):
            return True
    return False


def _pretty(lines: list[bytes]) -> Foreign | None:
    """A document that an editor or `jq` has spread over lines: brackets and members stand on lines of their own."""
    opening, members = lines[0], sum(_MEMBER.match(line) is not None for line in lines)
    if not opening.startswith((b"[", b"{")) or not members:
        return None
    if opening.startswith(b"["):
        return Foreign(_PRETTY, "make it one event a line: `jq -c '.[]' FILE > events.ndjson`")
    listed = next((found for line in lines[:20] if (found := _OPENS_LIST.search(line)) is not None), None)
    if listed is not None and listed[1] != b"batch" and lines[1] == listed.string and listed[1].isalnum():
        path = listed[1].decode()
        return Foreign(_PRETTY, f"make it one event a line: `jq -c '.{path}[]' FILE > events.ndjson`")
    return Foreign(_PRETTY, "make it one event a line: `jq -c . FILE > events.ndjson`")


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(text) - 4 or error.start > LOOK // 2  # the look may end within a character
    return True
