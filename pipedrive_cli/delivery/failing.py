"""How a call ends that comes to nothing, though not because of its record (that is a `Refusal`). What is raised says
what happens next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipedrive_cli.transform.changes import Kind

if TYPE_CHECKING:
    from pipedrive_cli.delivery.retry import Refused


class Failure(Exception):
    """Gave up after retries: the events are failed and can be run again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Doubt(Exception):
    """A write that must not be repeated may have been done. `refused`: why it was refused, should it not."""

    def __init__(self, reason: str, refused: Refused | None = None) -> None:
        super().__init__(reason)
        self.refused = refused


class KindStops(Exception):
    """Nothing more of one kind of record can be written in this run."""

    def __init__(self, kind: Kind, code: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
