"""Reads the description of an account, one part per function, through a `send` that is passed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account, Field, Label, Option
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call, currencies, lead_labels, list_fields, me

Send: TypeAlias = Callable[[Call], Awaitable[Answer]]


async def read_me(send: Send) -> Account:
    """The account to which the key belongs, without fields. Raises StopRun for an answer that names no company."""
    data = (await send(me())).data
    if not isinstance(data, Mapping) or not isinstance(data.get("company_id"), int):
        raise StopRun(
            "what answers at this address is no Pipedrive: users/me names no company",
            code="no_pipedrive",
            hint="check pipedrive.company_domain or pipedrive.base_url",
        )
    access = data.get("access")
    admin = None
    if isinstance(access, list):
        admin = any(isinstance(a, Mapping) and a.get("app") == "sales" and a.get("admin") for a in access)
    return Account(
        company_id=data["company_id"],
        company_name=_text(data.get("company_name")),
        company_domain=_text(data.get("company_domain")),
        user_name=_text(data.get("name")),
        admin=admin,
        default_currency=_text(data.get("default_currency")),
    )


async def read_fields(send: Send, kind: Kind) -> tuple[Field, ...]:
    """All fields of a kind, with their options; leads have the fields of deals."""
    fields: list[Field] = []
    cursor: str | None = None
    while True:
        answer = await send(list_fields(kind, cursor))
        for item in answer.data if isinstance(answer.data, list) else ():
            if isinstance(item, Mapping) and isinstance(item.get("field_code"), str):
                fields.append(_field(item))
        cursor = answer.next_cursor
        if cursor is None:
            return tuple(fields)


async def read_currencies(send: Send) -> frozenset[str]:
    """The codes of the account's active currencies."""
    data = (await send(currencies())).data
    items = data if isinstance(data, list) else []
    return frozenset(str(item["code"]) for item in items if item.get("code") and item.get("active_flag", True))


async def read_lead_labels(send: Send) -> tuple[Label, ...]:
    """The account's lead labels."""
    data = (await send(lead_labels())).data
    return tuple(Label(str(item["id"]), str(item.get("name", ""))) for item in data if isinstance(item, Mapping))


def _field(item: Mapping[str, Any]) -> Field:
    options = item.get("options")
    return Field(
        key=item["field_code"],
        name=str(item.get("field_name") or item["field_code"]),
        type=str(item.get("field_type") or ""),
        custom=bool(item.get("is_custom_field")),
        options=tuple(
            Option(option["id"], str(option.get("label", "")))
            for option in (options if isinstance(options, list) else ())
            if isinstance(option, Mapping) and isinstance(option.get("id"), int)
        ),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
