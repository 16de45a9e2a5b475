"""An account where others work, looked for faults: `python tests/benchmarks/bench_others.py [EXAMPLES] [SECONDS]`.

The state machine of `tests/run/test_others_at_work.py` with new examples in every run, until one fails, EXAMPLES were
run (500 unless named), or SECONDS have passed (600). Prints how many there were, what happened in them, and the example
that failed, made as small as Hypothesis can make it. Exit code 1 where one failed.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HYPOTHESIS_PROFILE", "long")

from hypothesis import HealthCheck, settings  # noqa: E402 - the path comes first
from hypothesis.stateful import run_state_machine_as_test  # noqa: E402

from tests.run.test_others_at_work import OthersAtWork  # noqa: E402

AT_ONCE = 20  # examples between two looks at the clock


def main(examples: int = 500, seconds: float = 600.0) -> int:
    began = time.monotonic()
    chosen = settings(
        max_examples=AT_ONCE,
        stateful_step_count=8,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    failed = False
    while not failed and OthersAtWork.begun < examples and time.monotonic() - began < seconds:
        try:
            run_state_machine_as_test(OthersAtWork, settings=chosen)
        except BaseException:  # noqa: BLE001 - whatever it is, it is a finding; Ctrl-C has its figures too
            traceback.print_exc()
            failed = True
    took = time.monotonic() - began
    sys.stdout.write(
        f"{OthersAtWork.begun} examples, {OthersAtWork.runs} runs, {OthersAtWork.acted} acts of others, "
        f"{OthersAtWork.undone} undone, "
        f"{took:.0f} s: {'a fault was found' if failed else 'no fault was found'}\n"
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])))
