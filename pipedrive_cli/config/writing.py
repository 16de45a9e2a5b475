"""Writes a config file for people: the values that were chosen, with a comment beside each line.

`load` reads exactly these values back, whatever names events and accounts have. The API token is never written.
Comments never show values of events, which are personal data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from pipedrive_cli.config.model import Values
from pipedrive_cli.config.paths import unmistakable
from pipedrive_cli.config.variables import TOKEN_VARIABLE
from pipedrive_cli.model import Kind
from pipedrive_cli.timestamps import DateOrder

# Text that needs no quotes: neither YAML nor people can misread it.
PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ .-][A-Za-z0-9_]+)*", re.ASCII)
NOT_TEXT: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
ABOUT: Final[dict[Kind, str]] = {
    "persons": "traits of identify events",
    "organizations": "traits of group events",
    "leads": "properties of track events; leads share the custom fields of deals",
    "products": "properties of products",
}
ORDER: Final[tuple[Kind, ...]] = ("persons", "organizations", "leads", "products")


NOTHING: Final = Values().nothing


@dataclass(frozen=True, slots=True)
class MappedTrait:
    """One line of `fields:` with a `note` for people. A line that is not `active` is commented out."""

    trait: str
    field: str
    note: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """The chosen values. Without `api_token_file` and `keyring` the key comes from the environment."""

    company_domain: str | None = None
    base_url: str | None = None
    api_token_file: str | None = None
    keyring: str | None = None
    plan: str = "lite"
    seats: int | None = None
    user_id_field: str | None = None
    group_id_field: str | None = None
    create_persons: str = "all"
    match_organizations: str | None = None
    nothing: Sequence[str] = NOTHING
    dates: DateOrder = "iso"
    decimals: str = "point"
    currency: str | None = None
    country: str | None = None
    purposes: Sequence[str] = ()  # of consent
    require: str = "all"
    mapping: Mapping[Kind, Sequence[MappedTrait]] = field(default_factory=dict)


def yaml_of(draft: Draft) -> str:
    """The file's text."""
    lines = [
        "# The config of pipedrive-cli, written by `pipedrive-cli init`. Every line may be left out or changed.",
        "# Any value may name environment variables, as in ${NAME}; $${ writes ${ itself.",
        "# `pipedrive-cli schema` has every key there is; `pipedrive-cli check` says whether all is well.",
        "",
        *_account(draft),
        "",
        *_identity(draft),
        "",
        *_fields(draft),
        "",
        *_values(draft),
        "",
        *_privacy(draft),
        "",
        *_rest(draft),
    ]
    return "".join(f"{line}\n" for line in lines)


def yaml_key(name: str) -> str:
    """A key as YAML: plain where that is safe, else in quotes, with invisible characters escaped."""
    if PLAIN.fullmatch(name) and name.casefold() not in NOT_TEXT:
        return name
    # YAML treats bidi control characters like letters; people would misread the line.
    return yaml.dump(name, default_style='"', allow_unicode=name.isprintable(), width=float("inf")).removesuffix("\n")


def value(text: str) -> str:
    """A value as YAML, in which ${ does not start a variable."""
    return yaml_key(text.replace("${", "$${"))


def _account(draft: Draft) -> Iterator[str]:
    yield "pipedrive:"
    if draft.base_url is not None:
        yield f"  base_url: {value(draft.base_url)} # the whole address, instead of company_domain"
    elif draft.company_domain is not None:
        where = f"https://{draft.company_domain}.pipedrive.com"
        yield f"  company_domain: {value(draft.company_domain)} # you open Pipedrive at {where}"
    else:
        yield "  # company_domain: acme # if you open Pipedrive at https://acme.pipedrive.com"
    if draft.api_token_file is not None:
        yield f"  api_token_file: {value(draft.api_token_file)} # holds the API token and nothing else; keep it to you"
    elif draft.keyring is not None:
        yield f"  keyring: {value(draft.keyring)} # the entry of the system's keyring that holds the API token"
    else:
        yield f"  api_token: ${{{TOKEN_VARIABLE}}} # the environment variable; the key itself does not belong here"
    yield f"  plan: {value(draft.plan)} # lite, growth, premium or ultimate: the limits to start from"
    if draft.seats is None:
        yield "  # seats: 5 # with plan, how many API tokens a day has"
    else:
        yield f"  seats: {draft.seats} # with plan, how many API tokens a day has"


