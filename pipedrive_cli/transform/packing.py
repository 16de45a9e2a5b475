"""Packs changes into bytes: to keep them on disk or in memory, and to pass them between processes. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.msgpack import Ext

from pipedrive_cli.model import Alias, Change, Complaint, Kind, RecordName, Transformed

_RECORD_NAME = 1


class PackedTransformed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`Transformed` with its changes packed. They take half the memory, and are unpacked only when they are written."""

    changes: tuple[msgspec.Raw, ...]
    alias: Alias | None
    complaints: tuple[Complaint, ...]
    dropped: tuple[tuple[Kind, str], ...]


class _OfRecord(msgspec.Struct, gc=False, array_like=True):
    """The beginning of a packed change."""

    record: RecordName


def pack(change: Change) -> bytes:
    """The change as bytes. Raises OverflowError for a number that msgpack cannot hold."""
    return _encode(_linkable(change))


def packable(transformed: Transformed) -> Transformed:
    """The same in the form that is a `PackedTransformed` once msgpack has packed it, alone or within something else."""
    for change in transformed.changes:
        if "organization" in change.fields:
            return msgspec.structs.replace(transformed, changes=tuple(map(_linkable, transformed.changes)))
    return transformed


def record_of(packed: msgspec.Raw) -> RecordName:
    """The record that a packed change is about."""
    return _decode_record(packed).record


def _linkable(change: Change) -> Change:
    """The change with its link to an organization marked as one."""
    linked = change.fields.get("organization")
    if not isinstance(linked, RecordName):
        return change
    fields = {**change.fields, "organization": Ext(_RECORD_NAME, _encode(linked))}
    return msgspec.structs.replace(change, fields=fields)


def _extension(code: int, data: memoryview) -> Any:
    return _decode_name(data) if code == _RECORD_NAME else Ext(code, bytes(data))


_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(_OfRecord).decode
_decode_name = msgspec.msgpack.Decoder(RecordName).decode
unpack = msgspec.msgpack.Decoder(Change, ext_hook=_extension).decode  # the reverse of `pack`
