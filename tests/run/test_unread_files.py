"""Files that are there and cannot be read this time: what waits for them waits on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from tests.harness import Scene, group, identify, lines, outcomes, with_identity


def test_what_waits_for_a_file_that_cannot_be_read_is_pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it rejected, its own file would count as read, and be passed over when the other one comes at last."""
    scene = Scene(tmp_path, config=with_identity(create_missing_persons=False))
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines([group("u1", "g1", 1, name="Acme")]))
    (folder / "b.ndjson").write_bytes(lines([identify("u1", 2, name="Ann")]))
    real = Source.open

    def torn(source: Source) -> object:
        if source.name.endswith("b.ndjson"):
            raise OSError(5, "Input/output error")
        return real(source)

    with monkeypatch.context() as patch:
        patch.setattr(Source, "open", torn)
        first = scene.run(folder)
    assert (first.exit_code, first.status, outcomes(first)) == (1, "partial", {"pending": 1})
    assert scene.run(folder).exit_code == 0
    (ann,) = scene.contents()["persons"]
    assert (ann["name"], ann["org"]["name"]) == ("Ann", "Acme")


def test_whatever_ends_the_reading_of_a_pipe_is_not_taken_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pipes and clouds are read in a thread, whose troubles nobody would hear of."""

    def broken(_: Reading) -> Iterator[Entry]:
        raise RuntimeError("no event loop any more")
        yield

    monkeypatch.setattr(Reading, "batches", broken)
    with pytest.raises(RuntimeError, match="no event loop any more"):
        Scene(tmp_path).run([identify("u1", 1, name="Ann")], stdin=True)
