"""The command `test`: runs the config's own tests in a sandbox, and shows what differs from what they expect."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipedrive_cli.cli.json_errors import errors_as_json
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import load
from pipedrive_cli.config.cases import SUFFIXES, load_case, written_case
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, UserMistake
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.junit import JUnitCase, junit
from pipedrive_cli.report.wording import count
from pipedrive_cli.report.written_file import keep_apart, write_file
from pipedrive_cli.run.case import run_case

NOTHING_EXPECTED = "nothing is expected, so nothing is tested: --update writes what the case comes to"


@dataclass(frozen=True, slots=True)
class TestOptions:
    """The options of `test`."""

    __test__ = False  # for pytest, which collects classes of such names

    update: bool = False
    junit: Path | None = None
    as_json: bool = False
    quiet: bool = False


def run_tests(config_file: Path, cases: Sequence[str], options: TestOptions) -> int:
    """Runs the cases in these files and folders, and returns the exit code: 1 where something differs."""
    with errors_as_json(options.as_json):
        config = load(config_file, os.environ, sandbox=True)
        paths = case_files(cases)
        if options.junit is not None:
            read = [(config_file, "is the config"), *((path, "is a case") for path in paths)]
            keep_apart([("--junit", options.junit)], read)
        ended, updated = [], dict[str, tuple[str, ...]]()
        for path in paths:
            case, began = load_case(path), time.perf_counter()
            result = run_case(case, config, str(config_file))
            differences = result.differences if case.expected else [NOTHING_EXPECTED]
            if options.update and differences:
                text = written_case(path.read_text(encoding="utf-8-sig"), result.found)
                write_file("--update", path, text.encode(), mode=path.stat().st_mode & 0o777)
                updated[str(path)] = tuple(differences)
                differences = []
            ended.append(JUnitCase(str(path), time.perf_counter() - began, tuple(differences)))
    if options.junit is not None:
        write_file("--junit", options.junit, junit(ended), mode=0o644)
    failed = [case for case in ended if case.differences]
    if options.as_json:
        rows = [
            {
                "case": case.name,
                "ok": not case.differences,
                "differences": case.differences,
                "updated": updated.get(case.name, ()),
            }
            for case in ended
        ]
        print_json({"version": 1, "ok": not failed, "cases": rows})
    elif failed or updated or not options.quiet:
        _show(ended, failed, updated)
    return EXIT_PARTIAL if failed else EXIT_OK


def case_files(named: Sequence[str]) -> list[Path]:
    """The files of cases: those that are named, and the YAML files in folders that are. Raises UserMistake."""
    found: list[Path] = []
    for name in named:
        path = Path(name)
        if not path.exists():
            raise UserMistake(
                f"{path}: there is no such case, nor a folder of cases",
                code="source_missing",
                hint="`init` writes a first one, cases/first.yaml; docs/configuration.md shows how cases look",
            )
        inside = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise UserMistake(f"{path}: there is no case in this folder", code="usage", hint="a case is a YAML file")
        found += inside
    return list(dict.fromkeys(found))


def _show(ended: Sequence[JUnitCase], failed: Sequence[JUnitCase], updated: Mapping[str, Sequence[str]]) -> None:
    lines = []
    for case in ended:
        word = "differs" if case.differences else "updated" if case.name in updated else "ok"
        lines.append(f"{word:8} {case.name}")
        lines += [f"         {difference}" for difference in case.differences]
        lines += [f"         was: {difference}" for difference in updated.get(case.name, ())]
    cases = count(len(ended), "case")
    if updated:
        lines.append(f"{cases}, {len(updated):,} updated: what each comes to is expected of it now")
    else:
        lines.append(f"{cases}, {len(failed):,} with differences" if failed else f"{cases}, all as expected")
    if failed:
        lines.append("If what there is now is right, `pipedrive-cli test --update` with the same cases writes it.")
    for line in lines:
        show_note(line, file=sys.stdout)
