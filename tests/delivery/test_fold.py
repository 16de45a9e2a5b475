"""Which value wins: names, fallbacks, contacts, what stands there already, products."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.delivery.fold import contact_item, contact_list
from pipedrive_cli.delivery.precedence import blank, comparable
from pipedrive_cli.model import Contact, Outcome, Transformed
from tests.examples import examples

from .pretend import PLAN, ROLE, USER, Pretend, Said, group, identify, lead, product, terms

UNCHANGED, DELIVERED = Outcome.UNCHANGED, Outcome.DELIVERED


# --- Names ------------------------------------------------------------------------------------------------------------

NAMES: list[tuple[str, list[tuple[int | None, dict[str, str]]], str]] = [
    ("the newest full name", [(1, {"name": "Ann Old"}), (2, {"name": "Ann New"})], "Ann New"),
    ("parts newer than the full name", [(1, {"name": "Ann Old"}), (2, {"first_name": "Bea"})], "Bea"),
    ("a full name newer than the parts", [(1, {"first_name": "Bea", "last_name": "Lee"}), (2, {"name": "C"})], "C"),
    ("parts of different events", [(1, {"first_name": "Bea"}), (2, {"last_name": "Lee"})], "Bea Lee"),
    (
        "one newer part renews both",
        [(1, {"first_name": "Bea", "last_name": "Lee"}), (2, {"name": "C"}), (3, {"last_name": "May"})],
        "Bea May",
    ),
    ("full name and parts of one event", [(1, {"name": "Full", "first_name": "Part"})], "Full"),
    ("a name without time yields", [(None, {"name": "Never"}), (1, {"name": "Ann"})], "Ann"),
    ("a name of before 1970 beats one without time", [(None, {"name": "Never"}), (-5, {"name": "Old"})], "Old"),
]


@pytest.mark.parametrize(("events", "name"), [row[1:] for row in NAMES], ids=[row[0] for row in NAMES])
@pytest.mark.parametrize("lookahead", [1, 100])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_persons_name_has_three_timed_inputs(
    events: list[tuple[int | None, dict[str, Any]]], name: str, lookahead: int, backwards: bool
) -> None:
    """The newest full name counts, or the newest parts when one of them is newer, folded or one by one."""
    said = [identify(f"e{i}", "a", time, **fields) for i, (time, fields) in enumerate(events)]
    world = Pretend().run(*(said[::-1] if backwards else said), lookahead=lookahead)
    assert world.alone()["name"] == name


@pytest.mark.parametrize(
    ("fallback", "emails", "name"),
    [
        (("email", "user_id"), ["a@x", "b@x"], "a@x"),
        (("email", "user_id"), [], "a"),
        (("user_id", "email"), ["a@x"], "a"),
        (("user_id",), ["a@x"], "a"),
    ],
)
def test_a_new_person_without_a_name_is_called_by_a_fallback(
    fallback: tuple[str, ...], emails: list[str], name: str
) -> None:
    """The first fallback of the config that the person has."""
    world = Pretend(terms(name_fallback=fallback)).run(identify("e", "a", 1, emails=emails))
    assert world.alone()["name"] == name


@pytest.mark.parametrize("fallback", [(), ("email",)])
def test_no_fallback_rejects_a_new_person_without_a_name(fallback: tuple[str, ...]) -> None:
    """Where no fallback applies nothing is created and the event is rejected."""
    world = Pretend(terms(name_fallback=fallback)).run(identify("e", "a", 1, role="r"))
    assert world.records["persons"] == {}
    assert world.outcomes == {"e": Outcome.REJECTED}
    assert world.complaints == {"e": ["missing_name"]}


def test_a_fallback_follows_when_a_better_one_is_known_and_yields_to_a_name() -> None:
    """user id, then email, then a name; and back to none of them."""
    world = Pretend()
    seen = []
    for event in (
        identify("e1", "a", 5),
        identify("e2", "a", 2, emails=["a@x"]),
        identify("e3", "a", 1, name="Ann"),
        identify("e4", "a", 9, emails=["z@x"]),
    ):
        world.run(event)
        seen.append(world.alone()["name"])
    assert seen == ["a", "a@x", "Ann", "Ann"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("existing", ["overwrite", "fill", "newest"])
def test_a_fallback_never_replaces_a_name_that_stands_there(
    existing: Literal["overwrite", "fill", "newest"], listed: bool
) -> None:
    """Neither when the record is seen first, nor in a later run that knows it from the journal alone."""
    world = Pretend(terms(existing=existing), listed=listed)
    world.put("persons", **{USER: "a", "name": "Ann"})
    world.put("organizations", **{"custom_fields." + "b" * 40: "g", "name": "Acme"})
    for n in range(3):
        world.run(group(f"e{n}", "a", "g", n, emails=[f"{n}@x"], said={"role": f"r{n}"}))
    assert (world.alone()["name"], world.alone("organizations")["name"]) == ("Ann", "Acme")


@pytest.mark.parametrize("listed", [True, False])
def test_a_context_name_fills_a_fallback_but_no_name_of_others(listed: bool) -> None:
    """What context.traits say has the lowest rank: above a name made of an id, below whatever a person wrote."""
    world = Pretend(listed=listed)
    world.put("persons", **{USER: "a", "name": "Ann"})
    world.run(identify("e0", "a", 1, role="r"), identify("e1", "b", 1))
    world.run(group("e2", "a", "g", 5, said={"name": "Context"}), group("e3", "b", "g", 5, said={"name": "Context"}))
    assert world.with_key("a")["name"] == "Ann"
    assert world.with_key("b")["name"] == "Context"


def test_an_organization_is_called_by_its_group_id_until_it_has_a_name() -> None:
    """The group id is its fallback; a name replaces it and is not replaced by it."""
    world = Pretend().run(group("e1", None, "g", 5))
    assert world.alone("organizations")["name"] == "g"
    world.run(group("e2", None, "g", 1, name="Acme"))
    world.run(group("e3", None, "g", 9))
    assert world.alone("organizations")["name"] == "Acme"
    assert world.outcomes["e3"] is UNCHANGED


# --- Fields -----------------------------------------------------------------------------------------------------------


def test_the_newest_event_sets_a_field_and_a_superseded_value_settles_as_unchanged() -> None:
    """Late events change nothing where a newer one has spoken, and set what nobody has set."""
    world = Pretend().run(identify("e1", "a", 5, role="new"))
    world.run(identify("e2", "a", 3, role="old"))
    world.run(identify("e3", "a", 3, role="old", plan="p"))
    assert (world.alone()[ROLE], world.alone()[PLAN]) == ("new", "p")
    assert world.outcomes == {"e1": DELIVERED, "e2": UNCHANGED, "e3": DELIVERED}


def test_an_update_folds_many_events_into_one_write_and_superseded_ones_are_unchanged() -> None:
    """One PATCH; who has no value in it was superseded before it was sent."""
    world = Pretend().run(identify("e0", "a", 0))
    world.run(identify("e1", "a", 1, role="r1"), identify("e2", "a", 2, role="r2"), identify("e3", "a", 3, plan="p"))
    assert len(world.writes) == 2
    assert world.outcomes == {"e0": DELIVERED, "e1": UNCHANGED, "e2": DELIVERED, "e3": DELIVERED}


@pytest.mark.parametrize("listed", [True, False])
def test_an_event_that_repeats_what_we_wrote_does_not_undo_a_correction(listed: bool) -> None:
    """An hourly import of the same values asks for nothing, even where a person has corrected one."""
    world = Pretend(listed=listed).run(identify("e1", "a", 1, role="wrong"))
    world.alone()[ROLE] = "corrected"
    world.run(identify("e2", "a", 2, role="wrong"))
    assert (world.alone()[ROLE], world.outcomes["e2"]) == ("corrected", UNCHANGED)
    world.run(identify("e3", "a", 3, role="other"))
    assert world.alone()[ROLE] == "other"


def test_a_value_that_pipedrive_formats_is_not_sent_again() -> None:
    """What was sent and what the answer showed both count as already so."""
    world = Pretend(shows=lambda address, value: f"<{value}>" if address == ROLE else value)
    for n in range(3):
        world.run(identify(f"e{n}", "a", n, role="r"))
    assert len(world.writes) == 1


EXISTING: list[tuple[Literal["overwrite", "fill", "newest"], int, str | None, str]] = [
    ("overwrite", 1, "theirs", "ours"),
    ("overwrite", 1, None, "ours"),
    ("fill", 99, "theirs", "theirs"),
    ("fill", 1, None, "ours"),
    ("newest", 49, "theirs", "theirs"),
    ("newest", 50, "theirs", "theirs"),
    ("newest", 51, "theirs", "ours"),
    ("newest", 1, None, "ours"),
]


@pytest.mark.parametrize(("existing", "time", "theirs", "wins"), EXISTING)
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("address", [ROLE, "name"])
@pytest.mark.parametrize("known", [True, False])
def test_what_stands_there_from_elsewhere(
    existing: Literal["overwrite", "fill", "newest"],
    time: int,
    theirs: str | None,
    wins: str,
    listed: bool,
    address: str,
    known: bool,
) -> None:
    """overwrite: the event wins; fill: blanks alone; newest: only events newer than update_time at first sight."""
    if address == "name" and theirs is None:
        return  # no record is without a name
    world = Pretend(terms(existing=existing), listed=listed)
    there = {USER: "a", "updated": 50, **({} if theirs is None else {address: theirs})}
    world.put("persons", **there)
    if known:
        world.run(identify("e0", "a", 0, plan="p"))
    ours: dict[str, Any] = {address: "ours"}
    world.run(identify("e1", "a", time, **ours))
    assert world.alone()[address] == wins


def test_fill_does_not_hold_back_our_own_newer_values() -> None:
    """A field that we filled is ours to renew."""
    world = Pretend(terms(existing="fill"))
    world.put("persons", **{USER: "a"})
    world.run(identify("e1", "a", 5, role="r1")).run(identify("e2", "a", 6, role="r2"))
    assert world.alone()[ROLE] == "r2"


@pytest.mark.parametrize("listed", [True, False])
def test_context_fills_blanks_alone(listed: bool) -> None:
    """It changes nothing that an own event or a person has set, whatever its time."""
    world = Pretend(listed=listed)
    world.put("persons", **{USER: "a", "plan": "theirs"})
    world.run(identify("e1", "a", 1, role="own"))
    world.run(group("e2", "a", "g", 9, said={"role": "context", "plan": "context", "visible_to": 1}))
    assert (world.alone()[ROLE], world.alone()[PLAN], world.alone()["visible_to"]) == ("own", "theirs", 3)


@pytest.mark.parametrize("listed", [True, False])
def test_what_pipedrive_fills_in_by_itself_is_nobodys_word(listed: bool) -> None:
    """A new record's visible_to is a blank to `fill` and to context.traits alike, as if it had come with the rest."""
    for late in (identify("e2", "a", 9, visible_to=1), group("e2", "a", "g", 9, said={"visible_to": 1})):
        world = Pretend(terms(existing="fill"), listed=listed).run(identify("e1", "a", 1)).run(late)
        assert world.alone()["visible_to"] == 1


