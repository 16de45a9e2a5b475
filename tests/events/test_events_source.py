"""What SOURCE arguments name."""

from __future__ import annotations

import gzip
import io
import os
import socket
import sys
from pathlib import Path

import pytest

from pipedrive_cli.errors import SourceMissing, UserMistake
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.event_files import is_event_file
from pipedrive_cli.events.source import Source, resolve_sources

from .event_lines import left_code, line


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder as exports leave it, with things in it that are no exports."""
    for name in [
        "b.json",
        "a.ndjson",
        "deep/2026-03-02/c.json.gz",
        "deep/2026-03-01/d.gz",
        "deep/e.JSONL",
        "notes.txt",
        "backup.tar.gz",
        ".hidden.json",
        ".cache/f.json",
        "a.rejects.ndjson",
    ]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(line())
    return tmp_path


def names(sources: list[Source], folder: Path) -> list[str]:
    return [Path(source.name).relative_to(folder).as_posix() for source in sources]


def test_a_folder_gives_its_event_files_by_name(exports: Path) -> None:
    """Recursively; hidden ones, other kinds and our own rejects are left out, and all count as found."""
    sources = resolve_sources([str(exports)])
    assert names(sources, exports) == [
        "a.ndjson",
        "b.json",
        "deep/2026-03-01/d.gz",
        "deep/2026-03-02/c.json.gz",
        "deep/e.JSONL",
    ]
    assert not any(source.named for source in sources)
    assert {source.size for source in sources} == {len(line())}


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("x.json", True),
        ("x.ndjson.gz", True),
        ("1772521560.gz", True),
        ("x.LOG", True),
        ("x.csv", False),
        ("x.csv.gz", False),
        ("x.tar.gz", False),
        ("x.json.zst", True),
        ("1772521560.zst", True),
        ("x.tar.zst", False),
        ("x.rejects.ndjson.zst", False),
        (".x.json", False),
        ("x.rejects.ndjson", False),
        ("x.rejects.ndjson.gz", False),
        ("json", False),
    ],
)
def test_event_files_are_told_by_their_names(name: str, taken: bool) -> None:
    """The table that the module's docstring gives."""
    assert is_event_file(name) is taken


def test_a_glob_takes_what_it_matches_save_our_rejects(exports: Path) -> None:
    """Unless the pattern asks for rejects; `**` goes down."""
    assert names(resolve_sources([str(exports / "*.ndjson")]), exports) == ["a.ndjson"]
    assert names(resolve_sources([str(exports / "*.rejects.ndjson")]), exports) == ["a.rejects.ndjson"]
    assert names(resolve_sources([str(exports / "*.t*")]), exports) == ["backup.tar.gz", "notes.txt"]
    assert names(resolve_sources([str(exports / "**" / "*.gz")]), exports)[1:] == [
        "deep/2026-03-01/d.gz",
        "deep/2026-03-02/c.json.gz",
    ]


def test_files_named_outright_are_taken_whatever_their_name_in_the_order_given(exports: Path) -> None:
    """The user knows best, and may even name a rejects file."""
    sources = resolve_sources([str(exports / name) for name in ["notes.txt", "a.rejects.ndjson", "a.ndjson"]])
    assert names(sources, exports) == ["notes.txt", "a.rejects.ndjson", "a.ndjson"]
    assert all(source.named for source in sources)


def test_each_file_is_read_once_and_counts_as_named_if_it_ever_was(exports: Path) -> None:
    """However often and by whatever path it is given."""
    sources = resolve_sources([str(exports), str(exports / "deep" / ".." / "b.json"), str(exports / "*.json")])
    assert len(sources) == 5
    assert [source.named for source in sources] == [False, True, False, False, False]


def test_a_file_whose_name_has_brackets_is_no_glob(tmp_path: Path) -> None:
    """What exists under the very name is meant."""
    file = tmp_path / "export[1].json"
    file.write_bytes(line())
    (source,) = resolve_sources([str(file)])
    assert source.named


