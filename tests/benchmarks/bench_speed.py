"""How fast and how large our own work is: `python tests/benchmarks/bench_speed.py [NAME...]`. Some ten minutes.

Speeds are ratios to something that the same machine does in the same minute: to `json.loads` over the same file, or to
an import. CPU time counts for what is alone on its core, so that a busy machine does not blur it.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from itertools import islice
from pathlib import Path

from measuring import COMMAND, Ran, event_file, ran, served, told, written
from workload import Mix, events

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FEW, MANY = Mix(200_000, 10_000, leads=0.02), Mix(1_000_000, 50_000, leads=0.02)
LOADS = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"

# How exports lie on a disk: the number of files, whether they are packed, and the speed that is wanted.
SHAPES = {
    "one file": (1, False, 0.35),
    "one packed file": (1, True, 0.33),
    "20 packed files": (20, True, 0.33),
    "200 small files": (200, False, 0.33),
}

# Every event of a file, decoded. The entries of a block are let go before the next one comes, as in a run.
READS = """
import sys
from pathlib import Path
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
path = Path(sys.argv[1])
reading = Reading(Source(path.name, named=True, size=path.stat().st_size, path=path))
number = sum(len([entry.event(2**53) for entry in batch]) for batch in reading.batches())
assert reading.complete and number == int(sys.argv[2]), number
"""

# As many requests of that size, many at once: what httpx itself takes.
LOOP = """
import asyncio, sys, httpx
async def main(url, number):
    body = {"name": "Somebody Somewhere", "custom_fields": {"a" * 40: "x" * 20}, "emails": [{"value": "s@example.com"}]}
    async with httpx.AsyncClient(headers={"x-api-token": "sandbox"}) as client:
        left = iter(range(number))
        async def work():
            for _ in left:
                (await client.post(url + "/api/v2/persons", json=body)).json()
        await asyncio.gather(*(work() for _ in range(8)))
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def reading(folder: Path) -> None:
    """Reading and decoding 100,000 events: plain, packed, and in batches of 50; one core."""
    plain = event_file(folder / "reading.ndjson", events(Mix(100_000, 5_000)))
    text = plain.read_bytes()
    lines = text.splitlines()
    batches = (b'{"batch":[%s]}\n' % b",".join(lines[first : first + 50]) for first in range(0, len(lines), 50))
    made = {"plain": text, "gzip": gzip.compress(text, 6), "zstd": zstd.compress(text), "batches": b"".join(batches)}
    best = min(_loads(plain).cpu for _ in range(3))
    for name, content in made.items():
        source = folder / f"reading-{name}"
        source.write_bytes(content)
        ours = min((ran(sys.executable, "-c", READS, source, str(len(lines))) for _ in range(3)), key=lambda r: r.cpu)
        ratio = best / ours.cpu if ours.code == 0 else 0.0
        told(f"reading 100,000 events, {name}", f"{ratio:.2f} of json.loads", "0.55", ratio >= 0.55)


def preview(folder: Path) -> None:
    """`preview` over 100,000 events, the whole process: the counts, of each way to lay them down; and each request."""
    given = written(folder / "offline.yaml", "http://127.0.0.1")
    source = event_file(folder / "preview.ndjson", events(Mix(100_000, 5_000)))
    for shape, (files, packed, target) in SHAPES.items():
        parts = _in_files(folder / shape, source, files, packed)
        pairs = [(_loads(source), ran(*COMMAND, "preview", "--summary", parts, "-c", given)) for _ in range(3)]
        ratio = min(plain.seconds for plain, _ in pairs) / min(ours.seconds for _, ours in pairs)
        peak = max(ours.peak_mb for _, ours in pairs)
        figure = f"{ratio:.2f} of json.loads, {peak:.0f} MB"
        told(
            f"preview --summary of 100,000 events, {shape}", figure, f"{target}, 220 MB", ratio > target and peak < 220
        )
    ours = ran(*COMMAND, "preview", "--format", "ndjson", source, "-c", given)
    ratio = ours.cpu / _loads(source).cpu
    told("preview --format ndjson of the same", f"{ratio:.1f} times the CPU of json.loads", "8.6", ratio < 8.6)


