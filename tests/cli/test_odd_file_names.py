"""File names whose bytes are no UTF-8: Python has them as halves of characters, which SQLite and streams refuse."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.harness import identify

from .desk_for_commands import event_file, pipedrive_cli

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")

CONFIG = "pipedrive: {company_domain: acme}\nidentity: {user_id_field: Our id}\n"
SHOWN = "\\udcff"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with such a name; the byte 0xff alone."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


def replayed(odd: Path, source: Path, *more: str | Path) -> dict[str, int]:
    """What became of the events, with journal, config and rejects under odd names too."""
    ended = pipedrive_cli(
        "replay", source, "-c", odd / "config.yaml", "--sandbox", "--state", odd / "s.sqlite", "--json", *more
    )
    return {outcome: number for outcome, number in ended.json["events"].items() if number}


def test_such_a_file_is_replayed_and_known_again(odd: Path) -> None:
    """Its events when it is named outright, the whole file where it is found in its folder."""
    exports = odd / "exports"
    exports.mkdir()
    file = event_file(exports, identify("u1"), name=os.fsdecode(b"\xff.ndjson"))
    assert replayed(odd, exports) == {"read": 1, "delivered": 1}
    assert replayed(odd, exports) == {}
    assert replayed(odd, file) == {"read": 1, "duplicate": 1}


def test_all_that_is_written_of_it_can_be_read(odd: Path) -> None:
    """Rejects, reports, metrics and the journal's pages: the name is text, with the byte as an escape."""
    file = event_file(odd, identify("u1"), "{", name=os.fsdecode(b"\xff.ndjson"))
    rejects, page, metrics = odd / "r.ndjson", odd / "r.html", odd / os.fsdecode(b"\xff.prom")
    replayed(odd, file, "--rejects", rejects, "--report", page, "--metrics", metrics)
    assert json.loads(rejects.read_bytes())["_pipedrive_cli"]["file"].endswith(f"{SHOWN}.ndjson")
    assert f"{SHOWN}.ndjson:2" in page.read_text(encoding="utf-8")
    assert 'import="\\\\udcff"' in metrics.read_text(encoding="utf-8")
    for command in (("runs",), ("runs", "show"), ("runs", "show", "--html", odd / "again.html")):
        assert pipedrive_cli(*command, "--state", odd / "s.sqlite").code == 0


@pytest.mark.parametrize("command", ["preview", "rehearse", "check"])
def test_commands_that_look_ahead_name_it(odd: Path, command: str) -> None:
    """As the place of the line that is wrong."""
    file = event_file(odd, "{", name=os.fsdecode(b"\xff.ndjson"))
    ended = pipedrive_cli(command, file, "-c", odd / "config.yaml")
    assert f"{SHOWN}.ndjson:1" in "".join(ended.out.split())
