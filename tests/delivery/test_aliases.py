"""Aliases as paths: the present id, how deep a value lies, and what it costs to find that out."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.aliases import Aliases, Step
from pipedrive_cli.delivery.precedence import DEEPEST, NO_TIME
from pipedrive_cli.model import Outcome

from .pretend import PLAN, Pretend, Said, alias, group, identify, lead, terms

IDS = 12


@st.composite
def forests(draw: st.DrawFn) -> dict[str, Step]:
    """Aliases without a ring: each id may lead to one with a higher number."""
    steps: dict[str, Step] = {}
    for number in range(IDS - 1):
        if draw(st.integers(0, 3)):
            following = draw(st.integers(number + 1, IDS - 1))
            steps[str(number)] = (str(following), draw(st.none() | st.integers(0, 9)))
    return steps


def walked(steps: dict[str, Step], key: str, time: int | None) -> tuple[str, int]:
    """The present id and the depth, found by walking, as the rule says it."""
    depth, at = 0, NO_TIME if time is None else time
    while (step := steps.get(key)) is not None:
        key = step[0]
        if depth or at <= (NO_TIME if step[1] is None else step[1]):
            depth += 1
    return key, depth


@given(forests(), st.lists(st.tuples(st.integers(0, IDS - 1), st.none() | st.integers(-1, 10)), max_size=8), st.data())
def test_short_cuts_lead_where_walking_leads(
    steps: dict[str, Step], asked: list[tuple[int, int | None]], data: st.DataObject
) -> None:
    """Whatever is linked, asked and cut in between."""
    aliases, now = Aliases({}), dict[str, Step]()
    for previous in data.draw(st.permutations(sorted(steps))):
        aliases.link(previous, steps[previous])
        now[previous] = steps[previous]
        for number, time in asked:
            key = str(number)
            assert (aliases.canonical(key), aliases.depth(key, time)) == walked(now, key, time)
    for previous in data.draw(st.lists(st.sampled_from(sorted(steps)), unique=True)) if steps else ():
        aliases.cut(previous)
        del now[previous]
        for number, time in asked:
            key = str(number)
            assert (aliases.canonical(key), aliases.depth(key, time)) == walked(now, key, time)


def test_a_rank_counts_so_many_aliases_and_no_more() -> None:
    """A chain of thousands would else reach the ranks of other things; its oldest values are told apart by time."""
    chain: dict[str, Step] = {str(n): (str(n + 1), 5) for n in range(3 * DEEPEST)}
    aliases = Aliases(chain)
    assert [aliases.depth(str(n), 1) for n in (0, 2 * DEEPEST, 3 * DEEPEST - 7)] == [DEEPEST, DEEPEST, 7]


def fan(n: int) -> list[tuple[str, str]]:
    return [(f"p{i}", "z") for i in range(n)]


def chain(n: int) -> list[tuple[str, str]]:
    return [(f"p{i}", f"p{i + 1}") for i in range(n)]


def backwards(n: int) -> list[tuple[str, str]]:
    return chain(n)[::-1]


def in_no_order(n: int) -> list[tuple[str, str]]:
    return random.Random(1).sample(chain(n), n)


def tree(n: int) -> list[tuple[str, str]]:
    return [(f"p{i}", f"p{(i - 1) // 2}") for i in range(1, n + 1)]


def leaves_first(n: int) -> list[tuple[str, str]]:
    return tree(n)[::-1]


def ids_of(pairs: list[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for pair in pairs for key in pair))


def told(pairs: list[tuple[str, str]], *, at: int) -> list[Said]:
    return [alias(f"a{number}", *pair, at + number) for number, pair in enumerate(pairs)]


def persons(pairs: list[tuple[str, str]]) -> list[Said]:
    return [identify(f"e{key}", key, number, plan=key) for number, key in enumerate(ids_of(pairs))]


def calls_of(world: Pretend, events: list[Said], *, lookahead: int = 1_000) -> int:
    """How many functions a run calls: what it costs, whatever else this machine does."""
    called = [0]

    def count(_frame: Any, event: str, _arg: Any) -> None:
        called[0] += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        world.run(*events, lookahead=lookahead)
    finally:
        sys.setprofile(None)
    return called[0]


SHAPES = [fan, chain, backwards, in_no_order, tree, leaves_first]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("who", ["nobody", "nobody, one by one", "waiting", "refused"])
def test_aliases_of_one_person_cost_the_same_each_however_many_there_are(shape: Any, who: str) -> None:
    """Whether nobody knows the previous ids, or they wait beside the aliases, or exist and may not be merged."""
    lookahead = 1 if who == "nobody, one by one" else 1_000

    def cost(n: int) -> int:
        pairs = shape(n)
        world = Pretend(terms(alias="rekey"))
        if who == "refused":
            world.run(*persons(pairs))
        said = persons(pairs) if who == "waiting" else []
        spent = calls_of(world, [*said, *told(pairs, at=10_000)], lookahead=lookahead)
        ends = {world.outcomes[f"a{number}"] for number in range(n)}
        assert ends == {Outcome.DELIVERED if who == "waiting" else Outcome.REJECTED}
        return spent

    assert cost(160) < 2.7 * cost(80)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_ends_in_one_person_with_the_value_that_ranks_highest(shape: Any) -> None:
    """The present id's own value, whatever came later under the others."""
    pairs = shape(40)
    world = Pretend().run(*persons(pairs), *told(pairs, at=10_000))
    last = {current for _, current in pairs} - {previous for previous, _ in pairs}
    assert {world.alone()[PLAN]} == last


def test_many_refused_merges_leave_each_person_what_was_said_of_it() -> None:
    """Those behind a previous id go with it, and no further than it."""
    pairs = chain(6)
    world = Pretend(terms(alias="rekey")).run(*persons(pairs))
    again = [identify(f"l{key}", key, 20_000 + number, plan=f"{key}!") for number, key in enumerate(ids_of(pairs))]
    world.run(*told(pairs, at=10_000), *again)
    assert {str(world.with_key(key)[PLAN]) for key in ids_of(pairs)} == {f"{key}!" for key in ids_of(pairs)}


@pytest.mark.parametrize("waits", ["of one person", "of many", "leads"])
def test_what_waits_for_a_person_who_never_comes_costs_nothing_until_the_input_is_over(waits: str) -> None:
    """Event by event: each is looked at when it comes, and at the end."""

    def cost(n: int) -> int:
        whose = ["a" if waits == "of one person" else f"a{i}" for i in range(n)]
        said = [group(f"e{i}", whose[i], "g", i, may_create=False) for i in range(n)]
        if waits == "leads":
            said = [lead(f"e{i}", "a", i, may_create=False) for i in range(n)]
        world = Pretend()
        spent = calls_of(world, said, lookahead=1)
        assert set(world.outcomes.values()) == {Outcome.REJECTED}
        return spent

    assert cost(120) < 2.5 * cost(60)
