"""Whether an event's user has refused what the config's purposes stand for. Pure.

The rules are the vendors' own: RudderStack's server filters by denied ids alone, Segment's destinations need their
categories opted in. An event that says nothing, and a purpose that Segment's object does not name, count by `unknown`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipedrive_cli.config import Config
from pipedrive_cli.model import Complaint, Consent, Outcome

PURPOSES_KEPT = 1_000  # hostile events could bring a new name each
DENIED = Complaint("consent_denied", "the user has refused consent", "context", outcome=Outcome.SKIPPED)
IGNORED = Complaint(
    "consent_ignored", "the event says what its user consents to, and the config does not ask", "privacy.consent"
)


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """`purposes` are compared exactly; none: nothing is refused. `all_needed`: one refused purpose is enough."""

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
    """The purposes that events name: of how many events, and how many of those refuse them."""

    _named: Counter[str] = field(default_factory=Counter)
    _refused: Counter[str] = field(default_factory=Counter)

    def add(self, consent: Consent | None) -> None:
        """Counts what one event says."""
        if consent is None:
            return
        refused = set(consent.denied or ())
        granted = set(consent.allowed)
        for purpose, says in (consent.categories or {}).items():
            (granted if says else refused).add(purpose)
        said = refused | granted
        for purpose in said if len(self._named) < PURPOSES_KEPT else said & self._named.keys():
            self._named[purpose] += 1
            self._refused[purpose] += purpose in refused

    def found(self) -> dict[str, tuple[int, int]]:
        """(named, refused) of each purpose, the most frequent first."""
        return {purpose: (number, self._refused[purpose]) for purpose, number in self._named.most_common()}


def consent_rules(config: Config) -> ConsentRules:
    """The config's `privacy.consent`."""
    asked = config.privacy.consent
    return ConsentRules(frozenset(asked.purposes), asked.require == "all", asked.unknown == "send")
