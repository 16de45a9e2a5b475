"""`--metrics FILE`: a textfile that Prometheus's own parser takes, written however a run ends."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.metrics import LAST_FINISH, LAST_SUCCESS, RUN, Ended, exposition
from pipedrive_cli.report.summary import Summary, problem_group
from pipedrive_cli.sandbox import Sandbox
from tests.harness import identify, options, track
from tests.report.report_scenes import eventful

from .desk_for_commands import account, event_file, pipedrive_cli, served, written_config

FIELDS = "identity: {user_id_field: User id}\nfields: {persons: {role: Role}}\n"
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(content: str) -> Values:
    """Every sample, by name and labels; each family has help and type, and no sample comes twice."""
    found: Values = {}
    for family in text_string_to_metric_families(content):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(values: Values, name: str, **labels: str) -> float:
    """One sample of the import called orders."""
    return values[name, tuple(sorted({"import": "orders", **labels}.items()))]


def test_a_run_leaves_its_figures(tmp_path: Path) -> None:
    """Time, duration, exit code, events, records, requests, tokens and problems; the file is for everybody to read."""
    file = tmp_path / "orders.prom"
    events = event_file(tmp_path, identify("u1", role="a"), track("u1", "Signed up"), "{broken")
    config = written_config(tmp_path, FIELDS)
    ended = pipedrive_cli("replay", events, "-c", config, "--sandbox", "--json", "--metrics", file)
    values = parsed(file.read_text())
    assert time.time() - value(values, f"{RUN}_timestamp_seconds") < 600
    assert value(values, f"{RUN}_exit_code") == ended.code == 1
    assert value(values, f"{RUN}_duration_seconds") == ended.json["seconds"]
    for outcome in ("delivered", "rejected", "failed"):
        assert value(values, f"{RUN}_events", outcome=outcome) == ended.json["events"][outcome]
    assert value(values, f"{RUN}_records", kind="leads", action="created") == 1
    for endpoint, number in ended.json["requests"]["by_endpoint"].items():
        assert value(values, f"{RUN}_requests", endpoint=endpoint) == number
    for endpoint, tokens in ended.json["tokens"]["by_endpoint"].items():
        assert value(values, f"{RUN}_endpoint_tokens", endpoint=endpoint) == tokens
    assert (
        value(values, f"{RUN}_tokens")
        == ended.json["tokens"]["spent"]
        == sum(ended.json["tokens"]["by_endpoint"].values())
    )
    assert value(values, f"{RUN}_problems", code="bad_json", outcome="rejected") == 1
    assert sys.platform == "win32" or stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_the_last_success_outlives_a_run_that_is_none(tmp_path: Path) -> None:
    """By it one sees that an hourly import has stood still; it is 0 until the first."""
    file, config = tmp_path / "orders.prom", written_config(tmp_path, FIELDS)
    command = ("replay", event_file(tmp_path, "{broken"), "-c", config, "--sandbox", "--quiet", "--metrics", file)
    pipedrive_cli(*command)
    assert value(parsed(file.read_text()), LAST_SUCCESS) == 0
    event_file(tmp_path, identify("u1", role="a"))
    assert pipedrive_cli(*command).code == 0
    good = parsed(file.read_text())
    assert value(good, LAST_SUCCESS) == value(good, LAST_FINISH) == value(good, f"{RUN}_timestamp_seconds")
    config.write_text("nonsense: 1\n")
    assert pipedrive_cli(*command).code == 2
    bad = parsed(file.read_text())
    assert value(bad, LAST_SUCCESS) == value(good, LAST_SUCCESS)
    assert value(bad, f"{RUN}_exit_code") == 2
    assert value(bad, f"{RUN}_timestamp_seconds") > value(good, f"{RUN}_timestamp_seconds")


def test_a_refused_key_is_a_figure_too(tmp_path: Path) -> None:
    """Exit code 3 is what an alert should name."""
    with served(Sandbox(options())) as url:
        config = written_config(tmp_path, account(url, "wrong") + FIELDS)
        file = tmp_path / "orders.prom"
        ended = pipedrive_cli("replay", event_file(tmp_path, identify("u1")), "-c", config, "--metrics", file)
    values = parsed(file.read_text())
    assert ended.code == value(values, f"{RUN}_exit_code") == 3
    assert value(values, f"{RUN}_problems", code="credentials_refused", outcome="pending") == 0


@pytest.mark.parametrize(("name", "said"), [("orders.txt", ".prom"), ("nowhere/orders.prom", "does not exist")])
def test_a_file_that_nobody_would_read_is_a_mistake(tmp_path: Path, name: str, said: str) -> None:
    """Before anything is sent."""
    config = written_config(tmp_path, FIELDS)
    ended = pipedrive_cli("replay", "-", "-c", config, "--sandbox", "--metrics", tmp_path / name)
    assert ended.code == 2
    assert said in ended.err


def test_a_file_that_cannot_be_written_is_noted_and_the_run_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is done; the old figures age, and that is what an alert sees."""

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipedrive_cli.report.written_file.tempfile.mkstemp", full)
    file = tmp_path / "orders.prom"
    config, events = written_config(tmp_path, FIELDS), event_file(tmp_path, identify("u1", role="a"))
    ended = pipedrive_cli("replay", events, "-c", config, "--sandbox", "--metrics", file)
    assert ended.code == 0
    assert "--metrics" in ended.err


@pytest.mark.parametrize("before", [None, b"", b"\xff\xfe", b"no metrics at all {", b"a_metric 1\n"])
def test_whatever_stands_in_the_file_it_is_replaced(before: bytes | None) -> None:
    """Only a time of our own is carried over from it."""
    content = exposition("orders", Ended(None, 4, 1_700_000_000.0), before).decode()
    assert value(parsed(content), LAST_SUCCESS) == 0


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "顧客"])
def test_labels_are_escaped(name: str) -> None:
    """A file may be called anything."""
    content = exposition(name, Ended(eventful(), 1, 1.5), None).decode()
    names = {dict(labels)["import"] for _, labels in parsed(content)}
    assert names == {name}


def test_problems_of_one_code_are_counted_together() -> None:
    """The summary groups bad values by their field; a sample has no field."""
    groups = tuple(problem_group("bad_value", Outcome.REJECTED, number) for number in (40, 3))
    summary = Summary(run="r", status="partial", exit_code=1, problems=groups)
    values = parsed(exposition("orders", Ended(summary, 1, 1.0), None).decode())
    assert value(values, f"{RUN}_problems", code="bad_value", outcome="rejected") == 43


def test_what_is_not_known_is_absent() -> None:
    """No figure of tokens left where nobody told any."""
    summary = Summary(run="r", status="complete", exit_code=0)
    assert "tokens_left" not in exposition("orders", Ended(summary, 0, 1.0)).decode()