def test_a_creation_takes_add_time_of_the_oldest_event_and_an_update_none() -> None:
    """add_time counts on creation alone; one that an event names stands in for the time of that event."""
    second = 1_000_000
    world = Pretend().run(identify("e2", "a", 2 * second), identify("e1", "a", second))
    assert world.alone()["add_time"] == "1970-01-01T00:00:01Z"
    world.run(identify("e0", "a", 0, role="r"))
    assert world.alone()["add_time"] == "1970-01-01T00:00:01Z"
    known, unknown = (identify(name, "b", time) for name, time in (("e3", 3), ("e4", None)))
    (change,) = known.asks.changes
    dated = msgspec.structs.replace(change, on_creation={"add_time": "2001-01-01T00:00:00Z"})
    world = Pretend().run(unknown, known._replace(asks=Transformed((dated,))), identify("e5", "b", 5))
    assert world.alone()["add_time"] == "2001-01-01T00:00:00Z"
    assert "add_time" not in Pretend().run(unknown).alone()


# --- Contacts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_contacts_are_a_set_that_grows(listed: bool) -> None:
    """What is there stays in its place with its label and primary flag; what is new is added and not primary."""
    world = Pretend(listed=listed)
    world.put("persons", **{USER: "a"})
    world.alone()["emails"] = [
        {"value": "x@x", "label": "home", "primary": False},
        {"value": "y@x", "label": "work", "primary": True},
    ]
    world.run(identify("e1", "a", 1, emails=[" X@X ", Contact("z@x", "new", primary=True)]))
    assert world.alone()["emails"] == [
        {"value": "x@x", "label": "home", "primary": False},
        {"value": "y@x", "label": "work", "primary": True},
        {"value": "z@x", "label": "new", "primary": False},
    ]


