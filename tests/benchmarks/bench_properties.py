"""The tests that generate their cases, with a hundred times as many, and others in every run; kills at every step.

`python tests/benchmarks/bench_properties.py [PYTEST ARGUMENT...]`: some twenty minutes on two cores; with a file or
`-k any_order` less. What fails prints a line that repeats it (`@reproduce_failure`). Where HYPOTHESIS_PROFILE names
another profile of `tests/examples.py`, that one counts.

Before an issue is closed this is run, and beside it `bench_kills.py` (kills and faults over thousands of events),
`bench_speed.py` (100,000 events and more), `bench_tokens.py`, `bench_mixes.py` and `bench_pace.py`. Of what they do the
suite has a small one of each kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> int:
    environment = {"HYPOTHESIS_PROFILE": "long", **os.environ}
    # Hypothesis itself marks what it generates cases for; `campaign` is the mark of kills at one step after the other.
    command = [sys.executable, "-m", "pytest", "-n", "auto", "-m", "hypothesis or campaign", *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
