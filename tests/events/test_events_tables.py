"""Rows of tables as events: CSV as spreadsheets and warehouses write it, and Parquet."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import head_of
from pipedrive_cli.events.identity import hashed_identity, message_identity
from pipedrive_cli.events.lines import EVENT_LIMIT
from pipedrive_cli.events.parquet import as_json_says
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import Source, resolve_sources
from tests.events.event_lines import left_code

FORM = RowForm("identify", "user_id", "updated_at")
HEADER = "user_id,updated_at,email,role\n"
ANN = "u1,2026-03-01T12:00:00Z,ann@acme.example,Boss\n"


def reading(text: str | bytes, form: RowForm = FORM, *, named: bool = True) -> Reading:
    data = text.encode() if isinstance(text, str) else text
    return read_source(Source("x.csv", named, len(data), stream=io.BytesIO(data), rows=form))


def events(text: str | bytes, form: RowForm = FORM, *, named: bool = True) -> list[Any]:
    """The events of a table; of a row that is refused its line and why."""
    return [_event(entry) for entry in reading(text, form, named=named)]


def _event(entry: Entry) -> Any:
    return (entry.line, entry.refusal.code) if entry.refusal is not None else json.loads(entry.raw)


PLAIN = [
    {
        "type": "identify",
        "userId": "u1",
        "timestamp": "2026-03-01T12:00:00Z",
        "traits": {
            "user_id": "u1",
            "updated_at": "2026-03-01T12:00:00Z",
            "email": "ann@acme.example",
            "role": "Boss",
        },
    }
]


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ANN,
        "\ufeff" + HEADER + ANN,
        (HEADER + ANN).replace("\n", "\r\n"),
        (HEADER + ANN).replace("\n", "\r"),
        (HEADER + ANN).replace(",", ";"),
        "sep=;\r\n" + (HEADER + ANN).replace(",", ";"),
        (HEADER + ANN).replace(",", "\t"),
        '"user_id"|"updated_at"|"email"|"role"\n"u1"|"2026-03-01T12:00:00Z"|"ann@acme.example"|"Boss"',
        " user_id , updated_at,email,role,,\n" + ANN.strip() + ",,\n,,,,,\n",
        HEADER + "\n" + ANN + HEADER,  # joined files
        HEADER + "  \n" + ANN.strip() + ", \n , ,\t,\n",
        "user_id,updated_at,email,role,email\n" + ANN.strip() + ",\n",
        "user_id,updated_at,email,email,role,notes\nu1,2026-03-01T12:00:00Z,,ann@acme.example,Boss,\\N\n",
        "user_id,updated_at,email,role,notes\n" + ANN,  # a short row
    ],
    ids="plain bom crlf cr semicolon sep tab bar empty-columns again blank doubled first short".split(),  # noqa: SIM905 - one line
)
def test_a_table_means_the_same_however_it_was_saved(text: str) -> None:
    """Marks, separators, line ends, quotes, doubled and empty columns and rows change no event."""
    assert events(text) == PLAIN
    assert events(gzip.compress(text.encode())) == PLAIN


def test_a_row_has_the_line_on_which_it_begins() -> None:
    """Quoted cells may hold line ends, separators and quotes."""
    text = HEADER + 'u1,2026-03-01,a@b.example,"one, ""two""\nthree"\n' + "u2,2026-03-01,c@d.example,x\n"
    found = list(reading(text))
    assert [entry.line for entry in found] == [2, 4]
    assert json.loads(found[0].raw)["traits"]["role"] == 'one, "two"\nthree'


def test_what_no_row_can_be_is_refused_and_the_others_are_read() -> None:
    """Too many cells, bytes that are no UTF-8, text behind a quote: each with its line and text."""
    bad = b'u2,2026-03-01,x,y,z\nu3,2026-03-01,x,\xe4\nu4,2026-03-01,"x" y,z\n'
    found = list(reading(HEADER.encode() + bad + ANN.encode()))
    assert [_event(entry) for entry in found] == [(2, "bad_row"), (3, "not_utf8"), (4, "bad_row"), PLAIN[0]]
    assert b"\n".join(entry.raw for entry in found[:3]) == bad.strip()
    (huge,) = reading(HEADER + "u1,2026-03-01," + "x" * (EVENT_LIMIT + 1) + ",z\n")
    assert huge.refusal is not None and "a cell is longer than 4 MiB" in huge.refusal.message


def test_a_row_that_ends_before_a_named_column_is_cut_off() -> None:
    """Spreadsheets leave out empty cells at the end of a row, but not its time."""
    assert events("user_id,email,updated_at\nu1,ann@acme.example\n" + "u2,b@acme.example,2026-03-01\n")[0] == (
        2,
        "bad_row",
    )


@pytest.mark.parametrize(
    ("cell", "user", "trait"),
    [
        ('"=""0042"""', "0042", "0042"),
        ("42.0", "42", "42.0"),
        ("4.2", "4.2", "4.2"),
        ('"=""a""""b"""', 'a"b', 'a"b'),
        ("=1+1", "=1+1", "=1+1"),
    ],
)
def test_ids_are_read_as_they_were_before_they_were_exported(cell: str, user: str, trait: str) -> None:
    """Without the formula that keeps a spreadsheet from calculating, or the fraction that blanks beside it made."""
    (found,) = events(f"user_id,updated_at,code\n{cell},2026-03-01,{cell}\n")
    assert (found["userId"], found["traits"]["code"]) == (user, trait)


