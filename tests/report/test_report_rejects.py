"""The rejects file keeps what was read, says what is wrong with it, and never harms another file."""

from __future__ import annotations

import base64
import json
import stat
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.rejects import KEY, LONGEST_LINE, Note, RejectsWriter, reject_line
from pipedrive_cli.report.written_file import READ, keep_apart

NOTE = Note(
    file="a.ndjson", line=3, outcome=Outcome.REJECTED, code="missing_user_id", message="no user", field="traits.age"
)
MARK = {
    "file": "a.ndjson",
    "line": 3,
    "outcome": "rejected",
    "code": "missing_user_id",
    "message": "no user",
    "field": "traits.age",
}


def note(line: int, identity: str | None = None) -> Note:
    """What is noted of an event of that line."""
    return msgspec.structs.replace(NOTE, line=line, identity=identity)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


def test_the_events_own_bytes_are_kept() -> None:
    """One key is added at the end; digits, blanks, doubled keys and escapes stay as they were."""
    raw = b'{ "id": 12345678901234567890123, "price":1.50,  "price":1.500, "name":"caf\\u00e9 \xe9\xa1\xa7" }'
    line = reject_line(raw, NOTE)
    assert line.startswith(raw[:-2])
    assert json.loads(line)[KEY] == MARK


def test_an_empty_event_gets_the_key_alone() -> None:
    """No comma is left over."""
    assert json.loads(reject_line(b"{}", NOTE)) == {KEY: MARK}
    assert json.loads(reject_line(b'{"_pipedrive_cli": {"line": 1}}', NOTE)) == {KEY: MARK}


def test_a_key_of_an_earlier_run_is_replaced() -> None:
    """An event that is rejected again says why it was this time, once, and keeps its digits."""
    line = reject_line(b'{"a": 10000000000000000000000.10, "_pipedrive_cli": {"line": 99}, "b": [1]}', NOTE)
    assert line.count(KEY.encode()) == 1
    assert b"10000000000000000000000.10" in line
    assert list(json.loads(line)) == ["a", "b", KEY]
    assert json.loads(line)[KEY] == MARK


def test_a_line_break_between_members_does_not_split_the_event() -> None:
    """Every event stands on one line."""
    line = reject_line(b'\xef\xbb\xbf{"a":\r\n 1\n}\n', NOTE)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"a": 1, KEY: MARK}


