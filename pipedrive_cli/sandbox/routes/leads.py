"""v1's leads, their labels, sources and fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.bodies import LONGEST_NAME, VISIBILITIES, parse_datetime
from pipedrive_cli.sandbox.clock import rfc3339_ms
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.flat_values import gather
from pipedrive_cli.sandbox.listing import v1_page, whole_number
from pipedrive_cli.sandbox.records import Record
from pipedrive_cli.sandbox.values import Wrong, is_date, is_integer, is_number
from pipedrive_cli.sandbox.views import lead_view
from pipedrive_cli.sandbox.wire import JsonObject, Refusal, v1_refusal

COLORS = ("blue", "brown", "dark-gray", "gray", "green", "orange", "pink", "purple", "red", "yellow")
SOURCES = (
    *("Manually created", "Deal", "Web forms", "Prospector", "Leadbooster", "Live chat", "Import"),
    *("Website visitors", "Workflow automation", "API"),
)
SORTABLE = (
    *("id", "title", "owner_id", "creator_id", "was_seen", "expected_close_date", "next_activity_id"),
    *("add_time", "update_time"),
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

Check = Callable[[Any, str, Account], Any]


def invalid(problems: list[str]) -> Refusal:
    """v1's refusal of a lead: one general sentence, the particulars in `error_info`."""
    return v1_refusal(400, "The provided dataset is not valid", ". ".join(problems))


def _string(value: Any, key: str, _: Account) -> str:
    if not isinstance(value, str):
        raise Wrong(key, f'"{key}" must be a string')
    return value


def _title(value: Any, key: str, account: Account) -> str:
    text = _string(value, key, account).strip()
    if not text:
        raise Wrong(key, f'"{key}" is not allowed to be empty')
    if len(text) > LONGEST_NAME:
        raise Wrong(key, f'"{key}" length must be less than or equal to {LONGEST_NAME} characters long')
    return text


def _integer(value: Any, key: str, _: Account) -> int:
    if not is_number(value):
        raise Wrong(key, f'"{key}" must be a number')
    if not is_integer(value):
        raise Wrong(key, f'"{key}" must be an integer')
    return int(value)


def _boolean(value: Any, key: str, _: Account) -> bool:
    if not isinstance(value, bool):
        raise Wrong(key, f'"{key}" must be a boolean')
    return value


def _related(kind: str, word: str) -> Check:
    def check(value: Any, key: str, account: Account) -> int:
        number = _integer(value, key, account)
        if not account.exists(kind, number):
            raise Wrong(key, f"{word} with ID {number} was not found")
        return number

    return check


def _labels(value: Any, key: str, account: Account) -> list[str]:
    if not isinstance(value, list):
        raise Wrong(key, f'"{key}" must be an array')
    for index, item in enumerate(value):
        if not isinstance(item, str) or not _UUID.fullmatch(item):
            raise Wrong(key, f'"{key}[{index}]" must be a valid GUID')
        if item.lower() not in account.lead_labels:
            raise Wrong(key, f"Lead label {item} was not found")
    return list(dict.fromkeys(item.lower() for item in value))


def _value(value: Any, key: str, account: Account) -> JsonObject:
    if not isinstance(value, dict):
        raise Wrong(key, f'"{key}" must be of type object')
    for part in ("amount", "currency"):
        if part not in value:
            raise Wrong(key, f'"{key}.{part}" is required')
    for part in value:
        if part not in {"amount", "currency"}:
            raise Wrong(key, f'"{key}.{part}" is not allowed')
    if not is_number(value["amount"]):
        raise Wrong(key, f'"{key}.amount" must be a number')
    if not account.has_currency(value["currency"]):
        raise Wrong(key, f'"{key}.currency" is not a currency of this company')
    return {"amount": value["amount"], "currency": value["currency"]}


def _close_date(value: Any, key: str, _: Account) -> str:
    if not is_date(value):
        raise Wrong(key, f'"{key}" must be in YYYY-MM-DD format')
    return str(value)


def _visibility(value: Any, key: str, _: Account) -> str:
    allowed = [str(number) for number in VISIBILITIES]
    if value not in allowed:
        raise Wrong(key, f'"{key}" must be one of [{", ".join(allowed)}]')
    return str(value)


def _channel(value: Any, key: str, account: Account) -> int:
    _integer(value, key, account)
    raise Wrong(key, f'"{key}" must be one of the channels configured for your company; there are none')