@pytest.mark.parametrize("last", ['u2,2026-03-01,"x', "u2,2026-0"])
def test_a_torn_end_is_left_in_a_found_file_and_refused_in_a_named_one(last: str) -> None:
    """As a torn line of JSON is; a row that only lacks its end counts."""
    found = reading(HEADER + ANN + last, named=False)
    assert [_event(entry) for entry in found] == PLAIN
    assert (found.torn, left_code(found)) == (True, "unfinished_line")
    assert len(events(HEADER + ANN + last)) == 2
    assert events(HEADER + ANN.strip(), named=False) == PLAIN


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        (HEADER + ANN, RowForm("identify", "USER_ID", "updated_at"), "is 'user_id' meant?"),
        (HEADER + ANN, RowForm("identify", "user", "updated_at"), "its columns are 'user_id', 'updated_at'"),
        ("user_id,user_id,updated_at\n", FORM, "2 columns 'user_id'"),
        (HEADER + ANN, RowForm("track", "user_id", "updated_at", "email"), "event_text or event"),
        ('{"type":"identify","userId":"u1"}\n', FORM, "without --as"),
        (b"user_id,updated_at,gr\xf6\xdfe\n", FORM, "not UTF-8"),
        (
            (HEADER + ANN).encode("utf-16"),
            FORM,
            "UTF-16 text, not a table: convert it: `iconv -f UTF-16 -t UTF-8 FILE > events.csv`",
        ),
        (b"PK\x03\x04xl/", FORM, "Excel workbook"),
    ],
)
def test_a_table_without_its_columns_is_told_once(text: str | bytes, form: RowForm, words: str) -> None:
    """The file is left as a whole, with what is there instead."""
    found = reading(text, form)
    assert list(found) == []
    assert found.left is not None
    assert found.left.refusal is not None
    assert (found.left.line, left_code(found)) == (0, "not_events")
    assert words in found.left.refusal.message


