"""Pinned fields: the key that each field name of the config stands for, and warnings about renamed fields. Pure.

A name is looked up once; later runs use the key that was found. So a field that somebody renames in Pipedrive still
gets its values, and another field that is given the old name gets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipedrive_cli.config import Config
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.transform.constants import OWNER
from pipedrive_cli.transform.targets import ID_FIELDS, STANDARD, FieldTarget, bears, is_key, pinned_field, resolve_field

Pins = Mapping[Kind, Mapping[str, str]]


def pins(config: Config, account: Account) -> dict[Kind, dict[str, str]]:
    """The account's pins together with those of this config: names of custom fields -> keys."""
    found = {kind: dict(names) for kind, names in account.pinned.items()}
    for kind, _, name in _names(config):
        target = resolve_field(kind, name, account) if kind in account.fields else None
        if isinstance(target, FieldTarget) and target.address.startswith("custom_fields."):
            found.setdefault(kind, {})[name.strip()] = target.address.removeprefix("custom_fields.")
    return found


def moved(config: Config, account: Account) -> Iterator[ConfigProblem]:
    """A warning for every name of the config whose field was renamed in Pipedrive, or now is another field."""
    for kind, path, name in _names(config):
        if kind not in account.fields or name.strip() not in account.pinned.get(kind, {}):
            continue
        pinned = pinned_field(kind, name, account)
        others = [field for field in account.fields[kind] if field.custom and bears(field, name)]
        if pinned is None and len(others) == 1:
            yield ConfigProblem(
                path,
                f"earlier runs wrote to another field named {name}, which the account's {kind} have no more; "
                "from now on values go into the new one",
                hint="what earlier runs wrote there is not written again: import it in Pipedrive where it is missed",
            )
        elif pinned is not None and not bears(pinned, name):
            yield _renamed(kind, path, name, pinned, others)


def _renamed(kind: Kind, path: str, name: str, pinned: Field, others: list[Field]) -> ConfigProblem:
    message = f"the field {name} of {kind} is called {pinned.name} in Pipedrive now; values still go into it"
    hint = f"write {pinned.name} instead of {name}"
    if others:
        keys = ", ".join(field.key for field in others)
        message += f", and not into another one that is called {name} now"
        hint += f"; or, if you mean the other one, its key: {keys}"
    return ConfigProblem(path, message, hint=hint)


def _names(config: Config) -> Iterator[tuple[Kind, str, str]]:
    """(kind, path, name) of every custom field that the config gives by name."""
    for kind, key in ID_FIELDS:
        if (name := getattr(config.identity, key)) is not None and not is_key(name):
            yield kind, f"identity.{key}", name
    for kind in KINDS:
        for trait, line in config.fields.lines(kind).items():
            if not is_key(line.field) and line.field not in STANDARD[kind]:
                yield kind, f"fields.{kind}.{trait}", line.field
        for name in getattr(config.new_records, kind):
            if not is_key(name) and name not in STANDARD[kind] and name != OWNER:
                yield kind, f"new_records.{kind}.{name}", name
