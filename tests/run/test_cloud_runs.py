"""Runs that read from S3: what is known is not fetched again, what breaks off is not lost, and nobody is misled."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipedrive_cli.events import cloud
from pipedrive_cli.run.options import Filters
from tests.harness import Scene, identify, lines, outcomes, with_delivery
from tests.s3_server import S3Server

pytestmark = pytest.mark.cloud

MARCH_2024 = 1_709_251_200_000_000  # the 1st, in microseconds; events of the harness are of its noon


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def fetched(s3: S3Server, bucket: str) -> list[str]:
    """The keys that were read since the requests were last forgotten."""
    start = f"GET /{bucket}/"
    return [path.removeprefix(start) for path in s3.requests if path.startswith(start) and "?" not in path]


def test_events_arrive_from_a_prefix(scene: Scene, s3: S3Server, bucket: str) -> None:
    """Packed and plain, and each file is told by its URL."""
    s3.put(f"{bucket}/rudder-logs/s/2024-03-01/a.json.gz", gzip.compress(lines([identify("u1", name="Ann")])))
    s3.put(f"{bucket}/rudder-logs/s/2024-03-02/b.json", lines([identify("u2", name="Ben")]) + b"{broken\n")
    summary = scene.run(f"s3://{bucket}/rudder-logs/")
    assert outcomes(summary) == {"delivered": 2, "rejected": 1}
    assert scene.names("persons") == ["Ann", "Ben"]
    (problem,) = summary.problems
    assert problem.examples[0].file == f"s3://{bucket}/rudder-logs/s/2024-03-02/b.json"
    assert summary.input_complete


def test_a_known_object_is_passed_over_without_a_look_at_its_content(scene: Scene, s3: S3Server, bucket: str) -> None:
    """The next run lists, and fetches only what is new or has changed."""
    s3.put(f"{bucket}/x/a.json", lines([identify("u1", name="Ann")]))
    s3.put(f"{bucket}/x/b.json", lines([identify("u2", name="Ben")]))
    scene.run(f"s3://{bucket}/x/")
    assert fetched(s3, bucket) == ["x/a.json", "x/b.json"]
    s3.requests.clear()
    again = scene.run(f"s3://{bucket}/x/")
    assert (again.events.read, again.exit_code, again.input_complete) == (0, 0, True)
    assert fetched(s3, bucket) == []
    s3.put(f"{bucket}/x/b.json", lines([identify("u3", name="Cat")]))
    s3.put(f"{bucket}/x/c.json", lines([identify("u4", name="Dan")]))
    assert outcomes(scene.run(f"s3://{bucket}/x/*.json")) == {"delivered": 2}
    assert fetched(s3, bucket) == ["x/b.json", "x/c.json"]


def test_a_named_object_is_always_read_and_so_is_all_with_reread(scene: Scene, s3: S3Server, bucket: str) -> None:
    """As with files."""
    s3.put(f"{bucket}/x/a.json", lines([identify("u1", name="Ann")]))
    scene.run(f"s3://{bucket}/x/")
    assert outcomes(scene.run(f"s3://{bucket}/x/a.json")) == {"duplicate": 1}
    assert outcomes(scene.run(f"s3://{bucket}/x/", reread=True)) == {"duplicate": 1}
    assert scene.run(f"s3://{bucket}/x/").events.read == 0


def test_an_object_with_a_failed_event_is_read_again(scene: Scene, s3: S3Server, bucket: str) -> None:
    """It does not become known before all of it has arrived."""
    s3.put(f"{bucket}/x/a.json", lines([identify("u1", name="Ann")]))
    scene.config = with_delivery(max_attempts=1)
    scene.faults("refused@POST /api/v2/persons")
    assert outcomes(scene.run(f"s3://{bucket}/x/")) == {"failed": 1}
    scene.faults("")
    assert outcomes(scene.run(f"s3://{bucket}/x/")) == {"delivered": 1}


@pytest.mark.parametrize("named", [True, False])
def test_a_read_that_dies_ends_the_run_early_and_the_next_one_reads_the_rest(
    scene: Scene, s3: S3Server, bucket: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is delivered, no other object is tried, and the exit code says that work is left."""
    monkeypatch.setattr(cloud, "BLOCK", 20_000)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 2)
    people = [identify(f"u{number}", name=f"Person {number}") for number in range(400)]
    s3.put(f"{bucket}/x/a.json", lines(people))
    s3.put(f"{bucket}/x/b.json", lines([identify("last", name="Last")]))
    source = f"s3://{bucket}/x/a.json" if named else f"s3://{bucket}/x/"
    s3.breaks[f"/{bucket}/x/a.json"] = [20_000, *([5] * 20)]
    first = scene.run(source)
    assert (first.exit_code, first.reason, first.input_complete) == (4, "input_unread", False)
    assert first.events.read == first.events.delivered > 0
    assert {problem.code for problem in first.problems} == {"input_unread", "source_unreachable"}
    assert "x/b.json" not in fetched(s3, bucket)
    s3.breaks.clear()
    second = scene.run(source)
    assert (second.exit_code, second.input_complete) == (0, True)
    assert second.events.duplicate == first.events.delivered
    assert len(scene.names("persons")) == (400 if named else 401)


