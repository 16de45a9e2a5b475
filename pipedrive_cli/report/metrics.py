"""A run's figures for Prometheus, as a textfile for node_exporter (`--metrics FILE`).

All figures are gauges of the last run, labelled with the file's name, so that several imports on one machine can be
told apart. They hold numbers, codes and endpoints, but nothing of any event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL
from pipedrive_cli.report.summary import Summary

RUN: Final = "pipedrive_cli_last_run"
LAST_SUCCESS: Final = "pipedrive_cli_last_success_timestamp_seconds"
LAST_FINISH: Final = "pipedrive_cli_last_finish_timestamp_seconds"


Values: TypeAlias = Iterable[tuple[tuple[str, ...], float]]  # label values -> number


class Ended(NamedTuple):
    """How a run ended: its summary (None if it ended too early for one), its exit code, and the time since 1970."""

    summary: Summary | None
    exit_code: int
    at: float


def exposition(name: str, ended: Ended, before: bytes | None = None) -> bytes:
    """The new content of the file. `name` names the import. `before` is the old content: some times are carried over.

    The time of something that never happened is 0, which is old enough for every alert.
    """
    registry = CollectorRegistry()

    def gauge(metric: str, help_text: str, value: float) -> None:
        Gauge(metric, help_text, ["import"], registry=registry).labels(name).set(value)

    def gauges(metric: str, help_text: str, labels: list[str], values: Values) -> None:
        family = Gauge(metric, help_text, ["import", *labels], registry=registry)
        for of, value in values:
            family.labels(name, *of).set(value)

    earlier = _values(before)
    success = ended.at if ended.exit_code == EXIT_OK else earlier.get(LAST_SUCCESS, 0.0)
    finish = ended.at if ended.exit_code in (EXIT_OK, EXIT_PARTIAL) else earlier.get(LAST_FINISH, 0.0)
    gauge(f"{RUN}_timestamp_seconds", "When the last run ended, whatever came of it.", ended.at)
    gauge(f"{RUN}_exit_code", "Exit code of the last run.", ended.exit_code)
    gauge(LAST_SUCCESS, "When a run last ended with every event handled: exit code 0.", success)
    gauge(LAST_FINISH, "When a run last got to its end, rejected events or not: exit code 0 or 1.", finish)
    if (summary := ended.summary) is None:
        return generate_latest(registry)
    gauge(f"{RUN}_duration_seconds", "How long the last run took.", summary.seconds)
    events = [((outcome.value,), number) for outcome, number in summary.events.by_outcome().items()]
    gauges(f"{RUN}_events", "Events of the last run by outcome.", ["outcome"], events)
    records = [
        ((kind, action), getattr(counts, action))
        for kind, counts in summary.records.by_kind().items()
        for action in counts.__struct_fields__
    ]
    gauges(f"{RUN}_records", "Records of the last run by kind and what became of them.", ["kind", "action"], records)
    requests, tokens = summary.requests, summary.tokens
    gauges(f"{RUN}_requests", "Requests of the last run.", ["endpoint"], _by_endpoint(requests.by_endpoint))
    gauge(f"{RUN}_requests_repeated", "Requests of the last run that repeated another.", requests.retried)
    gauge(f"{RUN}_tokens", "API tokens that the last run spent.", tokens.spent)
    gauges(f"{RUN}_endpoint_tokens", "The same by endpoint.", ["endpoint"], _by_endpoint(tokens.by_endpoint))
    if tokens.left_today is not None:
        gauge("pipedrive_cli_tokens_left", "API tokens of the day that were left then.", tokens.left_today)
    problems: Counter[tuple[str, str]] = Counter()  # a summary has a group for each field of one code
    for problem in summary.problems:
        problems[problem.code, problem.outcome.value if problem.outcome else ""] += problem.count
    help_text = "Problems of the last run by code; an outcome where they cost events one."
    gauges(f"{RUN}_problems", help_text, ["code", "outcome"], problems.items())
    return generate_latest(registry)


def _by_endpoint(counts: Mapping[str, int]) -> Values:
    return [((endpoint,), number) for endpoint, number in sorted(counts.items())]


def _values(content: bytes | None) -> dict[str, float]:
    """The values in a file that this module wrote; none of any other file."""
    if content is None:
        return {}
    try:
        families = list(text_string_to_metric_families(content.decode()))
    except ValueError:  # UnicodeDecodeError is one of them
        return {}
    return {sample.name: sample.value for family in families for sample in family.samples}
