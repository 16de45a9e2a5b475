"""Archives folded on a cluster: the bytes are those of the fold on one machine, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.cli.compact_command import run_compact
from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Pipedrive
from pipedrive_cli.config.privacy import Privacy
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.events import cloud
from pipedrive_cli.events.source import Source, resolve_sources
from pipedrive_cli.run.archive_part import ArchivePart, FoldBrief
from pipedrive_cli.run.compact import Compact, Compacted, CompactOptions, Fold
from pipedrive_cli.run.fold_store import FoldStore
from pipedrive_cli.run.fold_sum import branches
from pipedrive_cli.run.folding import fold_parts
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.worker_fold import add_some, decode_partial, fold_one, packed_brief, packed_part
from pipedrive_cli.secret import Secret
from pipedrive_cli.version import __version__
from tests.examples import examples
from tests.harness import CONFIG, Event, identify, lines
from tests.run.events_of_all_kinds import ALL
from tests.run.test_compact import archives
from tests.s3_server import S3Server

TOKEN = "a-token-that-must-stay-here"


def compact(source: str, target: Path, fold: Fold = fold_parts, config: Config = CONFIG) -> Compacted:
    job = Compact(config, "config.yaml", CompactOptions((source,), target, offline=True), fold=fold)
    job.learn = getattr(fold, "learn", job.learn)
    return job.run()


def added_as(choose: Callable[[list[bytes]], list[bytes]]) -> Fold:
    """Folds as a cluster would, here; `choose` gives the folds of one round, of which the first two are added."""

    def fold(store: FoldStore, brief: FoldBrief, tasks: Sequence[ArchivePart], tell: Any) -> None:
        shipped = packed_brief(brief)
        folds = [fold_one(packed_part(task), brief=shipped, version=__version__) for task in tasks]
        while len(folds) > 1:
            first, second, *others = choose(folds)
            folds = [add_some(first, second), *others]
        whole = decode_partial(folds[0])
        store.add(0, whole.folded, whole.counted)
        for task in tasks:
            tell(task, whole.counted[task.number])

    return fold


def assert_same(files: Sequence[Sequence[Event]], fold: Fold) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "archive"
        folder.mkdir()
        for number, events in enumerate(files):
            (folder / f"{number}.ndjson").write_bytes(lines(events))
        here = compact(str(folder), Path(name) / "here.ndjson")
        there = compact(str(folder), Path(name) / "there.ndjson", fold)
        assert (Path(name) / "there.ndjson").read_bytes() == (Path(name) / "here.ndjson").read_bytes()
        assert (there.events, there.left_out, there.records) == (here.events, here.left_out, here.records)


@settings(max_examples=examples(60))
@given(archives(), st.lists(st.integers(0, 17), max_size=4).map(sorted), st.randoms(use_true_random=False))
def test_partial_folds_added_in_any_order_give_the_same_bytes(
    events: list[Event], cuts: list[int], chance: Random
) -> None:
    """Whatever was added to what, and in which order."""
    files = [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert_same(files, added_as(lambda folds: chance.sample(folds, len(folds))))


def test_of_copies_with_other_content_the_same_one_is_kept_wherever_it_was_folded() -> None:
    """One that has won nothing may be gone already where others were added to it."""
    again = {"messageId": "m1"}
    first = [identify("u0", 0, name="Ann"), identify("u0", 1, role="r1") | again]
    files = [first, [identify("u0", 2, role="r2")], [identify("u0", 3, city="c") | again]]
    assert_same(files, added_as(list))


def test_a_sum_has_bounds() -> None:
    """Neighbours are added, a few at once, and nothing that would be too much for one process."""
    assert branches("abcdefghij", [1] * 10, 100) == [list("abcdefgh"), list("ij")]
    assert branches("abcd", [60, 50, 40, 200], 100) == [["a"], ["b", "c"], ["d"]]


def test_no_secret_is_handed_to_a_worker() -> None:
    """Neither the account's key nor the address that is told of failures, however the config names them."""
    secret = Secret(TOKEN)
    config = msgspec.structs.replace(CONFIG, pipedrive=Pipedrive(api_token=secret, oauth_token=secret), notify=secret)
    shipped = packed_brief(FoldBrief(config, None, Filters(), 0))
    assert TOKEN.encode() not in shipped
    assert b"identity" in shipped.lower()


