"""Chooses the reading that fits a source: of lines that hold events, or of a table whose rows are events."""

from __future__ import annotations

from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import Text


def read_source(source: Source, *, text: Text | None = None, begun: bool = False) -> Reading:
    """A reading of `source`, to be iterated over once. Its memory does not grow with the size of the source.

    `text` is what is read of it, where somebody has opened and unpacked it already. `begun`: other text came before.
    """
    if source.rows is None:
        return Reading(source, text, begun=begun)
    from pipedrive_cli.events.tables import TableReading  # noqa: PLC0415 - few inputs are tables

    return TableReading(source, source.rows, text, begun=begun)
