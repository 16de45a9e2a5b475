"""What s3:// URLs name, and reading it, from a real S3 server on loopback."""

from __future__ import annotations

import gzip
import sys

import pytest

from pipedrive_cli.errors import SourceMissing, StopRun, UserMistake
from pipedrive_cli.events import cloud
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.source import Source, resolve_sources
from tests.s3_server import S3Server

from .event_lines import line

GOOD = line()
MANY = b"".join(line(messageId=f"m{number}") + b"\n" for number in range(2000))
MARCH_3 = 1_772_496_000_000_000  # microseconds
needs_server = pytest.mark.cloud


def filled(s3: S3Server, bucket: str, *keys: str, content: bytes = GOOD) -> None:
    for key in keys:
        s3.put(f"{bucket}/{key}", content)


def keys(sources: list[Source], bucket: str) -> list[str]:
    return [source.name.removeprefix(f"s3://{bucket}/") for source in sources]


@needs_server
@pytest.mark.parametrize("end", ["", "/"])
def test_a_prefix_gives_its_event_files_by_name(s3: S3Server, bucket: str, end: str) -> None:
    """As a folder does: however deep, without hidden ones, other kinds, our rejects and the marks of empty folders."""
    filled(s3, bucket, "x/b.json", "x/a.ndjson", "x/deep/2026-03-01/d.gz", "x/deep/c.json.zst", "x/deep/")
    filled(s3, bucket, "x/notes.txt", "x/.hidden.json", "x/.cache/f.json", "x/a.rejects.ndjson", "xy.json", "y/x.json")
    found = resolve_sources([f"s3://{bucket}/x{end}"])
    assert keys(found, bucket) == ["x/a.ndjson", "x/b.json", "x/deep/2026-03-01/d.gz", "x/deep/c.json.zst"]
    assert not any(source.named for source in found)
    assert {source.size for source in found} == {len(GOOD)}


@needs_server
def test_a_bucket_is_a_folder_too(s3: S3Server, bucket: str) -> None:
    """With all that is in it; the same object is read once, however often it is named."""
    filled(s3, bucket, "b.json", "a/c.json")
    found = resolve_sources([f"s3://{bucket}", f"s3://{bucket}/b.json", f"S3://{bucket}/a/"])
    assert keys(found, bucket) == ["a/c.json", "b.json"]
    assert [source.named for source in found] == [False, True]


@needs_server
def test_an_object_named_outright_is_taken_whatever_its_name(s3: S3Server, bucket: str) -> None:
    """Also beside a prefix that begins with it."""
    filled(s3, bucket, "x", "x/a.json", "what a name?.txt")
    assert keys(resolve_sources([f"s3://{bucket}/x"]), bucket) == ["x"]
    assert keys(resolve_sources([f"s3://{bucket}/x/"]), bucket) == ["x/a.json"]
    assert resolve_sources([f"s3://{bucket}/x"])[0].named


@needs_server
@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*.gz", ["a.gz", "e.rejects.gz"]),
        ("logs/*/a.json", ["logs/1/a.json", "logs/2/a.json"]),
        ("logs/?/*", ["logs/1/a.json", "logs/1/notes.txt", "logs/2/a.json", "logs/2/deep/b.json"]),
        ("logs/[2-3]", ["logs/2/a.json", "logs/2/deep/b.json"]),
        ("logs/**/b.json", ["logs/2/deep/b.json"]),
        ("logs/**/a.json", ["logs/1/a.json", "logs/2/a.json"]),
        ("**/notes.txt", ["logs/1/notes.txt"]),
        ("*.rejects.ndjson", ["f.rejects.ndjson"]),
        ("none*", []),
    ],
)
def test_a_glob_takes_what_it_matches(s3: S3Server, bucket: str, pattern: str, matched: list[str]) -> None:
    """A folder that it matches gives its event files; `**` stands for any folders; hidden ones are left alone."""
    filled(s3, bucket, "a.gz", "e.rejects.gz", "f.rejects.ndjson", "logs/1/a.json", "logs/1/notes.txt", ".h/a.json")
    filled(s3, bucket, "logs/2/a.json", "logs/2/deep/b.json", "logs/.3/a.json")
    notes: list[str] = []
    found = resolve_sources([f"s3://{bucket}/{pattern}"], note=notes.append)
    assert keys(found, bucket) == matched
    assert not any(source.named for source in found)
    assert bool(notes) is not bool(matched)


