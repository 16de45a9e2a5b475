"""Fingerprints of a mapping: by these the journal knows under which mapping an event was handled. Pure.

One per kind of record. It holds the config's lines for that kind and the keys that names of fields stand for. A field
that was deleted in Pipedrive and made again under its old name is another one, for it has another key. Options do not
count: an event whose option was missing was rejected, and is taken up again in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.transform.pins import Pins


class KindMapping(NamedTuple):
    """The mapping of one kind: 16 bytes that change with it, and its lines, each `trait -> field`."""

    fingerprint: bytes
    lines: tuple[str, ...]


def mapping_by_kind(config: Config, pins: Pins) -> dict[Kind, KindMapping]:
    """The mapping that a config says; `pins` are the keys of fields that it gives by name."""
    return {kind: _mapping(config, kind, pins.get(kind, {})) for kind in KINDS}


def _mapping(config: Config, kind: Kind, keys: Mapping[str, str]) -> KindMapping:
    lines: dict[str, Any] = getattr(config.fields, kind)
    named = {trait: _field_of(line) for trait, line in lines.items()}
    pinned = {name: keys[name] for name in sorted(set(named.values())) if name in keys}
    values = msgspec.to_builtins(config.values)  # how texts are read touches every kind
    content = (msgspec.to_builtins(lines), pinned, values, config.leads.default_currency)
    fingerprint = hashlib.blake2b(msgspec.json.encode(content, order="deterministic"), digest_size=16).digest()
    return KindMapping(fingerprint, tuple(f"{trait} -> {name}" for trait, name in named.items()))


def _field_of(line: Any) -> str:
    return str(getattr(line, "field", line)).strip()
