"""Tells page and screen calls, which most of an archive is, without making events of them. Pure.

The quick way to what `decode` and the transform say of such an event. It tells only of calls in the form that programs
write; all others are decoded, and rejected where they must be.
"""

from __future__ import annotations

from typing import Final

from pipedrive_cli.events.decode import Wire
from pipedrive_cli.events.depth import too_deep
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.text_forms import is_usual_key

_PAGES: Final = frozenset({"page", "screen"})


def page_type(wire: Wire, raw: bytes) -> str | None:
    """`page` or `screen`, where `decode_event` certainly makes such a call of the event in `raw`; None where it may
    be another, or where something in it may have it rejected. `wire` is `raw` decoded.
    """
    kind = wire.type
    if type(kind) is not str or kind not in _PAGES:
        return None
    user, anonymous, context = wire.user_id, wire.anonymous_id, wire.context
    if type(user) is str:
        if not is_usual_key(user):
            return None
    elif user is not None or wire.traits or (context is not None and context.traits):
        return None  # traits may name the user
    elif anonymous is not None and not (type(anonymous) is str and is_usual_key(anonymous)):
        return None
    if context is not None and context.external_id:
        return None
    return None if too_deep(raw) else kind


def page_of(entry: Entry) -> str | None:
    """As `page_type`, of an event among others of its line. What its batch says of people may be about its user."""
    if entry.wire is None or entry.identity is None or entry.own is not None:
        return None
    if entry.defaults is not None and entry.defaults.context is not None:
        return None
    return page_type(entry.wire, entry.raw)
