"""The commands `preview` and `replay --dry-run`: preview, show the requests, and return the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import msgspec

from pipedrive_cli.cli.held_output import HeldOutput
from pipedrive_cli.cli.json_errors import prints_errors
from pipedrive_cli.cli.json_errors import stopped_summary as stopped_check
from pipedrive_cli.cli.printing import print_json, standard_input
from pipedrive_cli.cli.reading_shown import ReadingShown
from pipedrive_cli.config import load
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.report import requests
from pipedrive_cli.report.redact import redactor_if
from pipedrive_cli.report.summary import EXAMPLES, Summary
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.plan_name import PlanNaming, keep, plans_folder
from pipedrive_cli.run.preview import Preview, PreviewOptions, shown_address
from pipedrive_cli.run.preview_rows import PlannedRequest, redacted_request

OFFLINE = "Offline nobody knows what the account's fields take: `--online` compares, and may find more to reject."
NOTHING_KNOWN = (
    "Offline nobody knows what the account's fields take, nor what earlier runs sent: `--online` compares, and may find"
    " more to reject and less to send."
)


@prints_errors(stopped_check)
def preview_events(
    config_file: Path,
    *,
    sources: tuple[str, ...],
    online: bool = False,
    sandbox: bool = False,
    refill: bool = False,
    state: Path | None = None,
    limit: int | None = None,
    filters: Filters | None = None,
    rows: RowForm | None = None,
    form: str = "text",
    counts_only: bool = False,
    reread: bool = False,
    as_json: bool = False,
    verbose: bool = False,
    redact: bool = False,
) -> int:
    """Previews, writes the requests (or only the counts) to stdout, and returns the exit code."""
    if online and sandbox:
        raise UserMistake("--online and --sandbox: the one looks at the account, the other needs none", code="usage")
    chosen = _known_form(form, counts="--json" if as_json else "--summary" if counts_only else None)
    config = load(config_file, os.environ, sandbox=not online)
    counts_only = counts_only or as_json
    redactor = redactor_if(redact or config.report.redact)
    names: dict[str, str] = {}
    out = sys.stdout
    style = requests.Style(
        chosen,
        "" if counts_only else shown_address(config, sandbox=sandbox),
        oauth=config.pipedrive.oauth_token is not None,
        colours=chosen == "text" and _colours(out),
        names=names,
    )

    reading_shown = ReadingShown()
    if not (counts_only or chosen == "text") and out.isatty():
        reading_shown.stop()  # the requests come to the terminal meanwhile
    held = HeldOutput(out, chosen == "text", reading_shown.stop)

    def show(request: PlannedRequest) -> None:
        shown = request if redactor is None else redacted_request(request, redactor)
        held.write(requests.render_request(shown, style))

    options = PreviewOptions(sources, online, sandbox, refill, state, limit, filters or Filters(), reread, rows)
    job = Preview(
        config,
        str(config_file),
        options,
        standard_input(),
        None if counts_only else show,
        reading_shown.note,
        reading_shown.figures,
        plan=PlanNaming() if online else None,
        names=names,
    )
    if not counts_only and (head := requests.head(style)):
        held.write(head)
    try:
        with reading_shown, _without_garbage_collection():
            summary = asyncio.run(job.run())
    except BaseException:
        held.release()
        raise
    if not held.begins_with_summary:
        held.release()
    if job.plan is not None:
        keep(job.plan, plans_folder())
    if redactor is not None:
        summary = redactor.summary(summary)
    _show_summary(
        summary,
        out if counts_only or chosen == "text" else sys.stderr,
        as_json=as_json,
        verbose=verbose,
        advice=_advice(summary, online=online, sandbox=sandbox, knows_past=job.knows_past),
        passed_over=job.live_figures.files_passed_over,
        guessed=not (online or sandbox or job.knows_past),
    )
    if held.begins_with_summary:
        out.write("\nRequests\n\n")
        out.flush()
        held.release()
        _note_at_end(summary, out)
    return summary.exit_code


def left_aside(**options: object) -> None:
    """Says which options of a replay its preview does not heed."""
    if given := [f"--{name}" for name, value in options.items() if value]:
        from pipedrive_cli.report.console import show_note  # noqa: PLC0415 - few give such options

        show_note(f"--dry-run writes no file and compares nothing: {' and '.join(given)} left aside")


def _known_form(form: str, counts: str | None) -> requests.Form:
    """The form in which requests are written. Raises UserMistake where there is none, or `counts`, an option, asks for
    the counts alone.
    """
    chosen = next((known for known in requests.FORMS if known == form), None)
    if chosen is None:
        raise UserMistake(
            f"--format {form}: there is no such format", code="usage", hint=f"one of {', '.join(requests.FORMS)}"
        )
    if chosen != "text" and counts is not None:
        raise UserMistake(
            f"--format {form} and {counts}: the one writes requests, the other the counts alone", code="usage"
        )
    return chosen


def _note_at_end(summary: Summary, out: TextIO) -> None:
    """The first sentence of the summary again: the requests have scrolled it away."""
    from pipedrive_cli.report.console import show_note  # noqa: PLC0415 - Rich is not for --json
    from pipedrive_cli.report.wording import headline  # noqa: PLC0415 - as above

    show_note(f"{headline(summary, scene='foretold')} The summary stands before the requests.", file=out)


def _advice(summary: Summary, *, online: bool, sandbox: bool, knows_past: bool) -> tuple[str, ...]:
    if summary.plan is not msgspec.UNSET:
        return (
            f"The plan is {summary.plan}. `replay --expect {summary.plan}` with the same sources sends it or nothing.",
        )
    if online or sandbox or summary.status == "stopped":
        return ()
    return (OFFLINE if knows_past else NOTHING_KNOWN,)


def _show_summary(
    summary: Summary,
    file: TextIO,
    *,
    as_json: bool,
    verbose: bool,
    advice: Sequence[str],
    passed_over: int,
    guessed: bool,
) -> None:
    if as_json:
        print_json(summary)
        return
    from pipedrive_cli.report.console import EXAMPLES_SHOWN, show_summary  # noqa: PLC0415 - Rich is not for --json
    from pipedrive_cli.report.wording import UNLOOKED  # noqa: PLC0415 - as above

    examples = EXAMPLES if verbose else EXAMPLES_SHOWN
    show_summary(
        summary,
        file=file,
        scene="foretold",
        examples=examples,
        advice=advice,
        passed_over=passed_over,
        unlooked=UNLOOKED if guessed else None,
    )


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Turns the garbage collector off: it would search the waiting changes again and again and find no garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _colours(file: TextIO) -> bool:
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
