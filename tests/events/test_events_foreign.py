"""Files that hold no events are told as what they are, packed or not, with the command that makes events of them."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.foreign import kind_of_bytes, kind_of_text, kind_within
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.model import Complaint, Event

from .event_lines import left_code, line, reading

EVENTS = [json.loads(line(messageId=f"m{number}")) for number in range(4)]
NDJSON = b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS)


def zipped(name: str = "events.ndjson") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, NDJSON)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("events.ndjson")
        member.size = len(NDJSON)
        archive.addfile(member, io.BytesIO(NDJSON))
    return buffer.getvalue()


BINARY = [
    pytest.param(zipped(), "ZIP", "unzip", id="zip"),
    pytest.param(zipped("xl/workbook.xml"), "Excel", "CSV", id="xlsx"),
    pytest.param(tarred(), "tar archive", "tar -xf", id="tar"),
    pytest.param(b"PAR1\x15\x04", "Parquet", "--as identify", id="parquet"),
    pytest.param(b"ORC\x08\x03", "ORC", "NDJSON", id="orc"),
    pytest.param(b"Obj\x01\x04\x14avro.codec", "Avro", "avro-tools tojson", id="avro"),
    pytest.param(b"BZh91AY&SY", "bzip2", "bzip2 -dc", id="bz2"),
    pytest.param(b"\xfd7zXZ\x00\x00", "xz", "xz -dc", id="xz"),
    pytest.param(b"\x04\x22\x4d\x18\x64", "lz4", "lz4 -dc", id="lz4"),
    pytest.param(b"\xff\x06\x00\x00sNaPpY", "snappy", "snzip", id="snappy"),
    pytest.param(b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x", id="7z"),
    pytest.param(b"SQLite format 3\x00", "SQLite", "sqlite3", id="sqlite"),
    pytest.param(b"%PDF-1.7\n", "PDF", "NDJSON", id="pdf"),
    pytest.param(NDJSON.decode().encode("utf-16"), "UTF-16", "iconv -f UTF-16 ", id="utf16"),
    pytest.param(NDJSON.decode().encode("utf-16-le"), "UTF-16", "iconv -f UTF-16LE", id="utf16le"),
    pytest.param(NDJSON.decode().encode("utf-16-be"), "UTF-16", "iconv -f UTF-16BE", id="utf16be"),
    pytest.param(NDJSON.decode().encode("utf-32"), "UTF-32", "iconv -f UTF-32", id="utf32"),
    pytest.param(NDJSON.decode().encode("utf-32-le"), "UTF-32", "iconv -f UTF-32", id="utf32le"),
    pytest.param(b"\0" * 70_000, "zero bytes", "fetch or export it again", id="zeros"),
    pytest.param(b"\x93\xc4\x07" + bytes(range(128, 256)) * 3, "no kind", "NDJSON", id="noise"),
]
PYTHON = "".join(f"{event}\n" for event in EVENTS).encode()
CSV = b"userId,email,name\nu1,ada@example.com,Ada\nu2,bo@example.com,Bo\n"
TEXT = [
    pytest.param(json.dumps(EVENTS, indent=2).encode(), "over many lines", "jq -c '.[]'", id="pretty-list"),
    pytest.param(json.dumps(EVENTS[0], indent=1).encode() + b"\n", "over many lines", "jq -c .", id="pretty-object"),
    pytest.param(json.dumps({"events": EVENTS}, indent=4).encode(), "over many lines", "jq -c '.events[]'", id="key"),
    pytest.param(json.dumps({"batch": EVENTS}, indent="\t").encode(), "over many lines", "jq -c . ", id="pretty-batch"),
    pytest.param(PYTHON, "Python", "json.dumps", id="python"),
    pytest.param(CSV, "CSV", "--as identify", id="csv"),
    pytest.param(CSV.replace(b",", b";"), "CSV", "--as identify", id="semicolons"),
    pytest.param(CSV.replace(b",", b"\t"), "CSV", "--as identify", id="tsv"),
    pytest.param("\ufeffNr;Größe;;Ort\r\n1;2;;x\r\n".encode(), "CSV", "--as identify", id="spreadsheet"),
    pytest.param(b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "HTML", "sign-in", id="html"),
    pytest.param(b"<html><body>Sign in</body></html>", "HTML", "sign-in", id="html-without-end"),
    pytest.param(b'<?xml version="1.0"?>\n<events/>\n', "XML", "NDJSON", id="xml"),
    pytest.param(b"2026-03-01T12:00:00Z INFO started\n" * 3, "log", "sed", id="log"),
    pytest.param(b'127.0.0.1 - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5\n', "log", "sed", id="access-log"),
    pytest.param(b"Mar  1 12:00:00 host app[1]: up\n", "log", "sed", id="syslog"),
    pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "git lfs pull", id="lfs"),
    pytest.param(b"-----BEGIN PGP MESSAGE-----\n\nhQ\n", "PGP", "gpg -d", id="pgp"),
    pytest.param(b"---\n- type: identify\n  userId: u1\n", "YAML", "yq", id="yaml"),
    pytest.param(b"INSERT INTO events VALUES (1);\n", "SQL", "NDJSON", id="sql"),
    pytest.param(b"Dear all,\nplease find attached.\n", "text", "NDJSON", id="prose"),
    pytest.param(
        b"".join(json.dumps(json.dumps(event)).encode() + b"\n" for event in EVENTS), "texts", "jq -r", id="q"
    ),
    pytest.param(b"u1\t" + NDJSON.replace(b"\n", b"\nu1\t"), "text around JSON", "sed", id="kafka-keys"),
    pytest.param(b"data: " + NDJSON.replace(b"\n", b"\n\ndata: "), "text around JSON", "sed", id="server-sent"),
    pytest.param(b'{"type": "identify", userId: u1}\n' * 20, "look like JSON", "first line", id="no-quotes"),
]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("data", "told", "advice"), [*BINARY, *TEXT])
def test_a_file_of_another_kind_is_left_as_what_it_is(data: bytes, told: str, advice: str, named: bool) -> None:
    """One problem with what the file is and what to do, and no events; nobody will ever finish writing it."""
    found = reading(data, named=named)
    assert list(found) == []
    assert (left_code(found), found.torn, found.complete) == ("not_events", False, False)
    assert found.left is not None
    assert found.left.refusal is not None
    assert told in found.left.refusal.message
    assert advice in found.left.refusal.message


@pytest.mark.parametrize(("data", "told", "advice"), [*BINARY, *TEXT])
def test_packed_it_is_told_all_the_same(data: bytes, told: str, advice: str) -> None:
    """Nobody sees through gzip, so the message says what is in it."""
    found = reading(gzip.compress(data), named=False)
    assert list(found) == []
    assert left_code(found) == "not_events"
    assert found.left is not None
    assert found.left.refusal is not None
    assert told in found.left.refusal.message


def test_what_is_packed_twice_is_said_to_be() -> None:
    """The command unpacks it once."""
    found = reading(gzip.compress(gzip.compress(NDJSON)))
    assert list(found) == []
    assert found.left is not None
    assert found.left.refusal is not None
    assert "packed twice" in found.left.refusal.message
    assert "gzip -dc" in found.left.refusal.message


def test_the_command_has_the_files_name_as_a_shell_needs_it(tmp_path: Path) -> None:
    """Names come from strangers: no part of one may become a command."""
    path = tmp_path / "a $(rm -rf x); b.json"
    path.write_bytes(zipped())
    found = read_source(*resolve_sources([str(path)]))
    assert list(found) == []
    assert found.left is not None
    assert found.left.refusal is not None
    assert f"unzip '{path}' -d events" in found.left.refusal.message


def test_an_sqlite_database_is_what_sqlite_writes(tmp_path: Path) -> None:
    """The table of first bytes is that of the real programs."""
    with sqlite3.connect(tmp_path / "x.json") as db:
        db.execute("CREATE TABLE events (body TEXT)")
    db.close()
    kind = kind_of_bytes((tmp_path / "x.json").read_bytes())
    assert kind is not None
    assert kind.what == "an SQLite database"


@pytest.mark.parametrize(
    "start",
    [NDJSON, b"\xef\xbb\xbf" + NDJSON, b"\0\0\0" + NDJSON, b"\0" + NDJSON, b"[\n" + NDJSON, b"\n\n" + NDJSON],
)
def test_event_lines_are_of_no_other_kind(start: bytes) -> None:
    """Nor with a byte order mark, zero bytes or blank lines before them."""
    assert kind_of_bytes(start) is None
    assert kind_within(start, "gzip") is None


@pytest.mark.parametrize("bad", [b'{"type": "identify"', b"{}}", b'{"a": 1} x', b'{"a": "\xe9"}'])
def test_a_bad_line_or_two_are_mended_one_by_one(bad: bytes) -> None:
    """A file of one broken event is no other kind of file: its line goes to the rejects file."""
    (entry,) = reading(bad + b"\n", named=False)
    assert entry.refusal is not None
    assert len(list(reading(bad + b"\n" + line() + b"\n"))) == 2


def test_bad_lines_before_the_first_event_are_no_other_kind() -> None:
    """One event among the first lines, and the file is an event file."""
    found = list(reading(b"oops\n" * 5 + line() + b"\n"))
    assert [entry.refusal is None for entry in found] == [False] * 5 + [True]


def test_lines_of_json_without_a_type_are_one_problem_and_not_one_each() -> None:
    """A log of a program's own in JSON; a few such lines, or one event among them, and each is told for itself."""
    log = b'{"level": "info", "msg": "started"}\n'
    found = reading(log * 50, named=False)
    assert list(found) == []
    assert left_code(found) == "not_events"
    assert len(list(reading(log * 5))) == 5
    assert len(list(reading(log * 50 + line() + b"\n"))) == 51


