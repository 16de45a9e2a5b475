"""The settings of RudderStack's destination, in every form in which they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.config.rudderstack import MAPS, Settings, read_settings
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.secret import Secret

CANARY = "canary-0123456789abcdef-canary"
BARE: dict[str, Any] = {
    "apiToken": CANARY,
    "userIdToken": "u" * 40,
    "groupIdToken": "g" * 40,
    "enableUserCreation": False,
    "personsMap": [
        {"from": "role", "to": "old"},
        {"from": "role", "to": "r" * 40},
        {"from": "", "to": ""},
        {"from": " plan ", "to": "p" * 40},
    ],
    "organizationMap": [{"from": "industry", "to": "i" * 40}],
    "leadsMap": {"rating": "a" * 40},
    "productsMap": [],
}
READ = Settings(
    api_token=Secret(CANARY),
    user_id_field="u" * 40,
    group_id_field="g" * 40,
    create_persons="none",
    maps={
        "persons": {"role": "r" * 40, "plan": "p" * 40},
        "organizations": {"industry": "i" * 40},
        "leads": {"rating": "a" * 40},
    },
)
OTHER = {"config": {"apiToken": "other", "listId": "7"}, "destinationDefinition": {"name": "KLAVIYO"}}


def written(folder: Path, document: Any) -> Path:
    """A file of JSON; text as it is."""
    file = folder / "settings.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "document",
    [
        BARE,
        {"config": BARE},
        {"Config": BARE, "Name": "crm"},
        {"destination": {"config": BARE}},
        {"sources": [{"destinations": [OTHER, {"config": BARE, "destinationDefinition": {"name": "PIPEDRIVE"}}]}]},
        {"sources": [{"destinations": [{"config": BARE}]}, {"destinations": [{"config": BARE}]}]},
    ],
    ids=["bare", "config", "Config", "destination", "workspace", "one destination of two sources"],
)
def test_the_destination_is_found(tmp_path: Path, document: Any) -> None:
    """Alone, in its destination, and in a workspace's export among others; blank lines of the form are no mapping."""
    assert read_settings(written(tmp_path, document)) == READ


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ({"anything": 1}, "has no settings"),
        ([BARE, {**BARE, "userIdToken": "other"}], "has 2 Pipedrive destinations"),
    ],
)
def test_what_cannot_be_used_is_told_without_showing_it(tmp_path: Path, document: Any, told: str) -> None:
    """The message names the file and what it should hold, and never the key in it."""
    with pytest.raises(UserMistake) as raised:
        read_settings(written(tmp_path, document))
    assert told in raised.value.message
    assert CANARY not in f"{raised.value.message}{raised.value.hint}"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As a mistake on the command line."""
    with pytest.raises(UserMistake, match="cannot be read"):
        read_settings(tmp_path / "nothing.json")


@pytest.mark.parametrize("placeholder", ["env.PIPEDRIVE", "{{ message.token || '' }}", "********", "", None, 7])
def test_a_placeholder_is_no_key(tmp_path: Path, placeholder: Any) -> None:
    """What stands for a key in an export is not sent to Pipedrive as one."""
    assert read_settings(written(tmp_path, {**BARE, "apiToken": placeholder})).api_token is None


def test_the_key_alone_is_enough(tmp_path: Path) -> None:
    """A destination that was never given a mapping."""
    assert read_settings(written(tmp_path, {"config": {"apiToken": CANARY}})) == Settings(
        Secret(CANARY), create_persons="none"
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["from", "to", "config"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*MAPS, "apiToken", "userIdToken", "groupIdToken"]), ANYTHING))
def test_settings_of_any_shape_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, found: Any) -> None:
    """Whatever stands in the file: texts to texts, or a mistake that is told."""
    try:
        settings = read_settings(written(tmp_path_factory.getbasetemp(), found))
    except UserMistake:
        return
    for pairs in settings.maps.values():
        assert all(trait.strip() and field.strip() for trait, field in pairs.items())


@pytest.mark.parametrize(
    ("settings", "purposes", "require"),
    [
        ({"oneTrustCookieCategories": [{"oneTrustCookieCategory": "C0003"}, {}]}, ("C0003",), "all"),
        ({"ketchConsentPurposes": {"web": [{"purpose": "sales"}, {"purpose": "crm"}]}}, ("sales", "crm"), "any"),
        ({"consentManagement": [{"provider": "custom", "consents": [{"consent": " a "}]}]}, ("a",), "all"),
        (
            {"consentManagement": {"web": [{"resolutionStrategy": "or", "consents": [{"consent": "a"}]}]}},
            ("a",),
            "any",
        ),
        (
            {
                "consentManagement": [{"resolutionStrategy": "or", "consents": [{"consent": "a"}]}],
                "oneTrustCookieCategories": [{"oneTrustCookieCategory": "b"}],
            },
            ("a", "b"),
            "all",
        ),
        ({"consentManagement": [{"resolutionStrategy": "or", "consents": []}], "ketchConsentPurposes": "x"}, (), "all"),
    ],
)
def test_the_purposes_of_consent_are_taken_over(
    tmp_path: Path, settings: dict[str, Any], purposes: tuple[str, ...], require: str
) -> None:
    """In the present form and in those of OneTrust and Ketch; where they disagree the stricter one counts."""
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(BARE | settings), encoding="utf-8")
    read = read_settings(file)
    assert (read.purposes, read.require) == (purposes, require)
