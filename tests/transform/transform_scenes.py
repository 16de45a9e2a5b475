"""An account, a config and events to transform."""

from __future__ import annotations

from typing import Any

from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Events, Fields, Identity, Leads
from pipedrive_cli.model import Event, Transformed
from pipedrive_cli.pipedrive.account import Account, Field, Label, Option
from pipedrive_cli.transform.transform import Transform, compile_mapping

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
HOT = "f08b42a0-4e75-11ea-9643-03698ef1cfd6"


def key(number: int) -> str:
    """A custom field's key."""
    return f"{number:040x}"


def at(number: int) -> str:
    """The address of a custom field."""
    return f"custom_fields.{key(number)}"


ACCOUNT = Account(
    fields={
        "persons": (
            Field(key(1), "User id", "varchar"),
            Field(key(2), "Role", "varchar"),
            Field(key(3), "Plan", "enum", options=(Option(31, "Free"), Option(32, "Pro"))),
            Field(key(4), "City", "varchar"),
            Field(key(5), "Age", "double"),
            Field(key(6), "Budget", "monetary"),
            Field(key(7), "Twin", "varchar"),
            Field(key(8), "Twin", "text"),
            Field("label_ids", "Labels", "set", custom=False, options=(Option(9, "Customer"),)),
            Field("owner_id", "Owner", "user", custom=False),
        ),
        "organizations": (
            Field(key(11), "Group id", "varchar"),
            Field(key(12), "Branch", "varchar"),
            Field("address", "Address", "address", custom=False),
            Field("industry", "Industry", "enum", custom=False, options=(Option(41, "Software"),)),
        ),
        "leads": (Field(key(21), "Rating", "double"), Field(key(22), "Spend", "monetary")),
        "products": (Field(key(31), "Brand", "varchar"),),
    },
    currencies=frozenset({"EUR", "USD"}),
    lead_labels=(Label(HOT, "Hot"),),
)

FIELDS = Fields(
    persons={"role": "Role", "plan": "Plan", "address.city": "City", "age": "Age", "budget": "Budget"},
    organizations={"branch": "Branch", "address": "address", "sector": "Industry"},
    leads={"rating": "Rating", "spend": "Spend"},
    products={"brand": "Brand"},
)


def config(
    *,
    identity: dict[str, Any] | None = None,
    events: Events | None = None,
    leads: Leads | None = None,
    fields: Fields = FIELDS,
) -> Config:
    """A config that names the account's fields."""
    who: dict[str, Any] = {"user_id_field": "User id", "group_id_field": "Group id"} | (identity or {})
    return Config(identity=Identity(**who), events=events or Events(), leads=leads or Leads(), fields=fields)


def compiled(account: Account | None = ACCOUNT, **sections: Any) -> Transform:
    """The transform of `config(**sections)`."""
    return compile_mapping(config(**sections), account)


def event(event_type: Any, **more: Any) -> Event:
    """An event of user u1 at noon."""
    return Event(**({"identity": "m1", "type": event_type, "time": NOON, "user_id": "u1"} | more))


def run(made: Event, **sections: Any) -> Transformed:
    """What the event becomes."""
    return compiled(**sections).transform(made)


def codes(result: Transformed) -> list[str]:
    """The codes of what was complained of."""
    return [complaint.code for complaint in result.complaints]


def refused(result: Transformed) -> list[str | None]:
    """The fields that were refused."""
    return [complaint.field for complaint in result.complaints if complaint.outcome == "rejected"]
