"""Who refused consent is not sent: RudderStack's and Segment's objects, their strategies, and what says nothing."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from pipedrive_cli.config import Config
from pipedrive_cli.config.privacy import ConsentAsked, Privacy
from pipedrive_cli.events.consent import consent_in, consent_of
from pipedrive_cli.events.decode import Defaults, decode_event
from pipedrive_cli.model import Event, Outcome
from pipedrive_cli.transform.consent import ConsentRules, PurposesSeen
from pipedrive_cli.transform.transform import compile_mapping
from tests.events.event_lines import event

BOTH = frozenset({"sales", "crm"})


def managed(
    *denied: str, provider: str = "oneTrust", strategy: str | None = None, allowed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """RudderStack's object."""
    said = {"provider": provider, "allowedConsentIds": list(allowed), "deniedConsentIds": list(denied)}
    return said if strategy is None else said | {"resolutionStrategy": strategy}


def denied(rules: ConsentRules, management: object = None, categories: object = None) -> bool:
    """Whether an event with these objects is refused."""
    segment = None if categories is None else {"categoryPreferences": categories}
    return rules.denies(consent_of(management, segment))


# provider, the event's strategy, the config's `require`, the denied ids -> refused
NONE, ONE, ALL, OTHER = (), ("sales",), ("sales", "crm", "ads"), ("ads",)
TABLE = [
    *(
        (provider, "and", require, NONE, False)
        for provider in ("oneTrust", "ketch", "custom")
        for require in ("all", "any")
    ),
    *((provider, "and", require, ONE, True) for provider in ("oneTrust", "ketch") for require in ("all", "any")),
    *((provider, "or", require, ONE, False) for provider in ("oneTrust", "ketch") for require in ("all", "any")),
    *((provider, "or", require, ALL, True) for provider in ("oneTrust", "ketch") for require in ("all", "any")),
    *(
        (provider, strategy, "all", OTHER, False)
        for provider, strategy in product(("oneTrust", "custom"), ("and", "or"))
    ),
    # Of provider `custom`, and where the event names no strategy, the config's counts.
    *(("custom", strategy, "all", ONE, True) for strategy in ("and", "or")),
    *(("custom", strategy, "any", ONE, False) for strategy in ("and", "or")),
    *(("custom", strategy, "any", ALL, True) for strategy in ("and", "or")),
    ("oneTrust", None, "all", ONE, True),
    ("oneTrust", None, "any", ONE, False),
    ("oneTrust", None, "any", ALL, True),
    ("oneTrust", "neither", "any", ONE, False),
]


@pytest.mark.parametrize(("provider", "strategy", "require", "ids", "refused"), TABLE)
def test_denied_ids_refuse_by_the_events_strategy_or_the_configs(
    provider: str, strategy: str | None, require: str, ids: tuple[str, ...], refused: bool
) -> None:
    """RudderStack's own rule, whatever the provider; no denied ids refuse nothing."""
    rules = ConsentRules(BOTH, all_needed=require == "all")
    assert denied(rules, managed(*ids, provider=provider, strategy=strategy)) is refused


def test_allowed_ids_are_not_read() -> None:
    """Neither that a purpose is allowed nor that it is missing among those decides anything."""
    rules = ConsentRules(BOTH)
    assert not denied(rules, managed(allowed=()))
    assert denied(rules, managed("sales", allowed=("sales", "crm")))


@pytest.mark.parametrize(
    ("categories", "require", "unknown", "refused"),
    [
        ({"sales": True, "crm": True}, "all", "send", False),
        ({"sales": False, "crm": True}, "all", "send", True),
        ({"sales": False, "crm": True}, "any", "send", False),
        ({"sales": False, "crm": False}, "any", "send", True),
        ({"sales": True}, "all", "send", False),
        ({"sales": True}, "all", "skip", True),
        ({"sales": True}, "any", "skip", False),
        ({"sales": False}, "any", "send", False),
        ({"sales": False}, "any", "skip", True),
        ({"ads": False}, "all", "send", False),
        ({}, "all", "skip", True),
        ({"sales": "no", "crm": True}, "all", "send", False),
        ({"sales": "False", "crm": True}, "all", "send", True),
        ({"sales": 0, "crm": "1"}, "all", "send", True),
        ({"Sales": False, " sales": False}, "all", "send", False),
    ],
)
def test_segments_categories_must_be_opted_in(
    categories: dict[str, Any], require: str, unknown: str, refused: bool
) -> None:
    """A category that the object does not name counts by `unknown`; names are compared exactly.

    A refusal is one also as text or as a number.
    """
    rules = ConsentRules(BOTH, all_needed=require == "all", send_unknown=unknown == "send")
    assert denied(rules, None, categories) is refused


@pytest.mark.parametrize("management", [None, [], "", {}, "denied", {"deniedConsentIds": ""}])
@pytest.mark.parametrize("send_unknown", [True, False])
def test_what_says_nothing_counts_by_unknown(management: object, send_unknown: bool) -> None:
    """An object of RudderStack's that names no denied ids says something: that nothing was refused."""
    says_something = isinstance(management, dict)
    assert denied(ConsentRules(BOTH, send_unknown=send_unknown), management) is (
        not send_unknown and not says_something
    )


