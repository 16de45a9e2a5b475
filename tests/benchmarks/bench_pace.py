"""How much of the limits is used, from the first write to the last: `python tests/benchmarks/bench_pace.py`.

In virtual time for three limits; with `--served`, also once in real time, as a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import COMMAND, Account, config, event_file, ran, served, told, written
from workload import Mix, events

LATENCY = 0.15
MIX = Mix(4_000, 1_000, aliases=0.0)


def virtual(source: Path) -> None:
    """Limits of 20, 40 and 120 requests per 2 s, every answer taking 150 ms."""
    for plan, limit in (("lite", 20), ("growth", 40), ("ultimate", 120)):
        account = Account(plan=plan, seats=1000, latency=LATENCY)
        account.replay(source, config())
        log = account.sandbox.requests
        writes = [request.time for request in log if request.method != "GET"]
        used = (len(writes) - 1) / (writes[-1] - writes[0]) / (limit / 2)
        refused = sum(request.status == 429 for request in log)
        figure = f"{used:.1%} of the limit, {refused} refused"
        told(f"{limit} requests per 2 s", figure, "90 %, 0", used >= 0.9 and not refused)


def in_real_time(folder: Path, source: Path) -> None:
    """The same for 40 per 2 s, over a socket."""
    with served(folder, "--plan", "growth", "--seats", "1000", "--latency", "150ms") as url:
        given = written(folder / "growth.yaml", url, plan="growth")
        run = ran(*COMMAND, "replay", source, "-c", given, "--state", folder / "journal", "--json", "--limit", "1500")
    summary = run.json
    used = summary["requests"]["total"] / summary["seconds"] / 20
    figure = f"{used:.1%} of the limit over the whole run, {summary['requests']['retried']} repeated"
    told("40 requests per 2 s, served, real time", figure, "90 %, 0", used >= 0.9)


def journaled(folder: Path, source: Path) -> None:
    """480 requests per 2 s, the journal on disk: what a process reaches whose every write waits for the disk."""
    with served(folder, "--plan", "unlimited", "--latency", "150ms") as url:
        given = written(folder / "open.yaml", url)
        run = ran(*COMMAND, "replay", source, "-c", given, "--state", folder / "durable", "--json")
    summary = run.json
    rate = summary["requests"]["total"] / summary["seconds"]
    told("requests a second, journal on disk", f"{rate:.0f}", "240", rate >= 240)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        file = event_file(Path(name) / "events.ndjson", events(MIX))
        virtual(file)
        if "--served" in sys.argv:
            in_real_time(Path(name), file)
            journaled(Path(name), file)
