"""`init`, last part: checks the written config and shows the next commands."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipedrive_cli.cli.check_command import show_checked
from pipedrive_cli.cli.reading_shown import ReadingShown
from pipedrive_cli.config import load
from pipedrive_cli.config.variables import TOKEN_VARIABLE
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.check import AccountCheck, Checked
from pipedrive_cli.run.custom_fields import TEXT, WantedField
from pipedrive_cli.run.first_events import ENOUGH
from pipedrive_cli.secret import Secret

DEFAULT = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class InitResult:
    """The config file, the sources that were read, and the fields that are yet to be made."""

    config_file: Path
    sources: tuple[str, ...]
    wanted: Sequence[WantedField]
    offline: bool
    rows: RowForm | None = None

    def show(self, key: Secret | None, mapped: int) -> None:
        """Shows the result on stdout. `key` is the API token, which the environment may lack."""
        checked = self._checked(key)
        steps = [f"`{command}`{what}" for command, what in self._commands(checked)]
        known = key is None or os.environ.get(TOKEN_VARIABLE)
        if not known and load(self.config_file, {}).pipedrive.api_token_file is None:
            steps.insert(0, f"`export {TOKEN_VARIABLE}=...` in every shell: the key is kept nowhere.")
        show_checked(checked, self.config_file, steps)
        show_note(f"Wrote {self.config_file}: {count(mapped, 'trait')} mapped.", file=sys.stdout)

    def _checked(self, key: Secret | None) -> Checked:
        known = {} if key is None else {TOKEN_VARIABLE: key.reveal()}
        config = load(self.config_file, {**os.environ, **known}, sandbox=self.offline)
        events, offline = self._events, self.offline
        with ReadingShown() as shown:
            job = AccountCheck(
                config,
                str(self.config_file),
                events,
                note=shown.note,
                live_figures=shown.figures,
                most=ENOUGH,
                offline=offline,
                rows=self.rows,
            )
            return asyncio.run(job.run())

    @property
    def _events(self) -> tuple[str, ...]:
        """The sources that can be read again."""
        return () if "-" in self.sources else self.sources

    def _commands(self, checked: Checked) -> list[tuple[str, str]]:
        """The next commands, each with its purpose."""
        config = "" if self.config_file == DEFAULT else f" -c {shlex.quote(str(self.config_file))}"
        events = " ".join(shlex.quote(source) for source in self._events) or "SOURCE"
        if self.rows is not None:
            events += f" {shlex.join(self.rows.options)}"
        check = f"pipedrive-cli check {events}{config}", " looks whether all is well then."
        preview = (
            f"pipedrive-cli preview {events} --online{config}",
            " shows every request and sends none, with --summary the counts alone.",
        )
        replay = f"pipedrive-cli replay {events} --limit 20{config}", " sends the first events."
        if self.wanted:
            types = [f" --type {shlex.quote(f'{each.name}={each.type}')}" for each in self.wanted if each.type != TEXT]
            return [(f"pipedrive-cli fields create{''.join(types)}{config}", " makes what the account lacks."), check]
        return [preview, replay] if checked.ok and checked.events is not None else [check, preview]