@pytest.mark.parametrize(
    "management",
    [
        {"deniedConsentIds": "sales, 7"},
        {"deniedConsentIds": '["sales", 7]'},
        {"deniedConsentIds": ["sales", 7], "provider": "oneTrust", "resolutionStrategy": " AND"},
        {"deniedConsentIds": ["sales", "crm"], "provider": "oneTrust", "resolutionStrategy": "OR"},
        json.dumps(managed("sales")),
    ],
)
def test_a_refusal_is_one_in_whatever_text_it_stands(management: object) -> None:
    """Databases write lists and objects as texts, programs write ids as numbers and strategies in capitals."""
    assert denied(ConsentRules(frozenset({"sales", "crm"})), management)
    assert not denied(ConsentRules(frozenset({"ads"})), management)
    seven = consent_of({"deniedConsentIds": [7]}, '{"categoryPreferences": "{\\"ads\\": false}"}')
    assert seven is not None and seven.denied == frozenset({"7"}) and seven.categories == {"ads": False}


def test_either_vendors_object_can_refuse() -> None:
    """An event that went through both has both."""
    rules = ConsentRules(BOTH)
    granted = {"sales": True, "crm": True}
    assert denied(rules, managed("crm"), granted)
    assert denied(rules, managed(), {**granted, "crm": False})
    assert not denied(rules, managed(), granted)


def test_without_purposes_nothing_is_refused() -> None:
    """Whatever events say."""
    assert not denied(ConsentRules(send_unknown=False), managed("sales"), {"sales": False})


def transformed(config: Config, **context: Any) -> list[tuple[str, Outcome | None]]:
    """The complaints about a page view, which would be skipped anyway, with this context."""
    made = event(type="page", context=context)
    return [(c.code, c.outcome) for c in compile_mapping(config).transform(made).complaints]


def test_consent_comes_before_everything_else() -> None:
    """Also before types that are not sent."""
    config = Config(privacy=Privacy(consent=ConsentAsked(purposes=("sales",))))
    assert transformed(config, consentManagement=managed("sales")) == [("consent_denied", Outcome.SKIPPED)]
    assert transformed(config, consentManagement=managed()) == [("type_not_supported", Outcome.SKIPPED)]


def test_a_config_that_does_not_ask_is_told_of_it() -> None:
    """Counted, and nothing else changes."""
    said = transformed(Config(), consent={"categoryPreferences": {"Advertising": False}})
    assert said == [("type_not_supported", Outcome.SKIPPED), ("consent_ignored", None)]
    assert transformed(Config(), consent={}) == [("type_not_supported", Outcome.SKIPPED)]


def test_consent_is_read_where_the_event_cannot_be() -> None:
    """Of whoever refused nothing is kept, also if the event is none; a batch may say it for its events."""
    broken = json.dumps({"traits": "none", "context": {"traits": [], "consentManagement": managed("sales")}}).encode()
    rules = ConsentRules(frozenset({"sales"}))
    assert rules.denies(consent_in(broken, None))
    assert rules.denies(consent_in(b'{"traits": 5}', {"consentManagement": managed("sales")}))
    assert not rules.denies(consent_in(b"{", None))
    assert not rules.denies(
        consent_in(b'{"context": {"consentManagement": {}}}', {"consentManagement": managed("sales")})
    )


@pytest.mark.parametrize("unsaid", [None, [], "", " "])
def test_an_empty_object_of_an_event_hides_no_refusal_of_its_batch(unsaid: object) -> None:
    """PHP writes an empty list where nothing is said; the batch's refusal counts then, well-formed or refused."""
    raw = json.dumps({"type": "page", "userId": "u", "context": {"consentManagement": unsaid}}).encode()
    shared = {"consentManagement": managed("sales")}
    found = decode_event(raw, identity="m", now=1 << 60, defaults=Defaults(context=shared))
    assert isinstance(found, Event)
    rules = ConsentRules(frozenset({"sales"}))
    assert rules.denies(found.consent)
    assert rules.denies(consent_in(raw, shared))


def test_purposes_are_counted_as_they_occur() -> None:
    """Both vendors' names, how often they are named, and how often refused."""
    seen = PurposesSeen()
    for management, segment in [
        (managed("sales", allowed=("crm",)), None),
        (None, {"categoryPreferences": {"sales": True}}),
        (None, None),
    ]:
        seen.add(consent_of(management, segment))
    assert seen.found() == {"sales": (2, 1), "crm": (1, 0)}


def test_an_event_keeps_what_it_says() -> None:
    """Decoding reads both objects, and nothing where there is neither."""
    said = event(type="page", context={"consentManagement": managed("a")}).consent
    assert said is not None
    assert said.denied == frozenset({"a"})
    assert event(type="page").consent is None
