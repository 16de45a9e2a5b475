"""Records that changed their id: what was set under a former id, and what a merged record leaves to its survivor.

Pure. When an alias is carried out is for `homes`; here is only how it changes the standing of values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipedrive_cli.delivery.standing import (
    DEPTHS,
    FALLBACK,
    LATEST,
    NO_TIME,
    Held,
    RecordState,
    Rules,
    blank,
    foreign_time,
    ours,
    standing,
)


def under_former_id(state: RecordState, alias_time: int | None, rules: Rules) -> RecordState:
    """The state of a record whose key became a former id at `alias_time`: what was set before ranks one lower."""
    cut = NO_TIME if alias_time is None else alias_time
    foreign_lower = foreign_time(state, rules) <= cut or state.foreign_rank < 0

    def lowered(held: Held) -> Held:
        time = LATEST - held.time if held.time > LATEST // 2 else held.time
        # What an alias has put below all that the current id had stays there, however early the next alias was.
        lower = time <= cut or held.rank % DEPTHS != 0
        return Held(held.rank - lower, held.time, held.sent, held.seen)

    return msgspec.structs.replace(
        state,
        fields={a: lowered(h) for a, h in state.fields.items()},
        inputs={a: lowered(h) for a, h in state.inputs.items()},
        owed={a: lowered(h) for a, h in state.owed.items()},
        foreign_rank=state.foreign_rank - foreign_lower,
        former_since=cut if foreign_lower and state.former_since is None else state.former_since,
    )


def joined(
    survivor: RecordState,
    former: RecordState,
    survivor_shown: Mapping[str, Any],
    former_shown: Mapping[str, Any],
    rules: Rules,
) -> RecordState:
    """The survivor's state after a merge: `former` has been lowered by `under_former_id`.

    What the former record showed is owed to the survivor where it outranks what is there (nothing, mostly): nobody
    knows for sure whether Pipedrive's merge carries everything over (emails and phones above all).
    """
    owed = dict(survivor.owed)
    for address in dict.fromkeys([*former_shown, *former.owed]):
        value, held = former_shown.get(address), former.fields.get(address)
        if held is not None and held.rank <= FALLBACK // 2 and ours("persons", address, held, value, rules):
            continue  # a fallback is made anew from the inputs of both, and what Pipedrive filled in is nobody's word
        rank, time = standing("persons", former, former_shown, address, rules)
        due = former.owed.get(address)
        if due is not None and (blank(value) or due.standing > (rank, time)):
            rank, time, value = due.rank, due.time, due.sent
        if (
            address not in ("emails", "phones")
            and not blank(value)
            and (rank, time) >= standing("persons", survivor, survivor_shown, address, rules)
            and (address not in owed or (rank, time) > owed[address].standing)
        ):
            owed[address] = Held(rank, time, value, former_shown.get(address))
    contacts = {
        name: [*survivor.owed_contacts.get(name, ()), *former.owed_contacts.get(name, ()), *former_shown.get(name, ())]
        for name in ("emails", "phones")
    }
    added = {
        name: sorted({*survivor.added.get(name, ()), *former.added.get(name, ())})
        for name in {*survivor.added, *former.added}
    }
    return msgspec.structs.replace(
        survivor,
        inputs=_higher(survivor.inputs, former.inputs),
        added=added,
        owed=owed,
        owed_contacts={name: due for name, due in contacts.items() if due},
    )


def _higher(a: Mapping[str, Held], b: Mapping[str, Held]) -> dict[str, Held]:
    both = dict(a)
    for address, held in b.items():
        if address not in both or held.standing > both[address].standing:
            both[address] = held
    return both
