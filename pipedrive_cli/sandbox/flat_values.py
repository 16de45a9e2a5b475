"""Custom values of leads, which travel flat: a value under its field's key, its parts under longer keys.

Gathered into v2's form and judged there, with the liberties v1 takes: numbers and option ids may be text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipedrive_cli.sandbox.bodies import Context
from pipedrive_cli.sandbox.fields import Field, FieldSet
from pipedrive_cli.sandbox.values import Wrong, nested
from pipedrive_cli.sandbox.wire import JsonObject


def gather(
    flat: JsonObject, fields: FieldSet, existing: Mapping[str, Any], context: Context
) -> tuple[JsonObject, list[Wrong]]:
    """Flat values as v2 would hold them, None where one is cleared, and what is wrong with the others.

    Every key of `flat` belongs to a custom field or one of its parts. `existing` is what the record holds; a part
    that is sent alone changes that part.
    """
    grouped: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for key, value in flat.items():
        found = fields.part(key)
        if found is None:
            raise KeyError(key)
        field, part = found
        grouped[field.key][part or "value"] = value
    kept: JsonObject = {}
    wrongs: list[Wrong] = []
    for key, parts in grouped.items():
        try:
            kept[key] = _one(fields.custom[key], parts, existing.get(key), context)
        except Wrong as wrong:
            wrongs.append(Wrong(key, f'"{key}": {wrong.message}'))
    return kept, wrongs


def _one(field: Field, parts: dict[str, Any], before: Any, context: Context) -> Any:
    value = parts.get("value")
    if "value" in parts and value in (None, ""):
        return nested(field, None, context)
    if isinstance(value, dict | list):
        raise Wrong(field.key, "must be a plain value; leads take custom fields flat")
    kind = field.type
    if kind == "set":
        return nested(field, [_number(field, item) for item in str(value).split(",")], context)
    if kind in {"enum", "double", "org", "people", "user"}:
        return nested(field, _number(field, value), context)
    if kind in {"monetary", "daterange", "time", "timerange", "address"}:
        whole = dict(before or {}) if "value" not in parts else {}
        whole.update(parts)
        if kind == "monetary":
            whole["value"] = _number(field, whole.get("value"))
            whole.setdefault("currency", context.options.default_currency)
        whole.pop("formatted_address", None)
        return nested(field, whole, context)
    return nested(field, value, context)


def _number(field: Field, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        raise Wrong(field.key, "must be a number") from None