def test_what_is_missing_is_named_all_at_once(tmp_path: Path) -> None:
    """One message for all missing files, before anything is read; an empty argument is no folder."""
    with pytest.raises(SourceMissing) as caught:
        resolve_sources([str(tmp_path / "a.json"), str(tmp_path), str(tmp_path / "b")])
    assert "a.json" in caught.value.message
    assert caught.value.message.endswith("b")
    with pytest.raises(SourceMissing):
        resolve_sources([""])


def test_what_a_folder_holds_besides_is_counted_and_its_first_is_named(
    exports: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link to a folder, too, whose files nobody reads; hidden files and our own rejects are no news."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "z.ndjson").write_bytes(line())
    (exports / "linked").symlink_to(elsewhere)
    notes: list[str] = []
    sources = resolve_sources([str(exports)], note=notes.append)
    assert not any("z.ndjson" in source.name for source in sources)
    (note,) = notes
    assert note.startswith(f"3 entries of {exports} were not read (first: {exports / 'backup.tar.gz'}): the")
    assert ".jsonl, .log, .gz or .zst; links to folders are not followed; name one" in note


def test_an_empty_folder_and_a_glob_without_matches_are_noted_and_no_mistake(tmp_path: Path) -> None:
    """A cron job that finds nothing new has nothing to complain about."""
    notes: list[str] = []
    assert resolve_sources([str(tmp_path), str(tmp_path / "*.json")], note=notes.append) == []
    assert len(notes) == 2


@pytest.mark.parametrize("url", ["https://example.com/a.json", "ftp://example.com/", "s4://bucket/prefix"])
def test_a_url_is_refused_with_what_to_do(url: str) -> None:
    """Nobody should wonder why a file called s3: is missing."""
    with pytest.raises(UserMistake) as caught:
        resolve_sources([url])
    assert caught.value.code == "url_not_supported"
    assert caught.value.hint


def test_a_windows_drive_is_no_url() -> None:
    """C:\\ is a path, here one that is not there."""
    with pytest.raises(SourceMissing):
        resolve_sources(["C:\\exports\\a.json"])


def test_a_dash_is_standard_input_once_and_stays_open() -> None:
    """It is named, has no size, and is not ours to close."""
    stdin = io.BytesIO(gzip.compress(line()))
    (source,) = resolve_sources(["-", "-"], stdin)
    assert (source.name, source.named, source.size) == ("-", True, None)
    assert len(list(read_source(source))) == 1
    assert not stdin.closed
    with pytest.raises(UserMistake):
        resolve_sources(["-"])


def test_a_file_that_vanishes_before_it_is_opened_ends_nothing(exports: Path) -> None:
    """The reading says that it could not be opened."""
    for named in (True, False):
        found = read_source(Source("gone", named, 5, exports / "gone.json"))
        assert list(found) == []
        assert (left_code(found), found.complete) == ("source_unreadable", False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_is_no_file_is_named_and_passed_over_in_a_folder(exports: Path) -> None:
    """A pipe that nobody writes to would be waited for, a link to itself or to nothing can be read by nobody."""
    os.mkfifo(exports / "pipe.ndjson")
    (exports / "loop.ndjson").symlink_to("loop.ndjson")
    (exports / "dangling.json").symlink_to(exports / "nowhere")
    (exports / "device.json").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(exports / "socket.json"))
        found = resolve_sources([str(exports)])
    told = {Path(source.name).name: source.unfit.message for source in found if source.unfit is not None}
    assert {name: message.partition(",")[0] for name, message in told.items()} == {
        "pipe.ndjson": "a named pipe",
        "loop.ndjson": "a link to itself",
        "dangling.json": "a link to nothing",
        "device.json": "a device",
        "socket.json": "a socket",
    }
    assert len(found) == 5 + len(told)
    assert all(list(read_source(source)) == [] for source in found if source.unfit is not None)


def test_what_may_not_be_read_is_named_and_passed_over_in_a_folder(
    exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files beside it are read; one that is named outright is a mistake of the command line."""
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "secret" not in str(path) and real(path, mode))
    (exports / "secret.json").write_bytes(line())
    found = resolve_sources([str(exports)])
    assert [Path(each.name).name for each in found if each.unfit is not None] == ["secret.json"]
    assert len(found) == 6
    with pytest.raises(UserMistake, match="no permission"):
        resolve_sources([str(exports / "secret.json")])


def test_a_missing_name_brings_the_one_that_was_meant(tmp_path: Path) -> None:
    """`export/` for `exports/`: the hint has the path that is there."""
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "b.json").write_bytes(line())
    for typed, meant in ((exports.with_name("export"), f"{exports}/"), (exports / "b.jsn", str(exports / "b.json"))):
        with pytest.raises(SourceMissing) as caught:
            resolve_sources([str(typed)])
        assert caught.value.hint == f"Did you mean {meant}?"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_a_file_name_that_is_no_text_is_shown_as_text_and_read(tmp_path: Path) -> None:
    """Names go into SQLite and JSON, which cannot hold half a character."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json")).write_bytes(line())
    (source,) = resolve_sources([str(tmp_path)])
    source.name.encode()
    assert len(list(read_source(source))) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_may_be_named_and_has_no_size(tmp_path: Path) -> None:
    """As a shell's <(command) makes it."""
    os.mkfifo(tmp_path / "pipe")
    (source,) = resolve_sources([str(tmp_path / "pipe")])
    assert source.size is None