EVENT = {"type": "identify", "userId": "u1", "messageId": "m1", "traits": {"name": "Ann"}}
# A line of each, in the form in which its maker describes it.
MAKERS: dict[str, list[object]] = {
    "Mixpanel": [
        {"event": "Signed Up", "properties": {"time": 1602611311, "distinct_id": "u1", "$insert_id": "a"}},
        {"$distinct_id": "u1", "$properties": {"$email": "a@example.com"}},
        {"event_name": "Signed Up", "distinct_id": "u1", "insert_id": "a", "mp_lib": "web"},
    ],
    "Amplitude": [
        {"$insert_id": "a", "event_type": "x", "event_properties": {}, "user_id": "u1", "amplitude_id": 1},
        {"api_key": "k", "events": [{"user_id": "u1", "event_type": "x"}]},
    ],
    "PostHog": [
        {"uuid": "a", "event": "$pageview", "distinct_id": "u1", "properties": "{}", "person_id": "p"},
        {"team_id": 1, "distinct_id": "u1", "person_id": "p", "properties": {}, "person_version": 1},
        {"api_key": "k", "batch": [{"event": "x", "properties": {"distinct_id": "u1"}}] * 2},
    ],
    "Google Analytics 4": [
        {"event_date": "20260101", "event_name": "page_view", "event_params": [{"key": "a"}]},
        {"client_id": "c", "events": [{"name": "x", "params": {}}]},
    ],
    "Universal Analytics": [{"fullVisitorId": "1", "visitId": 1, "hits": [{"type": "PAGE"}]}],
    "mParticle": [{"events": [{"data": {"event_name": "x"}, "event_type": "custom_event"}], "mpid": 1}],
    "Snowplow": [
        {"app_id": "a", "collector_tstamp": "t", "event": "page_view", "event_id": "e", "user_id": "u1"},
        {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": [{"e": "ue"}]},
    ],
    "warehouse": [
        {"id": "m", "received_at": "t", "uuid_ts": "t", "event": "signed_up", "user_id": "u1"},
        {"ID": "m", "RECEIVED_AT": "t", "CONTEXT_LIBRARY_NAME": "l", "USER_ID": "u1"},  # Snowflake
        {"metadata": {"table": "tracks", "columns": {}}, "data": {"id": "1"}},
    ],
    "Heap": [{"heap_user_id": 1, "identity": "u1"}],
    "Customer.io": [
        {"data": {"delivery_id": "d"}, "event_id": "e", "object_type": "email", "metric": "sent", "timestamp": 1},
        {"workspace_id": 1, "customer_id": "c", "internal_customer_id": "i", "suppressed": False},
    ],
    "Braze": [
        {"id": "x", "user_id": "u1", "external_user_id": "e", "time": 1},
        {"external_id": "e", "braze_id": "b", "custom_attributes": {}},
        {"attributes": [{"external_id": "u1"}], "events": [{"external_id": "u1", "name": "x"}]},
    ],
    "Intercom": [
        {"type": "contact", "id": "i", "workspace_id": "w", "external_id": "e", "email": "a@example.com"},
        {"type": "notification_event", "app_id": "a", "topic": "user.created", "data": {}},
    ],
    "HubSpot": [
        [{"eventId": 1, "portalId": 3, "subscriptionType": "contact.creation"}],
        {"id": "1", "properties": {"email": "a@example.com"}, "createdAt": "t", "archived": False},
        {"results": [{"id": "1", "properties": {}, "createdAt": "t"}] * 2, "paging": {}},
    ],
    "Stripe": [{"id": "evt_1", "object": "event", "api_version": "x", "type": "customer.created", "data": {}}],
    "Klaviyo": [{"type": "event", "id": "x", "attributes": {"event_properties": {}}, "relationships": {}}],
    "Pendo": [
        {"type": "track", "event": "Report", "visitorId": "v", "accountId": "a", "timestamp": 1, "properties": {}},
        {"visitorId": "v", "pageId": "p", "day": 1, "numMinutes": 3},
    ],
    "Debezium": [{"before": None, "after": {"id": 1}, "op": "c", "source": {}}],
    "DynamoDB": [{"Item": {"type": {"S": "identify"}}}],
    "jq -c '.message.data | @base64d": [{"message": {"data": "e30=", "messageId": "1"}, "subscription": "s"}],
    "jq -c '.records[].data | @base64d": [{"records": [{"data": "e30="}]}],
    "Singer": [{"type": "RECORD", "stream": "users", "record": {"id": 1}}],
    "requests to destinations": [{"version": "1", "type": "REST", "method": "POST", "endpoint": "x", "body": {}}],
    "init --from-rudderstack": [{"apiToken": "env.TOKEN", "userIdToken": "RudderStack user id", "personsMap": []}],
    "Kissmetrics": [{"_p": "a@example.com", "_n": "Signed Up", "_t": 1600000000}],
    "Pipedrive": [{"id": 1, "name": "A", "emails": [], "add_time": "t", "owner_id": 1}],
    "jq -c '._airbyte_data'": [{"_airbyte_raw_id": "x", "_airbyte_data": EVENT}],
    "jq -c '.detail'": [{"version": "0", "detail-type": "identify", "detail": EVENT}],
    "jq -r '.log'": [{"log": json.dumps(EVENT) + "\n", "stream": "stdout", "time": "t"}],
    "jq -r '.Message'": [{"Type": "Notification", "TopicArn": "t", "Message": json.dumps(EVENT)}],
    "jq -c '.data[]'": [{"data": [EVENT] * 2, "has_more": True}],
    "`type` is that of no event": [{"type": "pageview", "session_id": 1}],
}


def test_what_other_makers_write_is_named_once_with_what_to_do() -> None:
    """Packed into queues, pages and batches, too: no line of it is skipped, or rejected for itself."""
    for maker, examples in MAKERS.items():
        for example in examples:
            found = reading(json.dumps(example).encode() + b"\n", named=False)
            told = [entry.event(0) for entry in found]
            assert maker.startswith("`type`") or not any(isinstance(event, Event) for event in told), maker
            assert maker.startswith("`type`") or (told == [] and left_code(found) == "not_events"), maker
            found = reading((json.dumps(example).encode() + b"\n") * 25, named=False)
            assert (list(found), left_code(found)) == ([], "not_events"), maker
            assert found.left is not None and found.left.refusal is not None
            assert maker in found.left.refusal.message


@pytest.mark.parametrize(
    ("event", "key", "meant"),
    [
        ({"type": "identify", "user_id": "u1"}, "user_id", "userId"),
        ({"type": "track", "event": "x", "UserID": "u1"}, "UserID", "userId"),
        ({"Type": "identify", "userId": "u1"}, "Type", "type"),
    ],
)
def test_a_key_in_another_spelling_is_named(event: dict[str, str], key: str, meant: str) -> None:
    """Rows of a table that were written as JSON have such keys: which one to rename is said."""
    (entry,) = reading(json.dumps({"messageId": "m", **event}).encode() + b"\n")
    told = entry.event(0)
    assert isinstance(told, Complaint)
    assert f"it has `{key}`, and the key must be `{meant}`" in told.message


def test_events_beside_lines_of_others_are_read() -> None:
    """One event among the first lines, and each line of others is told for itself, as what it is."""
    lines = (json.dumps(MAKERS["Singer"][0]).encode() + b"\n") * 25 + json.dumps(EVENT).encode() + b"\n"
    told = [entry.event(10**18) for entry in reading(lines)]
    assert [each.code for each in told if isinstance(each, Complaint)] == ["other_format"] * 25
    assert isinstance(told[-1], Event)
    (job,) = reading(json.dumps({"UserID": "u1", "EventPayload": {"message": EVENT, "metadata": {}}}).encode() + b"\n")
    assert job.refusal is not None and "objects around events" in job.refusal.message


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_can_be_looked_at(data: bytes, whole: bool) -> None:
    """Whatever a file begins with, the look at it raises nothing."""
    kind_of_bytes(data)
    kind_within(data, "gzip")
    kind_of_text(data, whole=whole)
