"""Whatever the fold, the order of files, or the split into runs: the CRM ends the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.examples import examples

from .pretend import USER, Pretend, Said, alias, group, identify, terms

USERS = ("a", "b", "c")
# Times are few, so that they often lie on either side of an alias; one event may have none.
ValueOf = dict[str, Any]


@st.composite
def histories(draw: st.DrawFn, *, with_aliases: bool = True, most: int = 5) -> list[Said]:
    """A few events about a few persons, no two at the same time."""
    count = draw(st.integers(1, most))
    times: list[int | None] = list(draw(st.permutations(range(10, 10 * count + 10, 10))))
    if draw(st.booleans()) and draw(st.integers(0, 3)) == 3:
        times[draw(st.integers(0, count - 1))] = None
    pairs: list[tuple[str, str]] = []
    events: list[Said] = []
    for number, time in enumerate(times):
        what = draw(
            st.sampled_from(["identify", "identify", "alias", "group"] if with_aliases else ["identify", "group"])
        )
        if what == "alias" and (pair := draw(_pair(pairs))) is not None:
            pairs.append(pair)
            events.append(alias(f"e{number}", *pair, time))
            continue
        user = draw(st.sampled_from(USERS))
        if what == "group":
            said = draw(
                st.fixed_dictionaries({}, optional={"role": st.just(f"r{number}"), "name": st.just(f"N{number}")})
            )
            emails = draw(st.sampled_from([(), (), (f"g{number}@x",)]))
            organization = draw(st.sampled_from(["g1", "g2"]))
            more: ValueOf = draw(st.sampled_from([{}, {"name": f"O{number}"}]))
            events.append(group(f"e{number}", user, organization, time, said=said, emails=emails, **more))
            continue
        fields: ValueOf = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": st.just(f"N{number}"),
                    "first_name": st.just(f"F{number}"),
                    "last_name": st.just(f"L{number}"),
                    "role": st.just(f"r{number}"),
                    "plan": st.just(f"p{number}"),
                    "visible_to": st.just(number),
                },
            )
        )
        emails = draw(st.sampled_from([(), (), (f"{number}@x",), ("shared@x",)]))
        events.append(identify(f"e{number}", user, time, emails=emails, **fields))
    return events


@st.composite
def _pair(draw: st.DrawFn, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Two ids for an alias: no previous id twice, and no circle, for the design leaves these out."""
    steps = dict(pairs)
    free = [
        (previous, current)
        for previous in USERS
        for current in USERS
        if previous not in steps and previous not in _path(current, steps)
    ]
    return draw(st.sampled_from(free)) if free else None


def _path(key: str, steps: dict[str, str]) -> list[str]:
    path = [key]
    while (step := steps.get(path[-1])) is not None:
        path.append(step)
    return path


@st.composite
def ways(draw: st.DrawFn, events: list[Said]) -> tuple[list[list[Said]], int]:
    """The events in some order, split into runs, and the lookahead."""
    order = draw(st.permutations(events))
    cuts = sorted(draw(st.sets(st.integers(1, len(events)), max_size=3)))
    runs = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return [run for run in runs if run], draw(st.sampled_from([1000, 1, 2]))


def told(runs: list[list[Said]], lookahead: int) -> str:
    lines = [f"lookahead {lookahead}"]
    for run in runs:
        lines.append("run: " + "; ".join(f"{e.identity}@{e.time} {_short(e)}" for e in run))
    return "\n".join(lines)


def _short(event: Said) -> str:
    asks = event.asks
    parts = [
        f"{c.record.kind[0]}:{c.record.key} {c.rank.value} {dict(c.fields)} {[e.value for e in c.emails]}"
        for c in asks.changes
    ]
    if asks.alias is not None:
        parts.append(f"alias {asks.alias.previous.key}->{asks.alias.current.key}")
    return " + ".join(parts)


def ends(
    runs: list[list[Said]],
    lookahead: int,
    *,
    listed: bool,
    merging: Literal["survivor", "union", "nothing"],
    already: Sequence[tuple[str, ValueOf]] = (),
    updated: int = 0,
    again: bool = False,
    **choices: Any,
) -> list[tuple[Any, ...]]:
    """What the account holds after some runs; `already` are persons that somebody else put there."""
    world = Pretend(terms(match_email=False, **choices), merging=merging, listed=listed)
    for key, values in already:
        # No two at one moment, and none at an event's.
        world.put("persons", None, **{USER: key, "updated": updated + ord(key) % 8, **values})
    for run in runs:
        world.run(*run, lookahead=lookahead)
    if again:
        # Whatever was rejected is read again with the rest of the input there is.
        world.run(*(event for run in runs for event in run))
    return world.picture()


MERGING: st.SearchStrategy[Literal["survivor", "union", "nothing"]] = st.sampled_from(["union", "survivor", "nothing"])


@settings(max_examples=examples(500))
@given(st.data())
def test_any_order_any_windows_any_runs_the_same_account(data: st.DataObject) -> None:
    """The records that a history leaves do not depend on the order, the windows or the runs that bring it."""
    events = data.draw(histories(), label="events")
    runs, lookahead = data.draw(ways(events), label="way")
    listed, merging = data.draw(st.booleans()), data.draw(MERGING)
    straight = sorted(events, key=lambda e: -1 if e.time is None else e.time)
    expected = ends([straight], 1000, listed=True, merging="union")
    found = ends(runs, lookahead, listed=listed, merging=merging)
    note(told(runs, lookahead))
    assert found == expected


@settings(max_examples=examples(500))
@given(st.data())
def test_any_order_beside_what_others_have_put_there(data: st.DataObject) -> None:
    """So it is where persons stood in the account before, whatever `existing` says about them."""
    events = data.draw(histories(), label="events")
    runs, lookahead = data.draw(ways(events), label="way")
    listed, merging = data.draw(st.booleans()), data.draw(MERGING)
    existing = data.draw(st.sampled_from(["overwrite", "fill", "newest"]))
    already = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(USERS),
                st.fixed_dictionaries(
                    {},
                    optional={"name": st.just("Foreign"), "role": st.just("fr"), "emails": st.just(["f@x"])},
                ),
            ),
            max_size=2,
            unique_by=lambda pair: pair[0],
        ),
        label="already",
    )
    straight = sorted(events, key=lambda e: -1 if e.time is None else e.time)
    updated = data.draw(st.sampled_from([0, 10, 20, 30, 40]), label="updated")
    choices: dict[str, Any] = {"already": already, "existing": existing, "updated": updated}
    expected = ends([straight], 1000, listed=True, merging="union", **choices)
    found = ends(runs, lookahead, listed=listed, merging=merging, **choices)
    note(told(runs, lookahead))
    assert found == expected