@pytest.mark.parametrize("listed", [True, False])
def test_a_contact_that_somebody_removed_is_not_added_again(listed: bool) -> None:
    """What we once added, or found there, stays removed; another one is still added."""
    world = Pretend(listed=listed).run(identify("e1", "a", 1, name="A", emails=["x@x"], phones=["+49 (170) 1"]))
    world.alone()["emails"] = []
    world.run(identify("e2", "a", 2, emails=["X@x", "y@x"], phones=["+491701"]))
    assert world.emails() == ["y@x"]
    assert [item["value"] for item in world.alone()["phones"]] == ["+49 (170) 1"]
    world.run(identify("e3", "a", 3, emails=["x@x"]))
    assert world.outcomes["e3"] is UNCHANGED


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_with_replace_the_newest_list_counts(listed: bool, order: tuple[int, int]) -> None:
    """An older event's list neither replaces nor adds."""
    events = [identify("e1", "a", 1, emails=["x@x"]), identify("e2", "a", 2, emails=["y@x", "z@x"])]
    world = Pretend(terms(contacts="replace"), listed=listed)
    for place in order:
        world.run(events[place])
    assert world.emails() == ["y@x", "z@x"]


@pytest.mark.parametrize(
    ("field", "one", "other", "same"),
    [
        ("emails", " A@x ", "a@X", True),
        ("emails", "a@x", "b@x", False),
        ("phones", "+49 (0) 1", "+491", True),
        ("phones", "0049 1", "+491", True),
        ("phones", "+491 ext. 5", "+491", False),
        ("phones", "491", "+491", False),
        ("phones", "ext A", " EXT a", True),
    ],
)
def test_when_two_contacts_are_one(field: str, one: str, other: str, same: bool) -> None:
    """Emails: trimmed and without case; phones: their digits, with 00 as +, and extensions apart."""
    assert (comparable(field, one) == comparable(field, other)) is same


