"""What becomes of a trait in a config that is being made: proposals, their reasons, and what is left to somebody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account, Field, Option
from pipedrive_cli.setup.choosing import FROM_SETTINGS, GIVEN, KEPT_OUT, choose, with_new_field
from pipedrive_cli.setup.new_fields import guess_type
from pipedrive_cli.setup.proposals import (
    NEW_ID_FIELDS,
    Proposal,
    TraitSeen,
    can_be_mapped,
    id_field,
    propose,
    wrong_id_field,
)
from pipedrive_cli.transform.targets import FieldTarget, resolve_field


def field(name: str, field_type: str = "varchar", *options: str, key: str | None = None) -> Field:
    """A custom field of some account."""
    found = tuple(Option(number, label) for number, label in enumerate(options, 1))
    return Field(key or name.encode().hex().ljust(40, "0")[:40], name, field_type, options=found)


def account(*fields: Field, kind: Kind = "persons") -> Account:
    """An account with these fields of one kind, and none of the others."""
    return Account(fields={each: fields if each == kind else () for each in KINDS})


def seen(path: str, *values: Any, count: int = 10, kind: Kind = "persons") -> TraitSeen:
    """A trait of the sample."""
    return TraitSeen(kind, path, count, values)


def of(proposals: tuple[Proposal, ...]) -> dict[str, str | None]:
    """Trait -> field."""
    return {proposal.trait.path: proposal.field for proposal in proposals}


@pytest.mark.parametrize("trait", ["jobTitle", "job_title", "Job Title", "JOBTITLE", "profile.jobTitle"])
def test_a_name_written_another_way_is_the_same(trait: str) -> None:
    """Case, underscores and blanks make no difference; of a nested trait its last part counts too. It is sure."""
    (found,) = propose([seen(trait, "CTO")], account(field("Job title")))
    assert (found.field, found.reason, found.sure) == ("Job title", "same name", True)


def test_names_in_other_languages_are_offered_their_place() -> None:
    """Phone numbers and parts of a name; the name of something else is not."""
    traits = [seen(path, "+49 30 12345") for path in ("Telefon", "Vorname", "company.name", "last_seen")]
    found = propose(traits, account())
    assert of(found) == {"Telefon": "phone", "Vorname": "first_name", "company.name": None, "last_seen": None}
    assert not any(each.sure for each in found)


@pytest.mark.parametrize("trait", ["emplyees", "Employes", "employeees"])
def test_a_slip_of_a_fields_name_is_proposed_and_not_sure(trait: str) -> None:
    """Nobody's config gets it unasked."""
    (found,) = propose([seen(trait, 5)], account(field("Employees", "double")))
    assert (found.field, found.reason, found.sure) == ("Employees", "similar name", False)


def test_a_field_goes_to_the_trait_that_fits_best() -> None:
    """The slip of a trait that is there too gets no field: the events are what is to be mended."""
    rare = seen("rolle", "CTO", count=3)
    found = propose([seen("role", "CTO", count=90), rare], account(field("Role")))
    assert of(found) == {"role": "Role", "rolle": None}
    assert found[1].slip_of == "role"
    assert found[1].new_name is None


def test_a_slip_of_a_trait_that_needs_no_mapping_is_told() -> None:
    """`emial` is no trait for a new field."""
    (found,) = propose([seen("emial", "a@example.com")], account())
    assert (found.slip_of, found.new_name) == ("email", None)


def test_a_field_that_refuses_most_values_is_not_proposed() -> None:
    """It is said what the field takes, with a value that it would refuse."""
    (found,) = propose([seen("employees", "many", "few", 5)], account(field("Employees", "double")))
    assert found.field is None
    assert found.misfit == "many"
    assert found.why_not is not None
    assert "takes a number" in found.why_not


def test_a_field_that_refuses_some_values_is_proposed_with_them() -> None:
    """The wrong ones are mended in the events."""
    (found,) = propose([seen("employees", 1, 2, 3, "many")], account(field("Employees", "double")))
    assert (found.field, found.fitting, found.misfit) == ("Employees", 3, "many")


def test_values_that_are_options_are_a_reason() -> None:
    """A trait of another name whose values are all options of one field."""
    tiers = field("Subscription", "enum", "Free", "Pro", "Enterprise")
    (found,) = propose([seen("tier", "free", "pro")], account(tiers))
    assert (found.field, found.reason, found.sure) == ("Subscription", "its values are the field's options", False)


def test_pipedrives_own_fields_are_proposed_by_their_keys() -> None:
    """website is the organization's own; a person's title is no job title where contacts are not synced."""
    found = propose([seen("website", "https://x.example", kind="organizations"), seen("title", "CTO")], account())
    assert of(found) == {"website": "website", "title": None}


def test_an_address_is_mapped_as_a_whole() -> None:
    """Its parts are no longer traits without a field."""
    whole = TraitSeen("organizations", "address", 5, ({"city": "Oslo", "street": "Main"},), whole=True)
    parts = [seen(f"address.{part}", "x", kind="organizations") for part in ("city", "street")]
    found = propose([*parts, whole], account(kind="organizations"))
    assert of(found) == {"address": "address"}


