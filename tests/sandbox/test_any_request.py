"""Whatever is asked, the sandbox answers as Pipedrive would: with an envelope, never with a crash."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.sandbox.bodies import CHECKS
from pipedrive_cli.sandbox.fields import CREATABLE
from pipedrive_cli.sandbox.listing import encode_cursor
from pipedrive_cli.sandbox.routes import ENDPOINTS
from tests.examples import examples

from .desk import Desk

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 30),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(["", "1", "EUR", "3", "2024-01-01", "nan", "inf", "10:00", "1,2", "x" * 300, "+14155550123"]),
)
WORDS = ("value", "currency", "amount", "until", "timezone_name", "label", "primary", "id", "price", "field_name")
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)),
    max_leaves=6,
)
KEYS = sorted({key for checks in CHECKS.values() for key in checks} | {"title", "person_id", "options", "field_type"})
VALUES: list[Any] = [1, "a", None, []]
PLACES = [{"id": 1, "by": by, "value": value} for by in ("id", "name") for value in VALUES]
CURSORS = [encode_cursor(place) for place in PLACES]


def _filled() -> tuple[Desk, list[str]]:
    desk = Desk()
    options = {"enum": ["A", "B"], "set": ["A", "B"]}
    keys = [
        desk.sandbox.add_field(kind, name=field_type, field_type=field_type, options=options.get(field_type, ()))
        for kind in ("persons", "deals")
        for field_type in CREATABLE
    ]
    desk.sandbox.add_record("organizations", {"name": "Acme"})
    desk.sandbox.add_record("persons", {"name": "Jane", "org_id": 1})
    desk.sandbox.add_record("persons", {"name": "John"})
    desk.sandbox.add_record("products", {"name": "Pen", "code": "1"})
    lead = desk.sandbox.add_record("leads", {"title": "L", "person_id": 1})
    return desk, [*keys, str(lead)]


_, NAMES = _filled()  # the same in every sandbox of one seed
LEAD = NAMES[-1]
FLAT = [*NAMES[:-1], *(f"{key}_{part}" for key in NAMES[:-1] for part in ("currency", "until", "route"))]


@settings(max_examples=examples(150))
@given(st.data())
def test_no_request_makes_the_sandbox_fail(data: st.DataObject) -> None:
    """Any body and any query to any endpoint gets an answer in an envelope, a refusal below 500 at worst."""
    desk, _ = _filled()
    for _ in range(5):
        endpoint = data.draw(st.sampled_from(ENDPOINTS))
        parts = {"{id}": data.draw(st.sampled_from(["1", "2", "x", LEAD])), "{field_code}": NAMES[0]}
        path = f"/api/v{endpoint.version}{endpoint.path}"
        for name, value in parts.items():
            path = path.replace(name, value)
        custom = data.draw(st.dictionaries(st.sampled_from(FLAT), NESTED, max_size=3))
        body: Any = data.draw(st.dictionaries(st.sampled_from(KEYS), NESTED, max_size=4))
        body |= {"name": "Jane"} if data.draw(st.booleans()) else {}
        body |= {"title": "L", "person_id": 1} if endpoint.path.startswith("/leads") else {}
        body |= custom if endpoint.version == 1 else {"custom_fields": custom}
        if data.draw(st.booleans()):
            body = {key: value for key, value in body.items() if key != "custom_fields"}
        if endpoint.path.endswith("/merge"):
            body = {"merge_with_id": data.draw(st.integers(0, 3))}
        if endpoint.path.endswith("/options"):
            body = [body]
        query = data.draw(
            st.dictionaries(
                st.sampled_from(sorted(endpoint.query or ["x"])),
                st.one_of(
                    st.sampled_from(["1", "true", "id", "name", "desc", "person", "ab", NAMES[0], *CURSORS]),
                    st.text(st.characters(codec="utf-8"), max_size=5),
                ),
                max_size=4,
            )
        )
        got = desk.send(endpoint.method, path, body, query=query)
        assert got.status < 500 or endpoint.path == "/leads/search"
        assert got.json["success"] is (got.status < 300)
    msgspec.json.encode(desk.sandbox.contents(ids=True, times=True))