@needs_server
def test_since_lists_only_the_folders_of_days_that_count(s3: S3Server, bucket: str) -> None:
    """A day of slack included; what was left out is counted, and never asked for."""
    for day in range(1, 8):
        filled(
            s3, bucket, f"p/rudder-logs/src/2026-03-0{day}/177.a.json.gz", f"p/rudder-logs/src/2026-03-0{day}/b/c.gz"
        )
    filled(s3, bucket, "segment-logs/src/1772323200000/a.gz", "segment-logs/src/1772496000000/b.gz")
    notes: list[str] = []
    s3.requests.clear()
    found = resolve_sources([f"s3://{bucket}/"], since=MARCH_3, note=notes.append)
    days = [f"p/rudder-logs/src/2026-03-0{day}/{name}" for day in range(2, 8) for name in ("177.a.json.gz", "b/c.gz")]
    assert keys(found, bucket) == [*days, "segment-logs/src/1772496000000/b.gz"]
    assert notes == ["--since: 2 folders and 0 files left out, whose events all came before 2026-03-02"]
    assert not any("2026-03-01" in request or "1772323200000" in request for request in s3.requests)


@needs_server
def test_an_old_day_that_is_named_is_read_whatever_since_says(s3: S3Server, bucket: str) -> None:
    """Who asks for a folder by its name gets it; its events are filtered one by one."""
    filled(s3, bucket, "rudder-logs/src/2026-03-01/a.gz", "rudder-logs/src/2026-03-05/a.gz")
    assert len(resolve_sources([f"s3://{bucket}/rudder-logs/src/2026-03-01"], since=MARCH_3)) == 1
    assert len(resolve_sources([f"s3://{bucket}/rudder-logs/src/2026-03-01/a.gz"], since=MARCH_3)) == 1
    assert keys(resolve_sources([f"s3://{bucket}/rudder-logs/src/2026-03-*"], since=MARCH_3), bucket) == [
        "rudder-logs/src/2026-03-05/a.gz"
    ]


@needs_server
def test_keys_that_are_no_tidy_paths_are_found_and_read(s3: S3Server, bucket: str) -> None:
    """S3 takes nearly anything for a key: control characters, spaces, empty folder names."""
    odd = ["x/\x1b[31mred.json", "x/a b+c%20d.json", "x//twice.json", "x/日本.json"]
    filled(s3, bucket, *odd)
    for since in (None, MARCH_3):
        found = resolve_sources([f"s3://{bucket}/x/"], since=since)
        assert sorted(keys(found, bucket)) == sorted(odd)
        assert [len(list(read_source(source))) for source in found] == [1] * len(odd)


