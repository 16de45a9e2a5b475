"""The commands `fields` and `fields create`: show the account's custom fields, and make those that the config names."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from pipedrive_cli.cli.interrupts import signal_of
from pipedrive_cli.cli.json_errors import prints_errors
from pipedrive_cli.cli.printing import print_json, standard_input
from pipedrive_cli.config import Config, load
from pipedrive_cli.errors import UserMistake, interrupted
from pipedrive_cli.events.source import Source, resolve_sources
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Field
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.tables import show_table
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.account import with_pins
from pipedrive_cli.run.connection import Connection, connected, whose_key
from pipedrive_cli.run.custom_fields import WantedField, create_fields, custom_fields, missing_fields, read_types
from pipedrive_cli.run.new_options import WantedOptions, add_options, lacking_options
from pipedrive_cli.transform.pins import Pins


@prints_errors()
def show_fields(config_file: Path, kind: str | None, *, as_json: bool) -> int:
    """Shows the custom fields of one kind, or of all."""
    if kind is not None and kind not in KINDS:
        raise UserMistake(f"there are no fields of {kind}", code="usage", hint=f"one of {', '.join(KINDS)}; or create")
    kinds = tuple(each for each in KINDS if kind in (None, each))
    found = asyncio.run(_read(load(config_file, os.environ), kinds))
    if as_json:
        print_json({"version": 1, "fields": {kind: [_plain(field) for field in found[kind]] for kind in kinds}})
        return 0
    rows = [(kind, *_cells(field)) for kind in kinds for field in found[kind]]
    if not rows:
        show_note("there are no custom fields")
        return 0
    show_table(("of", "name", "key", "type", "options"), rows)
    return 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What `fields create` was asked for: types of fields, and with `options` what the events of `sources` need."""

    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    options: bool = False


@prints_errors()
def make_fields(config_file: Path, asked: Asked, *, yes: bool, as_json: bool) -> int:
    """Makes the fields that the config names and the account lacks, and options, after somebody has agreed."""
    if asked.options != bool(asked.sources):
        hint = "name the events: fields create exports/ --options"
        raise UserMistake("--options and events belong together", code="usage", hint=hint)
    config = load(config_file, os.environ)
    made: list[tuple[Kind, Field]] = []
    added: list[WantedOptions] = []
    try:
        asyncio.run(_create(config, asked, made, added, yes=yes))
    except (KeyboardInterrupt, typer.Abort) as interrupt:
        names = ", ".join(
            [f"{kind} {field.name}" for kind, field in made] + [f"options of {w.field.name}" for w in added]
        )
        told = f"had been made in Pipedrive: {names}" if names else "nothing was made"
        raise interrupted(signal_of(interrupt), told) from interrupt
    if as_json:
        created = [{"kind": kind, **_plain(field)} for kind, field in made]
        options = [{"kind": w.kind, "name": w.field.name, "key": w.field.key, "options": list(w.labels)} for w in added]
        print_json({"version": 1, "created": created, **({"options": options} if asked.options else {})})
        return 0
    if made:
        show_table(("of", "name", "key", "type"), [(kind, *_cells(field)[:3]) for kind, field in made])
    if added:
        show_table(("of", "name", "new options"), [(w.kind, w.field.name, ", ".join(w.labels)) for w in added])
    return 0


async def _read(config: Config, kinds: Sequence[Kind]) -> dict[Kind, tuple[Field, ...]]:
    async with connected(config) as connection:
        return await custom_fields(connection, kinds)


async def _create(
    config: Config, asked: Asked, made: list[tuple[Kind, Field]], added: list[WantedOptions], *, yes: bool
) -> None:
    """Makes what is missing, and adds it to `made` and `added` field by field."""
    written = read_types(asked.types, config)
    sources = resolve_sources(asked.sources, standard_input(), note=show_note) if asked.options else []
    async with connected(config) as connection:
        pinned = with_pins(await whose_key(connection), config).pinned
        wanted = await missing_fields(connection, config, written, pinned)
        if not wanted:
            show_note("the account has every field that the config names")
        elif not (yes or _ask_to_make(wanted)):
            show_note("no field was made")
        else:
            for each in wanted:
                made.append((each.kind, await create_fields(connection, each)))
        if asked.options:
            await _add_options(connection, config, sources, pinned, added, yes=yes)


async def _add_options(
    connection: Connection,
    config: Config,
    sources: Sequence[Source],
    pinned: Pins,
    added: list[WantedOptions],
    *,
    yes: bool,
) -> None:
    wanted = await lacking_options(connection, config, sources, pinned)
    if not wanted:
        show_note("the fields have every option that these events need")
    elif not (yes or _ask_to_add(wanted)):
        show_note("no option was made")
    else:
        for each in wanted:
            await add_options(connection, each)
            added.append(each)


def _ask_to_add(wanted: Sequence[WantedOptions]) -> bool:
    for each in wanted:
        labels = ", ".join(f"{visible_text(label)} ({events:,})" for label, events in each.labels.items())
        show_note(f"{each.kind}: {visible_text(each.field.name)} lacks {labels}")
    number = count(sum(len(each.labels) for each in wanted), "option")
    if not sys.stdin.isatty():
        raise UserMistake(f"{number} would be made, and nobody is there to agree", code="usage", hint="add --yes")
    return typer.confirm(f"Make {number} in Pipedrive?", err=True)


def _ask_to_make(wanted: Sequence[WantedField]) -> bool:
    for each in wanted:
        options = f" of {', '.join(each.options)}" if each.options else ""
        show_note(f"{each.kind}: {each.name} ({each.type}{options})")
    if not sys.stdin.isatty():
        raise UserMistake(
            f"{count(len(wanted), 'field')} would be made, and nobody is there to agree", code="usage", hint="add --yes"
        )
    return typer.confirm(f"Make {count(len(wanted), 'field')} in Pipedrive?", err=True)


def _plain(field: Field) -> dict[str, object]:
    options = [{"id": option.id, "label": option.label} for option in field.options]
    return {"name": field.name, "key": field.key, "type": field.type, "options": options}


def _cells(field: Field) -> tuple[str, str, str, str]:
    return field.name, field.key, field.type, ", ".join(option.label for option in field.options)
