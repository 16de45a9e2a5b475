"""The command `schedule`: finds out how this machine runs an import, and prints or writes what a scheduler takes."""

from __future__ import annotations

import fnmatch
import glob
import importlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipedrive_cli.cli.printing import print_bytes
from pipedrive_cli.config import load
from pipedrive_cli.config.outside import outside_of
from pipedrive_cli.errors import SourceMissing, UserMistake
from pipedrive_cli.events.event_files import GLOB, is_url
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.written_file import keep_apart, write_file
from pipedrive_cli.run.journal_file import only_journal
from pipedrive_cli.setup.schedule import SCHEDULERS, ScheduledImport, ScheduledSource, WrittenFile, checked_import
from pipedrive_cli.setup.schedule_texts import written_schedule

SCRIPT = "pipedrive-cli"
READABLE = 0o644  # a schedule holds no secret, and the scheduler may be another user
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """The options of `schedule`."""

    state: Path | None = None
    folder: Path | None = None
    name: str = "pipedrive-import"
    image: str = "pipedrive-cli"
    output: Path | None = None


def run_schedule(scheduler: str, sources: Sequence[str], config_file: Path, options: ScheduleOptions) -> int:
    """Prints or writes the schedule; returns the exit code. Raises UserMistake."""
    chosen = next((known for known in SCHEDULERS if known == scheduler), None)
    if chosen is None:
        raise UserMistake(
            f"{scheduler}: there is no such scheduler", code="usage", hint=f"one of {', '.join(SCHEDULERS)}"
        )
    config = load(config_file, os.environ, sandbox=True)
    outside = outside_of(config_file)
    config_path = config_file.absolute()
    folder = (options.folder or config_path.parent).absolute()
    if not folder.is_dir():
        raise UserMistake(f"--folder {folder}: there is no such folder", code="usage")
    state = options.state.absolute() if options.state is not None else None if config.state else _journal_here()
    job = checked_import(
        ScheduledImport(
            options.name,
            tool(),
            tuple(map(scheduled_source, sources)),
            str(config_path),
            str(folder),
            None if state is None else str(state),
            outside.variables,
            tuple(_beside(file, config_path.parent) for file in outside.files),
            outside.keyring,
            _user(),
        )
    )
    _apart_from_sources(job)
    files = written_schedule(chosen, job, options.image)
    if options.output is None:
        print_bytes("\n".join(_titled(file, alone=len(files) == 1) for file in files).encode())
    else:
        _write(files, options.output, config_path, job.arguments)
    return 0


def tool() -> tuple[str, ...]:
    """The words that start this tool from anywhere: its script, else this Python with the package."""
    for script in (Path(sys.argv[0]), Path(sys.executable).parent / SCRIPT):
        if script.name == SCRIPT and script.is_file() and os.access(script, os.X_OK):
            return (str(script.absolute()),)
    return (sys.executable, "-P", "-m", "pipedrive_cli")


def scheduled_source(argument: str) -> ScheduledSource:
    """A SOURCE of this command line. A folder gets a slash at its end. Raises UserMistake."""
    if argument == "-":
        raise UserMistake("-: a schedule has no standard input", code="no_stdin", hint="name a folder, or a pattern")
    if is_url(argument):
        return ScheduledSource(argument)
    if not os.path.lexists(argument) and (wild := GLOB.search(argument)) is not None:
        fixed = Path.cwd() / argument[: wild.start()].rpartition("/")[0]
        return ScheduledSource(str(Path(glob.escape(str(Path.cwd()))) / argument), str(fixed))
    path = Path(argument).absolute()
    if not path.exists():
        raise SourceMissing(
            f"no such file or folder: {argument}", code="source_missing", hint="Check the path; make the folder first."
        )
    if path.is_dir():
        return ScheduledSource(f"{str(path).rstrip('/')}/", str(path))
    return ScheduledSource(str(path), str(path.parent))


def _apart_from_sources(job: ScheduledImport) -> None:
    """Raises UserMistake where the log would be read as events."""
    log = job.file(".log")
    for source in job.arguments:
        if not is_url(source) and (log.startswith(source) if source.endswith("/") else fnmatch.fnmatch(log, source)):
            raise UserMistake(
                f"the log {log} would be read as events of {source}",
                code="usage",
                hint="name another folder for what runs leave, with --folder",
            )


def _journal_here() -> Path | None:
    """The journal that the user's state folder holds, where it is the only one: no other environment finds another."""
    journal = only_journal()
    if journal is None and os.environ.get("XDG_STATE_HOME"):
        raise UserMistake(
            "the journal's folder is named by XDG_STATE_HOME, which a scheduler does not know",
            code="journal",
            hint="name the journal's file with --state, or as `state:` in the config",
        )
    return journal


def _beside(file: str, folder: Path) -> str:
    """A file that the config names: relative to its folder where it lies below it, else absolute."""
    path = Path(os.path.normpath(folder / file))
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _user() -> str | None:
    """The name of whoever started this, or the number where that has none to be written; None on Windows."""
    number = getattr(os, "getuid", lambda: None)()
    if number is None:
        return None
    try:
        name: str = importlib.import_module("pwd").getpwuid(number).pw_name
    except KeyError:
        return str(number)
    return name if _USER.fullmatch(name) else str(number)


def _titled(file: WrittenFile, *, alone: bool) -> str:
    return file.text if alone else f"# --- {file.name}\n{file.text}"


def _write(files: Sequence[WrittenFile], output: Path, config: Path, sources: Sequence[str]) -> None:
    """Into a folder under their own names, or the one file as it is named."""
    if not output.is_dir() and len(files) > 1:
        raise UserMistake(f"-o {output}: name a folder, as there are {len(files)} files", code="usage")
    named = [(output / file.name if output.is_dir() else output, file) for file in files]
    read = [(config, "is the config"), *((Path(source), "is a source") for source in sources)]
    keep_apart([("--output", path) for path, _ in named], read)
    for path, file in named:
        write_file("--output", path, file.text.encode(), mode=READABLE)
    listed = " and ".join(str(path) for path, _ in named)
    show_note(f"written: {listed}; the first lines of {named[0][0]} say what to do with it")