def rehearsed(folder: Path) -> None:
    """`rehearse` of 100,000 events."""
    given = written(folder / "offline.yaml", "http://127.0.0.1")
    source = event_file(folder / "rehearse.ndjson", events(Mix(100_000, 5_000)))
    ours = ran(*COMMAND, "rehearse", source, "-c", given, "--json", "--quiet")
    ratio = ours.cpu / _loads(source).cpu
    figure = f"{ours.seconds:.0f} s, {ratio:.0f} times the CPU of json.loads, {ours.json['tokens']['spent']:,} tokens"
    told("rehearse of 100,000 events", figure, "15 s, 20 times", ratio < 20)


def replayed(folder: Path) -> None:
    """The CPU of a replay into a served sandbox, beside a bare httpx loop that sends as many requests to it.

    Once as whole processes; once without start and end, as what 40,000 events more cost both.
    """
    (ours, loop, requests), (more_ours, more_loop, more) = (
        _beside_httpx(folder, number) for number in (20_000, 60_000)
    )
    for what, ratio, number in (
        ("replay of 20,000 events", ours / loop, requests),
        ("40,000 more of them", (more_ours - ours) / (more_loop - loop), more - requests),
    ):
        figure = f"{ratio:.2f} times the CPU of a bare httpx loop of {number:,} requests"
        told(what, figure, "1.2", ratio <= 1.2)


def _beside_httpx(folder: Path, number: int) -> tuple[float, float, int]:
    """The CPU seconds of a replay and of the loop, the best of three, for both are short; and the requests."""
    source = event_file(folder / "replay.ndjson", events(Mix(number, 1_000)))
    ours, loops = [], []
    for turn in range(3):
        with served(folder, "--plan", "unlimited") as url:
            given, state = written(folder / "served.yaml", url), folder / f"replay-{number}-{turn}.journal"
            ours.append(ran(*COMMAND, "replay", source, "-c", given, "--state", state, "--json", "--quiet"))
            requests = ours[-1].json["requests"]["total"]
            loops.append(ran(sys.executable, "-c", LOOP, url, str(requests)))
    return min(each.cpu for each in ours), min(each.cpu for each in loops), requests


def memory(folder: Path) -> None:
    """Replays of 200,000 and 1,000,000 events into a served sandbox; the rerun of the latter, all known."""
    peaks: list[float] = []
    for mix in (FEW, MANY):
        source = event_file(folder / "memory.ndjson", events(mix))
        state = folder / f"journal-{mix.events}"
        with served(folder, "--plan", "unlimited") as url:
            replay = (*COMMAND, "replay", source, "-c", written(folder / "served.yaml", url), "--state", state)
            first = ran(*replay, "--json", "--quiet")
            peaks.append(first.peak_mb)
            rate = mix.events / first.seconds
            told(
                f"replay of {mix.events:,} events", f"{first.peak_mb:.0f} MB ({rate:,.0f}/s)", "250 MB", peaks[-1] < 250
            )
            if mix is MANY:
                known = ran(*replay, "--json", "--quiet")
                plain = _loads(source)
                ratio = plain.cpu / known.cpu
                figure = f"{mix.events / known.cpu:,.0f}/s, {ratio:.2f} of json.loads, {known.peak_mb:.0f} MB"
                told("rerun of events that are known", figure, "100,000/s or 0.6", ratio >= 0.6)
    growth = peaks[1] / peaks[0]
    told("memory of 1,000,000 events to that of 200,000", f"{growth:.2f}", "1.2", growth <= 1.2)


def version(folder: Path) -> None:
    """`pipedrive-cli --version` beside importing typer; the best of ten, for both are short."""
    del folder
    ours = min(ran(*COMMAND, "--version").cpu for _ in range(10))
    typer = min(ran(sys.executable, "-c", "import typer").cpu for _ in range(10))
    told("--version to `import typer`", f"{ours / typer:.2f}", "1.5", ours <= 1.5 * typer)


def _in_files(folder: Path, source: Path, files: int, packed: bool) -> Path:
    """A folder with the lines of a file in so many files. Keeps little in memory, for a child's peak counts ours."""
    folder.mkdir()
    with source.open("rb") as lines:
        for number in range(files):
            name = f"{number:03}.ndjson{'.gz' if packed else ''}"
            with gzip.open(folder / name, "wb", 6) if packed else (folder / name).open("wb") as part:
                part.writelines(islice(lines, 100_000 // files))
    return folder


def _loads(source: Path) -> Ran:
    return ran(sys.executable, "-c", LOADS, source)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measures = (version, reading, preview, rehearsed, replayed, memory)
        for measure in (m for m in measures if m.__name__ in sys.argv[1:] or not sys.argv[1:]):
            measure(Path(name))
