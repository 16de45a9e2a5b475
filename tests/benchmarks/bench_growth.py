"""Whether costs grow with the input and no faster: `python tests/benchmarks/bench_growth.py [N]` (500 unless named).

Each shape of input is replayed with N and with 2N events, in one window and event by event, against a sandbox in this
process. Prints CPU seconds and their ratio: 2 is linear, 4 the square. Exit code 1 where one is above 3.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.harness import Event, Scene, alias, group, identify, track, with_delivery, with_identity  # noqa: E402

SHAPES: dict[str, tuple[Callable[[int], Event], dict[str, str]]] = {
    "aliases of strangers": (lambda n: alias(f"old-{n}", f"new-{n}", n), {}),
    "aliases of one person": (lambda n: alias(f"old-{n}", "u", n), {}),
    "a chain of aliases": (lambda n: alias(f"u-{n}", f"u-{n + 1}", n), {}),
    "users of one email": (lambda n: identify(f"u-{n}", n, email="front@desk.test"), {}),
    "members of one organization": (lambda n: group(f"u-{n}", "g", n, name="Acme"), {}),
    "members who never come": (lambda n: group(f"u-{n}", "g", n), {"create_persons": "identify"}),
    "leads of one who never comes": (lambda n: track("u", "Lead", n), {"create_persons": "identify"}),
}


def seconds(make: Callable[[int], Event], identity: dict[str, str], number: int, lookahead: int) -> float:
    """The CPU time of one replay."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), config=with_identity(with_delivery(lookahead=lookahead), **identity))
        events = [make(n) for n in range(number)]
        began = time.process_time()
        scene.run(events)
        return time.process_time() - began


def main(number: int = 500) -> int:
    """Measures every shape; returns the exit code."""
    worst = 0.0
    for name, (make, identity) in SHAPES.items():
        for lookahead in (100_000, 1):
            once, twice = (seconds(make, identity, n, lookahead) for n in (number, 2 * number))
            worst = max(worst, twice / once)
            sys.stdout.write(f"{name}, lookahead {lookahead}: {once:.2f} s, {twice:.2f} s, {twice / once:.1f}\n")
            sys.stdout.flush()
    return int(worst > 3)


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:2])))
