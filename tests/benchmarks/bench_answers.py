"""Runs that meet any answer at any request: the fuzzer of `tests/run/test_any_answer.py` with thousands of cases.

`python tests/benchmarks/bench_answers.py [CASES]`: 2,000 cases in some five minutes on two cores, others in every run.
No traceback, no twin, an end in bounded virtual time, bounded tokens. What fails prints a line that repeats it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ("tests/run/test_any_answer.py", "tests/delivery/test_pages.py")


def main() -> int:
    cases = sys.argv[1] if len(sys.argv) > 1 else "2000"
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "long", "ANSWERS": cases}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", *TESTS]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