@pytest.mark.parametrize(
    "raw", [b"not json", b'{"a": 1', b"[1, 2]", b"42", b'{"a": NaN}', b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"]
)
def test_what_is_no_json_object_is_kept_as_text(raw: bytes) -> None:
    """It can be mended under `raw`."""
    assert json.loads(reject_line(raw + b"\n", NOTE)) == {KEY: MARK, "raw": raw.decode()}


def test_json_that_few_decoders_take_is_spliced_as_it_is() -> None:
    """Half an emoji and a number out of range are JSON: the event is mended in its place, not within a text."""
    line = reject_line(b'{"a": "x\\ud83d", "b": 1e400, "_pipedrive_cli": {}}', NOTE)
    assert line.startswith(b'{"a":"x\\ud83d","b":1e400,"_pipedrive_cli":')


def test_what_is_no_utf_8_is_kept_as_base64() -> None:
    """No byte is lost, also where it hides in a string of an otherwise good event."""
    for raw in (b"\xff\xfe", b'{"name": "caf\xe9"}'):
        written = json.loads(reject_line(raw, NOTE))
        assert list(written) == [KEY, "raw_base64"]
        assert base64.b64decode(written["raw_base64"]) == raw


def test_of_an_over_long_line_the_beginning_is_kept() -> None:
    """A rejects file is to be opened in an editor; the place says where the rest is."""
    line = reject_line("é".encode() * LONGEST_LINE, NOTE)
    assert json.loads(line) == {KEY: MARK, "raw": "é" * 512}
    assert json.loads(reject_line("é".encode() + b"\xc3", NOTE, cut=True))["raw"] == "é"


def test_the_note_holds_what_an_event_is_known_by() -> None:
    """By identity and time a mended event is known as the one it was."""
    note = Note(
        file="b\udcff", line=1, index=0, identity="m", time=5, outcome=Outcome.FAILED, code="c", message="m", field=None
    )
    assert json.loads(reject_line(b"{}", note))[KEY] == {
        "file": "b\\udcff",
        "line": 1,
        "index": 0,
        "identity": "m",
        "time": 5,
        "outcome": "failed",
        "code": "c",
        "message": "m",
        "field": None,
    }


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_any_event_reads_back_as_it_was(event: dict[str, object]) -> None:
    """For any JSON object: what is read again is the event and the note."""
    raw = json.dumps(event).encode()
    written = json.loads(reject_line(raw, NOTE))
    if "raw" in written and written.keys() == {KEY, "raw"} and event.keys() != {"raw"}:
        written = json.loads(written["raw"])  # an escaped lone surrogate: no JSON to a strict reader
    else:
        assert written.pop(KEY) == MARK
        event.pop(KEY, None)
    assert written == event


@given(st.binary(max_size=200))
def test_any_bytes_become_one_line_that_reads_back(raw: bytes) -> None:
    """Whatever a line held, its entry is one line of JSON with the note."""
    line = reject_line(raw, NOTE)
    assert line.count(b"\n") == 1
    assert json.loads(line)[KEY] == MARK


def test_the_file_appears_at_the_end_for_its_owner_alone(tmp_path: Path) -> None:
    """Until the run ends the old file stands; then the new one, complete, readable by nobody else."""
    path = tmp_path / "out.rejects.ndjson"
    path.write_text("old")
    writer = RejectsWriter(path)
    writer.add(b'{"a": 1}', note(1))
    writer.add(b'{"a": 2}', note(2))
    assert path.read_text() == "old"
    assert writer.close() == path
    old, *new = path.read_text().splitlines()
    assert (old, [json.loads(line)["a"] for line in new]) == ("old", [1, 2])
    assert list(tmp_path.iterdir()) == [path]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_to_write_leaves_everything_alone(tmp_path: Path) -> None:
    """A clean run neither creates a file nor removes that of an earlier run."""
    path = tmp_path / "rejects"
    assert RejectsWriter(path).close() is None
    assert not path.exists()
    path.write_text("of yesterday")
    with RejectsWriter(path):
        pass
    assert path.read_text() == "of yesterday"


def test_a_run_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    """Half a rejects file would be taken for a whole one."""
    with pytest.raises(KeyError), RejectsWriter(tmp_path / "rejects") as writer:
        writer.add(b"{}", NOTE)
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_never_overwritten(tmp_path: Path) -> None:
    """Neither by its own name nor through a link to it."""
    source, link, hard = tmp_path / "events", tmp_path / "link", tmp_path / "hard"
    source.write_text("{}")
    link.symlink_to(source)
    hard.hardlink_to(source)
    for path in (source, link, hard, tmp_path / "." / "events"):
        with pytest.raises(UserMistake, match="is read in this run") as caught:
            keep_apart([("--rejects", path)], [(Path("-"), READ), (source, READ)])
        assert caught.value.hint
    keep_apart([("--rejects", tmp_path / "other")], [(source, READ)])
    with pytest.raises(UserMistake, match="is the file of --rejects too"):
        keep_apart([("--rejects", tmp_path / "new"), ("--report", tmp_path / "." / "new")], [])


def test_a_device_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """Moving a file onto /dev/null would replace the device."""
    for path in (tmp_path, tmp_path / "no" / "rejects", Path("/dev/null")):
        with pytest.raises(UserMistake) as caught:
            RejectsWriter(path)
        assert caught.value.code == "rejects_file"
