"""The account's custom fields: which there are, which the config names and the account lacks, and how those are made.

What `init` needs of the account is here too: whose key it is, the fields to choose from, and making the id fields.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.retry import Doubt, Failure, KindStops
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS, Call, create_field
from pipedrive_cli.pipedrive.fields import TYPES
from pipedrive_cli.pipedrive.reading_account import read_fields
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.connection import Connection, asking, connected, unreachable, whose_key
from pipedrive_cli.run.embedded import field_names
from pipedrive_cli.text_forms import caseless_form
from pipedrive_cli.transform.pins import Pins
from pipedrive_cli.transform.targets import ID_TYPES, FieldTarget, is_key, resolve_field

TEXT = "varchar"
Found = TypeVar("Found")
CHOICES = frozenset({"enum", "set"})
# The types of field that Pipedrive lets the API make, as its reference lists them.
CREATABLE = (
    *("varchar", "text", "double", "phone", "date", "daterange", "time", "timerange"),
    *("set", "enum", "varchar_auto", "address", "monetary", "org", "people", "user"),
)


@dataclass(frozen=True, slots=True)
class WantedField:
    """A field to be made. `options` are the labels of an enum or set."""

    kind: Kind
    name: str
    type: str = TEXT
    options: tuple[str, ...] = ()


async def custom_fields(connection: Connection, kinds: Iterable[Kind]) -> dict[Kind, tuple[Field, ...]]:
    """The custom fields of each kind; leads have those of deals. Raises StopRun where Pipedrive does not show them."""
    found: dict[Kind, tuple[Field, ...]] = {}
    for kind in kinds:
        found[kind] = tuple(field for field in await fields_of(connection, kind) if field.custom)
    return found


async def missing_fields(
    connection: Connection, config: Config, types: Mapping[str, tuple[str, tuple[str, ...]]], pinned: Pins | None = None
) -> list[WantedField]:
    """The fields that the config names and the account lacks; `types` has, by name, those that are not plain text.

    A name that is `pinned` to a field which was renamed is not lacking: its values still go into that one.
    Raises UserMistake for a name that differs from a field's only in case or blanks: that field was meant.
    """
    wanted: list[WantedField] = []
    near: list[str] = []
    for kind, names in field_names(config).items():
        lacking = [name for name in names if not is_key(name)]
        fields = await fields_of(connection, kind) if lacking else ()
        account = Account(fields={kind: fields}, pinned=pinned or {})
        for name in lacking:
            alike = [field for field in fields if caseless_form(field.name) == caseless_form(name)]
            if isinstance(resolve_field(kind, name, account), FieldTarget) or any(
                f.name.strip() == name.strip() for f in alike
            ):
                continue
            near += [f"the config names {name}, but the account's {kind} have {field.name}" for field in alike[:1]]
            field_type, options = types.get(name, (TEXT, ()))
            wanted.append(WantedField(kind, name, field_type, options))
    if near:
        raise UserMistake(
            "; ".join(near), code="field_alike", hint="write the names in the config as Pipedrive has them"
        )
    return wanted


async def create_fields(connection: Connection, wanted: WantedField) -> Field:
    """Makes one field; without an answer, looks whether it was made. Raises StopRun where it could not be."""

    async def made() -> Field | None:
        fields = await fields_of(connection, wanted.kind)
        return next((field for field in fields if field.custom and field.name == wanted.name), None)

    call = create_field(wanted.kind, wanted.name, wanted.type, wanted.options)
    hint = "making fields takes an admin's API token, and each plan has a limit of custom fields"
    answer = await make_once(connection, call, f"the field {wanted.name} of {wanted.kind}", hint, made)
    if isinstance(answer, Field):
        return answer
    data = answer.data if isinstance(answer.data, dict) else {}
    return Field(str(data.get("field_code") or ""), wanted.name, wanted.type)


async def make_once(
    connection: Connection, call: Call, what: str, hint: str, made: Callable[[], Awaitable[Found | None]]
) -> Answer | Found:
    """Has Pipedrive make something; without an answer, what `made` finds of it. Raises StopRun where it is not made."""
    try:
        with asking(f"Pipedrive refused to make {what}", code="refused", hint=hint):
            return await connection.send(call)
    except Doubt:
        # It is there by now, or the same command again finds it missing and makes it.
        if (found := await made()) is not None:
            return found
        raise StopRun(
            f"Pipedrive did not say whether it made {what}",
            code="in_doubt",
            hint="run the same command again: it looks first and makes nothing twice",
        ) from None


def written_type(text: str) -> tuple[str, tuple[str, ...]]:
    """A type as people write it, with the options of one that has them: `double`, `enum:Admin,User`."""
    field_type, _, listed = text.partition(":")
    return field_type, tuple(option.strip() for option in listed.split(",") if option.strip())


def read_types(written: Sequence[str], config: Config) -> dict[str, tuple[str, tuple[str, ...]]]:
    """`Role=enum:Admin,User` -> the type and options of the field Role. Raises UserMistake.

    The name is one that the config has, so that names may hold = and : themselves.
    """
    names = {name for kind in KINDS for name in field_names(config)[kind] if not is_key(name)}
    ids = {config.identity.user_id_field, config.identity.group_id_field}
    types: dict[str, tuple[str, tuple[str, ...]]] = {}
    for text in written:
        name = max((name for name in names if text.startswith(f"{name}=")), key=len, default=None)
        if name is None:
            raise _bad_type(
                text, "the config names no such field", f"write NAME=TYPE; names: {', '.join(sorted(names))}"
            )
        field_type, options = written_type(text[len(name) + 1 :])
        if field_type not in CREATABLE or field_type not in TYPES:
            raise _bad_type(
                text, f"there is no type {field_type or 'without a name'}", f"types: {', '.join(CREATABLE)}"
            )
        if (field_type in CHOICES) != bool(options):
            raise _bad_type(text, "enum and set have options, others have none", "write NAME=enum:First,Second")
        if name in ids and field_type not in ID_TYPES:
            raise _bad_type(
                text, f"{name} holds ids and must be text", "leave it out: fields are text unless named here"
            )
        types[name] = (field_type, options)
    return types


def _bad_type(text: str, why: str, hint: str) -> UserMistake:
    return UserMistake(f"--type {text}: {why}", code="usage", hint=hint)


async def fields_of(connection: Connection, kind: Kind) -> tuple[Field, ...]:
    """All fields of a kind. Raises StopRun where Pipedrive does not show them."""
    hint = "the API token's user may lack a permission, or the feature is off"
    with asking(f"Pipedrive does not show the fields of {kind}", code="refused", hint=hint):
        return await read_fields(connection.send, kind)


TODAYS_PLANS = ("lite", "growth", "premium", "ultimate")  # the others are older names of limits that these have too


@dataclass(frozen=True, slots=True)
class AccountForSetup:
    """The account with its fields. `refused` has a sentence per kind whose fields Pipedrive does not show."""

    account: Account
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreatedFields:
    """Fields that were made, those that are missing still, and what kept them from being made, if anything."""

    fields: tuple[WantedField, ...]
    missing: tuple[WantedField, ...] = ()
    stopped: StopRun | None = None


async def account_of_key(config: Config) -> tuple[Account, str | None]:
    """Whose key this is, and the plan that Pipedrive's limits show. Raises StopRun and UserMistake."""
    async with connected(config) as connection:
        account = await whose_key(connection)
        limit = connection.limit_of("x-ratelimit-limit")
    return account, next((plan for plan in TODAYS_PLANS if PRICE_PLANS[plan].requests == limit), None)


