"""What group and alias become."""

from __future__ import annotations

import pytest

from pipedrive_cli.model import (
    Alias,
    Change,
    Contact,
    Outcome,
    Rank,
    RecordName,
)

from .transform_scenes import NOON, at, codes, event, refused, run

ACME = RecordName("organizations", "g1")
U1 = RecordName("persons", "u1")


def test_a_group_is_an_organization_and_the_persons_link() -> None:
    """The link is the event's own word: timed, and of full rank."""
    result = run(event("group", group_id="g1", traits={"name": " Acme ", "visible_to": "3", "branch": "B"}))
    assert result.changes == (
        Change(
            ACME,
            NOON,
            fields={at(12): "B", "name": "Acme", "visible_to": 3},
        ),
        Change(U1, NOON, fields={"organization": ACME}),
    )


def test_a_group_without_a_user_is_the_organization_alone() -> None:
    """An anonymous id is no user, unless the config says so."""
    made = event("group", user_id=None, anonymous_id="a1", group_id="g1")
    assert [c.record for c in run(made).changes] == [ACME]
    used = run(made, identity={"anonymous": "use"})
    assert [c.record for c in used.changes] == [ACME, RecordName("persons", "a1")]


def test_context_traits_of_a_group_speak_of_the_person_in_passing() -> None:
    """They are a change of their own, of the lowest rank, beside the link."""
    result = run(event("group", group_id="g1", context_traits={"name": "Ada", "email": "a@x.io", "plan": "Free"}))
    _, link, said = result.changes
    assert (link.rank, link.fields) == (Rank.OWN, {"organization": ACME})
    assert (said.rank, said.fields, said.emails) == (Rank.CONTEXT, {at(3): 31, "name": "Ada"}, (Contact("a@x.io"),))


def test_missing_persons_are_created_only_if_the_config_says_so() -> None:
    """`create_missing_persons: false` marks link and context traits; the organization is created all the same."""
    made = event("group", group_id="g1", context_traits={"name": "Ada"})
    result = run(made, identity={"create_missing_persons": False})
    assert [c.may_create for c in result.changes] == [True, False, False]


def test_a_group_may_be_named_by_pipedrives_id() -> None:
    """With its key it joins both names; without any name the event is rejected."""
    assert run(event("group", group_id="g1", ids={"pipedriveGroupId": 21})).changes[0].record == RecordName(
        "organizations", "g1", 21
    )
    alone = run(event("group", ids={"pipedriveGroupId": 21, "pipedrivePersonId": 46}))
    assert [c.record for c in alone.changes] == [
        RecordName("organizations", None, 21),
        RecordName("persons", "u1", 46),
    ]
    nameless = run(event("group"))
    assert (nameless.changes, codes(nameless)) == ((), ["missing_group_id"])


def test_standard_fields_of_organizations_are_filled_only_where_mapped() -> None:
    """A mapped address becomes Pipedrive's object, a mapped industry its option's id."""
    traits = {
        "address": {"street": "Main St 1", "city": "Oslo", "postalCode": 150},
        "sector": "software",
        "website": "w",
    }
    result = run(event("group", group_id="g1", traits=traits))
    assert result.changes[0].fields == {
        "address": {"value": "Main St 1, Oslo, 150", "route": "Main St 1", "locality": "Oslo", "postal_code": "150"},
        "industry": 41,
    }
    assert result.dropped == (("organizations", "website"),)


def test_an_alias_names_two_persons() -> None:
    """The current one survives; Pipedrive's ids of both are taken along."""
    ids = {"pipedrivePreviousId": 46, "pipedriveCurrentId": 50}
    result = run(event("alias", previous_id="u0", ids=ids))
    assert result.alias == Alias(RecordName("persons", "u0", 46), RecordName("persons", "u1", 50), NOON)
    assert result.changes == ()


def test_context_traits_of_an_alias_never_create_the_current_person() -> None:
    """They fill blanks of whoever bears the current id in the end."""
    result = run(event("alias", previous_id="u0", context_traits={"name": "Ada"}))
    assert result.changes == (Change(U1, NOON, Rank.CONTEXT, {"name": "Ada"}, may_create=False),)


@pytest.mark.parametrize(
    ("more", "code", "outcome"),
    [
        ({}, "missing_previous_id", Outcome.REJECTED),
        ({"previous_id": "u1"}, "alias_same", Outcome.SKIPPED),
        ({"previous_id": "u0", "user_id": None, "anonymous_id": "a"}, "anonymous_only", Outcome.SKIPPED),
        ({"previous_id": "u0", "user_id": None}, "missing_user_id", Outcome.REJECTED),
    ],
)
def test_an_alias_that_names_no_two_persons_is_settled_at_once(
    more: dict[str, str], code: str, outcome: Outcome
) -> None:
    """Missing or equal ids never reach Pipedrive."""
    result = run(event("alias", **more))
    assert (result.alias, result.changes) == (None, ())
    assert [(c.code, c.outcome) for c in result.complaints] == [(code, outcome)]


def test_alias_events_can_be_switched_off() -> None:
    """`identity.alias: skip`."""
    result = run(event("alias", previous_id="u0"), identity={"alias": "skip"})
    assert (result.alias, codes(result), refused(result)) == (None, ["alias_off"], [])
