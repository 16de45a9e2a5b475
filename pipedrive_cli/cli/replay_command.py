"""The commands `replay` and `retry`: run, show the report, and return the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import msgspec

from pipedrive_cli.cli.interrupts import listening
from pipedrive_cli.cli.json_errors import errors_as_json, stopped_summary
from pipedrive_cli.cli.metrics_file import writing_metrics
from pipedrive_cli.cli.output import Output, OutputOptions
from pipedrive_cli.cli.printing import standard_input
from pipedrive_cli.config import load, notes
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.report.summary import to_json
from pipedrive_cli.report.written_file import place_of, write_file
from pipedrive_cli.run.notice import run_and_tell
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.replay import Finished, Replay
from pipedrive_cli.secret import bytes_without_secrets

REFRESH = 0.15  # seconds between two refreshes of the live view


def run_replay(config_file: Path, options: RunOptions, output_options: OutputOptions) -> int:
    """Runs, shows the report, and returns the exit code."""
    output, live_figures = Output(output_options), LiveFigures()
    with (
        errors_as_json(output_options.as_json, lambda error: stopped_summary(error, live_figures)),
        writing_metrics(output_options.metrics, output.note) as found,
    ):
        config = load(config_file, os.environ, sandbox=options.sandbox)
        output.follow(config)
        for report in output_options.reports:
            check_report(report)
        for warning in notes(config):
            output.note(warning)
        job = Replay(
            config,
            str(config_file),
            replace(options, outputs=output_options.files),
            stdin=standard_input(),
            watch=_watching_with(output),
            note=output.note,
            live_figures=live_figures,
        )
        collect_rarely()
        finished = asyncio.run(_with_signals(job, output.warn))
        found.summary = finished.summary
        finished = output.redacted(finished)
    output.show_result(finished)
    # Last: a report file that cannot be written ends the command, and the report must be shown all the same.
    for report in output_options.reports:
        write_report(report, finished)
    return finished.summary.exit_code


def _watching_with(output: Output) -> Callable[[LiveFigures], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def watch(live_figures: LiveFigures) -> AsyncIterator[None]:
        with output.watching(live_figures, asyncio.get_running_loop().time) as view:

            async def redraw() -> None:
                while True:
                    await asyncio.sleep(REFRESH)
                    view.refresh()

            task = asyncio.create_task(redraw())
            try:
                yield
            finally:
                task.cancel()

    return watch


def collect_rarely() -> None:
    """Lets the garbage collector run rarely: waiting changes are no garbage, and searching them took half of a run."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _with_signals(job: Replay, warn: Callable[[str], None]) -> Finished:
    """The first signal lets the run finish what is in flight; the second ends the process at once."""
    loop = asyncio.get_running_loop()
    interrupted = False

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            os._exit(128 + number)  # nothing is lost: the journal has every write that was sent
        interrupted = True
        stop = StopRun(
            "interrupted: what was in flight is finished and recorded",
            code="interrupted",
            exit_code=128 + number,
            hint="run the same command again to continue",
        )
        loop.call_soon_threadsafe(job.stop, stop)

    with listening(receive):
        return await run_and_tell(job, warn)


def check_report(path: Path) -> None:
    """Raises UserMistake for a --report that cannot be written at the end."""
    if path.suffix.lower() not in {".json", ".html"}:
        raise UserMistake(f"--report {path}: the name must end in .json or .html", code="usage")
    place_of("--report", path)


def write_report(path: Path, finished: Finished, remarks: Sequence[str] = ()) -> None:
    """Writes the summary as JSON or as a page, by the file's name; only its owner can read it. Raises UserMistake.

    `remarks` are sentences below the page's headline.
    """
    if path.suffix.lower() == ".json":
        content = to_json(finished.summary)
    else:
        from pipedrive_cli.report.html import render_page  # noqa: PLC0415 - only for those who ask for a page

        context = msgspec.structs.replace(finished.context, remarks=tuple(remarks))
        page = render_page(finished.summary, context, rejects=finished.rejects, resume_in=finished.resume_in)
        content = page.encode()
    write_file("--report", path, bytes_without_secrets(content))