@needs_server
@pytest.mark.parametrize("packed", [False, True])
def test_an_object_of_many_blocks_is_read_as_a_stream(
    s3: S3Server, bucket: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block after block, each asked for once; also where its metadata say that it is gzip."""
    monkeypatch.setattr(cloud, "BLOCK", 3001)
    content = gzip.compress(MANY, 1) if packed else MANY
    headers = {"Content_Encoding": "gzip"} if packed else {}
    s3.put(f"{bucket}/a.json", content, **headers)
    (source,) = resolve_sources([f"s3://{bucket}/a.json"])
    s3.requests.clear()
    reading = read_source(source)
    assert len(list(reading)) == 2000
    assert (reading.complete, reading.bytes_read) == (True, len(content))
    assert s3.requests == [f"GET /{bucket}/a.json"] * (len(content) // 3001 + 1)


@needs_server
def test_a_read_that_breaks_off_is_taken_up_where_it_was(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the block that broke is fetched again."""
    monkeypatch.setattr(cloud, "BLOCK", 50_000)
    filled(s3, bucket, "a.json", content=MANY)
    (source,) = resolve_sources([f"s3://{bucket}/a.json"])
    s3.breaks[f"/{bucket}/a.json"] = [1000, 0]
    s3.requests.clear()
    reading = read_source(source)
    assert [entry.identity for entry in reading] == [f"m{number}" for number in range(2000)]
    assert reading.complete
    assert len(s3.requests) == len(MANY) // 50_000 + 1 + 2


@needs_server
@pytest.mark.parametrize("named", [True, False])
def test_a_read_that_dies_leaves_the_rest_for_another_run(
    s3: S3Server, bucket: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before counts; the object was not read to its end, whether it was named or found."""
    monkeypatch.setattr(cloud, "BLOCK", 50_000)
    filled(s3, bucket, "x/a.json", content=MANY)
    (source,) = resolve_sources([f"s3://{bucket}/x/a.json" if named else f"s3://{bucket}/x/"])
    assert source.named is named
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 2)
    s3.breaks[f"/{bucket}/x/a.json"] = [50_000, *([77] * 20)]
    reading = read_source(source)
    entries = list(reading)
    assert 0 < len(entries) < 2000
    assert all(entry.refusal is None for entry in entries)
    assert not reading.complete
    assert reading.left is not None
    assert reading.left.refusal is not None
    assert reading.left.refusal.code == "source_unreachable"
    assert reading.left.line == len(entries) + 1


@needs_server
@pytest.mark.parametrize("content", [GOOD, GOOD + b"\n" + GOOD], ids=["shorter", "longer"])
def test_an_object_that_changes_while_it_is_read_is_left(
    s3: S3Server, bucket: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shorter one would look like an end that is none; one of another version comes with the next listing."""
    monkeypatch.setattr(cloud, "BLOCK", 50_000)
    filled(s3, bucket, "a.json", content=MANY)
    (source,) = resolve_sources([f"s3://{bucket}/*.json"])
    filled(s3, bucket, "a.json", content=content)
    reading = read_source(source)
    assert list(reading) == []
    assert reading.left is not None
    assert not reading.complete


@needs_server
def test_an_object_that_is_denied_is_left_with_the_reason(s3: S3Server, bucket: str) -> None:
    """Listing is one permission and reading another."""
    filled(s3, bucket, "a.json")
    (source,) = resolve_sources([f"s3://{bucket}/*.json"])
    s3.denied.add(f"/{bucket}/a.json")
    reading = read_source(source)
    assert list(reading) == []
    assert reading.left is not None
    assert reading.left.refusal is not None
    assert reading.left.refusal.code == "source_unreadable"
    assert "Access Denied" in reading.left.refusal.message


@needs_server
@pytest.mark.parametrize(
    "url", ["s3://no-such-bucket-here/", "s3://no-such-bucket-here/a.json", "s3://no-such-bucket-here/*"]
)
def test_a_bucket_that_is_not_there_is_a_mistake(s3: S3Server, url: str) -> None:
    """And not an empty one."""
    with pytest.raises(UserMistake) as caught:
        resolve_sources([url])
    assert "no bucket no-such-bucket-here" in caught.value.message


@needs_server
def test_objects_and_prefixes_that_are_not_there_are_named_with_missing_files(s3: S3Server, bucket: str) -> None:
    """One message for all of them; a store has no empty folders, so a prefix with nothing in it is not there."""
    with pytest.raises(SourceMissing) as caught:
        resolve_sources(["nowhere.json", f"s3://{bucket}/a.json", f"s3://{bucket}/p/"])
    assert caught.value.message.endswith(f"nowhere.json, s3://{bucket}/a.json, s3://{bucket}/p/")


@needs_server
def test_without_permission_the_message_names_what_is_needed(s3: S3Server, bucket: str) -> None:
    """The store's own words, and the two permissions of a reader."""
    s3.denied.add(f"/{bucket}")
    s3.denied.add(f"/{bucket}/")
    with pytest.raises(UserMistake) as caught:
        resolve_sources([f"s3://{bucket}/"])
    assert "Access Denied" in caught.value.message
    assert "s3:ListBucket" in str(caught.value.hint)


@needs_server
def test_without_credentials_the_message_says_where_they_come_from(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AWS CLI's own places."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UserMistake) as caught:
        resolve_sources([f"s3://{bucket}/"])
    assert "no credentials" in caught.value.message
    assert "aws configure" in str(caught.value.hint)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UserMistake) as caught:
        resolve_sources([f"s3://{bucket}/"])
    assert "nobody" in caught.value.message


@needs_server
def test_a_store_that_cannot_be_reached_stops_the_run(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong with the command: the same one may work in an hour."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    with pytest.raises(StopRun) as caught:
        resolve_sources(["s3://any/"])
    assert caught.value.code == "source_unreachable"


@pytest.mark.parametrize(("url", "package"), [("s3://b/x", "s3fs"), ("gs://b/x", "gcsfs"), ("az://b/x", "adlfs")])
def test_without_its_package_a_url_says_what_to_install(
    url: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both with pip and with pipx."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UserMistake) as caught:
        resolve_sources([url])
    assert caught.value.code == "cloud_missing"
    assert package in caught.value.message
    assert "pipedrive-cli[cloud]" in str(caught.value.hint)
    assert f"pipx inject pipedrive-cli {package}" in str(caught.value.hint)


@pytest.mark.parametrize("url", ["s3://", "s3:///", "s3:///key"])
@needs_server
def test_a_url_without_a_bucket_is_a_mistake(s3: S3Server, url: str) -> None:
    """Nobody's whole account is read by accident."""
    with pytest.raises(UserMistake) as caught:
        resolve_sources([url])
    assert "no bucket" in caught.value.message
