"""The commands `fields` and `fields create`: show the account's custom fields, and make those that the config names."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from pipedrive_cli.cli.json_errors import prints_errors
from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import Config, load
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Field
from pipedrive_cli.report.console import show_note
from pipedrive_cli.report.tables import show_table
from pipedrive_cli.report.wording import count
from pipedrive_cli.run.account import with_pins
from pipedrive_cli.run.connection import connected, whose_key
from pipedrive_cli.run.custom_fields import WantedField, create_fields, custom_fields, missing_fields, read_types


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


@prints_errors()
def make_fields(config_file: Path, types: Sequence[str], *, yes: bool, as_json: bool) -> int:
    """Makes the fields that the config names and the account lacks, after somebody has agreed."""
    config = load(config_file, os.environ)
    made = asyncio.run(_create(config, types, lambda wanted: yes or _ask_to_make(wanted)))
    if as_json:
        print_json({"version": 1, "created": [{"kind": kind, **_plain(field)} for kind, field in made]})
    elif made:
        show_table(("of", "name", "key", "type"), [(kind, *_cells(field)[:3]) for kind, field in made])
    return 0


async def _read(config: Config, kinds: Sequence[Kind]) -> dict[Kind, tuple[Field, ...]]:
    async with connected(config) as connection:
        return await custom_fields(connection, kinds)


async def _create(
    config: Config, types: Sequence[str], agreed: Callable[[Sequence[WantedField]], bool]
) -> list[tuple[Kind, Field]]:
    written = read_types(types, config)
    async with connected(config) as connection:
        pinned = with_pins(await whose_key(connection), config).pinned
        wanted = await missing_fields(connection, config, written, pinned)
        if not wanted:
            show_note("the account has every field that the config names")
            return []
        if not agreed(wanted):
            show_note("nothing was made")
            return []
        return [(each.kind, await create_fields(connection, each)) for each in wanted]


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