@pytest.mark.parametrize(
    ("given_contacts", "primary"),
    [(["a", "b"], "a"), ([Contact("a"), Contact("b", primary=True)], "b"), ([Contact("a", primary=False)], "a")],
)
def test_one_contact_of_a_new_list_is_primary(given_contacts: list[str | Contact], primary: str) -> None:
    """The one that the event names, else the first."""
    listed = contact_list("emails", [c if isinstance(c, Contact) else Contact(c) for c in given_contacts])
    assert [item["value"] for item in listed if item["primary"]] == [primary]


def test_zero_and_false_are_no_blanks() -> None:
    """Blank is what shows nothing."""
    values: list[Any] = [None, "", [], {}, 0, False, "0"]
    assert [blank(value) for value in values] == [True] * 4 + [False] * 3


# --- Products ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lookahead", [1, 100])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_unit_is_the_oldest_events(lookahead: int, order: tuple[int, ...]) -> None:
    """Whatever the order; an event without any time is no oldest one."""
    events = [
        product("e0", "c", 5, unit="newer"),
        product("e1", "c", 2, unit="oldest"),
        product("e2", "c", None, unit="never"),
    ]
    world = Pretend().run(*(events[place] for place in order), lookahead=lookahead)
    assert world.alone("products")["unit"] == "oldest"


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("existing", ["overwrite", "fill", "newest"])
def test_prices_are_per_currency_and_the_placeholder_zero_goes(
    listed: bool, existing: Literal["overwrite", "fill", "newest"]
) -> None:
    """The 0 that Pipedrive put where no price was given goes when one is; a price in another currency stays."""
    world = Pretend(terms(existing=existing), listed=listed).run(product("e0", "c", 1))
    assert world.alone("products")["prices.EUR"]["price"] == 0
    world.run(product("e1", "c", 2, prices={"USD": 7}))
    assert "prices.EUR" not in world.alone("products")
    world.run(product("e2", "c", 3, prices={"EUR": 5}))
    world.run(product("e3", "c", 1, prices={"USD": 6}))
    kept = {a: v["price"] for a, v in world.alone("products").items() if a.startswith("prices.")}
    assert kept == {"prices.USD": 7, "prices.EUR": 5}


