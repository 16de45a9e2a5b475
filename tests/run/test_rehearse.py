"""Rehearsals: the figures of a run on a plan's limits, in virtual time and without an account."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Delivery, Fields, Identity, Pipedrive
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.run.first_events import FirstEvents
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.rehearse import PricePlanLimits, Rehearsal, Rehearsed, plan_limits
from tests.harness import CONFIG, Scene, alias, event, group, identify, lines, options, ordered, track, viewed


def _events(users: int) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for number in range(users):
        user = f"u{number}"
        made.append(identify(user, email=f"{user}@example.com", role="dev"))
        made.append(group(user, f"g{number % 7}", name="Org"))
        made.append(track(user, "Signed Up", value=3, currency="USD"))
        made.append(viewed(user, f"p{number % 5}", name="Thing", price=1, currency="EUR"))
    return made


def _rehearsed(
    folder: Path, made: list[dict[str, object]], terms: PricePlanLimits, config: Config = CONFIG
) -> Rehearsed:
    source = folder / "rehearsed.ndjson"
    source.write_bytes(lines(made))
    asked = RunOptions(sources=(str(source),), sandbox=True, wait=True)
    return Rehearsal(config, "config.yaml", asked, terms).run()


def test_what_is_foretold_is_what_the_run_then_does(tmp_path: Path) -> None:
    """Records and outcomes are the same, and tokens within 2 %, as when the events are replayed into an account."""
    made = [*_events(40), alias("u1", "u2"), alias("u3", "new"), ordered("u4", [{"product_id": "p9", "name": "Nine"}])]
    foretold = _rehearsed(tmp_path, made, PricePlanLimits("premium", 5, None)).finished.summary
    happened = Scene(tmp_path, options(plan="premium", seats=5), plan="premium").run(made)
    assert foretold.events == happened.events
    assert foretold.records == happened.records
    assert foretold.tokens.spent == pytest.approx(happened.tokens.spent, rel=0.02)


@pytest.mark.slow
def test_a_run_that_needs_three_days_is_foretold_in_no_time(tmp_path: Path) -> None:
    """It waits at each day's budget, and asks now and then whether the next one has begun."""
    foretold = _rehearsed(tmp_path, _events(240), PricePlanLimits("lite", None, 1500))
    assert foretold.finished.summary.exit_code == 0
    assert foretold.days == 3
    assert len(foretold.tokens_by_day) == 3
    assert all(1340 <= tokens <= 1370 for tokens in foretold.tokens_by_day[:-1])
    assert sum(foretold.tokens_by_day) == foretold.finished.summary.tokens.spent
    assert 2 * 86_400 <= foretold.finished.summary.seconds < 2 * 86_400 + 3600


@pytest.mark.slow
def test_the_limit_of_the_plan_sets_the_pace(tmp_path: Path) -> None:
    """At least nine tenths of the requests that a plan allows leave, and none too many."""
    for plan, allowed, users in (("lite", 10.0, 50), ("growth", 20.0, 100), ("ultimate", 60.0, 300)):
        terms = PricePlanLimits(plan, 100, None)  # type: ignore[arg-type]  # names of plans, from a list
        summary = _rehearsed(tmp_path, _events(users), terms).finished.summary
        assert summary.requests.retried == 0
        assert summary.requests.total / summary.seconds >= 0.9 * allowed - 3


def test_the_terms_are_the_config_s_unless_others_are_asked_for() -> None:
    """`daily_tokens` counts where nothing was asked for; a plan or seats that were asked for beat it."""
    config = Config(pipedrive=Pipedrive(plan="growth", seats=4), delivery=Delivery(daily_tokens=99))
    assert plan_limits(config) == PricePlanLimits("growth", 4, 99)
    assert plan_limits(config, plan="lite") == PricePlanLimits("lite", 4, None)
    assert plan_limits(config, seats=2) == PricePlanLimits("growth", 2, None)
    assert plan_limits(Config()).assumed
    assert not plan_limits(Config(), seats=1).assumed


def test_progress_is_told_while_time_stands_still(tmp_path: Path) -> None:
    """The clock of a rehearsal stands while events are read, so reading itself calls for a look, as in a check."""
    seen: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def progress(figures: LiveFigures) -> Iterator[Callable[[], None]]:
        yield lambda: seen.append((figures.phase, figures.requests.total()))

    source = tmp_path / "many.ndjson"
    source.write_bytes(lines([identify(f"u{n}", name="N") for n in range(600)]))
    asked = RunOptions(sources=(str(source),), sandbox=True)
    Rehearsal(CONFIG, "config.yaml", asked, PricePlanLimits("lite", 1, None), progress=progress).run()
    assert seen[0][1] <= 4
    told = LiveFigures(on_read=lambda: seen.append((told.file, told.events_read)))
    assert len(list(FirstEvents(resolve_sources([str(source)]), None, told))) == 600
    assert seen[-1] == (str(source), 500) and told.bytes_total == source.stat().st_size


def test_a_pipe_is_rehearsed_like_a_file(tmp_path: Path) -> None:
    """Virtual time stands still while a pipe is read, so that it does not count as silent."""
    made = _events(50)
    asked = RunOptions(sources=("-",), sandbox=True, wait=True)
    terms = PricePlanLimits("ultimate", 5, None)
    piped = Rehearsal(CONFIG, "config.yaml", asked, terms, stdin=io.BytesIO(lines(made))).run()
    read = _rehearsed(tmp_path, made, terms)
    assert piped.finished.summary.events == read.finished.summary.events
    assert piped.finished.summary.tokens == read.finished.summary.tokens
    assert piped.finished.summary.seconds == pytest.approx(read.finished.summary.seconds, abs=1.0)


def test_fields_that_the_account_of_a_rehearsal_lacks_are_made_for_it(tmp_path: Path) -> None:
    """Whatever the config names by name or key is there, so that nothing is rejected for want of an account."""
    config = msgspec.structs.replace(
        CONFIG,
        identity=Identity(user_id_field="ab" * 20, group_id_field="Group id"),
        fields=Fields(persons={"role": "cd" * 20, "city": "City"}),
    )
    made = [identify("u", role="dev", city="Bonn"), event("page", userId="u", name="Home")]
    summary = _rehearsed(tmp_path, made, PricePlanLimits("lite", 1, None), config).finished.summary
    assert (summary.events.delivered, summary.events.skipped) == (1, 1)