def test_a_name_that_two_fields_bear_is_written_as_a_key() -> None:
    """What is proposed means one field alone."""
    (found,) = propose([seen("role", "CTO")], account(field("Role", key="a" * 40), field("Role", key="b" * 40)))
    assert found.field == "a" * 40
    assert found.rival == f"{'b' * 40} (varchar)"
    assert not found.sure


def test_a_custom_field_comes_before_pipedrives_own_of_that_name() -> None:
    """Somebody made it for this; that there are two is told, and no script takes one of them unasked."""
    own = Field("industry", "Industry", "enum", custom=False, options=(Option(1, "Retail"), Option(2, "Software")))
    theirs = field("Industry", "enum", "Retail", "Software")
    (found,) = propose(
        [seen("industry", "Retail", "Software", kind="organizations")], account(own, theirs, kind="organizations")
    )
    assert (found.field, found.rival, found.sure) == ("Industry", "industry (enum)", False)


def test_a_field_that_is_taken_is_not_proposed() -> None:
    """The id's field is no trait's."""
    (found,) = propose([seen("userID2", "x")], account(field("User id 2")), taken=["persons/User id 2"])
    assert found.field is None


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        ("size", (40, 42.5, "41"), "double"),
        ("size", ("007",), "varchar"),
        ("zip", (1234, 5678), "varchar"),
        ("birthday", ("1990-01-02", "1990-01-02T10:00:00Z"), "date"),
        ("birthday", ("1990-13-02",), "varchar"),
        ("birthday", ("24.12.1990", "1.2.1995", "n/a"), "date"),
        ("birthday", ("12/24/1990", "02/01/1995"), "date"),
        ("birthday", ("24-Dec-1990", "1 February 1995"), "date"),
        ("birthday", ("24/12/1990", "12/24/1990"), "varchar"),
        ("version", ("1.2", "1.10"), "double"),
        ("version", ("1.2.3", "1.10.0"), "varchar"),
        ("size", ("4,5", "1.200,50"), "double"),
        ("size", ("1,200", "12,34,567"), "double"),
        ("size", ("1,200.5", "1.200,5"), "varchar"),
        ("budget", ("1.200,50 €", "EUR 12", "300"), "monetary"),
        ("budget", ("R$ 1.200,50",), "monetary"),
        ("budget", ("1 kg", "2 kg"), "varchar"),
        ("active", (True, False), "varchar"),
        ("bio", ("x" * 256,), "text"),
        ("tags", (["a", "b"],), "varchar"),
        ("nested", ({"a": 1},), None),
        ("items", ([{"a": 1}],), None),
        ("empty", ("", None), "varchar"),
    ],
)
def test_the_type_of_a_new_field_follows_its_values(path: str, values: tuple[Any, ...], expected: str | None) -> None:
    """Numbers that are no codes, days, long text; text in doubt; nothing that no field could take."""
    assert guess_type(path, values) == expected


def test_values_that_a_setting_would_have_read_fit() -> None:
    """Decimal commas, day-first dates and words for nothing: `init` proposes the settings at its end, and not a field
    less for them; words for nothing alone say nothing of a field.
    """
    known = account(field("Born", "date"), field("Sales", "monetary"), field("Score", "double"))
    found = propose([seen("born", "03.01.1985", "k.A."), seen("sales", "1.234,56", "k.A.", "2 Mio. \u20ac")], known)
    assert [(each.field, each.why_not) for each in found] == [("Born", None), ("Sales", None)]
    assert [each.field for each in propose([seen("score", "k.A.", "x")], known)] == [None]


def test_new_fields_have_names_that_nobody_has() -> None:
    """Two traits of one name get two fields, and a name of the account is not made twice."""
    found = propose(
        [seen("home.city", "x"), seen("work.city", "x"), seen("shoeSize", {"eu": 1}), seen("ünit?", 1)],
        account(field("City", "date")),
    )
    assert [proposal.new_name for proposal in found] == ["Home city", "Work city", None, "Ünit"]


def test_the_ids_field_is_found_by_its_usual_names() -> None:
    """A text field made for it; else the name of one that is to be made, which no field of another type has."""
    assert id_field("persons", account(field("User ID"), field("Role"))) == ("User ID", True)
    assert id_field("persons", account(field("User ID", "double"))) == (NEW_ID_FIELDS["persons"], False)
    assert id_field("persons", account(field(NEW_ID_FIELDS["persons"], "int"))) == ("RudderStack user id (text)", False)
    assert id_field("organizations", None) == (NEW_ID_FIELDS["organizations"], False)


@pytest.mark.parametrize("written", ["name", "website", "email", "Count"])
def test_a_field_that_cannot_hold_ids_is_refused(written: str) -> None:
    """Pipedrive's own ones, and those of another type than text."""
    assert wrong_id_field("organizations", written, account(field("Count", "double"), kind="organizations")) or (
        written == "email"
    )