def test_a_price_fills_the_placeholder_of_its_own_currency_under_fill() -> None:
    """A zero that nobody gave is a blank."""
    world = Pretend(terms(existing="fill")).run(product("e0", "c", 1)).run(product("e1", "c", 2, prices={"EUR": 5}))
    assert world.alone("products")["prices.EUR"]["price"] == 5


def test_a_price_of_zero_that_an_event_gave_stays() -> None:
    """Free is a price."""
    world = Pretend().run(product("e0", "c", 1, prices={"EUR": 0})).run(product("e1", "c", 2, prices={"USD": 7}))
    kept = {a: v["price"] for a, v in world.alone("products").items() if a.startswith("prices.")}
    assert kept == {"prices.EUR": 0, "prices.USD": 7}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("lookahead", [1, 100])
def test_a_product_name_made_of_an_id_never_replaces_one(order: tuple[int, ...], lookahead: int) -> None:
    """The code stands in for a name until there is one."""
    events = [product("e0", "c", 1, name="Chair"), product("e1", "c", 2), product("e2", "c", 0)]
    world = Pretend().run(*(events[place] for place in order), lookahead=lookahead)
    assert world.alone("products")["name"] == "Chair"


def test_a_product_without_a_code_is_known_by_its_exact_name() -> None:
    """Among those that have no code."""
    world = Pretend()
    world.put("products", code="k", name="Chair")
    world.run(product("e1", None, 1, name="Chair"), product("e2", None, 2, name="Chair", prices={"EUR": 3}))
    world.run(product("e3", None, 3, name="Chair", prices={"EUR": 4}))
    assert sorted(v.get("code", "") for v in world.records["products"].values()) == ["", "k"]
    assert sum(write.action == "create" for write in world.writes) == 1


def test_keep_leaves_products_that_were_there_as_they_are() -> None:
    """products.existing: keep. Those that we made are ours to change."""
    world = Pretend(terms(keep_products=True))
    world.put("products", code="k", name="Theirs")
    for n in range(2):
        world.run(product(f"e{n}", "k", n, name="New"), product(f"f{n}", "c", n, name=f"N{n}"))
    assert [v["name"] for v in world.records["products"].values()] == ["Theirs", "N1"]
    assert world.outcomes == {"e0": UNCHANGED, "f0": DELIVERED, "e1": UNCHANGED, "f1": DELIVERED}


@st.composite
def _views(draw: st.DrawFn) -> list[Said]:
    times = draw(st.permutations([1, 2, 3, 4]))
    return [
        product(
            f"e{n}",
            draw(st.sampled_from(["c", "d"])),
            time,
            unit=draw(st.sampled_from([None, f"u{n}"])),
            prices=draw(st.sampled_from([{}, {"EUR": n}, {"USD": n}, {"EUR": n, "USD": n}])),
            **draw(st.sampled_from([{}, {"name": f"N{n}"}])),
        )
        for n, time in enumerate(times)
    ]


