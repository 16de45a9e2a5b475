"""A record's name where no event gives it whole: a person's made of its parts, or a fallback for a nameless record.

Pure. What a name was made of is kept in `RecordState.inputs`, so that a part that comes late finds the others.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipedrive_cli.delivery.gathering import FALLBACK_EMAIL, NAME_INPUTS, Candidate, Part, Wanted
from pipedrive_cli.delivery.standing import FALLBACK, NO_TIME, Held, RecordState, Rules
from pipedrive_cli.transform.changes import Kind

_LEVEL = 10_000  # between two kinds of fallback name: each keeps the rank of what it is made of


def derived_name(
    kind: Kind, state: RecordState, wanted: Wanted, rules: Rules, key: str | None
) -> tuple[Candidate | None, dict[str, Held]]:
    """The candidate for a name that is made of something else, and the inputs that have changed.

    A person's is the newest full name, or the newest parts if one is newer, or a fallback; others have the fallback.
    """
    changed: dict[str, Held] = {}
    if kind == "persons":
        asked: dict[str, tuple[Part, ...]] = {}
        for address, candidate in wanted.inputs.items():
            held = state.inputs.get(address)
            if held is None or candidate[:2] >= held.standing:
                changed[address] = Held(candidate.rank, candidate.time, candidate.value)
                asked[address] = candidate.parts
        inputs = {**state.inputs, **changed}
        if (derived := _person_name(inputs)) is not None:
            parts = tuple(part for address in NAME_INPUTS for part in asked.get(address, ()))
            return Candidate(*derived, parts), changed
        fallback = _fallback_name(inputs, rules, key)
        return None if fallback is None else Candidate(*fallback, asked.get(FALLBACK_EMAIL, ())), changed
    if kind == "leads" or "name" in wanted.fields or key is None or "name" in state.fields:
        return None, changed
    if kind == "organizations" and not rules.name_fallback:
        return None, changed
    return Candidate(FALLBACK - _LEVEL, NO_TIME, key, ()), changed


def _person_name(inputs: Mapping[str, Held]) -> tuple[int, int, str] | None:
    full = inputs.get("name")
    parts = [held for held in (inputs.get("first_name"), inputs.get("last_name")) if held is not None]
    newest = max((held.standing for held in parts), default=None)
    if full is not None and (newest is None or full.standing >= newest):
        return (full.rank, full.time, full.sent)
    if newest is None:
        return None
    return (*newest, " ".join(str(held.sent) for held in parts))


def _fallback_name(inputs: Mapping[str, Held], rules: Rules, key: str | None) -> tuple[int, int, str] | None:
    for level, source in enumerate(rules.name_fallback):
        if source == "email" and (email := inputs.get(FALLBACK_EMAIL)) is not None:
            return (FALLBACK - level * _LEVEL + email.rank, email.time, email.sent)
        if source == "user_id" and key is not None:
            return (FALLBACK - level * _LEVEL, NO_TIME, key)
    return None
