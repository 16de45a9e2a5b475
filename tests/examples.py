"""How many examples Hypothesis tries, and how many moments are tried of a campaign: the one place that knows."""

from __future__ import annotations

import os

from hypothesis import settings

# A change is judged by the same examples as the one before, and not by how busy the machine is. `long` looks for new
# ones: tests/benchmarks/bench_properties.py runs it.
settings.register_profile("quick", derandomize=True, database=None, deadline=None, max_examples=6)
settings.register_profile("full", derandomize=True, database=None, deadline=None, max_examples=20)
settings.register_profile("long", derandomize=False, print_blob=True, deadline=None, max_examples=2_000)


def choose(*, quick: bool) -> None:
    """What HYPOTHESIS_PROFILE names; else `quick` or `full`. To be called before any module with tests is imported."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("quick" if quick else "full"))


def examples(percent: int) -> int:
    """So many per cent of the examples that a property gets in this profile: for those that need more, or cost more."""
    return max(1, percent * settings().max_examples // 100)


def every(step: int) -> int:
    """The step of a test that dies at one moment after the other; in the long profile it leaves none out."""
    return 1 if settings().max_examples >= settings.get_profile("long").max_examples else step