_CHECKS: dict[str, Check] = {
    "title": _title,
    "owner_id": _related("users", "User"),
    "label_ids": _labels,
    "person_id": _related("persons", "Person"),
    "organization_id": _related("organizations", "Organization"),
    "value": _value,
    "expected_close_date": _close_date,
    "visible_to": _visibility,
    "was_seen": _boolean,
    "channel": _channel,
    "channel_id": _string,
}
_ON_POST: dict[str, Check] = {**_CHECKS, "origin_id": _string}
_ON_PATCH: dict[str, Check] = {**_CHECKS, "is_archived": _boolean}
_NULL_ON_POST = frozenset({"value", "origin_id", "channel", "channel_id"})
_NULL_ON_PATCH = frozenset({"person_id", "organization_id", "value", "expected_close_date", "channel", "channel_id"})


def _checked(
    call: Call, checks: dict[str, Check], nullable: frozenset[str], record: Record | None
) -> tuple[JsonObject, JsonObject]:
    account = call.account
    problems: list[str] = []
    values: JsonObject = {}
    flat: JsonObject = {}
    for key, value in call.json_object().items():
        check = checks.get(key)
        if check is None:
            if account.fields["leads"].part(key) is None:
                problems.append(f'"{key}" is not allowed')
            else:
                flat[key] = value
        elif value is None and key in nullable:
            values[key] = None
        else:
            try:
                values[key] = check(value, key, account)
            except Wrong as wrong:
                problems.append(wrong.message)
    custom, wrongs = gather(flat, account.fields["leads"], record.custom if record else {}, account)
    problems.extend(wrong.message for wrong in wrongs)
    if problems:
        raise invalid(problems)
    return values, custom


def _needs_contact(values: JsonObject) -> None:
    if values.get("person_id") is None and values.get("organization_id") is None:
        raise invalid(["A lead must be linked to a person or an organization"])


def _add(call: Call) -> Reply:
    values, custom = _checked(call, _ON_POST, _NULL_ON_POST, None)
    if "title" not in values:
        raise invalid(['"title" is required'])
    _needs_contact(values)
    record = call.account.create("leads", values, custom)
    return Reply(lead_view(call.account, record), status=201)


def _found(call: Call, *, deleted: str = "404") -> Record:
    text = call.path["id"]
    if not _UUID.fullmatch(text):
        raise v1_refusal(400, "Lead ID is not a valid UUID", '"id" must be a valid GUID')
    record = call.account.stores["leads"].records.get(text.lower())
    if record is None or (record.deleted and deleted != "flag"):
        status = 404 if record is None else int(deleted)
        raise v1_refusal(status, "requested lead not found", "Object was not found.")
    return record


def _get(call: Call) -> Reply:
    return Reply(lead_view(call.account, _found(call, deleted=call.account.options.deleted_get)))


def _change(call: Call) -> Reply:
    record = _found(call, deleted=call.account.options.deleted_patch)
    values, custom = _checked(call, _ON_PATCH, _NULL_ON_PATCH, record)
    if record.values["is_archived"] and values != {"is_archived": False}:
        raise v1_refusal(400, "Archived leads cannot be edited", "Unarchive the lead first.")
    _needs_contact({**record.values, **values})
    call.account.update("leads", record, values, custom)
    return Reply(lead_view(call.account, record))


def _delete(call: Call) -> Reply:
    record = _found(call)
    call.account.delete("leads", record)
    return Reply({"id": record.id})


def _listed(*, archived: bool) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        start, limit = v1_page(call.query)
        store = call.account.stores["leads"]
        since = call.query.get("updated_since")
        if since is None:
            records = store.living()
        else:
            seconds = parse_datetime(since)
            if seconds is None:
                raise v1_refusal(400, "Bad request", '"updated_since" is not a valid datetime')
            records = store.changed_since(seconds)
        keys = ("owner_id", "person_id", "organization_id")
        wanted = {key: number for key in keys if (number := _number(call, key)) is not None}
        if _number(call, "filter_id") is not None:
            raise v1_refusal(404, "Filter not found", "There are no filters.")
        matching = [
            record
            for record in records
            if record.values["is_archived"] is archived
            and all(record.values[key] == number for key, number in wanted.items())
        ]
        _sort(matching, call.query.get("sort"))
        page = {
            "start": start,
            "limit": limit,
            "more_items_in_collection": len(matching) > start + limit,
        }
        rows = [lead_view(call.account, record) for record in matching[start : start + limit]]
        return Reply(rows, {"pagination": page})

    return answer


