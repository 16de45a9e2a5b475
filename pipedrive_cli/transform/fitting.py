"""Problems of a config that does not fit the account: fields, labels and currencies, each with a hint. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from pipedrive_cli.config import Config
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account, Label
from pipedrive_cli.pipedrive.contacts import knows_country
from pipedrive_cli.text_forms import caseless_form, label_form
from pipedrive_cli.transform.constants import wrong_constants
from pipedrive_cli.transform.targets import (
    ID_FIELDS,
    ID_TYPES,
    NEVER,
    STANDARD,
    FieldTarget,
    bears,
    is_key,
    resolve_field,
)

MASKED_TYPES = ("varchar", "varchar_auto", "text")
LISTED = 10  # names in one message at most
MAKE_IT = "if it is to be a new field, `pipedrive-cli fields create` makes it"


def resolve_fields(config: Config, account: Account | None) -> list[ConfigProblem]:
    """A problem for every field, label and currency of the config that the account does not have."""
    problems: list[ConfigProblem] = []
    ids: dict[str, str] = {}
    for kind, name in ID_FIELDS:
        written = getattr(config.identity, name)
        if written is None:
            continue
        target = resolve_field(kind, written, account)
        message = target if isinstance(target, str) else _no_id_field(target)
        if message:
            hint = _advice(kind, written, account) if isinstance(target, str) else _id_advice(kind, account)
            problems.append(ConfigProblem(f"identity.{name}", message, hint=hint))
        elif isinstance(target, FieldTarget):
            ids[f"{kind}/{target.address}"] = name
    for kind in KINDS:
        problems += _line_problems(kind, config, account, ids)
        problems += wrong_constants(config, account, kind)
    problems += _reading_problems(config)
    if account is not None:
        problems += [*_currency_problems(config, account), *_label_problems(config, account)]
    return problems


def read_only(config: Config, account: Account) -> Iterator[ConfigProblem]:
    """A warning for every line of the mapping whose field Pipedrive lets nobody write: its values are left out."""
    for kind in KINDS:
        for trait, line in config.fields.lines(kind).items():
            target = resolve_field(kind, line.field, account)
            if isinstance(target, FieldTarget) and not target.writable:
                yield ConfigProblem(
                    f"fields.{kind}.{trait}",
                    f"the field {target.name} of {kind} cannot be written: its values are left out",
                    hint="map the trait to another field, or take this line out",
                )


def lines_of(config: Config, account: Account, kind: Kind, address: str) -> Iterator[tuple[str, str]]:
    """The lines of the mapping that write this field: each line's path in the config, and the field's name."""
    for trait, line in config.fields.lines(kind).items():
        target = resolve_field(kind, line.field, account)
        if isinstance(target, FieldTarget) and target.address == address:
            yield f"fields.{kind}.{trait}", target.name


def _line_problems(kind: Kind, config: Config, account: Account | None, ids: dict[str, str]) -> Iterator[ConfigProblem]:
    for trait, line in config.fields.lines(kind).items():
        path, written = f"fields.{kind}.{trait}", line.field
        target = resolve_field(kind, written, account)
        if isinstance(target, str):
            yield ConfigProblem(path, target, hint=_advice(kind, written, account))
        elif (owner := ids.get(f"{kind}/{target.address}")) is not None:
            message = f"{written} is the identity.{owner}; an event's trait would overwrite who the record is"
            yield ConfigProblem(path, message, hint="map the trait to a field of its own, or take this line out")
        elif line.mask is not None and target.type not in {None, *MASKED_TYPES}:
            message = f"a mask is 64 hexadecimal digits, and {target.name} is of type {target.type}"
            yield ConfigProblem(f"{path}.mask", message, hint="name a field of type text (varchar), or leave mask out")


def _advice(kind: Kind, written: str, account: Account | None) -> str:
    """The hint for a field of the config that the account does not have, or has more than once."""
    fields = () if account is None else account.fields.get(kind, ())
    named = [field for field in fields if field.custom and bears(field, written)]
    if written in NEVER:
        return "take this line out"
    if len(named) > 1:
        return "write one of these keys instead of the name, or rename the other field in Pipedrive"
    if written in STANDARD[kind]:
        return "map the trait to a custom field, or take this line out"
    look = f"`pipedrive-cli fields {kind}` lists what there is"
    if is_key(written):
        for other, theirs in ({} if account is None else account.fields).items():
            if (field := next((field for field in theirs if field.key == written), None)) is not None:
                return f"it is the key of {field.name}, a field of {other}; {look}"
        return f"it may be another account's, or deleted; {look}"
    if any(caseless_form(field.name) == caseless_form(written) for field in fields):
        return "write it as Pipedrive has it: upper and lower case count"
    return f"{look}; {MAKE_IT}"


def _no_id_field(target: FieldTarget) -> str | None:
    if not target.address.startswith("custom_fields."):
        return f"{target.name} is a field of Pipedrive's own; ids need a custom field of type text"
    if target.type is not None and target.type not in ID_TYPES:
        return f"{target.name} is of type {target.type}; ids need a custom field of type text (varchar)"
    if not target.writable:
        return f"{target.name} cannot be written; ids need a custom field of type text that can"
    return None


def _id_advice(kind: Kind, account: Account | None) -> str:
    """The hint that names the fields that could hold ids; Pipedrive cannot change a field's type."""
    fields = () if account is None else account.fields.get(kind, ())
    named = Counter(field.name.strip() for field in fields)
    fitting = [f.name for f in fields if f.custom and f.writable and f.type in ID_TYPES and named[f.name.strip()] == 1]
    make = "name a field that is not there yet, and `pipedrive-cli fields create` makes it"
    return f"of that type there are {listed(fitting)}; or {make}" if fitting else make


