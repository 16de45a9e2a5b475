"""An archive compacted: `python tests/benchmarks/bench_compact.py [NAME...]`. Some five minutes.

`dask`: on a cluster of two single-core workers of this machine, beside all cores here, with the bytes compared, and
with a worker killed in the middle; needs the extra `dask`.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from itertools import islice
from pathlib import Path

from measuring import COMMAND, Ran, event_file, ran, told, written
from workload import Mix, events

OBJECTS = 40


def dask(folder: Path) -> None:
    """1,000,000 events of 50,000 users in forty files, here and on the cluster."""
    from distributed import LocalCluster

    given = written(folder / "offline.yaml", "http://127.0.0.1")
    archive = folder / "archive"
    archive.mkdir()
    mix = Mix(1_000_000, 50_000, leads=0.02)
    rows = events(mix)
    for number in range(OBJECTS):
        event_file(archive / f"{number:02}.ndjson", islice(rows, mix.events // OBJECTS))

    def compacted(name: str, *options: str) -> Ran:
        target = folder / f"{name}.ndjson.gz"
        return ran(*COMMAND, "compact", archive, "-o", target, "-c", given, "--offline", "--json", "--quiet", *options)

    def same(name: str) -> bool:
        return (folder / f"{name}.ndjson.gz").read_bytes() == (folder / "here.ndjson.gz").read_bytes()

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=signal.SIGKILL
    ) as cluster:
        address = ("--dask", cluster.scheduler_address)
        pairs = [(compacted("here"), compacted("there", *address)) for _ in range(2)]
        ratio = max(here.seconds / there.seconds for here, there in pairs)
        here, there = pairs[-1]
        figure = f"{ratio:.2f} of the rate here ({there.seconds:.0f} s to {here.seconds:.0f} s), {there.peak_mb:.0f} MB"
        told("two workers of a Dask cluster", figure, "0.6, the same bytes", ratio >= 0.6 and same("there"))
        pid = next(iter(cluster.workers.values())).pid
        timer = threading.Timer(there.seconds / 2, os.kill, (pid, signal.SIGKILL))
        timer.start()
        killed = compacted("killed", *address)
        timer.join()
        figure = f"{killed.seconds:.0f} s, {'the same' if same('killed') else 'other'} bytes"
        told("the same with a worker killed in the middle", figure, "the same bytes", same("killed"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for measure in (each for each in (dask,) if each.__name__ in sys.argv[1:] or not sys.argv[1:]):
            measure(Path(name))