def test_a_warehouse_s_columns_come_back_as_paths() -> None:
    """What RudderStack has flattened is where it was; when a row was loaded says nothing, and is in no identity."""
    header = "id,user_id,received_at,timestamp,uuid_ts,anonymous_id,context_traits_email,context_ip,plan,address.city\n"
    row = "m1,u1,2026-03-01T12:00:01Z,2026-03-01T12:00:00Z,{},a1,ann@acme.example,10.0.0.1,Pro,Kiel\n"
    form = RowForm("identify", "user_id", "timestamp")
    (entry,) = reading(header + row.format("2026-03-02"), form)
    assert json.loads(entry.raw) == {
        "type": "identify",
        "userId": "u1",
        "timestamp": "2026-03-01T12:00:00Z",
        "receivedAt": "2026-03-01T12:00:01Z",
        "anonymousId": "a1",
        "context": {"traits": {"email": "ann@acme.example"}, "ip": "10.0.0.1"},
        "traits": {
            "user_id": "u1",
            "timestamp": "2026-03-01T12:00:00Z",
            "plan": "Pro",
            "address": {"city": "Kiel"},
        },
    }
    (loaded_again,) = reading(header + row.format("2026-03-09"), form)
    assert loaded_again.identity == entry.identity


def test_track_and_group_rows_have_their_own_columns() -> None:
    """The name of a track event and the user of a group are no traits of it."""
    track = RowForm("track", "user_id", "at", "id")
    assert events("id,user_id,at,event,event_text,value\nm1,u1,2026-03-01,trial_started,Trial started,5\n", track) == [
        {
            "type": "track",
            "event": "Trial started",
            "userId": "u1",
            "messageId": "m1",
            "timestamp": "2026-03-01",
            "properties": {"id": "m1", "user_id": "u1", "at": "2026-03-01", "value": "5"},
        }
    ]
    (group,) = events("group_id,user_id,at,name\ng1,u1,2026-03-01,Acme\n", RowForm("group", "group_id", "at"))
    assert (group["groupId"], group["userId"], group["traits"]["name"]) == ("g1", "u1", "Acme")


def test_a_row_without_id_is_nobody_s() -> None:
    """Another column called id must not name its user."""
    (event,) = events("user_id,id,updated_at\n,17,2026-03-01\n")
    assert "userId" not in event
    assert "id" not in event["traits"]


