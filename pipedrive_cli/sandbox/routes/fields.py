"""The fields of persons, organizations, products and deals (v2), and their flat twins in v1, leads' among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipedrive_cli.sandbox.bodies import invalid, unknown_parameter
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.fields import CREATABLE, Field
from pipedrive_cli.sandbox.listing import bad_cursor, decode_cursor, encode_cursor, limit_of, v1_page, words
from pipedrive_cli.sandbox.wire import v2_refusal

PATHS = {
    "persons": "personFields",
    "organizations": "organizationFields",
    "products": "productFields",
    "deals": "dealFields",
}
_MORE = ("ui_visibility", "important_fields", "required_fields")
_LONGEST = 255


def _namespaces(kind: str, call: Call) -> list[str]:
    allowed = _MORE[:1] if kind == "products" else _MORE
    return words(call.query, "include_fields", allowed) or []


def _listed(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        limit = limit_of(call.query)
        include = _namespaces(kind, call)
        cursor = decode_cursor(call.query)
        after = 0 if cursor is None else cursor.get("id")
        if not isinstance(after, int):
            raise bad_cursor()
        rows = [field for field in call.account.fields[kind].by_key.values() if field.number > after]
        page = rows[:limit]
        following = encode_cursor({"id": page[-1].number}) if len(rows) > limit else None
        told = call.account.options.tells_writable
        return Reply([field.view(include, with_writable=told) for field in page], {"next_cursor": following})

    return answer


def _found(kind: str, call: Call) -> Field:
    field = call.account.fields[kind].by_key.get(call.path["field_code"])
    if field is None:
        raise v2_refusal(404, "Field not found", "ERR_NOT_FOUND")
    return field


def _own(kind: str, call: Call) -> Field:
    field = _found(kind, call)
    if not field.custom:
        raise v2_refusal(403, "System fields cannot be changed", "ERR_FORBIDDEN")
    return field


def _got(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        told = call.account.options.tells_writable
        return Reply(_found(kind, call).view(_namespaces(kind, call), with_writable=told))

    return answer


def _label(value: Any, path: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= _LONGEST:
        raise invalid([(path, f"The value must be a text of 1 to {_LONGEST} characters")])
    return value.strip()


def _known_keys(kind: str, body: dict[str, Any], *, creating: bool) -> None:
    known = {"field_name", "ui_visibility"}
    if creating:
        known |= {"field_type", "options"}
    if kind != "products":
        known |= {"important_fields", "required_fields"}
    if kind == "deals":
        known.add("description")
    problems = [unknown_parameter(key) for key in body if key not in known]
    for key in ("ui_visibility", "important_fields", "required_fields"):
        if key in body and key in known and not isinstance(body[key], dict):
            problems.append((key, "The value is not a valid 'object'"))
    if problems:
        raise invalid(problems)


def _added(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        body = call.json_object()
        _known_keys(kind, body, creating=True)
        name = _label(body.get("field_name"), "field_name")
        field_type = body.get("field_type")
        if field_type not in CREATABLE:
            raise invalid([("field_type", f"The value must be one of {', '.join(CREATABLE)}")])
        labels: list[str] = []
        if field_type in {"enum", "set"}:
            given = body.get("options")
            if not isinstance(given, list) or not given:
                raise invalid([("options", "Options are required for enum and set fields")])
            labels = [_option_label(item, f"options[{index}]", {"label"}) for index, item in enumerate(given)]
        elif body.get("options") is not None:
            raise invalid([("options", "Only enum and set fields have options")])
        account = call.account
        if account.fields.custom_count >= account.options.custom_field_limit:
            raise v2_refusal(403, "Custom fields limit reached.", "feature_capping_custom_fields_limit")
        field = account.fields.add_custom(kind, name, field_type, labels, account.seconds())
        field.description = body.get("description")
        field.ui.update(body.get("ui_visibility", {}))
        field.mandatory = body.get("required_fields", {}).get("enabled") is True
        return Reply(field.view(_MORE[:1] if kind == "products" else _MORE))

    return answer


def _changed(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        body = call.json_object()
        _known_keys(kind, body, creating=False)
        if not body:
            raise invalid([("body", "At least one field must be provided")])
        field = _own(kind, call)
        if "field_name" in body:
            field.name = _label(body["field_name"], "field_name")
        if "description" in body:
            field.description = body["description"]
        field.ui.update(body.get("ui_visibility", {}))
        return Reply(field.view(_MORE[:1] if kind == "products" else _MORE))

    return answer


def _deleted(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        field = _own(kind, call)
        call.account.fields[kind].drop(field.key)
        return Reply(field.view())

    return answer


def _option_label(item: Any, path: str, keys: set[str]) -> str:
    if not isinstance(item, dict):
        raise invalid([(path, "The value is not a valid 'object'")])
    for key in item:
        if key not in keys:
            raise invalid([unknown_parameter(f"{path}.{key}")])
    return _label(item.get("label"), f"{path}.label")


def _optioned(kind: str, call: Call) -> Field:
    field = _own(kind, call)
    if field.options is None:
        raise invalid([("field_code", "Only enum and set fields have options")])
    return field


def _chosen(field: Field, items: list[Any], keys: set[str]) -> list[int]:
    """The option ids that a body names, all of which exist: bulk changes are all or nothing."""
    numbers = []
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not keys.issuperset(item):
            raise invalid([(f"[{index}]", f"The value must be an object of {', '.join(sorted(keys))}")])
        number = item.get("id")
        if not isinstance(number, int) or number not in (field.options or {}):
            raise invalid([(f"[{index}].id", f"Option '{number}' does not exist")])
        numbers.append(number)
    return numbers


def _options_added(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        field = _optioned(kind, call)
        items = call.json_array()
        labels = [_option_label(item, f"[{index}]", {"label"}) for index, item in enumerate(items)]
        account = call.account
        return Reply([account.fields.add_option(field, label, account.seconds()).view() for label in labels])

    return answer


def _options_changed(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        field = _optioned(kind, call)
        items = call.json_array()
        numbers = _chosen(field, items, {"id", "label"})
        labels = [_option_label(item, f"[{index}]", {"id", "label"}) for index, item in enumerate(items)]
        options = field.options or {}
        for number, label in zip(numbers, labels, strict=True):
            options[number].label = label
        return Reply([options[number].view() for number in numbers])

    return answer


def _options_deleted(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        field = _optioned(kind, call)
        numbers = _chosen(field, call.json_array(), {"id"})
        options = field.options or {}
        gone = [options.pop(number).view() for number in dict.fromkeys(numbers)]
        for store_kind in ("leads",) if kind == "deals" else (kind,):
            for record in call.account.stores[store_kind].living():
                value = record.custom.get(field.key)
                if isinstance(value, list):
                    kept = [item for item in value if item in options]
                    record.custom[field.key] = kept
                    if not kept:
                        del record.custom[field.key]
                elif value is not None and value not in options:
                    del record.custom[field.key]
        return Reply(gone)

    return answer


def _flat_list(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        start, limit = v1_page(call.query)
        rows = [view for field in call.account.fields[kind].by_key.values() for view in field.flat_views()]
        page = {"start": start, "limit": limit, "more_items_in_collection": len(rows) > start + limit}
        return Reply(rows[start : start + limit], {"pagination": page})

    return answer


def _endpoints() -> Iterator[Endpoint]:
    one = frozenset({"include_fields"})
    for kind, path in PATHS.items():
        field = f"/{path}/{{field_code}}"
        yield Endpoint("GET", 2, f"/{path}", 10, _listed(kind), one | {"limit", "cursor"})
        yield Endpoint("POST", 2, f"/{path}", 5, _added(kind))
        yield Endpoint("GET", 2, field, 1, _got(kind), one)
        yield Endpoint("PATCH", 2, field, 5, _changed(kind))
        yield Endpoint("DELETE", 2, field, 3, _deleted(kind))
        yield Endpoint("POST", 2, f"{field}/options", 5, _options_added(kind))
        yield Endpoint("PATCH", 2, f"{field}/options", 5, _options_changed(kind))
        yield Endpoint("DELETE", 2, f"{field}/options", 3, _options_deleted(kind))
        yield Endpoint("GET", 1, f"/{path}", 20, _flat_list(kind), frozenset({"start", "limit"}))
    yield Endpoint("GET", 1, "/leadFields", 20, _flat_list("leads"), frozenset({"start", "limit"}))


ENDPOINTS = tuple(_endpoints())
