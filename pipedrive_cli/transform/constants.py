"""What the config gives to every new record of a kind (`new_records`), as values by address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipedrive_cli.config import Config
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import Kind, Value
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.values import Unfit, as_it_is, user
from pipedrive_cli.transform.targets import FieldTarget, resolve_field

OWNER: Final = "owner_id"


def constants_of(config: Config, account: Account | None, kind: Kind) -> dict[str, Value]:
    """Address -> value for new records of a kind, without those that `broken_constants` tells of."""
    return {address: value for _, address, value in _resolved(config, account, kind) if address is not None}


def constant_keys(config: Config, account: Account | None, kind: Kind) -> dict[str, str]:
    """Address -> the config's key, for the same."""
    resolved = _resolved(config, account, kind)
    return {address: f"new_records.{kind}.{field}" for field, address, _ in resolved if address is not None}


def wrong_constants(config: Config, account: Account | None, kind: Kind) -> Iterator[ConfigProblem]:
    """A problem for every field that the account does not have, and for every value that does not fit."""
    for field, address, value in _resolved(config, account, kind):
        if address is None:
            hint = f"`pipedrive-cli fields {kind}` lists the fields with their options"
            yield ConfigProblem(f"new_records.{kind}.{field}", str(value), hint=hint)


def _resolved(config: Config, account: Account | None, kind: Kind) -> Iterator[tuple[str, str | None, Any]]:
    """(field, address, value) of each constant; without an address the value is what is wrong with it."""
    for field, written in getattr(config.new_records, kind).items():
        value = list(written) if isinstance(written, tuple) else written
        target: FieldTarget | str
        if field == OWNER:
            target = FieldTarget(OWNER, OWNER, "user", user(None if account is None else account.users))
        else:
            target = resolve_field(kind, field, account)
        if isinstance(target, str):
            yield field, None, target
            continue
        try:
            yield field, target.address, (target.convert or as_it_is)(value)
        except Unfit as reason:
            yield field, None, f"{target.name} {reason}"
