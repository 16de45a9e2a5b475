"""How the config's field names find their fields."""

from __future__ import annotations

from typing import Any

import pytest

from pipedrive_cli.config.model import Fields, Leads
from pipedrive_cli.transform.fitting import lines_of, resolve_fields
from pipedrive_cli.transform.targets import STANDARD, FieldTarget, resolve_field

from .transform_scenes import ACCOUNT, at, compiled, config, key


def problems(**sections: Any) -> list[tuple[str, str]]:
    """Paths and messages of what is wrong with a config in the account."""
    return [(p.path, p.message) for p in resolve_fields(config(**sections), ACCOUNT)]


def test_a_config_that_fits_the_account_has_no_problems() -> None:
    """Names, keys and standard fields are all found."""
    assert problems() == []
    assert problems(fields=Fields(persons={"a": key(2), "b": "Labels", "c": "job_title"})) == [
        (
            "fields.persons.c",
            "the account has no job_title: Pipedrive has that field only where contacts are synced; use a custom field",
        )
    ]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Rolle", "did you mean Role?"),
        ("role", "did you mean Role?"),
        ("Nonsense", "have no field Nonsense"),
        ("Twin", f"give the key of one: {key(7)} (varchar), {key(8)} (text)"),
        (key(99), f"no field with the key {key(99)}"),
        ("owner_id", "never taken from an event"),
        ("org_id", "never taken from an event"),
        ("User id", "overwrite who the record is"),
    ],
)
def test_every_wrong_field_is_told_with_what_to_do(written: str, words: str) -> None:
    """Unknown names with the nearest one, ambiguous names with their keys."""
    ((path, message),) = problems(fields=Fields(persons={"trait": written}))
    assert path == "fields.persons.trait"
    assert words in message


def test_all_problems_come_together() -> None:
    """Of every section at once."""
    found = problems(
        identity={"user_id_field": "Age", "group_id_field": "Grup id"},
        fields=Fields(leads={"x": "X"}, products={"y": "Y"}),
        leads=Leads(default_currency="JPY", label_ids=("hot", "Cold")),
    )
    assert [path for path, _ in found] == [
        "identity.user_id_field",
        "identity.group_id_field",
        "fields.products.y",
        "fields.leads.x",
        "leads.default_currency",
        "leads.label_ids",
    ]
    assert "type double" in found[0][1]
    assert "did you mean Group id?" in found[1][1]


def test_without_an_account_only_what_no_account_allows_is_a_problem() -> None:
    """Names cannot be checked; owner_id is refused all the same."""
    fields = Fields(persons={"a": "Anything", "b": "owner_id"})
    assert [p.path for p in resolve_fields(config(fields=fields), None)] == ["fields.persons.b"]


def test_a_custom_field_goes_before_a_standard_one_of_the_same_name() -> None:
    """Online as offline, where a name that is no key is taken for a custom field's."""
    target = resolve_field("organizations", "Industry", ACCOUNT)
    assert isinstance(target, FieldTarget)
    assert target.address == "industry"
    offline = resolve_field("organizations", "Industry", None)
    assert isinstance(offline, FieldTarget)
    assert offline.address == "custom_fields.{field Industry}"


def test_no_standard_field_lets_an_event_choose_an_owner() -> None:
    """owner_id and org_id are never taken from an event."""
    assert not {"owner_id", "org_id", "organization_id", "person_id"} & {
        k for table in STANDARD.values() for k in table
    }


def test_compiling_leaves_out_what_cannot_be_resolved() -> None:
    """The caller refuses such a config; whoever compiles it anyway gets the rest."""
    made = compiled(fields=Fields(persons={"a": "Nonsense", "b": "Role"}))
    assert (made.type_at("persons", at(2)), made.type_at("persons", "custom_fields.Nonsense")) == ("varchar", None)


def test_the_lines_that_write_a_field_are_found() -> None:
    """By its name or its key, and no others."""
    lines = config(fields=Fields(persons={"role": "Role", "job": key(2), "city": "City", "nothing": "None such"}))
    assert list(lines_of(lines, ACCOUNT, "persons", at(2))) == [
        ("fields.persons.role", "Role"),
        ("fields.persons.job", "Role"),
    ]
