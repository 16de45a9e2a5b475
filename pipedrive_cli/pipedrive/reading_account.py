"""Reads the description of an account, one part per function, through a `send` that is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account, Field, Label, Option, User
from pipedrive_cli.pipedrive.bodies import id_of
from pipedrive_cli.pipedrive.catalog import currencies, lead_labels, list_fields, me, users
from pipedrive_cli.pipedrive.reading_lists import Send, read_pages


async def read_me(send: Send) -> Account:
    """The account to which the key belongs, without fields. Raises StopRun for an answer that names no company."""
    data = (await send(me())).data
    company = id_of("organizations", {"id": data.get("company_id")}) if isinstance(data, Mapping) else None
    if not isinstance(company, int):
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
        company_id=company,
        company_name=_text(data.get("company_name")),
        company_domain=_text(data.get("company_domain")),
        user_name=_text(data.get("name")),
        admin=admin,
        default_currency=_text(data.get("default_currency")),
    )


async def read_fields(send: Send, kind: Kind) -> tuple[Field, ...]:
    """All fields of a kind, with their options; leads have the fields of deals.

    Raises StopRun where the list does not move on, or may go on behind a full page that does not say so.
    """
    fields: dict[str, Field] = {}
    async for rows in read_pages(send, lambda cursor: list_fields(kind, cursor)):
        found = [_field(item) for item in rows if _text(item.get("field_code"))]
        fields |= {field.key: field for field in found}
    return tuple(fields.values())


async def read_currencies(send: Send) -> frozenset[str]:
    """The codes of the account's active currencies."""
    rows = (await send(currencies())).rows or []
    return frozenset(code for row in rows if (code := _text(row.get("code"))) and row.get("active_flag", True))


async def read_lead_labels(send: Send) -> tuple[Label, ...]:
    """The account's lead labels."""
    rows = (await send(lead_labels())).rows or []
    return tuple(Label(row["id"], _text(row.get("name")) or "") for row in rows if id_of("leads", row) is not None)


async def read_users(send: Send) -> tuple[User, ...]:
    """The users of the company, those who left too."""
    return tuple(
        User(row["id"], (_text(row.get("email")) or "").strip().casefold(), row.get("active_flag") is not False)
        for row in (await send(users())).rows or []
        if type(row.get("id")) is int and row.get("is_deleted") is not True
    )


def _field(item: Mapping[str, Any]) -> Field:
    options = item.get("options")
    return Field(
        key=item["field_code"],
        name=_text(item.get("field_name")) or item["field_code"],
        type=_text(item.get("field_type")) or "",
        custom=bool(item.get("is_custom_field")),
        options=tuple(
            Option(option["id"], _text(option.get("label")) or "")
            for option in (options if isinstance(options, list) else ())
            if id_of("persons", option) is not None
        ),
        writable=item.get("is_writable") is not False,  # in live answers, and in no published type
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
