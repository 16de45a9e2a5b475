"""One entry of the input: an event to be decoded, or a line that holds none. Knows nothing of how files are read."""

from __future__ import annotations

import json

import msgspec

from pipedrive_cli.events.consent import consent_in
from pipedrive_cli.events.decode import Defaults, Own, Wire, decode_event
from pipedrive_cli.events.identity import content_of
from pipedrive_cli.events.lenient import dumps
from pipedrive_cli.events.people import People, people_in
from pipedrive_cli.events.refusal import refusal
from pipedrive_cli.events.whole import with_shared
from pipedrive_cli.model import Complaint, Consent, Event, Place


class Entry(msgspec.Struct):
    """The content of one line, or of one item of a batch line.

    `raw` holds the entry's bytes as they stand in the file: one JSON object, or whatever a refused line holds. `cut`
    means that the line was over the limit and `raw` is its first KiB. An entry without `refusal` has an `identity`; a
    refused one only where its event could be identified. `defaults` are the values that a batch gives all its events.
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
    wire: Wire | None = None  # `raw` decoded, if that is done already

    @property
    def place(self) -> Place:
        """The entry's place in the input."""
        return Place(self.file, self.line, self.index)

    def event(self, now: int) -> Event | Complaint:
        """Decodes the event; returns the event, or the complaint that rejects it.

        `now` is in microseconds since 1970 UTC; later event times are cut back to it.
        """
        if self.refusal is not None or self.identity is None:
            return self.refusal or refusal("bad_json", "the line holds no event")
        return decode_event(
            self.raw, identity=self.identity, now=now, defaults=self.defaults, own=self.own, wire=self.wire
        )

    def content_of(self, event: Event) -> int:
        """A checksum of what its event says; 0 where it was mended, for it is meant to say something else."""
        return 0 if self.own is not None else content_of(event)

    def consent(self) -> Consent | None:
        """The consent of the event's user, which is read from refused entries, too."""
        return consent_in(self.raw, None if self.defaults is None else self.defaults.context)

    def people(self) -> People:
        """The people whom a refused entry names, as far as it can be read."""
        return people_in(self.raw, None if self.defaults is None else self.defaults.context)

    def body(self) -> bytes:
        """The event as JSON that can be read without its file: `raw`, completed with the batch's `defaults`.

        The journal keeps this of an event that a later run is to send.
        """
        if self.refusal is not None or self.defaults is None:
            return self.raw
        try:
            shared = self.defaults.shared()
            try:
                return msgspec.json.encode(with_shared(msgspec.json.decode(self.raw), shared))
            except ValueError:  # not quite JSON
                return dumps(with_shared(json.loads(self.raw), shared))
        except (ValueError, RecursionError):
            return self.raw  # not an event: the next decoding rejects it, too
