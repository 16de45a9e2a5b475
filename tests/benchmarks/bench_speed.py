"""How fast and how large our own work is: `python tests/benchmarks/bench_speed.py [NAME...]`. Some ten minutes.

Speeds are ratios to something that the same machine does in the same minute: to `json.loads` over the same file, or to
an import. CPU time counts for what is alone on its core, so that a busy machine does not blur it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import COMMAND, Ran, event_file, ran, served, told, written
from workload import Mix, events

FEW, MANY = Mix(200_000, 10_000, leads=0.02), Mix(1_000_000, 50_000, leads=0.02)
LOADS = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"


def preview(folder: Path) -> None:
    """`preview --summary` over 100,000 events, the whole process, and over a million."""
    given = written(folder / "offline.yaml", "http://127.0.0.1")
    for number, target in ((100_000, 0.6), (1_000_000, 1.0)):
        source = event_file(folder / "preview.ndjson", events(Mix(number, number // 20)))
        plain, ours = _loads(source), ran(*COMMAND, "preview", "--summary", source, "-c", given)
        ratio = plain.seconds / ours.seconds
        figure = f"{ratio:.2f} of json.loads ({number / ours.seconds:,.0f}/s, {ours.peak_mb:.0f} MB)"
        told(f"preview --summary of {number:,} events", figure, f"{target}", ratio >= target)


def rehearsed(folder: Path) -> None:
    """`rehearse` of 100,000 events."""
    given = written(folder / "offline.yaml", "http://127.0.0.1")
    source = event_file(folder / "rehearse.ndjson", events(Mix(100_000, 5_000)))
    ours = ran(*COMMAND, "rehearse", source, "-c", given, "--json", "--quiet")
    figure = f"{ours.seconds:.0f} s ({ours.cpu:.0f} s of CPU), {ours.json['tokens']['spent']:,} tokens"
    told("rehearse of 100,000 events", figure, "60 s", ours.cpu < 60)


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


def _loads(source: Path) -> Ran:
    return ran(sys.executable, "-c", LOADS, source)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measures = (version, preview, rehearsed, memory)
        for measure in (m for m in measures if m.__name__ in sys.argv[1:] or not sys.argv[1:]):
            measure(Path(name))
