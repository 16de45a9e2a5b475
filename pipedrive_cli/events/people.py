"""The people whom an event names: its ids of users, and the emails in their traits. Pure.

Whoever asked not to be sent is found by these, in every kind of event. Emails are those of the trait `email`, which is
the person's own; an address in another trait may be anybody's. Who is suppressed is decided in
`transform/suppression.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.events.lenient import external_ids, loads, object_in
from pipedrive_cli.model import BrokenText, Event
from pipedrive_cli.text_forms import key_text, narrow, pipedrive_id, visible

_NO_NAMES: Final[tuple[str, ...]] = ()
_PERSON_IDS: Final = ("pipedrivePersonId", "pipedrivePreviousId", "pipedriveCurrentId")
# In text that is no JSON: the value of a key that names a user, and whatever looks like an email.
_QUOTED_ID: Final = re.compile(r'"(?:user|anonymous|previous)_?[iI]d"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(\d+))')
_AROUND: Final = re.compile(r"[\s\"'<>,;:()\[\]{}|\\\ufffd]+")  # no part of an email
_LONGEST: Final = 320  # characters of an email


class People(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The people of one event. `emails` are as they are written; `pipedrive_ids` are Pipedrive's own, of persons.

    `user` is the user id, or the anonymous id of an event without one. `others` are the anonymous id beside it, and
    further ids of an event that cannot be decoded.
    """

    user: str | None = None
    previous: str | None = None
    others: tuple[str, ...] = _NO_NAMES
    emails: tuple[str, ...] = _NO_NAMES
    pipedrive_ids: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """All user, previous and anonymous ids."""
        named = _NO_NAMES if self.user is None else (self.user,)
        return (*named, *self.others) if self.previous is None else (*named, self.previous, *self.others)


class _Wire(msgspec.Struct, rename="camel"):
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    traits: Any = None
    context: Any = None


_decode: Final = msgspec.json.Decoder(_Wire).decode


def people_of(event: Event) -> People:
    """The people of a well-formed event."""
    user, anonymous = event.user_id, event.anonymous_id
    others = _NO_NAMES if anonymous is None or user is None else (anonymous,)
    emails = _NO_NAMES
    if "email" in event.traits:
        emails = tuple(_emails(event.traits["email"]))
    if "email" in event.context_traits:
        emails += tuple(each for each in _emails(event.context_traits["email"]) if each not in emails)
    ids = tuple(event.ids[name] for name in _PERSON_IDS if name in event.ids) if event.ids else ()
    return People(anonymous if user is None else user, event.previous_id, others, emails, ids)


def people_in(raw: bytes, defaults: object) -> People:
    """The people in the bytes of an event that is refused, as far as they can be read.

    `defaults` is the context that the batch gives its events, or None. Of bytes that are no JSON object, the values of
    keys that name users count, and whatever looks like an email.
    """
    wire = _wire(raw)
    if wire is None:
        return people_in_text(raw.decode("utf-8", "replace"))
    context = found if isinstance(found := object_in(wire.context), Mapping) else {}
    shared = defaults if isinstance(defaults, Mapping) else {}
    written = map(object_in, (wire.traits, context.get("traits"), shared.get("traits")))
    traits = [each for each in written if isinstance(each, Mapping)]
    inner = [each.get(name) for each in traits for name in ("userId", "id")]
    previous = [each.get("previousId") for each in traits]
    ids = [text for value in (wire.user_id, wire.anonymous_id, *inner) for text in _ids(value)]
    former = [text for value in (wire.previous_id, *previous) for text in _ids(value)]
    emails = [email for each in traits for email in _emails(each.get("email"))]
    external = [*_person_ids(context.get("externalId")), *_person_ids(shared.get("externalId"))]
    return People(
        None, None, tuple(dict.fromkeys([*ids, *former])), tuple(dict.fromkeys(emails)), tuple(dict.fromkeys(external))
    )


def _wire(raw: bytes) -> _Wire | None:
    try:
        return _decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        event = None if too_deep(raw) else loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    return _Wire(**{name: event.get(key) for name, key in zip(_Wire.__struct_fields__, _KEYS, strict=True)})


_KEYS: Final = _Wire.__struct_encode_fields__


def people_in_text(text: str) -> People:
    """The people in text that is no JSON: the values of keys that name users, and whatever looks like an email."""
    ids = [quoted or digits for quoted, digits in _QUOTED_ID.findall(text)]
    return People(None, None, tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(_addresses(text))))


def _ids(value: object) -> Iterator[str]:
    """The ids in a value that should be one: what is refused as an id may still name somebody."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else (value,)
    yield from filter(None, map(key_text, inner))


def _person_ids(external: object) -> Iterator[int]:
    """Pipedrive's ids of persons among the ids that an event has from elsewhere."""
    for each in external_ids(external):
        if isinstance(each, Mapping) and each.get("type") in _PERSON_IDS:
            number = pipedrive_id(each.get("id"))
            if number is not None:
                yield number


def _addresses(text: str) -> list[str]:
    """Whatever looks like an email in a text, which may be long and hostile."""
    return [each for each in _AROUND.split(narrow(text)) if "@" in each and len(each) <= _LONGEST]


def _emails(value: object) -> Iterator[str]:
    """The addresses in the trait `email`: text, Pipedrive's form, or a list of either, as PHP writes lists too.

    Of a text that is refused because it holds more than one address, or other words, each address counts.
    """
    if isinstance(value, BrokenText):
        value = value.shown
    if isinstance(value, str):
        value = narrow(value)
        if "@" in value or "%" in value:  # `mailto:` addresses are written so, too
            yield value
            yield from (each for each in _addresses(visible(value)) if each != value)
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _emails(each)
