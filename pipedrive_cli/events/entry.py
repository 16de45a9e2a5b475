"""One thing found in the input: an event that may be decoded, or a line that is none. Knows nothing of files' bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from pipedrive_cli.events.consent import consent_in
from pipedrive_cli.events.decode import Defaults, Own, Wire, decode_event
from pipedrive_cli.events.refusal import refusal
from pipedrive_cli.model import Complaint, Consent, Event, Place


class Entry(msgspec.Struct):
    """What one line, or one item of a batch line, holds.

    `raw` is its bytes as they stand in the file: one JSON object, or whatever a refused line holds (of a line over
    the limit the first KiB: `cut`). Either `refusal` says why it is no event, or `identity` is set; a refused entry
    has an identity only where the event could be told. `defaults` is what the batch around it says for all its events.
    """

    file: str
    line: int  # from 1
    raw: bytes
    index: int | None = None  # from 0, within a batch line
    identity: str | None = None
    refusal: Complaint | None = None
    cut: bool = False
    defaults: Defaults | None = None
    own: Own | None = None
    wire: Wire | None = None  # `raw` decoded, where somebody has done that already

    @property
    def place(self) -> Place:
        """Where it stands in the input."""
        return Place(self.file, self.line, self.index)

    def event(self, now: int) -> Event | Complaint:
        """The event, decoded now and not before, or the complaint that rejects it.

        `now` is in microseconds since 1970 UTC: no event is later than that.
        """
        if self.refusal is not None or self.identity is None:
            return self.refusal or refusal("bad_json", "the line holds no event")
        return decode_event(
            self.raw, identity=self.identity, now=now, defaults=self.defaults, own=self.own, wire=self.wire
        )

    def consent(self) -> Consent | None:
        """What it says of its user's consent, also where it is no event otherwise."""
        return consent_in(self.raw, None if self.defaults is None else self.defaults.context)

    def body(self) -> bytes:
        """The event so that it can stand alone: `raw`, and what its batch says for it where it is silent itself.

        This is what to keep of an event that is to be taken up again without its file.
        """
        if self.refusal is not None or self.defaults is None:
            return self.raw
        try:
            event = msgspec.json.decode(self.raw)
            shared = {name: value for name, value in msgspec.to_builtins(self.defaults).items() if value is not None}
            for name, value in shared.items():
                if event.get(name) is None:
                    event[name] = value
                elif name == "context" and isinstance(value, dict) and isinstance(event[name], dict):
                    event[name] = value | _present(event[name])
            return msgspec.json.encode(event)
        except (ValueError, RecursionError):
            return self.raw  # no event: decoding will say so, here or there


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
