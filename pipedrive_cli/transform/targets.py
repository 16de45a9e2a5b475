"""Resolves the field names of a config's mapping to addresses, with the account's fields where they are known.

Standard fields are a closed table, made from the bodies that the API documents. `owner_id` and `org_id` are not in it:
no event decides who owns a record. Knows nothing of events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from pipedrive_cli.config import Config
from pipedrive_cli.config.model import Values
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.pipedrive.choices import several_of
from pipedrive_cli.pipedrive.fields import USUAL, converter
from pipedrive_cli.pipedrive.values import Converter, as_it_is
from pipedrive_cli.text_forms import label_form

PHONE: Final = "phone"  # persons have several, which join those of the trait
PHONES: Final = "phones"
# Key -> type of value (a name in `pipedrive.fields.TYPES`, or `lead_labels`), of every field a mapping may write.
STANDARD: Final[dict[Kind, dict[str, str]]] = {
    "persons": {
        "name": "varchar",
        "first_name": "varchar",
        "last_name": "varchar",
        PHONE: PHONES,
        "visible_to": "visible_to",
        "label_ids": "set",
        "marketing_status": "marketing_status",
        # These four exist only in accounts that sync contacts (`SYNCED`).
        "job_title": "varchar",
        "birthday": "date",
        "notes": "text",
        "postal_address": "address",
    },
    "organizations": {
        "name": "varchar",
        "visible_to": "visible_to",
        "label_ids": "set",
        "address": "address",
        "website": "varchar",
        "linkedin": "varchar",
        "industry": "enum",
        "annual_revenue": "int",
        "employee_count": "int",
    },
    "products": {
        "name": "varchar",
        "description": "text",
        "unit": "varchar",
        "tax": "double",
        "category": "enum",
        "is_linkable": "boolean",
        "visible_to": "visible_to",
        "billing_frequency": "billing_frequency",
        "billing_frequency_cycles": "int",
    },
    "leads": {
        "title": "varchar",
        "expected_close_date": "date",
        "label_ids": "lead_labels",
        "visible_to": "visible_to_text",
        "was_seen": "boolean",
        "channel": "enum",
        "channel_id": "varchar",
    },
}

# Where contact sync is off, Pipedrive answers 403 to every write of a person that has one of these fields.
SYNCED: Final = frozenset({"job_title", "birthday", "notes", "postal_address"})
NEVER: Final = frozenset({"owner_id", "org_id", "organization_id", "person_id"})
ID_TYPES: Final = frozenset({"varchar", "varchar_auto", "text"})
ID_FIELDS: Final[tuple[tuple[Kind, str], ...]] = (("persons", "user_id_field"), ("organizations", "group_id_field"))


@dataclass(frozen=True, slots=True)
class FieldTarget:
    """One resolved field. `type` and `convert` are None where the account is unknown: values are not converted.

    Not `writable`: Pipedrive refuses every value for it.
    """

    address: str
    name: str  # the name that people see
    type: str | None = None
    convert: Converter | None = None
    labels: tuple[str, ...] = ()  # of its options
    writable: bool = True


def is_key(written: str) -> bool:
    """Whether the text has the form of a custom field's key: 40 hexadecimal digits."""
    return len(written) == 40 and not set(written) - set("0123456789abcdef")


def resolve_field(kind: Kind, written: str, account: Account | None, reading: Values = USUAL) -> FieldTarget | str:
    """The field that the config means by `written`, or a message that says what is wrong with it.

    `reading` is how the config has texts read.
    """
    if written in NEVER:
        return f"{written} is never taken from an event"
    fields = None if account is None else account.fields.get(kind)
    if written in STANDARD[kind]:
        return _standard(kind, written, account, fields, reading)
    if fields is None:
        return FieldTarget(f"custom_fields.{written if is_key(written) else f'{{field {written}}}'}", written)
    if is_key(written):
        named = [field for field in fields if field.custom and field.key == written]
    elif (pinned := pinned_field(kind, written, account)) is not None and not bears(pinned, written):
        named = [pinned]  # renamed since; earlier runs wrote to this field
    else:
        named = _named(fields, written)
    if len(named) == 1:
        return _custom(named[0], account, reading)
    if named:
        keys = ", ".join(f"{field.key} ({field.type})" for field in named)
        return f"the account's {kind} have {len(named)} fields named {written}; give the key of one: {keys}"
    for field in fields:
        if bears(field, written) and field.key in STANDARD[kind]:
            return _standard(kind, field.key, account, fields, reading)
    return _unknown(kind, written, fields)


