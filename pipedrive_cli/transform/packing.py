"""Changes as bytes: while they wait on disk or in memory, and on their way from another process. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.msgpack import Ext

from pipedrive_cli.model import Alias, Change, Complaint, Kind, RecordName, Transformed

_RECORD_NAME = 1


class PackedChange(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A change of `record`, packed. It takes half the room, and nobody unpacks it before its record is taken up."""

    record: RecordName
    change: bytes


class PackedTransformed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`Transformed` with its changes packed."""

    changes: tuple[PackedChange, ...]
    alias: Alias | None
    complaints: tuple[Complaint, ...]
    dropped: tuple[tuple[Kind, str], ...]


def pack(change: Change) -> bytes:
    """The change as bytes. Raises OverflowError for one that holds a number too long for it."""
    linked = change.fields.get("organization")
    if isinstance(linked, RecordName):
        fields = {**change.fields, "organization": Ext(_RECORD_NAME, _encode(linked))}
        change = msgspec.structs.replace(change, fields=fields)
    return _encode(change)


def pack_transformed(transformed: Transformed) -> PackedTransformed:
    """The same with its changes packed. Raises OverflowError as `pack` does."""
    changes = tuple([PackedChange(change.record, pack(change)) for change in transformed.changes])
    return PackedTransformed(changes, transformed.alias, transformed.complaints, transformed.dropped)


def _extension(code: int, data: memoryview) -> Any:
    return _decode_name(data) if code == _RECORD_NAME else Ext(code, bytes(data))


_encode = msgspec.msgpack.Encoder().encode
_decode_name = msgspec.msgpack.Decoder(RecordName).decode
unpack = msgspec.msgpack.Decoder(Change, ext_hook=_extension).decode  # what `pack` has packed
