"""Records as the API shows them, in v2's shape and in v1's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipedrive_cli.sandbox.account import Account
from pipedrive_cli.sandbox.clock import rfc3339, rfc3339_ms, v1_time
from pipedrive_cli.sandbox.fields import Field
from pipedrive_cli.sandbox.records import Record
from pipedrive_cli.sandbox.values import labelled
from pipedrive_cli.sandbox.wire import JsonObject


def v2_view(
    account: Account,
    kind: str,
    record: Record,
    *,
    only: Iterable[str] | None = None,
    option_labels: bool = False,
    labels: bool = False,
    extra: Iterable[str] = (),
) -> JsonObject:
    """A person, organization or product. Every custom field is listed, null when unset, unless `only` names some."""
    fields = account.fields[kind].custom
    keys = fields if only is None else [key for key in only if key in fields]
    get = record.custom.get
    custom: JsonObject = {key: get(key) for key in keys}
    if option_labels:
        custom = {key: labelled(fields[key], value) for key, value in custom.items()}
    shown: JsonObject = {
        "id": record.id,
        **record.values,
        "add_time": rfc3339(int(record.added)),
        "update_time": rfc3339(int(record.updated)),
        "is_deleted": record.deleted,
        "custom_fields": custom,
    }
    if kind == "products":
        shown["prices"] = [{"product_id": record.id, **price} for price in shown["prices"]]
        if shown["category"] is not None:
            shown["category"] = str(shown["category"])  # a number when written, a string when read
    if labels:
        options = account.fields[kind].by_key["label_ids"].options or {}
        shown["labels"] = [{"id": i, "label": options[i].label} for i in record.values["label_ids"] if i in options]
    for name in extra:
        shown[name] = record.deals if name == "open_deals_count" else 0 if name.endswith("_count") else None
    return shown


def lead_view(account: Account, record: Record) -> JsonObject:
    """A lead: times with milliseconds, custom values flat and absent when unset."""
    fields = account.fields["leads"].custom
    shown: JsonObject = {
        "id": record.id,
        **record.values,
        "add_time": rfc3339_ms(record.added),
        "update_time": rfc3339_ms(record.updated),
        "cc_email": f"{account.options.company_domain}+{account.options.company_id}+lead{record.number}@sandbox.test",
    }
    if record.deleted:
        shown["is_deleted"] = True
    for key, value in record.custom.items():
        if key in fields:
            shown.update(flat(fields[key], value))
    return shown


def flat(field: Field, value: Any) -> JsonObject:
    """A custom value in v1's form: one key, and more for its parts."""
    key = field.key
    if field.type == "set":
        return {key: ",".join(str(item) for item in value)}
    if field.type == "enum":
        return {key: str(value)}
    if not isinstance(value, dict):
        return {key: value}
    shown: JsonObject = {key: value["value"]}
    shown.update((f"{key}_{part}", item) for part, item in value.items() if part != "value")
    return shown


def v1_person(account: Account, record: Record) -> JsonObject:
    """The flat person that a merge answers with."""
    values = record.values
    organization = account.stores["organizations"].get(values["org_id"]) if values["org_id"] else None
    shown: JsonObject = {
        "id": record.id,
        "company_id": account.options.company_id,
        "owner_id": values["owner_id"],
        "org_id": values["org_id"],
        "name": values["name"],
        "first_name": values["first_name"],
        "last_name": values["last_name"],
        "active_flag": not record.deleted,
        "phone": values["phones"],
        "email": values["emails"],
        "first_char": values["name"][:1].lower(),
        "update_time": v1_time(int(record.updated)),
        "add_time": v1_time(int(record.added)),
        "visible_to": str(values["visible_to"]),
        "picture_id": None,
        "label": values["label_ids"][0] if values["label_ids"] else None,
        "label_ids": values["label_ids"],
        "org_name": organization.values["name"] if organization else None,
        "owner_name": account.options.user_name,
        "cc_email": None,
    }
    for key, value in record.custom.items():
        if key in account.fields["persons"].custom:
            shown.update(flat(account.fields["persons"].custom[key], value))
    return shown
