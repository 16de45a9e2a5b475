"""Packs changes into bytes: to keep them on disk or in memory, and to pass them between processes. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.msgpack import Ext

from pipedrive_cli.model import Alias, Change, Complaint, Kind, RecordName, Transformed

_RECORD_NAME = 1


class PackedChange(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A packed change of `record`. It takes half the memory, and is unpacked only when its record is written."""

    record: RecordName
    change: bytes


class PackedTransformed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`Transformed` with its changes packed."""

    changes: tuple[PackedChange, ...]
    alias: Alias | None
    complaints: tuple[Complaint, ...]
    dropped: tuple[tuple[Kind, str], ...]


def pack(change: Change) -> bytes:
    """The change as bytes. Raises OverflowError for a number that msgpack cannot hold."""
    linked = change.fields.get("organization")
    if isinstance(linked, RecordName):
        fields = {**change.fields, "organization": Ext(_RECORD_NAME, _encode(linked))}
        change = msgspec.structs.replace(change, fields=fields)
    return _encode(change)


def pack_transformed(transformed: Transformed) -> PackedTransformed:
    """The result of a transform with its changes packed. Raises OverflowError as `pack` does."""
    changes = tuple([PackedChange(change.record, pack(change)) for change in transformed.changes])
    return PackedTransformed(changes, transformed.alias, transformed.complaints, transformed.dropped)


def _extension(code: int, data: memoryview) -> Any:
    return _decode_name(data) if code == _RECORD_NAME else Ext(code, bytes(data))


_encode = msgspec.msgpack.Encoder().encode
_decode_name = msgspec.msgpack.Decoder(RecordName).decode
unpack = msgspec.msgpack.Decoder(Change, ext_hook=_extension).decode  # the reverse of `pack`
