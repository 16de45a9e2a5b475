"""A config that is written for somebody: `load` reads back what was chosen."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.config import Config, load
from pipedrive_cli.config.paths import is_path, unmistakable
from pipedrive_cli.config.rules import RESERVED_EVERYWHERE, RESERVED_FIELDS, RESERVED_TRAITS
from pipedrive_cli.config.writing import Draft, MappedTrait, yaml_key, yaml_of

# What a trait or field may be called by strangers: anything that UTF-8 can hold.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
LETTERS = st.text("abcXYZ: #'\"{}[]&*!|>%@`,-?\n\t\\$~\u202e\u0085\u2028\ufeff\x00\U0001f600é", min_size=1, max_size=12)
OWN = RESERVED_FIELDS["persons"] | RESERVED_EVERYWHERE
MISLEADING = st.sampled_from(["yes", "null", "12", "1e3", "${HOME}", "$${x}", "<<", "=", "2026-01-01", "~", "a: b"])
TRAITS = (
    (NAMES | LETTERS | MISLEADING)
    .filter(lambda name: all(part.strip() for part in name.split(".")) and name not in RESERVED_TRAITS["persons"])
    .filter(lambda name: not is_path(name))
)
FIELDS = (NAMES | LETTERS | MISLEADING).map(str.strip).filter(lambda name: bool(name) and name not in OWN)


def loaded(draft: Draft) -> Config:
    """The config of what is written for a draft."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_bytes(yaml_of(draft).encode())
        return load(file, {})


@given(st.lists(TRAITS, max_size=8, unique=True), st.lists(FIELDS, min_size=9, max_size=9, unique=True))
def test_what_was_chosen_is_what_is_read(traits: list[str], fields: list[str]) -> None:
    """Names of any kind come back as they were, and what stands in a comment stays there."""
    user, *others = fields
    chosen = dict(zip(traits, others, strict=False))
    rows = [MappedTrait(trait, field, note="in 3 events\nname: x") for trait, field in chosen.items()]
    rows += [MappedTrait(field, trait, "a guess", active=False) for trait, field in chosen.items()]
    config = loaded(Draft(company_domain="acme", user_id_field=user, mapping={"persons": rows}))
    assert config.identity.user_id_field == user
    assert config.fields.persons == {unmistakable("persons", trait): field for trait, field in chosen.items()}


def test_a_trait_with_the_name_of_a_part_of_the_event_is_written_as_a_path() -> None:
    """`timestamp` alone would be refused, as it reads like the event's own time."""
    seen, page = MappedTrait("timestamp", "Seen at"), MappedTrait("context.page", "Page")
    config = loaded(Draft(mapping={"leads": [seen], "persons": [page]}))
    assert (config.fields.leads, config.fields.persons) == (
        {"$.properties.timestamp": "Seen at"},
        {"$.traits.context.page": "Page"},
    )


@given(NAMES | LETTERS)
def test_a_name_is_one_line_with_nothing_invisible_in_it(name: str) -> None:
    """Somebody who reads the file sees what is there: no line break, and no sign that turns the line around."""
    assert yaml_key(name).isprintable()


def test_every_choice_is_read_back() -> None:
    """The account, the plan, the ids, a constant, and each kind's mapping."""
    draft = Draft(
        base_url="http://127.0.0.1:8080",
        api_token_file="a token's file",
        plan="premium",
        seats=5,
        user_id_field="Our id",
        group_id_field="0123456789abcdef0123456789abcdef01234567",
        create_persons="none",
        dates="day first",
        decimals="comma",
        country="DE",
        currency="EUR",
        mapping={
            "persons": [MappedTrait("address.city", "City")],
            "organizations": [MappedTrait("on", "yes")],
            "leads": [MappedTrait("rating", "Rating")],
            "products": [MappedTrait("brand", "Brand")],
        },
    )
    config = loaded(draft)
    assert config.pipedrive.base_url == "http://127.0.0.1:8080"
    assert config.pipedrive.api_token_file is not None
    assert config.pipedrive.api_token_file.name == "a token's file"
    assert (config.pipedrive.plan, config.pipedrive.seats) == ("premium", 5)
    assert config.identity.user_id_field == "Our id"
    assert config.identity.group_id_field == "0123456789abcdef0123456789abcdef01234567"
    assert config.identity.create_persons == "none"
    values = config.values
    assert (values.dates, values.decimals, values.currency, values.country) == ("day first", "comma", "EUR", "DE")
    fields = config.fields
    assert (fields.persons, fields.organizations) == ({"address.city": "City"}, {"on": "yes"})
    assert (fields.leads, fields.products) == ({"rating": "Rating"}, {"brand": "Brand"})


def test_what_was_not_chosen_is_the_default() -> None:
    """An empty draft is the defaults, so that no comment of the file lies about them."""
    assert loaded(Draft()) == Config()


def test_the_key_comes_from_where_it_is_kept(tmp_path: Path) -> None:
    """The environment unless a file or the keyring was chosen; an address instead of a name where that was given."""
    text = yaml_of(Draft(company_domain="acme"))
    assert "  api_token: ${PIPEDRIVE_API_TOKEN} #" in text
    assert loaded(Draft(keyring="acme")).pipedrive.keyring == "acme"
    assert load(_file(tmp_path, text), {"PIPEDRIVE_API_TOKEN": "abc"}).pipedrive.api_token is not None


def _file(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file