@settings(max_examples=examples(200))
@given(st.data())
def test_products_end_the_same_in_any_order(data: st.DataObject) -> None:
    """Names, units and prices do not depend on order, windows or runs."""
    events = data.draw(_views())
    order = data.draw(st.permutations(events))
    cut, lookahead = data.draw(st.integers(0, 4)), data.draw(st.sampled_from([1, 2, 100]))
    choices: list[Literal["overwrite", "fill"]] = ["overwrite", "fill"]
    existing = data.draw(st.sampled_from(choices))
    priced: dict[str, Any] = {"prices.EUR": {"price": 9, "currency": "EUR"}}
    there = data.draw(st.sampled_from([{}, priced, {"unit": "theirs"}]))

    def world(listed: bool) -> Pretend:
        made = Pretend(terms(existing=existing), listed=listed)
        if there:
            made.put("products", code="c", **there)
        return made

    straight = world(listed=True).run(*events)
    found = world(data.draw(st.booleans())).run(*order[:cut], lookahead=lookahead).run(*order[cut:])
    assert found.picture() == straight.picture()


@settings(max_examples=examples(200))
@given(st.data())
def test_replaced_contacts_end_the_same_in_any_order(data: st.DataObject) -> None:
    """With `replace` too, where no alias joins two persons."""
    events = [
        identify(f"e{n}", "a", time, emails=data.draw(st.sampled_from([(), (f"{n}@x",), ("s@x", f"{n}@x")])))
        for n, time in enumerate(data.draw(st.permutations([1, 2, 3])))
    ]
    order, cut = data.draw(st.permutations(events)), data.draw(st.integers(0, 3))
    straight = Pretend(terms(contacts="replace")).run(*events)
    split = Pretend(terms(contacts="replace"), listed=data.draw(st.booleans())).run(*order[:cut], lookahead=1)
    assert split.run(*order[cut:]).picture() == straight.picture()


def test_a_blank_entry_among_emails_is_no_contact_and_never_goes_back() -> None:
    """Also where an older journal knows the record with it."""
    world = Pretend().run(identify("e1", "a", 1, emails=["a@x"]))
    for values in world.records["persons"].values():
        values["emails"] = [{"value": " "}, {"value": "", "primary": False}, *values["emails"]]
    world.run(identify("e2", "a", 2, emails=["b@x"]))
    assert world.emails() == ["a@x", "b@x"]


def test_a_contact_without_a_label_is_sent_without_one() -> None:
    """Pipedrive gives it its own; null is never sent."""
    assert contact_item(Contact("a@x"), primary=True) == {"value": "a@x", "primary": True}
    assert contact_item(Contact("a@x", "home"), primary=False) == {"value": "a@x", "primary": False, "label": "home"}


@pytest.mark.parametrize("lookahead", [1, 100])
def test_of_two_lines_of_one_order_the_later_counts(lookahead: int) -> None:
    """They have one event's time and number."""
    (first,), (second,) = (product("e1", "p", 1, name=name).asks.changes for name in ("First", "Second"))
    world = Pretend().run(Said("e1", Transformed((first, second)), 1), lookahead=lookahead)
    assert world.alone("products")["name"] == "Second"


def test_what_context_says_fills_a_blank_of_a_record_that_nobody_has_looked_at() -> None:
    """It is looked at first: the journal alone cannot tell whether a person has written there."""
    world = Pretend(listed=False).run(identify("e1", "a", 1), identify("e2", "b", 1))
    world.with_key("b")[ROLE] = "by hand"
    world.run(*(lead(f"l{key}", key, 2, said={"role": "said"}) for key in "ab"))
    assert [world.with_key(key)[ROLE] for key in "ab"] == ["said", "by hand"]


def test_a_product_with_a_code_is_nobody_elses_by_its_name() -> None:
    """The names of organizations and of products without a code are looked for; this one has a key."""
    world = Pretend()
    world.put("products", name="bike")
    world.run(product("e1", "p", 1, name="bike"))
    assert (len(world.records["products"]), world.complaints["e1"]) == (2, [])
