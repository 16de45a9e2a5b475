"""Fields that nobody can write: their values are left out, the config is told, and nothing else changes."""

from __future__ import annotations

from typing import Any

import msgspec

from pipedrive_cli.config.model import Fields
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.setup.proposals import TraitSeen, id_field, propose
from pipedrive_cli.transform.fitting import read_only, resolve_fields

from .transform_scenes import ACCOUNT, at, compiled, config, event, key


def locked(kind: Kind, *addresses: str) -> Account:
    """The account with some fields that Pipedrive fills in itself."""
    fields = tuple(
        msgspec.structs.replace(field, writable=field.address not in addresses) for field in ACCOUNT.fields[kind]
    )
    return msgspec.structs.replace(ACCOUNT, fields={**ACCOUNT.fields, kind: fields})


def test_its_values_are_left_out_and_the_others_are_sent() -> None:
    """No event is to blame, and the trait is no unmapped one."""
    transform = compiled(locked("persons", at(2)))
    result = transform.transform(event("identify", traits={"role": "dev", "age": 5}))
    assert result.changes[0].fields == {at(5): 5}
    assert (result.complaints, result.dropped) == ((), ())
    assert at(2) not in transform.addresses("persons")


def test_every_kind_and_pipedrives_own_fields_are_told_with_the_line_of_the_config() -> None:
    """The config goes on to work: it is a warning, not a mistake."""
    for kind, address, path in (
        ("persons", at(2), "fields.persons.role"),
        ("organizations", "industry", "fields.organizations.sector"),
        ("leads", at(22), "fields.leads.spend"),
        ("products", at(31), "fields.products.brand"),
    ):
        account = locked(kind, address)  # type: ignore[arg-type]  # the kinds are those of the table
        (warning,) = read_only(config(), account)
        assert warning.path == path
        assert "cannot be written" in warning.message
        assert resolve_fields(config(), account) == []


def test_a_field_for_ids_that_cannot_be_written_is_a_mistake() -> None:
    """Nobody would be found again."""
    (problem,) = resolve_fields(config(), locked("persons", at(1)))
    assert problem.path == "identity.user_id_field"
    assert "cannot be written" in problem.message
    assert "Role" in str(problem.hint)


def test_it_is_proposed_for_no_trait_and_for_no_ids() -> None:
    """`init` offers what a run can write."""
    account = locked("persons", at(2))
    (proposal,) = propose([TraitSeen("persons", "role", 3, ("dev",))], account)
    assert proposal.field is None
    ids = Account(fields={"persons": (Field(key(1), "User id", "varchar", writable=False),)})
    assert id_field("persons", ids) == ("RudderStack user id", False)


def test_a_time_zone_that_a_lead_cannot_hold_is_counted_and_the_time_is_sent() -> None:
    """v1 knows no zones; on a person the zone goes along. Without the account's types the same is told."""
    call: dict[str, Any] = {"value": "09:30", "timezone_name": "Europe/Berlin"}
    called = Fields(leads={"call": "Call"}, persons={"call": "Call"})
    kinds: tuple[Kind, ...] = ("persons", "leads")
    known = Account(
        fields={kind: (Field(key(1), "Call", "time"), Field(key(2), "User id", "varchar")) for kind in kinds}
    )
    for account in (known, None):
        transform = compiled(account, fields=called)
        lead = transform.transform(event("track", name="Booked", properties={"call": call}))
        values = next(change.fields for change in lead.changes if change.record.kind == "leads")
        sent = next(value for address, value in values.items() if address.startswith("custom_fields."))
        assert "timezone_name" not in sent
        assert str(sent["value"]).startswith("09:30")
        assert [(c.code, c.field, c.outcome) for c in lead.complaints] == [("zone_left_out", "properties.call", None)]
        (person,) = transform.transform(event("identify", traits={"call": call})).changes
        assert next(iter(person.fields.values()))["timezone_name"] == "Europe/Berlin"