def names_users(config: Config, account: Account, kind: Kind) -> bool:
    """Whether a value of this kind's mapping, or a constant of new records, stands for a user of the account."""
    constants = getattr(config.new_records, kind)
    written = [line.field for line in config.fields.lines(kind).values()] + list(constants)
    targets = (resolve_field(kind, each, account) for each in written)
    return "owner_id" in constants or any(isinstance(t, FieldTarget) and t.type == "user" for t in targets)


def bears(field: Field, written: str) -> bool:
    """Whether the field has this name in Pipedrive now."""
    return label_form(field.name) == label_form(written)


def _named(fields: Iterable[Field], written: str) -> list[Field]:
    """The custom fields of this name; where one is written exactly so, that one."""
    named = [field for field in fields if field.custom and bears(field, written)]
    exact = [field for field in named if field.name.strip() == written.strip()]
    return exact or named


def pinned_field(kind: Kind, written: str, account: Account | None) -> Field | None:
    """The custom field that earlier runs used for this name; None where there was none or it was deleted."""
    key = None if account is None else account.pinned.get(kind, {}).get(written.strip())
    if account is None or key is None:
        return None
    return next((field for field in account.fields.get(kind, ()) if field.custom and field.key == key), None)


def label_converter(account: Account | None, reading: Values = USUAL) -> Converter:
    """Converts names or ids of lead labels to ids; without the account's labels nothing is converted."""
    labels = None if account is None else account.lead_labels
    if labels is None:
        return as_it_is
    return several_of(((label.id, label.name) for label in labels), frozenset(reading.nothing))


def _standard(
    kind: Kind, key: str, account: Account | None, fields: tuple[Field, ...] | None, reading: Values
) -> FieldTarget | str:
    value_type = STANDARD[kind][key]
    # The field of the labels has had two codes.
    codes = ("label_ids", "label") if key == "label_ids" else (key,)
    known = next((field for field in fields or () if not field.custom and field.key in codes), None)
    if fields is not None and known is None and key in SYNCED:
        return f"the account has no {key}: Pipedrive has that field only where contacts are synced; use a custom field"
    writable = known is None or known.writable
    if value_type == "lead_labels":
        names = () if account is None else tuple(label.name for label in account.lead_labels or ())
        return FieldTarget(key, key, value_type, label_converter(account, reading), names, writable)
    if value_type in {"enum", "set"} and (known is None or not known.options):
        return FieldTarget(key, key, value_type, writable=writable)
    if value_type == "visible_to_text":
        to_number = converter(Field(key, key, "visible_to", custom=False))
        return FieldTarget(key, key, "visible_to", lambda value: str(to_number(value)), writable=writable)
    options = () if known is None else known.options
    field = Field(key, key, value_type, custom=False, options=options)
    return FieldTarget(key, key, value_type, converter(field, None, reading), _labels(field), writable)


def _custom(field: Field, account: Account | None, reading: Values) -> FieldTarget:
    fit = converter(field, account, reading)
    return FieldTarget(field.address, field.name, field.type, fit, _labels(field), field.writable)


def _labels(field: Field) -> tuple[str, ...]:
    return tuple(option.label for option in field.options)


def _unknown(kind: Kind, written: str, fields: tuple[Field, ...]) -> str:
    if is_key(written):
        return f"the account's {kind} have no field with the key {written}"
    names = {name.casefold(): name for name in (*STANDARD[kind], *(field.name for field in fields if field.custom))}
    near = get_close_matches(written.casefold(), names, 1)
    return f"the account's {kind} have no field {written}" + (f"; did you mean {names[near[0]]}?" if near else "")