def test_a_file_that_a_worker_does_not_see_is_named_with_the_worker(tmp_path: Path) -> None:
    """It is no empty file, and no other file that lies there by chance."""
    path = tmp_path / "a.ndjson"
    task = ArchivePart(0, Source(str(path), False, 100, path))
    brief = packed_brief(FoldBrief(CONFIG, None, Filters(), 0))
    with pytest.raises(UserMistake, match=f"the worker .*{path}"):
        fold_one(packed_part(task), brief=brief, version=__version__)
    path.write_bytes(b"{}\n")
    with pytest.raises(UserMistake, match="another file lies there, of 3 bytes instead of 100"):
        fold_one(packed_part(task), brief=brief, version=__version__)
    with pytest.raises(UserMistake, match=f"the worker .* has pipedrive-cli {__version__}, and here is 9.9.9"):
        fold_one(packed_part(task), brief=brief, version="9.9.9")


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the option needs Dask."""
    (tmp_path / "config.yaml").write_text("identity: {user_id_field: User id}\n")
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "pipedrive_cli.run.dask_folding", raising=False)
    options = CompactOptions((str(tmp_path),), tmp_path / "small.ndjson", offline=True, dask="tcp://127.0.0.1:1")
    with pytest.raises(UserMistake, match="--dask needs the package distributed") as caught:
        run_compact(tmp_path / "config.yaml", options, as_json=False, quiet=True)
    assert "pipedrive-cli[dask]" in str(caught.value.hint)


@pytest.mark.cloud
def test_a_worker_without_credentials_is_named_at_once(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not each object of a whole archive. What is handed to a worker has no credentials either."""
    s3.put(f"{bucket}/a.json", lines(ALL))
    (source,) = resolve_sources([f"s3://{bucket}/a.json"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    cloud._store_here.cache_clear()  # this process has had credentials
    brief = packed_brief(FoldBrief(CONFIG, None, Filters(), 0))
    with pytest.raises(UserMistake, match=f"the worker .*s3://{bucket}/a.json: no credentials"):
        fold_one(packed_part(ArchivePart(0, source)), brief=brief, version=__version__)


# -- on a cluster of this machine's processes


@pytest.fixture(scope="module")
def cluster(s3_server: S3Server) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="the extra test-cloud is not installed: there is no Dask")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", env=s3_server.environment
    ) as found:
        yield found


@pytest.fixture
def on_cluster(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Fold:
    from pipedrive_cli.run import dask_folding

    monkeypatch.setattr(dask_folding, "PERIOD", 0.1)
    return dask_folding.ClusterFold(cluster.scheduler_address)


@pytest.fixture
def archive(s3: S3Server, bucket: str) -> str:
    for number in range(6):
        people = [identify(f"u{at % 40}", number * 100 + at, role=f"r{at}") for at in range(300)]
        bo = [identify("bo", number, **({"email": "bo@x.example"} if number else {}))] if number in {0, 5} else []
        s3.put(f"{bucket}/a/{number}.json", lines([*ALL[number::6], *people, *bo]))
    s3.put(f"{bucket}/a/bad.json", b"{broken\n")
    return f"s3://{bucket}/a/"


@pytest.mark.cloud
@pytest.mark.parametrize("killed", [False, True])
def test_a_cluster_gives_the_same_bytes_and_the_death_of_a_worker_changes_nothing(
    archive: str, s3: S3Server, cluster: Any, on_cluster: Fold, tmp_path: Path, killed: bool
) -> None:
    """The workers read the objects, also for who is suppressed; one is killed while the third object is asked for."""
    suppressed = tmp_path / "no.txt"
    suppressed.write_text("bo@x.example\n")
    config = msgspec.structs.replace(CONFIG, privacy=Privacy(suppress=suppressed))
    here = compact(archive, tmp_path / "here.ndjson.gz", config=config)
    assert {each.code: each.count for each in here.left_out}["suppressed"] == 2
    pids = [each.pid for each in cluster.workers.values()]
    asked: list[str] = []

    def kills(request: str) -> None:
        asked.append(request)
        if sum(each.startswith("GET") and each.endswith(".json") for each in asked) == 3:
            os.kill(pids[0], signal.SIGKILL)

    if killed:
        s3.asked = kills
    there = compact(archive, tmp_path / "there.ndjson.gz", on_cluster, config)
    assert (tmp_path / "there.ndjson.gz").read_bytes() == (tmp_path / "here.ndjson.gz").read_bytes()
    there.output, there.seconds = here.output, here.seconds
    assert there == here
    assert killed == (pids[0] not in [each.pid for each in cluster.workers.values()])


@pytest.mark.cloud
def test_what_came_from_the_cluster_before_an_interruption_is_not_read_again(
    archive: str, on_cluster: Any, tmp_path: Path
) -> None:
    """The same command goes on, here or there."""
    whole = compact(archive, tmp_path / "here.ndjson.gz")

    def interrupted(store: Any, brief: Any, tasks: Sequence[ArchivePart], tell: Any) -> None:
        def dies(task: ArchivePart, counted: Any) -> None:
            raise KeyboardInterrupt

        on_cluster(store, brief, tasks[:3], dies)

    with pytest.raises(KeyboardInterrupt):
        compact(archive, tmp_path / "there.ndjson.gz", interrupted)
    left: list[int] = []

    def goes_on(store: Any, brief: Any, tasks: Sequence[ArchivePart], tell: Any) -> None:
        left.extend(task.number for task in tasks)
        on_cluster(store, brief, tasks, tell)

    again = compact(archive, tmp_path / "there.ndjson.gz", goes_on)
    assert again.events == whole.events
    assert (tmp_path / "there.ndjson.gz").read_bytes() == (tmp_path / "here.ndjson.gz").read_bytes()
    assert 4 <= len(left) < 7


@pytest.mark.cloud
def test_a_cluster_that_cannot_do_it_is_told_in_one_sentence(
    archive: str, on_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version, with both of them; and a scheduler that does not answer."""
    from pipedrive_cli.run import dask_folding

    with monkeypatch.context() as patch:
        patch.setattr(dask_folding, "__version__", "9.9.9")
        with pytest.raises(UserMistake, match=f"the scheduler .* has pipedrive-cli {__version__}, and here is 9.9.9"):
            compact(archive, tmp_path / "there.ndjson.gz", on_cluster)
    monkeypatch.setattr(dask_folding, "CONNECT", 0.2)
    with pytest.raises(StopRun, match="no Dask scheduler answers at tcp"):
        compact(archive, tmp_path / "there.ndjson.gz", dask_folding.ClusterFold("tcp://127.0.0.1:1"))
