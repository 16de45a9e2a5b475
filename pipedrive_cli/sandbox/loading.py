"""Another account taken over: its fields, labels and records as the API's answers show them, ids and times kept.

Nothing is refused and nothing judged: what a real account holds is so, whatever may be written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pipedrive_cli.sandbox.account import Account, new_values
from pipedrive_cli.sandbox.bodies import free_price
from pipedrive_cli.sandbox.fields import Field, FieldSet, Option
from pipedrive_cli.sandbox.records import Record
from pipedrive_cli.sandbox.wire import JsonObject

# What a row carries beside the values of its record.
_APART = frozenset({"id", "add_time", "update_time", "is_deleted", "custom_fields", "cc_email"})


def load_fields(account: Account, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Fields as `GET /api/v2/personFields` lists them. Those of the same key are replaced, whatever their type."""
    for row in rows:
        old = account.fields[kind].by_key.get(row["field_code"])
        custom = bool(row.get("is_custom_field"))
        new = Field(
            account.fields.new_number() if old is None else old.number,
            row["field_code"],
            str(row.get("field_name") or row["field_code"]),
            str(row.get("field_type") or "varchar"),
            custom=custom,
            mandatory=old is not None and old.mandatory,
            writable=row.get("is_writable") is not False,
        )
        options = row.get("options")
        if options or new.type in {"enum", "set"}:
            new.options = {option["id"]: Option(option["id"], str(option["label"])) for option in options or ()}
            account.fields.options_taken(new.options)
        account.fields[kind].put(new)


def load_lead_labels(account: Account, rows: Iterable[Mapping[str, Any]]) -> None:
    """Lead labels as `GET /v1/leadLabels` lists them, in place of those that a new account has."""
    account.lead_labels.clear()
    now = account.clock.now().timestamp()
    for row in rows:
        times = {name: _moment(row.get(name), now) for name in ("add_time", "update_time")}
        account.lead_labels[str(row["id"]).lower()] = {"color": "gray", **row, **times}


def load_records(account: Account, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Living records as the API lists them; leads flat and in the order of their making. Known ids are replaced."""
    for row in rows:
        if row.get("is_deleted"):
            continue
        record = _record(account, kind, row)
        account.stores[kind].load(record)
        account.indexed(kind, record)
        account.add_user(record.values.get("owner_id"))


def _record(account: Account, kind: str, row: Mapping[str, Any]) -> Record:
    store = account.stores[kind]
    if kind == "leads":
        known = store.records.get(row["id"])
        number = store.next_number() if known is None else known.number
    else:
        number = int(row["id"])
    values = new_values(kind)
    custom: JsonObject = {}
    given = {key: value for key, value in row.items() if key not in _APART and value is not None}
    if kind == "leads":
        given, custom = _parted(given, account.fields[kind])
    else:
        shown = row.get("custom_fields")
        shown = shown if isinstance(shown, Mapping) else {}
        custom = {key: value for key, value in shown.items() if value is not None}
    values.update(given)
    for name, key in (("emails", "value"), ("phones", "value"), ("prices", "currency"), ("label_ids", None)):
        if name in values:
            values[name] = _entries(values[name], key)
    for name in ("name", "title"):
        if name in values and not isinstance(values[name], str):
            values[name] = ""
    if kind == "products":
        prices = values["prices"] or [free_price(account.options.default_currency)]
        values["prices"] = [{key: v for key, v in price.items() if key != "product_id"} for price in prices]
    now = account.clock.now().timestamp()
    record_id = row["id"] if kind == "leads" else number
    return Record(
        record_id, number, values, _moment(row.get("add_time"), now), _moment(row.get("update_time"), now), custom
    )


def _parted(row: JsonObject, fields: FieldSet) -> tuple[JsonObject, JsonObject]:
    """A lead's own values, and its custom values in v2's form."""
    values: JsonObject = {}
    whole: dict[str, JsonObject] = {}
    for key, value in row.items():
        if (found := fields.part(key)) is None:
            values[key] = value
        else:
            whole.setdefault(found[0].key, {})[found[1] or "value"] = value
    return values, {key: _joined(fields.custom[key], parts) for key, parts in whole.items()}


def _joined(field: Field, parts: JsonObject) -> Any:
    value = parts.get("value")
    if field.type in {"set", "enum"}:
        numbers = [int(text) for text in str(value).split(",") if text.strip().isdecimal()]
        return numbers if field.type == "set" else next(iter(numbers), None)
    return parts if len(parts) > 1 or field.type in {"monetary", "address", "daterange", "time", "timerange"} else value


def _entries(listed: object, key: str | None) -> list[Any]:
    """The entries of a list that can be some: an id, or with `key` an object that has a text there."""
    entries = listed if isinstance(listed, list) else []
    if key is None:
        return [entry for entry in entries if isinstance(entry, int | str)]
    return [entry for entry in entries if isinstance(entry, Mapping) and isinstance(entry.get(key), str)]


def _moment(text: object, otherwise: float) -> float:
    """Seconds since 1970 of a time as v1 or v2 writes it."""
    try:
        moment = datetime.fromisoformat(str(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return otherwise
