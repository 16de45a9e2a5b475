"""How fast and how large `compact` is: `python tests/benchmarks/bench_compact.py [NAME...] [--part N]`. Half an hour.

`--part 10` takes a tenth of all events and users. Speeds are ratios to `json.loads` over the same file on one core, in
the same minute; `compact` is a whole process that uses all cores, so run it on two and on nothing else. Memory is that
of all processes together, sampled (Linux alone tells it).

`dask` needs the extra of that name: bytes are compared, and a worker is killed in the middle.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import json
import logging
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from bench_speed import LOADS
from measuring import COMMAND, Ran, event_file, ran, told, written
from workload import Mix, events

PAGES = 0.95  # of the events of an archive
ROWS = 50_000
OBJECTS = 40  # files of the archive that a cluster reads
COLUMNS = ("user_id", "updated_at", "name", "email", "phone", "role", "plan", "city", "country", "notes")
STEPS = (1, 3, 10, 30)  # times as many events of the same users
EVERY = 0.1  # seconds between two looks at the memory


def speed(folder: Path, part: int) -> None:
    """1,000,000 events of 50,000 users."""
    mix = Mix(1_000_000 // part, 50_000 // part)
    _speed(folder, f"compact of {mix.events:,} events", event_file(folder / "speed.ndjson", events(mix)), 0.4)


def pages(folder: Path, part: int) -> None:
    """As many events, of which 95 in 100 are page views."""
    mix = Mix(1_000_000 // part, 50_000 // part)
    source = event_file(folder / "pages.ndjson", _mostly_pages(mix))
    _speed(folder, f"compact of {mix.events:,} events, mostly pages", source, 2.0)


def growth(folder: Path, part: int) -> None:
    """100,000 events of 50,000 users, and three, ten and thirty times as many of the same users: ten minutes."""
    first = Mix(100_000 // part, 50_000 // part, leads=0.02)
    source = folder / "growth.ndjson"
    rows = events(replace(first, events=STEPS[-1] * first.events))
    took: list[float] = []
    used: list[float] = []
    written_before = 0
    for step in STEPS:
        count = step * first.events
        event_file(source, islice(rows, count - written_before), added=True)
        written_before = count
        with _memory() as seen:
            compacted = _compact(folder, source)
        took.append(compacted.seconds / count)
        used.append(compacted.cpu / count)
        peak = max(seen, default=compacted.peak_mb)
        change = took[-1] / took[0]
        cpu = f"{used[-1] / used[0]:.2f} times the CPU"
        figure = f"{change:.2f} times the time an event ({compacted.seconds:.1f} s), {cpu}, {peak:.0f} MB"
        told(f"compact of {count:,} events", figure, "at most 1.2, 300 MB", change <= 1.2 and peak <= 300)


def output(folder: Path, part: int) -> None:
    """The events that are kept of 1,000,000 of 5,000 users, leads aside."""
    mix = Mix(1_000_000 // part, 5_000 // part)
    _compact(folder, event_file(folder / "output.ndjson", events(mix)))
    kept = 0
    with gzip.open(_output(folder), "rt", encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            named = event.get("event")
            kept += event["type"] in ("identify", "group") or (event["type"] == "track" and " " in named)
            kept -= named in ("Demo Asked For", "Signed Up")
    told("events kept for each person, leads aside", f"{kept / mix.users:.1f}", "at most 7", kept <= 7 * mix.users)


def rows(folder: Path, part: int) -> None:
    """The preview of a table, and of the same people as events."""
    del part
    table, given = folder / "rows.csv", written(folder / "offline.yaml", "http://127.0.0.1")
    chance = random.Random(1)
    people = [_person(chance, number) for number in range(ROWS)]
    with table.open("w", encoding="utf-8", newline="") as file:
        write = csv.DictWriter(file, COLUMNS)
        write.writeheader()
        write.writerows(people)
    options = ("--summary", "-c", given)
    as_rows = ("--as", "identify", "--id", "user_id", "--time", "updated_at")
    ours = min((ran(*COMMAND, "preview", table, *as_rows, *options) for _ in range(3)), key=lambda each: each.cpu)
    source = event_file(folder / "rows.ndjson", map(_as_event, people))
    same = min((ran(*COMMAND, "preview", source, *options) for _ in range(3)), key=lambda each: each.cpu)
    figure = f"{ours.seconds:.1f} s, {ours.cpu / same.cpu:.2f} times the CPU of as many events"
    told(f"preview of {ROWS:,} rows of CSV", figure, "10 s", ours.seconds <= 10)


def dask(folder: Path, part: int) -> None:
    """1,000,000 events of 50,000 users in forty files, here and on a cluster of two single-core workers."""
    from distributed import LocalCluster

    given = written(folder / "offline.yaml", "http://127.0.0.1")
    archive = folder / "archive"
    archive.mkdir()
    mix = Mix(1_000_000 // part, 50_000 // part, leads=0.02)
    rows = events(mix)
    for number in range(OBJECTS):
        event_file(archive / f"{number:02}.ndjson", islice(rows, mix.events // OBJECTS))

    def compacted(name: str, *options: str) -> Ran:
        target = folder / f"{name}.ndjson.gz"
        return ran(*COMMAND, "compact", archive, "-o", target, "-c", given, "--offline", "--json", "--quiet", *options)

    def same(name: str) -> bool:
        return (folder / f"{name}.ndjson.gz").read_bytes() == (folder / "here.ndjson.gz").read_bytes()

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        address = ("--dask", cluster.scheduler_address)
        pairs = [(compacted("here"), compacted("there", *address)) for _ in range(2)]
        here, there = max(pairs, key=lambda pair: pair[0].seconds / pair[1].seconds)
        ratio = here.seconds / there.seconds
        figure = f"{ratio:.2f} of the rate here ({there.seconds:.0f} s to {here.seconds:.0f} s), {there.peak_mb:.0f} MB"
        told("two workers of a Dask cluster", figure, "0.6, the same bytes", ratio >= 0.6 and same("there"))
        pid = next(iter(cluster.workers.values())).pid
        timer = threading.Timer(there.seconds / 2, os.kill, (pid, signal.SIGKILL))
        timer.start()
        killed = compacted("killed", *address)
        timer.join()
        figure = f"{killed.seconds:.0f} s, {'the same' if same('killed') else 'other'} bytes"
        told("the same with a worker killed in the middle", figure, "the same bytes", same("killed"))


def _speed(folder: Path, what: str, source: Path, target: float) -> None:
    best = 0.0
    peak = 0.0
    for _ in range(2):
        plain = ran(sys.executable, "-c", LOADS, source)
        with _memory() as seen:
            ours = _compact(folder, source)
        best = max(best, plain.cpu / ours.seconds)
        peak = max([peak, ours.peak_mb, *seen])
    told(what, f"{best:.2f} of json.loads, {peak:.0f} MB", f"{target}, 300 MB", best >= target and peak <= 300)


def _compact(folder: Path, source: Path) -> Ran:
    given = written(folder / "offline.yaml", "http://127.0.0.1")
    found = ran(*COMMAND, "compact", source, "-o", _output(folder), "-c", given, "--offline", "--quiet")
    if found.code:
        raise SystemExit(f"compact ended with {found.code}")
    return found


def _output(folder: Path) -> Path:
    return folder / "small.ndjson.gz"


def _mostly_pages(mix: Mix) -> Iterator[dict[str, Any]]:
    chance = random.Random(mix.seed)
    for event in events(mix):
        if chance.random() >= PAGES:
            yield event
            continue
        path = f"/shop/{chance.randrange(500)}"
        seen = {"path": path, "url": f"https://shop.example{path}", "title": "Shop", "referrer": "", "search": ""}
        common = {name: event[name] for name in event.keys() - {"traits", "event", "groupId", "previousId"}}
        yield common | {"type": chance.choice(["page", "screen"]), "name": "Shop", "properties": seen}


def _person(chance: random.Random, number: int) -> dict[str, str]:
    return {
        "user_id": f"user-{number}",
        "updated_at": f"2026-01-{1 + number % 28:02d}T10:00:00Z",
        "name": f"Ada {number}",
        "email": f"user{number}@shop.example",
        "phone": f"+4144{number:07d}",
        "role": chance.choice(["dev", "lead", "ops"]),
        "plan": chance.choice(["free", "team"]),
        "city": "Zürich",
        "country": "CH",
        "notes": "came by the fair, wants to be called" * 2,
    }


def _as_event(person: dict[str, str]) -> dict[str, Any]:
    traits = {name: value for name, value in person.items() if name not in ("user_id", "updated_at")}
    return {
        "type": "identify",
        "messageId": f"m-{person['user_id']}",
        "userId": person["user_id"],
        "timestamp": person["updated_at"],
        "traits": traits,
    }


@contextlib.contextmanager
def _memory() -> Iterator[list[float]]:
    """The memory in MB of all processes below this one together, as often as it was looked at."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            seen.append(sum(map(_share, _below(os.getpid()))))

    thread = threading.Thread(target=look, daemon=True)
    if Path("/proc/self/smaps_rollup").exists():
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        if thread.ident is not None:
            thread.join()


def _below(process: int) -> Iterator[int]:
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                yield child
                yield from _below(child)


def _share(process: int) -> float:
    """The memory of one process in MB, what it shares with others in equal shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1e3
    return 0.0


if __name__ == "__main__":
    measures = {each.__name__: each for each in (speed, pages, growth, output, rows, dask)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*measures, []])
    parser.add_argument("--part", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for each in asked.name or measures:
            measures[each](Path(name), asked.part)
