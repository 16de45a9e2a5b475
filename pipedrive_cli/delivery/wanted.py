"""What to read of persons, organizations and products, and what is kept of what is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.delivery.asks import name_key
from pipedrive_cli.delivery.journal.rows import SeenRecord
from pipedrive_cli.pipedrive.bodies import values_of
from pipedrive_cli.pipedrive.catalog import MAX_LISTED_FIELDS
from pipedrive_cli.transform.changes import Kind

# What is kept of a record's standard fields beside those that the config maps.
_STANDARD = frozenset({"name", "emails", "phones", "organization", "visible_to", "code", "unit", "tax"})


class Wanted:
    """`keys` are the addresses of the record keys, `addresses` those that the config maps, both per kind."""

    def __init__(self, keys: Mapping[Kind, str | None], addresses: Mapping[Kind, frozenset[str]]) -> None:
        self._keys = keys
        self._addresses = {kind: mapped | _STANDARD for kind, mapped in addresses.items()}

    def custom_fields(self, kind: Kind) -> tuple[str, ...]:
        """Keys of the custom fields that a listing must bring; none of them named brings them all."""
        keys = [
            a.removeprefix("custom_fields.") for a in self._addresses.get(kind, ()) if a.startswith("custom_fields.")
        ]
        address = self._keys.get(kind)
        if address is not None and address.startswith("custom_fields."):
            keys.append(address.removeprefix("custom_fields."))
        unique = sorted(set(keys))
        return tuple(unique) if len(unique) <= MAX_LISTED_FIELDS else ()

    def row(self, kind: Kind, data: Mapping[str, Any]) -> SeenRecord:
        """What to keep of a record as an answer shows it."""
        values = values_of(kind, data)
        address = self._keys.get(kind)
        key = None if address is None else values.get(address)
        if kind == "products" and key in {None, ""}:
            key = name_key(values.get("name"))
        wanted = self._addresses.get(kind, _STANDARD)
        kept = {a: v for a, v in values.items() if a in wanted or a == address or a.startswith("prices.")}
        return SeenRecord(int(data["id"]), None if key is None else str(key), values.get("update_time"), kept)
