"""The files that come with the project."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.model import Event

from .event_lines import NOW

SAMPLES = Path(__file__).parents[2] / "sample-events"


def test_the_folder_gives_its_three_files() -> None:
    """And not its README."""
    assert [Path(source.name).suffix for source in resolve_sources([str(SAMPLES)])] == [".ndjson", ".gz", ".ndjson"]


def test_the_good_files_hold_every_kind_of_event_and_nothing_bad() -> None:
    """Six kinds and pages; products and orders among the track events."""
    kinds: Counter[str] = Counter()
    for pattern in ("shop.ndjson", "rudder-logs/*/*/*.json.gz"):
        (source,) = resolve_sources([str(SAMPLES / pattern)])
        for entry in read_source(source):
            event = entry.event(NOW)
            assert isinstance(event, Event), event
            assert not event.clock_ahead
            assert not event.unreadable_times
            kinds[event.name or event.type] += 1
    assert {
        "identify",
        "group",
        "alias",
        "page",
        "screen",
        "Demo Requested",
        "Product Viewed",
        "Order Completed",
    } <= set(kinds)


def test_the_bad_file_shows_every_refusal_of_the_reader() -> None:
    """Save those that need a large or damaged file."""
    codes = set()
    for entry in read_source(*resolve_sources([str(SAMPLES / "bad-lines.ndjson")])):
        result = entry.event(NOW)
        if not isinstance(result, Event):
            codes.add(result.code)
    assert codes == {
        "bad_json", "not_utf8", "not_an_object", "too_deep", "other_format", "bad_batch", "empty_batch",
        "missing_type", "unknown_type", "missing_event_name", "missing_user_id", "bad_user_id", "bad_group_id",
        "bad_previous_id", "bad_external_id", "bad_traits", "bad_properties", "bad_context", "key_too_long",
    }  # fmt: skip
