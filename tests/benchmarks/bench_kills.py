"""100 times `kill -9` at random moments over 2,000 events, and 10,000 requests of which 15 % go wrong.

`python tests/benchmarks/bench_kills.py [KILLS]`: some five minutes. Afterwards the sandbox must hold what an
undisturbed run leaves there.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from measuring import COMMAND, Account, config, event_file, told, written
from workload import Mix, events

from pipedrive_cli.sandbox.faults import parse
from pipedrive_cli.sandbox.serve import serve

MIX = Mix(2_000, 400)
STORM = Mix(16_000, 5_500)
FAULTS = (
    "429:0.03, 500-before:0.015, 500-after:0.015, 502-after:0.015, reset-before:0.015, reset-after:0.015, "
    "garbage:0.015, silence-after:0.01, silence-before:0.01, empty:0.01"
)
LONGEST = 2.5  # seconds after which a run is killed at the latest


async def killed(folder: Path, kills: int) -> tuple[Account, int]:
    """Runs that are killed, then one that is left alone; how many of the kills came before a run's end."""
    account = Account(plan="lite", seats=1000, latency=0.05)  # slow enough to be hit a hundred times
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(account.sandbox, port=0, started=ready.set_result))
    given = written(folder / "kills.yaml", await ready)
    source = event_file(folder / "kills.ndjson", events(MIX))
    command = [*COMMAND, "replay", str(source), "-c", str(given), "--state", str(folder / "journal"), "--quiet"]
    chance = random.Random(7)
    hit = 0
    for _ in range(kills):
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(0.4 + chance.random() * (LONGEST - 0.4)):
                await process.wait()
        except TimeoutError:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            hit += 1
    process = await asyncio.create_subprocess_exec(*command)
    code = await process.wait()
    told("the run after the last kill", f"exit code {code}", "0", code == 0)
    server.cancel()
    return account, hit


def storm(folder: Path) -> None:
    """Runs under faults of all kinds, then one without, compared with an undisturbed account."""
    source = event_file(folder / "storm.ndjson", events(STORM))
    calm, disturbed = Account(), Account(faults=FAULTS, seed=3)
    calm.replay(source, config())
    given = config(timeout=5.0)
    for _ in range(4):
        disturbed.replay(source, given, folder / "storm")
    requests = len(disturbed.sandbox.requests)
    disturbed.sandbox.faults = parse("", 0)
    last = disturbed.replay(source, given, folder / "storm")
    same = calm.sandbox.contents() == disturbed.sandbox.contents()
    told("requests under 15 % faults of all kinds", f"{requests:,}", "10,000", requests >= 10_000)
    told("the run after the storm", f"exit code {last.exit_code}", "0", last.exit_code == 0)
    told("nothing lost, nothing doubled", str(same), "True", same)


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calm = Account()
        calm.replay(event_file(folder / "calm.ndjson", events(MIX)), config())
        disturbed, hit = asyncio.run(killed(folder, kills))
        same = calm.sandbox.contents() == disturbed.sandbox.contents()
        told(
            f"kill -9 {kills} times over {MIX.events:,} events", f"{hit} hit a run; same contents: {same}", "True", same
        )
        storm(folder)


if __name__ == "__main__":
    main()
