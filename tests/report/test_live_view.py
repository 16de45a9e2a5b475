"""The live view on terminals of all sizes, and what a log gets in its place."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.live_view import LiveView

from .terminals import Terminal

CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


pytestmark = pytest.mark.usefixtures("environment")


def busy() -> LiveFigures:
    """A run in the middle of its work, in a file with a hostile name."""
    live_figures = LiveFigures(
        phase="writing", file="\x1b]0;x\x07[bold].ndjson", bytes_total=1_000, bytes_read=500, events_read=9
    )
    live_figures.outcomes[Outcome.DELIVERED] = 9
    live_figures.problems["missing_user_id"] = 1
    live_figures.waiting_for, live_figures.waiting_until = "Pipedrive's burst limit", 100.0
    return live_figures


@pytest.mark.parametrize("columns", [25, 40, 80, 200])
def test_the_live_view_draws_over_itself_and_vanishes(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fits the terminal, shows every figure whole at any width, and leaves the cursor where the report begins."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "50")
    live_figures = busy()
    live_figures.outcomes.update(dict.fromkeys(Outcome, 1234))
    stream = Terminal()
    with LiveView(live_figures, lambda: 40.0, file=stream) as view:
        view.refresh()
        shown = stream.getvalue()
        view.note("[bold] careful \x1b[2J")
    words = " ".join(CONTROL.sub("", shown).split())
    for part in ("50%", *(f"1,234 {each.value}" for each in Outcome if each is not Outcome.DELIVERED), "anonymous id"):
        assert part in words
    assert ("\\x1b]0;x\\x07[bold].ndjson" in words) or columns <= 40
    assert max(cell_len(line) for line in re.split("[\r\n]+", CONTROL.sub("", shown))) < columns
    assert "[bold] careful \\x1b[2J" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


def test_on_a_low_terminal_the_least_important_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes and what is waited for stay; an ellipsis says that there is more."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "6")
    stream = Terminal()
    with LiveView(busy(), lambda: 40.0, file=stream):
        rows = CONTROL.sub("", stream.getvalue()).lstrip("\r").split("\n")
    assert [row.split()[0] for row in rows] == ["writing", rows[1].split()[0], "events", "waiting", "…"]


def test_a_log_gets_a_plain_line_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No control codes where there is no terminal, not even with FORCE_COLOR, and no flood."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream, now = io.StringIO(), [0.0]
    view = LiveView(busy(), lambda: now[0], file=stream)
    view.start()
    for tenth in range(120):
        now[0] = tenth / 10
        view.refresh()
    view.stop()
    written = stream.getvalue().splitlines()
    assert len(written) == 2
    assert written[0].startswith("writing: 50% done; events: 9 read (500 B of 1.0 kB) · 9 delivered;")
    assert "\x1b" not in stream.getvalue()


def test_a_dumb_terminal_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb cannot move a cursor."""
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with LiveView(busy(), lambda: 0.0, file=stream) as view:
        view.refresh()
    assert stream.getvalue() == ""


def test_quiet_shows_no_progress() -> None:
    """On a terminal neither."""
    for stream in (io.StringIO(), Terminal()):
        with LiveView(busy(), lambda: 1e9, file=stream, quiet=True) as view:
            view.refresh()
            view.note("hello")
        assert stream.getvalue() == ""


def test_a_terminal_that_became_narrower_keeps_no_rests() -> None:
    """It has folded the rows that were drawn: as many are cleared as they fill now."""
    stream = Terminal()
    with LiveView(busy(), lambda: 40.0, file=stream) as view:
        rows = [cell_len(row) for row in CONTROL.sub("", stream.getvalue()).lstrip("\r").split("\n")]
        before = len(stream.getvalue())
        view._console.width = 25
        view.refresh()
        cleared = stream.getvalue()[before:].split("writing")[0].count("\x1b[2K")
        assert cleared >= sum(-(-cells // 25) for cells in rows) > len(rows)


def test_wide_letters_and_long_names_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters of two columns count as two, and of a name as long as a page only the beginning is shown."""
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    with LiveView(LiveFigures(phase="reading", file="顧客/" * 80 + "x.ndjson"), lambda: 0.0, file=stream):
        shown = CONTROL.sub("", stream.getvalue())
    assert "reading  0:00  顧客/" in shown
    assert max(cell_len(line) for line in re.split("[\r\n]+", shown)) < 60


def test_what_is_read_and_what_is_done_differ_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar has three signs: done, read, and to come."""
    monkeypatch.setenv("NO_COLOR", "1")
    live_figures = busy()
    live_figures.events_read = 18
    stream = Terminal()
    with LiveView(live_figures, lambda: 40.0, file=stream):
        shown = CONTROL.sub("", stream.getvalue())
    done, read, rest = (shown.count(sign) for sign in "━─┈")
    assert done == pytest.approx(rest / 2, abs=1)
    assert read == pytest.approx(rest / 2, abs=1)
    assert "  25%" in shown
