"""The embedded sandbox: an empty Pipedrive in this process that has the fields the config names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipedrive_cli.config import Config
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.transform.constants import OWNER
from pipedrive_cli.transform.targets import STANDARD, is_key

if TYPE_CHECKING:
    from pipedrive_cli.sandbox import Sandbox

ADDRESS = "http://127.0.0.1"  # nothing is listening there: the transport answers


def embedded_sandbox(
    config: Config, types: Mapping[tuple[Kind, str], tuple[str, tuple[str, ...]]] | None = None
) -> Sandbox:
    """A sandbox without limits, with a field for every one that the config maps to by name.

    They are text, save those in `types`: kind and name -> type and the labels of options.
    """
    from pipedrive_cli.sandbox import Sandbox, SandboxOptions  # noqa: PLC0415 - only this needs it

    sandbox = Sandbox(SandboxOptions(plan="unlimited", search_lag=0.0, currencies=sandbox_currencies(config)))
    furnish(sandbox, config, types)
    return sandbox


def furnish(
    sandbox: Sandbox, config: Config, types: Mapping[tuple[Kind, str], tuple[str, tuple[str, ...]]] | None = None
) -> None:
    """Makes the fields that the config maps to, and the user and the labels that it names."""
    types = types or {}
    named = {kind: list(names) for kind, names in field_names(config).items()}
    for kind, name in types:
        if name not in named[kind]:
            named[kind].append(name)
    for kind, names in named.items():
        for name in names:
            # A field that the config gives by its key gets that key; its name is not known here.
            key = name if is_key(name) else None
            field_type, labels = types.get((kind, name), ("varchar", ()))
            where = "deals" if kind == "leads" else kind
            sandbox.add_field(where, name=name, key=key, field_type=field_type, options=labels)
    owners = [config.leads.owner_id, *(getattr(config.new_records, kind).get(OWNER) for kind in KINDS)]
    for owner in dict.fromkeys(owners):
        if isinstance(owner, int):
            sandbox.add_user(owner)
    for label in config.leads.label_ids:
        sandbox.add_lead_label(label)


def sandbox_currencies(config: Config) -> tuple[str, ...]:
    """The currencies that every account begins with, and the config's own."""
    from pipedrive_cli.sandbox.options import ISO_4217  # noqa: PLC0415 - as above

    own = config.reading.currency
    return ISO_4217 if own is None or own in ISO_4217 else (*ISO_4217, own)


def field_names(config: Config) -> Mapping[Kind, tuple[str, ...]]:
    """The custom fields that a config names or gives by key, by kind."""
    named: dict[Kind, list[str]] = {"persons": [], "organizations": [], "products": [], "leads": []}
    if config.identity.user_id_field is not None:
        named["persons"].append(config.identity.user_id_field)
    if config.identity.group_id_field is not None:
        named["organizations"].append(config.identity.group_id_field)
    for kind in named:
        written = [line.field for line in config.fields.lines(kind).values()]
        written += [name for name in getattr(config.new_records, kind) if name != OWNER]
        named[kind] += [name for name in written if name not in STANDARD[kind]]
    return {kind: tuple(dict.fromkeys(names)) for kind, names in named.items()}