def _number(call: Call, key: str) -> int | None:
    try:
        return whole_number(call.query, key)
    except Refusal:
        raise v1_refusal(400, "Bad request", f'"{key}" must be a number') from None


def _sort(records: list[Record], order: str | None) -> None:
    """Sorts in place by `field_1 ASC, field_2 DESC`; without that the order of creation stays."""
    for part in reversed((order or "").split(",")):
        if not part.strip():
            continue
        name, _, direction = part.strip().partition(" ")
        if name not in SORTABLE or direction.strip().upper() not in {"", "ASC", "DESC"}:
            raise v1_refusal(400, "Bad request", f'"sort" cannot be "{part.strip()}"')
        records.sort(key=lambda record: _sort_key(record, name), reverse=direction.strip().upper() == "DESC")


def _sort_key(record: Record, name: str) -> tuple[bool, Any]:
    own = {"id": record.id, "add_time": record.added, "update_time": record.updated}
    value = own[name] if name in own else record.values[name]
    return value is not None, value if value is not None else 0


# Labels.


def _label_view(label: JsonObject) -> JsonObject:
    return {**label, "add_time": rfc3339_ms(label["add_time"]), "update_time": rfc3339_ms(label["update_time"])}


def _label_list(call: Call) -> Reply:
    return Reply([_label_view(label) for label in call.account.lead_labels.values()])


def _label_values(call: Call) -> JsonObject:
    body = call.json_object()
    problems = [f'"{key}" is not allowed' for key in body if key not in {"name", "color"}]
    if "name" in body and (not isinstance(body["name"], str) or not body["name"].strip()):
        problems.append('"name" must be a string')
    if "color" in body and body["color"] not in COLORS:
        problems.append(f'"color" must be one of [{", ".join(COLORS)}]')
    if problems:
        raise invalid(problems)
    return body


def _label_add(call: Call) -> Reply:
    body = _label_values(call)
    missing = [f'"{key}" is required' for key in ("name", "color") if key not in body]
    if missing:
        raise invalid(missing)
    return Reply(_label_view(call.account.add_lead_label(body["name"], body["color"])))


def _label(call: Call) -> JsonObject:
    label = call.account.lead_labels.get(call.path["id"].lower())
    if label is None:
        raise v1_refusal(404, "Lead label not found", "Object was not found.")
    return label


def _label_change(call: Call) -> Reply:
    label = _label(call)
    label.update(_label_values(call), update_time=call.account.clock.now().timestamp())
    return Reply(_label_view(label))


def _label_delete(call: Call) -> Reply:
    label = _label(call)
    del call.account.lead_labels[label["id"]]
    for record in call.account.stores["leads"].living():
        if label["id"] in record.values["label_ids"]:
            record.values["label_ids"] = [item for item in record.values["label_ids"] if item != label["id"]]
    return Reply({"id": label["id"]})


def _sources(_: Call) -> Reply:
    return Reply([{"name": name} for name in SOURCES])


_ARCHIVE_QUERY = frozenset({"limit", "start", "owner_id", "person_id", "organization_id", "filter_id", "sort"})

ENDPOINTS = (
    Endpoint("GET", 1, "/leads", 20, _listed(archived=False), _ARCHIVE_QUERY | {"updated_since"}),
    Endpoint("POST", 1, "/leads", 10, _add),
    Endpoint("GET", 1, "/leads/archived", 40, _listed(archived=True), _ARCHIVE_QUERY),
    Endpoint("GET", 1, "/leads/{id}", 2, _get),
    Endpoint("PATCH", 1, "/leads/{id}", 10, _change),
    Endpoint("DELETE", 1, "/leads/{id}", 6, _delete),
    Endpoint("GET", 1, "/leadLabels", 10, _label_list),
    Endpoint("POST", 1, "/leadLabels", 10, _label_add),
    Endpoint("PATCH", 1, "/leadLabels/{id}", 10, _label_change),
    Endpoint("DELETE", 1, "/leadLabels/{id}", 6, _label_delete),
    Endpoint("GET", 1, "/leadSources", 2, _sources),
)