def test_a_folder_of_tables_is_read_without_its_other_files(tmp_path: Path) -> None:
    """With --as tables are looked for, and otherwise event files."""
    for name in ("a.csv", "b.csv.gz", "c.tsv", "d.parquet", "e.ndjson", "notes.txt"):
        (tmp_path / name).touch()
    found = resolve_sources([str(tmp_path)], rows=FORM)
    assert [Path(source.name).name for source in found] == ["a.csv", "b.csv.gz", "c.tsv", "d.parquet"]
    assert [Path(source.name).name for source in resolve_sources([str(tmp_path)])] == ["e.ndjson"]


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    """Numbers, times, lists and objects come as they are; a row has its number as line; damage is told."""
    pyarrow = pytest.importorskip("pyarrow")
    from datetime import UTC, datetime
    from decimal import Decimal

    from pyarrow import parquet

    path = tmp_path / "people.parquet"
    rows = [
        {"user_id": 42.0, "updated_at": datetime(2026, 3, 1, 12, tzinfo=UTC), "email": ["a@b.example"], "ltv": None},
        {"user_id": 43.0, "updated_at": None, "email": None, "ltv": Decimal("12.50")},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    (source,) = resolve_sources([str(path)], rows=FORM)
    first, second = list(read_source(source))
    assert json.loads(first.raw) == {
        "type": "identify",
        "userId": 42.0,
        "timestamp": "2026-03-01T12:00:00Z",
        "traits": {"user_id": 42.0, "updated_at": "2026-03-01T12:00:00Z", "email": ["a@b.example"]},
    }
    assert (second.line, json.loads(second.raw)["traits"]) == (2, {"user_id": 43.0, "ltv": "12.50"})
    path.write_bytes(path.read_bytes()[:-9])
    (source,) = resolve_sources([str(path)], rows=FORM)
    damaged = read_source(source)
    assert list(damaged) == []
    assert left_code(damaged) == "not_events"


def test_parquet_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, and nothing is read."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = tmp_path / "people.parquet"
    path.write_bytes(b"PAR1 and more")
    (source,) = resolve_sources([str(path)], rows=FORM)
    found = read_source(source)
    assert list(found) == []
    assert found.left is not None
    assert found.left.refusal is not None
    assert "pipedrive-cli[parquet]" in found.left.refusal.message


@pytest.mark.parametrize("column", ["message_id", None])
def test_a_row_is_known_by_what_its_event_is_known_by(column: str | None) -> None:
    """A row's identity is that of the same event in a file of lines: its message id, or what it says."""
    form = RowForm("identify", "user_id", "updated_at", column)
    cells = (" m-1 ", "\\N", " ", "x" * 300, "", "7")
    rows = "".join(f"u1,2026-03-01T12:00:00Z,{cell},Boss,3\n" for cell in cells)
    found = list(reading(f"user_id,updated_at,message_id,role,sent_at\n{rows}", form))
    as_lines = [head_of(entry.raw) for entry in found]
    expected = [
        message_identity(head.message_id if head else None) or hashed_identity(entry.raw)
        for head, entry in zip(as_lines, found, strict=True)
    ]
    assert [entry.identity for entry in found] == expected
    assert len(found) == len(cells)


@pytest.mark.parametrize("cell", ['["\\ud800"]', "[1234567890123456789012345678901]", "[NaN]"])
def test_a_cell_that_no_event_can_hold_as_a_list_stays_text(cell: str) -> None:
    """Half a character or a number out of range in a cell ends no run."""
    quoted = cell.replace('"', '""')
    found = events(f'{HEADER.strip()},tags\nu1,2026-03-01T12:00:00Z,ann@acme.example,Boss,"{quoted}"\n')
    assert found[0]["traits"]["tags"] in (cell, [1.2345678901234568e30], [1234567890123456789012345678901])


def test_headers_for_people_are_the_traits_that_they_mean() -> None:
    """Without case, blanks and marks; where two columns would be one trait, each stays what it says."""
    header = "user_id,updated_at,Name,First Name,E-Mail,PHONE,Role\n"
    (row,) = events(header + "u1,2026-03-01T12:00:00Z,Ann A,Ann,ann@acme.example,+41 44 123 45 67,Boss\n")
    assert row["traits"] == {
        "user_id": "u1",
        "updated_at": "2026-03-01T12:00:00Z",
        "name": "Ann A",
        "first_name": "Ann",
        "email": "ann@acme.example",
        "phone": "+41 44 123 45 67",
        "Role": "Boss",
    }
    (row,) = events("user_id,updated_at,Email,email\nu1,2026-03-01T12:00:00Z,work,ann@acme.example\n")
    assert (row["traits"]["Email"], row["traits"]["email"]) == ("work", "ann@acme.example")
    (row,) = events("user_id,updated_at,Email,Email\nu1,2026-03-01T12:00:00Z,,ann@acme.example\n")
    assert row["traits"]["email"] == "ann@acme.example"
    form = RowForm("track", "user_id", "at", "Id")
    (row,) = events("Id,user_id,at,event,Value,Currency\n7,u1,2026-03-01T12:00:00Z,Demo,12.5,EUR\n", form)
    assert (row["properties"]["value"], row["properties"]["currency"]) == ("12.5", "EUR")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (b"dev", "dev"),
        (b"\xff\xfe", "fffe"),
        (bytes(range(240, 256)), "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff"),
        (float("inf"), "Infinity"),
        ([float("-inf")], ["-Infinity"]),
        (1.5, 1.5),
    ],
)
def test_what_json_has_no_word_for_is_not_lost(cell: Any, said: Any) -> None:
    """Two ids that are bytes stay two, and an infinite number is refused where a number is asked for, not left out."""
    assert as_json_says(cell) == said