async def learn_account(config: Config, account: Account, kinds: Iterable[Kind]) -> AccountForSetup:
    """The fields of these kinds. Raises StopRun where nobody answers."""
    refused: list[str] = []
    async with connected(config) as connection:
        knowledge = AccountKnowledge(account, None, connection.send, connection.clock.now())
        for kind in kinds:
            try:
                await knowledge.learn(frozenset({kind}), labels=False)
            except Failure as failure:
                raise unreachable(failure) from failure
            except (KindStops, Refusal) as refusal:
                refused.append(f"Pipedrive does not show the fields of {kind}: {refusal}")
    return AccountForSetup(knowledge.account, tuple(refused))


async def lacking_fields(config: Config, types: Mapping[str, str]) -> list[WantedField]:
    """The fields that the config names and the account lacks; `types` by name, text for all others."""
    async with connected(config) as connection:
        return await missing_fields(connection, config, {name: (each, ()) for name, each in types.items()})


async def create_lacking(config: Config, wanted: Sequence[WantedField]) -> CreatedFields:
    """Makes them in this order, until one cannot be made."""
    made: list[WantedField] = []
    async with connected(config) as connection:
        try:
            for each in wanted:
                await create_fields(connection, each)
                made.append(each)
        except StopRun as stop:
            return CreatedFields(tuple(made), tuple(wanted[len(made) :]), stop)
    return CreatedFields(tuple(made))