def _identity(draft: Draft) -> Iterator[str]:
    yield "identity:"
    yield "  # The custom fields that hold your ids, by name or by key. By them records are found again."
    for name, written_as, of in (
        ("user_id_field", draft.user_id_field, "persons"),
        ("group_id_field", draft.group_id_field, "organizations"),
    ):
        if written_as is None:
            yield f"  # {name}: a text field on {of}"
        else:
            yield f"  {name}: {value(written_as)} # on {of}"
    yield f"  create_persons: {draft.create_persons} # all, identify or none: which events may create a person"
    by_name = draft.match_organizations or "null"
    yield f"  match_organizations: {by_name} # or name: groups take over organizations by name"
    yield "  # company: company # the trait of identify events that names the person's organization"
    yield "  match_email: true # take over the one person who has the same email and no user id yet"
    yield "  anonymous: skip # or use: the anonymous id stands in for a missing user id"
    yield "  alias: merge # or rekey, or skip; a merge cannot be undone"


def _fields(draft: Draft) -> Iterator[str]:
    yield "# On the left a trait of your events; dots go down into nested ones, upper and lower case differ."
    yield "# On the right a field in Pipedrive, by name or by key. Names, emails, phones and amounts need no line."
    yield "# What is not named here is left out, and counted in the report."
    yield "fields:"
    for kind in ORDER:
        rows = draft.mapping.get(kind, ())
        yield f"  {kind}: # {ABOUT[kind]}"
        for row in (row for row in rows if row.active):
            yield f"    {yaml_key(unmistakable(kind, row.trait))}: {value(row.field)}{_note(row)}"
        waiting = [row for row in rows if not row.active]
        if waiting:
            yield "    # not mapped; take the # away and see that the field is the right one:"
        for row in waiting:
            yield f"    # {yaml_key(unmistakable(kind, row.trait))}: {value(row.field)}{_note(row)}"


def _note(row: MappedTrait) -> str:
    return f" # {' '.join(row.note.split())}" if row.note.strip() else ""


def _values(draft: Draft) -> Iterator[str]:
    yield "values: # how texts in events are read"
    words = ", ".join(yaml.dump(word, default_style='"', allow_unicode=True).strip() for word in draft.nothing)
    yield f"  nothing: [{words}] # texts that say nothing; [] sends them all"
    yield f"  dates: {draft.dates} # iso, day first or month first: how 03/04/2026 is read"
    yield f"  decimals: {draft.decimals} # point reads 1,200.50 and comma 1.200,50"
    currency = "null" if draft.currency is None else value(draft.currency)
    yield f"  currency: {currency} # of amounts that come without one; without it their events are rejected"
    country = "null" if draft.country is None else value(draft.country)
    yield f"  country: {country} # two letters, such as DE: completes national phone numbers when two are compared"


def _privacy(draft: Draft) -> Iterator[str]:
    purposes = ", ".join(map(value, draft.purposes))
    yield "privacy:"
    yield "  consent: # of users, as RudderStack and Segment write it into their events"
    yield f"    purposes: [{purposes}] # the ones that Pipedrive stands for; events that refuse them are skipped"
    yield f"    require: {draft.require} # one refused purpose is enough; or any: only if all of them are refused"
    yield "    unknown: send # or skip: events that say nothing of it"
    yield "  # suppress: suppressed.txt # a file of user ids and emails, one a line, whose events are not sent"


def _rest(draft: Draft) -> Iterator[str]:
    yield "# Names are compared without case; * stands for anything, ? for one character."
    yield "events:"
    yield '  include: ["*"] # track events that become leads'
    yield "  exclude: [] # track events of any kind that are skipped"
    yield ""
    yield "leads:"
    yield '  title: "{event}" # the event\'s name'
    yield ""
    yield "delivery:"
    yield "  contacts: add # or replace: the newest event's emails and phones instead of those there are"
    yield "  existing: overwrite # or fill (blank fields alone), or newest (only if the event is newer)"
    yield "  leave_tokens: 10% # of the day's API tokens, for the company's other integrations"
    yield "  # For imports from cron: a run that would write more stops before it writes. Choose what is usual."
    yield "  # brakes: {created: 500, updated: 5000, merged: 20}"
