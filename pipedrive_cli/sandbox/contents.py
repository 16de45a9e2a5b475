"""An account's living records as plain data, made for comparing two accounts that should hold the same.

Ids and times are left out unless asked for, custom fields go by name, options by label, and links show the linked
record's name and custom fields, so that the order in which records were made does not matter.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipedrive_cli.sandbox.account import KINDS, Account
from pipedrive_cli.sandbox.clock import rfc3339
from pipedrive_cli.sandbox.fields import Field
from pipedrive_cli.sandbox.records import Record
from pipedrive_cli.sandbox.wire import JsonObject

_LINKS = {"org_id": ("org", "organizations"), "person_id": ("person", "persons")}
_LINKS["organization_id"] = ("organization", "organizations")


def contents(account: Account, *, ids: bool, times: bool) -> dict[str, list[JsonObject]]:
    """Per kind its records, sorted by what they hold. With `times`, whole seconds in RFC 3339."""
    names = {kind: _field_names(account, kind) for kind in KINDS}
    found: dict[str, list[JsonObject]] = {}
    for kind in KINDS:
        rows = [_row(account, kind, record, names, ids=ids, times=times) for record in account.stores[kind].living()]
        found[kind] = sorted(rows, key=lambda row: msgspec.json.encode(row, order="deterministic"))
    return found


def _field_names(account: Account, kind: str) -> dict[str, str]:
    """Each custom field's name by key; fields that share a name are numbered in the order they were made."""
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    for key, field in account.fields[kind].custom.items():
        seen[field.name] = seen.get(field.name, 0) + 1
        names[key] = field.name if seen[field.name] == 1 else f"{field.name} #{seen[field.name]}"
    return names


def _row(
    account: Account, kind: str, record: Record, names: dict[str, dict[str, str]], *, ids: bool, times: bool
) -> JsonObject:
    row: JsonObject = {"id": record.id} if ids else {}
    for key, value in record.values.items():
        if key in _LINKS:
            name, other = _LINKS[key]
            row[name] = _linked(account, other, value, names)
        elif key == "label_ids":
            row["labels"] = sorted(_label(account, kind, item) for item in value)
        elif key == "prices":
            row[key] = sorted(value, key=lambda price: str(price["currency"]))
        else:
            row[key] = value
    if times:
        row["add_time"] = rfc3339(int(record.added))
        row["update_time"] = rfc3339(int(record.updated))
    row["custom_fields"] = _custom(account, kind, record, names)
    return row


def _linked(account: Account, kind: str, record_id: Any, names: dict[str, dict[str, str]]) -> JsonObject | None:
    if record_id is None:
        return None
    record = account.stores[kind].records[record_id]
    shown = {"name": record.values["name"], "custom_fields": _custom(account, kind, record, names)}
    return {**shown, "deleted": True} if record.deleted else shown


def _custom(account: Account, kind: str, record: Record, names: dict[str, dict[str, str]]) -> JsonObject:
    fields = account.fields[kind].custom
    return {
        name: _plain(fields[key], record.custom[key])
        for key, name in sorted(names[kind].items(), key=lambda item: item[1])
        if key in record.custom
    }


def _plain(field: Field, value: Any) -> Any:
    options = field.options
    if options is None:
        return value
    if isinstance(value, list):
        return sorted(options[item].label for item in value if item in options)
    return options[value].label if value in options else None


def _label(account: Account, kind: str, label_id: Any) -> str:
    if kind == "leads":
        return str(account.lead_labels[label_id]["name"])
    options = account.fields[kind].by_key["label_ids"].options or {}
    return options[label_id].label
