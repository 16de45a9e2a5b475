"""Decides whether an event's user has refused consent to the config's purposes. Pure.

The rules are the vendors' own: RudderStack's server filters only by denied ids, Segment's destinations need consent to
their categories. For events without consent, and purposes that Segment's object does not name, `unknown` decides.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipedrive_cli.config import Config
from pipedrive_cli.model import Complaint, Consent, Outcome

PURPOSES_KEPT = 1_000  # names at most; hostile input may have a new one in every event
DENIED = Complaint("consent_denied", "the user has refused consent", "context", outcome=Outcome.SKIPPED)
IGNORED = Complaint(
    "consent_ignored", "the event says what its user consents to, and the config does not ask", "privacy.consent"
)


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """Without `purposes` (compared exactly) no event is skipped. `all_needed`: one refused
    purpose is enough to skip an event; else all of them must be refused.
    """

    purposes: frozenset[str] = frozenset()
    all_needed: bool = True
    send_unknown: bool = True

    def denies(self, consent: Consent | None) -> bool:
        """Whether an event with this consent must not be sent."""
        if not self.purposes:
            return False
        if consent is None:
            return not self.send_unknown
        return self._denied_by_ids(consent) or self._denied_by_categories(consent)

    def _denied_by_ids(self, consent: Consent) -> bool:
        denied = self.purposes & (consent.denied or frozenset())
        all_needed = self.all_needed if consent.strategy is None else consent.strategy == "and"
        return bool(denied) if all_needed else denied == self.purposes

    def _denied_by_categories(self, consent: Consent) -> bool:
        if consent.categories is None:
            return False
        granted = [consent.categories.get(purpose, self.send_unknown) for purpose in self.purposes]
        return not all(granted) if self.all_needed else not any(granted)


@dataclass(slots=True)
class PurposesSeen:
    """Counts, for every purpose in events, the events that name it and those that refuse it."""

    _named: Counter[str] = field(default_factory=Counter)
    _refused: Counter[str] = field(default_factory=Counter)

    def add(self, consent: Consent | None) -> None:
        """Counts the consent of one event."""
        if consent is None:
            return
        refused = set(consent.denied or ())
        granted = set(consent.allowed)
        for purpose, is_granted in (consent.categories or {}).items():
            (granted if is_granted else refused).add(purpose)
        named = refused | granted
        for purpose in named if len(self._named) < PURPOSES_KEPT else named & self._named.keys():
            self._named[purpose] += 1
            self._refused[purpose] += purpose in refused

    def found(self) -> dict[str, tuple[int, int]]:
        """Purpose -> (events that name it, events that refuse it), the most frequent first."""
        return {purpose: (number, self._refused[purpose]) for purpose, number in self._named.most_common()}


def consent_rules(config: Config) -> ConsentRules:
    """The config's `privacy.consent`."""
    asked = config.privacy.consent
    return ConsentRules(frozenset(asked.purposes), asked.require == "all", asked.unknown == "send")