def _reading_problems(config: Config) -> Iterator[ConfigProblem]:
    country = config.values.country
    if country is not None and not knows_country(country):
        yield ConfigProblem(
            "values.country", f"{country} is no country whose numbers are known", hint="DE, for example"
        )


def _currency_problems(config: Config, account: Account) -> Iterator[ConfigProblem]:
    code = config.reading.currency
    if code is not None and account.currencies is not None and code not in account.currencies:
        yield ConfigProblem(
            "values.currency" if config.values.currency is not None else "leads.default_currency",
            f"the account has no currency {code}",
            hint=f"it has {listed(sorted(account.currencies))}; more are added in Pipedrive's company settings",
        )


def _label_problems(config: Config, account: Account) -> Iterator[ConfigProblem]:
    labels = account.lead_labels
    for written in config.leads.label_ids if labels is not None else ():
        named = _labels_named(written, labels or ())
        if not named:
            names = [label.name for label in labels or ()]
            meant = {name.casefold(): name for name in names}
            near = get_close_matches(written.strip().casefold(), meant, 1)
            hint = f"did you mean {meant[near[0]]}?" if near else "write one of these, or make it in Pipedrive"
            message = f"the account has no lead label {written}; its labels: {listed(names)}"
            yield ConfigProblem("leads.label_ids", message, hint=hint)
        elif len(named) > 1:
            yield ConfigProblem(
                "leads.label_ids",
                f"the account has {len(named)} lead labels named {written}; give the id of one: "
                + listed([label.id for label in named]),
                hint="or rename one of them in Pipedrive",
            )


def _labels_named(written: str, labels: Iterable[Label]) -> list[Label]:
    """The labels with this id or name; an exact name takes precedence over one that differs in case."""
    wanted = written.strip()
    known = list(labels)
    for found in (
        [label for label in known if label.id == wanted],
        [label for label in known if label.name.strip() == wanted],
        [label for label in known if label_form(label.name) == label_form(wanted)],
    ):
        if found:
            return found
    return [label for label in known if caseless_form(label.name) == caseless_form(wanted)]


def listed(names: Iterable[str]) -> str:
    """The first `LISTED` names and the number of the others; `none` for an empty list."""
    every = list(names)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return (", ".join(every[:LISTED]) or "none") + more
