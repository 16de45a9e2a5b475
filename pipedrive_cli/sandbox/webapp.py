"""What a person does in Pipedrive's web app: the same rules for values, but no tokens, limits or faults."""

from __future__ import annotations

from typing import Any

import msgspec

from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.endpoint import Call
from pipedrive_cli.sandbox.records import RecordId
from pipedrive_cli.sandbox.routes import find
from pipedrive_cli.sandbox.routes.fields import PATHS
from pipedrive_cli.sandbox.wire import JsonObject, Refusal, Request


def add_record(account: Account, kind: str, body: JsonObject) -> RecordId:
    reply = _do(account, "POST", _path(kind), body)
    record_id: RecordId = reply["id"]
    return record_id


def set_value(account: Account, kind: str, record_id: RecordId, key: str, value: Any) -> None:
    custom = kind != "leads" and key in account.fields[kind].custom
    body = {"custom_fields": {key: value}} if custom else {key: value}
    _do(account, "PATCH", f"{_path(kind)}/{record_id}", body)


def add_deal(account: Account, kind: str, record_id: RecordId) -> None:
    account.stores[kind].records[record_id].deals += 1


def delete_record(account: Account, kind: str, record_id: RecordId) -> None:
    _do(account, "DELETE", f"{_path(kind)}/{record_id}", None)


def merge_records(account: Account, kind: str, loser: RecordId, survivor: RecordId) -> None:
    _do(account, "PUT", f"/v1/{kind}/{loser}/merge", {"merge_with_id": survivor})


def archive_lead(account: Account, record_id: RecordId) -> None:
    _do(account, "PATCH", f"/v1/leads/{record_id}", {"is_archived": True})


def delete_field(account: Account, kind: str, key: str) -> None:
    _do(account, "DELETE", f"/api/v2/{PATHS[kind]}/{key}", None)


def delete_option(account: Account, kind: str, key: str, label: str) -> None:
    options = account.fields[kind].custom[key].options or {}
    numbers = [{"id": number} for number, option in options.items() if option.label == label]
    _do(account, "DELETE", f"/api/v2/{PATHS[kind]}/{key}/options", numbers)


def lock_field(account: Account, kind: str, key: str) -> None:
    """From now on Pipedrive fills the field in itself, as it does with formulas."""
    account.fields[kind].by_key[key].writable = False


def _path(kind: str) -> str:
    return "/v1/leads" if kind == "leads" else f"/api/v2/{kind}"


def _do(account: Account, method: str, path: str, body: JsonObject | list[JsonObject] | None) -> JsonObject:
    match = find(path)
    if match is None or method not in match.methods:
        raise ValueError(f"there is nothing at {method} {path}")
    content = b"" if body is None else msgspec.json.encode(body)
    request = Request(method, path, headers={"content-type": "application/json"}, body=content)
    try:
        reply = match.methods[method].answer(Call(account, request, match.version, match.values, {}))
    except Refusal as refused:
        raise ValueError(f"{refused.body['error']} {refused.body.get('error_info', '')}".strip()) from None
    data: JsonObject = reply.data
    return data
