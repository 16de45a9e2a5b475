"""Declares a line of the mapping in its long form, and the constants of new records: what users name themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pipedrive_cli.config.declaring import TEXT, Section, config_key
from pipedrive_cli.config.values import text_value

Constant: TypeAlias = str | int | float | bool | None  # a single value as a config may hold it
Constants: TypeAlias = Mapping[str, Constant | tuple[Constant, ...]]

NO_CONSTANTS: Constants = {}


class MappingLine(Section, frozen=True):
    """The long form of a line of the mapping."""

    field: Annotated[str, config_key("The field, as in the short form.", read=text_value, words="text")] = ""
    map: Annotated[
        Constants,
        config_key(
            "What stands for a value of the trait, value by value. Upper and lower case differ only where two of them "
            "do. null: that value says nothing."
        ),
    ] = NO_CONSTANTS
    other: Annotated[
        Literal["reject", "keep", "drop"],
        config_key(
            "What becomes of a value that is not in map: reject it, so that the event can be mended; keep it as it is; "
            "or drop it, as if it said nothing."
        ),
    ] = "reject"
    mask: Annotated[
        Literal["sha256"] | None,
        config_key(
            "sha256: the value's SHA-256 as 64 hexadecimal digits is sent, and the value itself is shown nowhere."
        ),
    ] = None


FieldMap: TypeAlias = Mapping[str, str | MappingLine | None]
NO_LINES: FieldMap = {}
LINE_SCHEMA = {
    "type": "object",
    "required": ["field"],
    "additionalProperties": False,
    "properties": {
        "field": TEXT,
        "map": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
        "other": {"enum": ["reject", "keep", "drop"]},
        "mask": {"enum": ["sha256", None]},
    },
}
FIELD_SCHEMA = {
    "type": ["object", "null"],
    "additionalProperties": {"anyOf": [TEXT, {"type": "null"}, LINE_SCHEMA]},
}


CONSTANTS_SCHEMA = {
    "type": ["object", "null"],
    "additionalProperties": {"type": ["string", "number", "boolean", "array"]},
}


class NewRecords(Section, frozen=True):
    """What a record gets when it is created, and only then.

    On the left a custom field by name or by key, a standard field by key, or owner_id; on the right its value, options
    by their labels. What an event says of the same field comes first.
    """

    persons: Annotated[
        Constants, config_key("New persons.", examples=[{"Source": "Website", "owner_id": 12}], schema=CONSTANTS_SCHEMA)
    ] = NO_CONSTANTS
    organizations: Annotated[
        Constants, config_key("New organizations.", examples=[{"label_ids": ["Customer"]}], schema=CONSTANTS_SCHEMA)
    ] = NO_CONSTANTS
    leads: Annotated[Constants, config_key("New leads.", examples=[{"Source": "Website"}], schema=CONSTANTS_SCHEMA)] = (
        NO_CONSTANTS
    )
    products: Annotated[
        Constants, config_key("New products.", examples=[{"category": "Bikes"}], schema=CONSTANTS_SCHEMA)
    ] = NO_CONSTANTS