def test_what_somebody_said_comes_before_all_else() -> None:
    """Then RudderStack's settings, then what is proposed; no field twice."""
    fields = account(field("Role", key="a" * 40), field("Plan", key="b" * 40), field("City", key="c" * 40))
    choice = choose(
        [seen("role", "CTO"), seen("tier", "pro"), seen("city", "Oslo"), seen("plan", "x")],
        fields,
        given={"persons": {"city": KEPT_OUT, "extra": "City"}},
        settings={"persons": {"tier": "b" * 40, "city": "c" * 40, "gone": "d" * 40}},
        ids={"persons": None},
    )
    found = {row.trait.path: (row.field, row.why) for row in choice.rows}
    assert found == {
        "extra": ("City", GIVEN),
        "tier": ("Plan", FROM_SETTINGS),
        "role": ("Role", "same name"),
        "city": (None, ""),
        "plan": (None, ""),
    }
    assert len(choice.notes) == 1
    assert "gone" in choice.notes[0]


def test_a_slip_in_rudderstacks_settings_is_seen_by_the_events() -> None:
    """A trait that no event has, beside one of nearly that name: the other is proposed, and it is told."""
    choice = choose(
        [seen("employees", 5)],
        account(field("Employees", "double", key="a" * 40)),
        given={},
        settings={"persons": {"emplyees": "a" * 40}},
        ids={},
    )
    (row,) = choice.rows
    assert (row.trait.path, row.field, row.sure) == ("employees", "Employees", False)
    assert "emplyees" in choice.notes[0]


def test_a_slip_of_a_trait_that_somebody_mapped_is_told() -> None:
    """It is no trait for a new field, though the other one was not proposed."""
    choice = choose(
        [seen("role", "CTO", count=9), seen("rolle", "CTO", count=1)],
        account(field("Position")),
        given={"persons": {"role": "Position"}},
        settings={},
        ids={},
    )
    (slip,) = (row.proposal for row in choice.rows if row.trait.path == "rolle")
    assert slip is not None
    assert (slip.slip_of, slip.new_name) == ("role", None)


def test_what_has_a_place_of_its_own_is_not_mapped() -> None:
    """RudderStack's settings may name email; a config may not."""
    settings: dict[Kind, dict[str, str]] = {"persons": {"email": "a" * 40}}
    choice = choose([], account(field("Mail", key="a" * 40)), given={}, settings=settings, ids={})
    assert choice.rows == []
    assert "needs no mapping" in choice.notes[0]


WORDS = st.sampled_from(["role", "Role", "rolle", "employees", "emplyees", "address.city", "city", "plan", "a..b", "x"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
DEEP = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2))
TRAITS = st.builds(
    TraitSeen,
    st.sampled_from(KINDS),
    WORDS | st.text(max_size=12),
    st.integers(1, 99),
    st.lists(DEEP, max_size=4).map(tuple),
)
FIELDS = st.builds(
    Field,
    st.integers(1, 6).map(lambda number: f"{number:040x}"),
    WORDS | st.text(max_size=12),
    st.sampled_from(["varchar", "double", "date", "enum", "set", "address", "monetary", "unheard_of"]),
    st.booleans(),
    st.lists(st.builds(Option, st.integers(1, 3), WORDS), max_size=3).map(tuple),
)
ACCOUNTS = st.none() | st.builds(
    lambda fields: Account(fields=dict.fromkeys(KINDS, tuple(fields))), st.lists(FIELDS, max_size=6)
)


@given(st.lists(TRAITS, max_size=8, unique_by=lambda trait: (trait.kind, trait.path)), ACCOUNTS)
def test_every_proposal_can_be_written_and_means_its_field(traits: list[TraitSeen], known: Account | None) -> None:
    """Whatever traits and fields there are: each trait once, no field twice, and each field is one that resolves."""
    found = propose(traits, known)
    assert [proposal.trait for proposal in found] == [
        trait for trait in traits if can_be_mapped(trait.kind, trait.path)
    ]
    fields = [(proposal.trait.kind, proposal.field) for proposal in found if proposal.field]
    assert len(set(fields)) == len(fields)
    for kind, name in fields:
        assert isinstance(resolve_field(kind, name, known), FieldTarget)
    new = [(proposal.trait.kind, proposal.new_name) for proposal in found if proposal.new_name]
    assert len(set(new)) == len(new)


@given(st.lists(TRAITS, max_size=8, unique_by=lambda trait: (trait.kind, trait.path)), ACCOUNTS)
def test_new_fields_are_named_for_traits_that_have_none(traits: list[TraitSeen], known: Account | None) -> None:
    """Every row that can be made has a field and a type then, and no two rows of a kind share one."""
    choice = choose(traits, known, given={}, settings={}, ids={})
    rows = [with_new_field(row) for row in choice.rows]
    fields = [(row.trait.kind, row.field) for row in rows if row.field]
    assert len(set(fields)) == len(fields)
    assert all(row.make for row in rows if row.why == "a new field")
