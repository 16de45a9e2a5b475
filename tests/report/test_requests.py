"""A preview's requests in four formats, and hostile data in each of them."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.model import Place
from pipedrive_cli.pipedrive.catalog import Call, create, listing, merge, update
from pipedrive_cli.report.redact import Redactor
from pipedrive_cli.report.requests import FORMS, Form, Style, head, render_request
from pipedrive_cli.run.preview_rows import FieldChange, PlannedRequest, redacted_request

BASE = "https://acme.pipedrive.com"
EVIL = (
    "x'; touch /tmp/p; $(touch /tmp/p) `touch /tmp/p` \"\\ !! {{PIPEDRIVE_API_TOKEN}}{{{a\r\n### b\nGET http://evil\r\n"
    "\x1b[31m\x9b31m[bold]\u202e\u2028@f"
)


def written(form: Form, call: Call, **more: Any) -> str:
    """One request in one format."""
    action, fields = more.pop("action", "create"), more.pop("fields", ())
    return render_request(PlannedRequest(call, action, described=lambda: fields, **more), Style(form, BASE))


def event(line: int, *, file: str = "a.ndjson", message_id: str = "m") -> PendingEvent:
    return PendingEvent(b"", EventOrigin(message_id, Place(file, line)))


def person(name: str) -> Call:
    return create("persons", {"name": name})


def test_a_row_has_exactly_the_keys_of_the_contract() -> None:
    """Scripts are written against them; a look-up has all of them too."""
    row = json.loads(
        written("ndjson", update("persons", 7, {"name": "Ann"}), action="update", events=(event(3),), note="careful")
    )
    assert row == {
        "method": "PATCH",
        "url": f"{BASE}/api/v2/persons/7",
        "body": {"name": "Ann"},
        "tokens": 5,
        "action": "update",
        "events": [{"file": "a.ndjson", "line": 3, "message_id": "m"}],
        "note": "careful",
    }
    look = json.loads(written("ndjson", listing("persons"), action="look up"))
    assert (look["body"], look["events"], look["note"]) == (None, [], None)


def test_a_look_names_fields_in_text_and_has_their_keys_where_it_can_be_sent() -> None:
    """Forty digits tell nobody anything; what is to be sent stays as it is."""
    key = "ab" * 20
    look = PlannedRequest(listing("persons", custom_fields=(key,)), "look up")
    shown = {form: render_request(look, Style(form, BASE, names={key: "Role"})) for form in FORMS}
    assert key not in shown["text"]
    assert "custom_fields=Role" in shown["text"]
    assert all(key in shown[form] for form in FORMS if form != "text")


def test_an_unknown_id_is_words_in_a_row_and_encoded_where_it_is_sent() -> None:
    """Nobody can send `{person of user u 1}` by accident as a part of a request line."""
    call = update("persons", "{person of user u 1}", {"name": "Ann"})
    assert (
        json.loads(written("ndjson", call, action="update"))["url"] == f"{BASE}/api/v2/persons/{{person of user u 1}}"
    )
    for form in ("http", "curl"):
        assert "persons/%7Bperson%20of%20user%20u%201%7D" in written(form, call, action="update")


def test_text_shows_old_and_new_and_where_it_comes_from() -> None:
    """Old values only where they are known; of many events the first ones and how many more."""
    call = update("persons", 7, {"name": "Anna"})
    fields = (
        FieldChange("name", "Anna", "Ann", known=True),
        FieldChange("Role", "dev"),
        FieldChange("emails", [{"value": "a@b.test"}, {"value": "c@b.test"}], [], known=True),
        FieldChange("value", {"amount": 5, "currency": "EUR"}),
    )
    text = written(
        "text", call, action="update", record="person of user u1", fields=fields, events=tuple(map(event, range(1, 8)))
    )
    assert text.splitlines() == [
        "update  person of user u1  (5 tokens)",
        f"    PATCH {BASE}/api/v2/persons/7",
        "      name    Ann -> Anna",
        "      Role    dev",
        "      emails  (blank) -> a@b.test, c@b.test",
        "      value   5 EUR",
        "    from a.ndjson:1, a.ndjson:2, a.ndjson:3, a.ndjson:4, a.ndjson:5 and 2 more",
        "",
    ]


def test_a_merge_is_red_on_a_terminal_and_plain_elsewhere() -> None:
    """It cannot be undone: nobody should read over it."""
    request = PlannedRequest(merge(1, 2), "merge", "person of user u1", note="cannot be undone", irreversible=True)
    assert "\x1b[1;31mmerge\x1b[0m" in render_request(request, Style("text", BASE, colours=True))
    assert "\x1b[1;31mnote: cannot be undone\x1b[0m" in render_request(request, Style("text", BASE, colours=True))
    assert "\x1b" not in render_request(request, Style("text", BASE))


@pytest.mark.parametrize("form", FORMS)
def test_a_terminal_is_shown_nothing_that_it_would_obey(form: Form) -> None:
    """No control, no bidi override, no odd line break in any format, wherever the data stands."""
    text = written(
        form,
        person(EVIL),
        record=EVIL,
        note=EVIL,
        events=(event(1, file=EVIL, message_id=EVIL),),
        fields=(FieldChange(EVIL, EVIL, EVIL, known=True),),
    )
    assert all(line.isprintable() for line in text.split("\n"))
    assert "PIPEDRIVE_API_TOKEN" in text


def test_no_event_can_have_a_http_client_fill_in_the_token() -> None:
    """Two opening braces stand in our own header alone, and the body is the same JSON all the same."""
    text = written("http", person(EVIL), record=EVIL, note=EVIL, events=(event(1, file=EVIL),))
    lines = text.split("\n")
    assert [line for line in lines if "{{" in line] == ["x-api-token: {{PIPEDRIVE_API_TOKEN}}"]
    assert [line for line in lines if line.startswith("###")] == lines[:1]
    assert json.loads(lines[-3]) == {"name": EVIL}


@given(st.text())
def test_any_text_survives_the_shell_and_json(name: str) -> None:
    """What a POSIX shell makes of the words is the body; nothing stands outside of quotes."""
    text = written("curl", person(name), record=name, note=name, events=(event(1, file=name),))
    *about, command, _, _ = text.split("\n")
    assert all(shlex.split(line)[0] == ":" and len(shlex.split(line)) == 2 for line in about)
    words = shlex.split(command)
    body = words[words.index("--data-raw") + 1]
    assert json.loads(body) == {"name": name}
    assert words[-1] == f"{BASE}/api/v2/persons"
    assert "!" not in command  # bash and zsh would put earlier commands there
    assert json.loads(written("ndjson", person(name)))["body"] == {"name": name}


def test_half_of_a_surrogate_pair_is_written_as_an_escape() -> None:
    """Files that were cut carelessly have them; UTF-8 does not."""
    for form in FORMS:
        written(form, person("\ud83d"), record="\ud83d").encode()


def test_the_key_is_a_variable_in_every_format() -> None:
    """With OAuth it goes into the header that OAuth takes."""
    for form in ("http", "curl"):
        assert "Authorization: Bearer" in render_request(
            PlannedRequest(listing("persons"), "look up"), Style(form, BASE, oauth=True)
        )
        assert "PIPEDRIVE_API_TOKEN" in head(Style(form, BASE))


def test_a_change_shows_labels_beside_ids_and_what_it_overwrites() -> None:
    """A text that reads like no value is in quotes, so that nobody takes it for clearing."""
    options = {"31": "Free", "32": "Pro"}
    text = written(
        "text",
        update("persons", 7, {"name": "Ann"}),
        action="update",
        fields=(
            FieldChange("Role", "null", old="Head of Sales", known=True, overwrites=True),
            FieldChange("Plan", 32, old=31, known=True, labels=options),
            FieldChange("Tags", [31, 32], labels=options),
            FieldChange("City", "Oslo", old=None, known=True),
        ),
    )
    shown = [" ".join(line.split()) for line in text.splitlines()]
    assert 'Role Head of Sales -> "null" (overwrites what others wrote)' in shown
    assert "Plan Free (31) -> Pro (32)" in shown
    assert "Tags Free (31), Pro (32)" in shown
    assert "City (blank) -> Oslo" in shown


def test_a_redacted_change_still_tells_that_it_overwrites() -> None:
    """Only people are hidden: the body has its keys, and none of its values."""
    change = FieldChange("Role", "Buyer", old="Head of Sales", known=True, overwrites=True)
    request = PlannedRequest(update("persons", 7, {"name": "Ann"}), "update", described=lambda: (change,))
    redacted = redacted_request(request, Redactor(b"salt"))
    assert set(redacted.call.body or ()) == {"name"}
    assert "Ann" not in str(redacted.call.body)
    shown = render_request(redacted, Style("text", BASE))
    assert "(overwrites what others wrote)" in shown
    assert "Head" not in shown