RUDDER = "rudder-logs/src/{}/1772500000.src.0b1f.json.gz"


def test_since_leaves_out_folders_of_days_before_it(tmp_path: Path) -> None:
    """With a day of slack for the server's time zone; folders with names of one's own are read whatever they are."""
    for name in ("2026-02-27", "2026-03-01", "2026-03-02", "2026-03-04"):
        file = tmp_path / RUDDER.format(name)
        file.parent.mkdir(parents=True)
        file.write_bytes(line())
    (tmp_path / "2026-01-01").mkdir()
    (tmp_path / "2026-01-01" / "january.json").write_bytes(line())
    since = 1_772_496_000_000_000  # 3 March
    notes: list[str] = []
    found = resolve_sources([str(tmp_path)], since=since, note=notes.append)
    assert names(found, tmp_path) == [
        "2026-01-01/january.json",
        RUDDER.format("2026-03-02"),
        RUDDER.format("2026-03-04"),
    ]
    assert notes == ["--since: 2 folders and 0 files left out, whose events all came before 2026-03-02"]
    matched = resolve_sources([str(tmp_path / "rudder-logs/*/*/*.gz")], since=since, note=notes.append)
    assert names(matched, tmp_path) == names(found, tmp_path)[1:]
    assert notes[1:] == ["--since: 0 folders and 2 files left out, whose events all came before 2026-03-02"]


def test_what_is_named_is_read_whatever_its_day(tmp_path: Path) -> None:
    """A file or an old day's folder that somebody asks for is not left out; its events are filtered one by one."""
    file = tmp_path / RUDDER.format("2020-03-01")
    file.parent.mkdir(parents=True)
    file.write_bytes(line())
    since = 1_772_496_000_000_000
    assert len(resolve_sources([str(file)], since=since)) == 1
    assert len(resolve_sources([str(file.parent)], since=since)) == 1
    notes: list[str] = []
    assert resolve_sources([str(tmp_path)], since=since, note=notes.append) == []
    assert len(notes) == 1  # not that there are no event files


def test_a_layout_that_begins_above_the_current_folder_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands in the source's folder and names `.` means the same days."""
    file = tmp_path / "rudder-logs" / "src" / "03-01-2020" / "a.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(line())
    monkeypatch.chdir(file.parent.parent)
    assert len(resolve_sources(["."])) == 1
    assert resolve_sources(["."], since=1_772_496_000_000_000) == []
