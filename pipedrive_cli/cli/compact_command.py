"""The command `compact`: folds, shows what was kept and left out, and returns the exit code."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipedrive_cli.cli.interrupts import signal_of
from pipedrive_cli.cli.json_errors import errors_as_json, problems_of_stop
from pipedrive_cli.cli.printing import print_json, standard_input
from pipedrive_cli.config import load, notes
from pipedrive_cli.errors import EXIT_OK, PipedriveCliError, UserMistake, interrupted
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.tables import show_findings
from pipedrive_cli.report.wording import count, data_size, duration_words
from pipedrive_cli.run.compact import Compact, Compacted, CompactOptions, CompactProgress

if TYPE_CHECKING:
    from pipedrive_cli.run.dask_folding import ClusterFold

EVERY = 10.0  # seconds between two lines of progress


def run_compact(config_file: Path, options: CompactOptions, *, as_json: bool, quiet: bool) -> int:
    """Compacts, shows the result, and returns the exit code."""
    with errors_as_json(as_json, stopped_compaction):
        if options.offline and options.sandbox:
            raise UserMistake("--offline and --sandbox: the one asks nobody, the other the sandbox", code="usage")
        config = load(config_file, os.environ, sandbox=options.sandbox or options.offline)
        for warning in notes(config):
            show_note(warning)
        note = (lambda _: None) if quiet else show_note
        tell = (lambda _: None) if quiet else _Teller()
        job = Compact(config, str(config_file), options, standard_input(), note=note, tell=tell)
        if options.dask is not None:
            cluster = _cluster(options.dask, note)
            job.fold, job.learn = cluster, cluster.learn
        try:
            result = job.run()
        except KeyboardInterrupt as interrupt:
            told = "no file was written; the same command goes on from here"
            raise interrupted(signal_of(interrupt), told) from None
    if as_json:
        print_json(result)
    elif not (quiet and result.exit_code == EXIT_OK):
        _show(result, config_file)
    return result.exit_code


def stopped_compaction(error: PipedriveCliError) -> Compacted:
    """The object for `--json` when nothing was written."""
    return Compacted(
        status="stopped",
        exit_code=error.exit_code,
        reason=error.code,
        input_complete=False,
        events={"read": 0, "kept": 0, "left_out": 0},
        problems=list(problems_of_stop(error)),
    )


def _cluster(address: str, note: Callable[[str], None]) -> ClusterFold:
    try:
        from pipedrive_cli.run.dask_folding import ClusterFold  # noqa: PLC0415 - an extra, and slow to load
    except ModuleNotFoundError as error:
        raise UserMistake(
            f"--dask needs the package {error.name}, which is not installed",
            code="dask_missing",
            hint="pip install 'pipedrive-cli[dask]', or with pipx: pipx inject pipedrive-cli distributed",
        ) from error
    return ClusterFold(address, note)


class _Teller:
    """Tells on stderr how far the fold is: at once on a terminal, else now and then."""

    def __init__(self) -> None:
        self._told = time.monotonic()
        self._every = 1.0 if sys.stderr.isatty() else EVERY

    def __call__(self, progress: CompactProgress) -> None:
        now = time.monotonic()
        if now - self._told < self._every:
            return
        self._told = now
        left = progress.seconds_left(now)
        size = "" if progress.bytes_total is None else f" of {data_size(progress.bytes_total)}"
        rest = "" if left is None else f", {duration_words(left)} left"
        show_note(f"{data_size(progress.bytes_done)}{size} folded, {count(progress.events, 'event')}{rest}")


def _show(result: Compacted, config_file: Path) -> None:
    events = result.events
    kept = [("read", f"{events['read']:,}"), ("kept", f"{events['kept']:,}"), ("left out", f"{events['left_out']:,}")]
    if result.filtered:
        kept.append(("filtered", f"{result.filtered:,}"))
    left_out = [(f"{each.count:,}", each.message) for each in result.left_out]
    records = [(kind, f"{number:,}") for kind, number in result.records.items() if number]
    if result.output is None:
        written = [("file", "none was written: the input could not be read to its end")]
    else:
        written = [("file", result.output), ("size", data_size(result.output_bytes))]
    sections = [("Events", kept), ("Left out", left_out), ("Records", records), ("Output", written)]
    config = "" if str(config_file) == "config.yaml" else f" -c {shlex.quote(str(config_file))}"
    steps = [] if result.output is None else [f"pipedrive-cli preview {shlex.quote(result.output)}{config} --summary"]
    show_findings(
        [each for each in sections if each[1]],
        obstacles=(),
        warnings=(),
        problems=result.problems,
        dropped={},
        traits=(),
        verdict=f"{count(events['read'], 'event')} became {events['kept']:,}"
        if result.output
        else "Nothing was written",
        steps=steps,
        ok=result.exit_code == EXIT_OK,
    )