def test_an_object_that_may_not_be_read_leaves_the_others_alone(scene: Scene, s3: S3Server, bucket: str) -> None:
    """It is named with the reason, and read by a later run."""
    s3.put(f"{bucket}/x/a.json", lines([identify("u1", name="Ann")]))
    s3.put(f"{bucket}/x/b.json", lines([identify("u2", name="Ben")]))
    s3.denied.add(f"/{bucket}/x/a.json")
    first = scene.run(f"s3://{bucket}/x/")
    assert (first.exit_code, first.reason, first.input_complete) == (4, "input_unread", False)
    assert outcomes(first) == {"delivered": 1}
    unread = next(problem for problem in first.problems if problem.code == "source_unreadable")
    assert unread.examples[0].file == f"s3://{bucket}/x/a.json"
    s3.denied.clear()
    assert outcomes(scene.run(f"s3://{bucket}/x/")) == {"delivered": 1}


def test_a_store_that_cannot_be_reached_is_work_left(
    scene: Scene, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4: the same command may work in an hour, and nothing was sent."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    summary = scene.run("s3://any/x/")
    assert (summary.exit_code, summary.reason, summary.input_complete) == (4, "source_unreachable", False)
    assert scene.sent == []


def test_since_takes_the_folders_and_then_the_events_of_its_time(scene: Scene, s3: S3Server, bucket: str) -> None:
    """Late events of an older time come with a newer folder, and are filtered; older folders are not fetched."""
    for day in ("2024-02-20", "2024-03-01", "2024-03-03"):
        content = [identify(f"early {day}", -86_400, name="Early"), identify(f"in time {day}", 0, name=day)]
        s3.put(f"{bucket}/rudder-logs/s/{day}/a.json", lines(content))
    summary = scene.run(f"s3://{bucket}/rudder-logs/s/", filters=Filters(since=MARCH_2024))
    assert (summary.filtered, outcomes(summary)) == (2, {"delivered": 2})
    assert fetched(s3, bucket) == ["rudder-logs/s/2024-03-01/a.json", "rudder-logs/s/2024-03-03/a.json"]


def test_a_window_is_not_cut_short_by_a_slow_store(
    scene: Scene, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is what a pipe falls into; here it would send the same record twice."""
    monkeypatch.setattr("pipedrive_cli.run.batches.SILENCE", 0.0)
    monkeypatch.setattr(cloud, "BLOCK", 5_000)
    s3.put(f"{bucket}/a.json", lines([identify("u1", name=f"Ann {number}") for number in range(1500)]))
    assert outcomes(scene.run(f"s3://{bucket}/a.json")) == {"delivered": 1500}
    assert len(scene.writes) == 1


def test_the_command_line_reads_a_bucket_with_hostile_names(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """Each command that takes a SOURCE; an object's name reaches the terminal without its escape sequences."""
    s3.put(f"{bucket}/\x1b]0;gotcha\x07.json", lines([identify("u1", name="Ann")]) + b"{broken\n")
    (tmp_path / "config.yaml").write_text(
        "pipedrive: {company_domain: acme}\nidentity: {user_id_field: User id}\n", encoding="utf-8"
    )
    for command in (["replay", "--sandbox"], ["preview"], ["check", "--sandbox"], ["rehearse"]):
        done = subprocess.run(
            [sys.executable, "-m", "pipedrive_cli", *command, f"s3://{bucket}/"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PIPEDRIVE_API_TOKEN": "x"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        told = done.stdout + done.stderr
        assert b"gotcha" in told, (command, told)
        assert b"\x1b" not in told
        assert b"\x07" not in told
        assert b"Traceback" not in told


def test_mistakes_with_a_bucket_are_one_message_and_exit_2(s3: S3Server, tmp_path: Path) -> None:
    """Nothing of Python's or of the SDK's own shows."""
    (tmp_path / "config.yaml").write_text("identity: {user_id_field: User id}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pipedrive_cli", "replay", "--sandbox", "--json", "s3://no-such-bucket-here/x"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no bucket no-such-bucket-here" in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert not done.stdout or json.loads(done.stdout)
