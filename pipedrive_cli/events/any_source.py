"""Chooses the reading that fits a source: of lines that hold events, or of a table whose rows are events."""

from __future__ import annotations

from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source


def read_source(source: Source) -> Reading:
    """A reading of `source`, to be iterated over once. Its memory does not grow with the size of the source."""
    if source.rows is None:
        return Reading(source)
    from pipedrive_cli.events.tables import TableReading  # noqa: PLC0415 - few inputs are tables

    return TableReading(source, source.rows)
