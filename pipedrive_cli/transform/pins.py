"""Names of fields held fast: which key each name of the config stands for, and where Pipedrive has moved since. Pure.

A name is looked up once. From then on its key is what counts, so that a field which somebody renames keeps getting
its values, and another one that takes the old name gets none of them unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipedrive_cli.config import Config
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.transform.targets import ID_FIELDS, STANDARD, FieldTarget, bears, is_key, pinned_field, resolve_field

Pins = Mapping[Kind, Mapping[str, str]]


def pins(config: Config, account: Account) -> dict[Kind, dict[str, str]]:
    """The account's pins with those of this config: every name that stands for one custom field, and its key."""
    found = {kind: dict(names) for kind, names in account.pinned.items()}
    for kind, _, name in _names(config):
        target = resolve_field(kind, name, account) if kind in account.fields else None
        if isinstance(target, FieldTarget) and target.address.startswith("custom_fields."):
            found.setdefault(kind, {})[name.strip()] = target.address.removeprefix("custom_fields.")
    return found


def moved(config: Config, account: Account) -> Iterator[ConfigProblem]:
    """A warning for every name of the config whose field was renamed in Pipedrive, or is another one than before."""
    for kind, path, name in _names(config):
        if kind not in account.fields or name.strip() not in account.pinned.get(kind, {}):
            continue
        held = pinned_field(kind, name, account)
        others = [field for field in account.fields[kind] if field.custom and bears(field, name)]
        if held is None and len(others) == 1:
            yield ConfigProblem(
                path,
                f"earlier runs wrote to another field named {name}, which the account's {kind} have no more; "
                "from now on values go into the new one",
                hint="what earlier runs wrote there is not written again: import it in Pipedrive where it is missed",
            )
        elif held is not None and not bears(held, name):
            yield _renamed(kind, path, name, held, others)


def _renamed(kind: Kind, path: str, name: str, held: Field, others: list[Field]) -> ConfigProblem:
    message = f"the field {name} of {kind} is called {held.name} in Pipedrive now; values still go into it"
    hint = f"write {held.name} instead of {name}"
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
        for trait, name in getattr(config.fields, kind).items():
            if not is_key(name) and name not in STANDARD[kind]:
                yield kind, f"fields.{kind}.{trait}", name
