"""How many organizations that the events name are in the account already, without a group id: for `init` to tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.bodies import values_of
from pipedrive_cli.pipedrive.catalog import listing
from pipedrive_cli.pipedrive.values import says_nothing
from pipedrive_cli.run.connection import connected, unreachable
from pipedrive_cli.text_forms import caseless_form
from pipedrive_cli.transform.targets import FieldTarget, resolve_field

PAGES = 20  # of 500 organizations, at 10 tokens each


@dataclass(frozen=True, slots=True)
class OrganizationsThere:
    """`once`: names that exactly one organization without a group id has; `several`: those that more have."""

    once: int = 0
    several: int = 0
    looked_at: int = 0
    whole: bool = True


async def organizations_there(
    config: Config, account: Account, id_field: str | None, names: Set[str]
) -> OrganizationsThere:
    """Lists organizations, up to so many pages. `names` in their caseless form. Raises StopRun where nobody answers."""
    target = None if id_field is None else resolve_field("organizations", id_field, account)
    address = target.address if isinstance(target, FieldTarget) else None
    key = None if address is None else address.removeprefix("custom_fields.")
    found: Counter[str] = Counter()
    looked_at, cursor = 0, None
    async with connected(config) as connection:
        for _ in range(PAGES):
            try:
                answer = await connection.send(listing("organizations", cursor, custom_fields=[key] if key else []))
            except Failure as failure:
                raise unreachable(failure) from failure
            except (KindStops, Refusal):
                break
            for row in answer.rows or []:
                values = values_of("organizations", row) if isinstance(row, Mapping) else {}
                looked_at += 1
                name = caseless_form(str(values.get("name") or ""))
                if name in names and (address is None or says_nothing(values.get(address))):
                    found[name] += 1
            cursor = answer.next_cursor
            if cursor is None:
                break
    once = sum(number == 1 for number in found.values())
    return OrganizationsThere(once, len(found) - once, looked_at, cursor is None)
