"""Declares the config file: one frozen Struct per section, and for every key its type, limits, default and description.
The loader, the JSON Schema and the reference are all made from these declarations. Knows nothing of YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

import msgspec

from pipedrive_cli.config.declaring import DURATION, TEXT_OR_NULL, WAIT_WORDS, Section, config_key
from pipedrive_cli.config.mapping_line import FIELD_SCHEMA, NO_LINES, FieldMap, MappingLine, NewRecords
from pipedrive_cli.config.privacy import Privacy, ReportAsked
from pipedrive_cli.config.values import (
    Reserve,
    answer_time,
    base_url,
    company_domain,
    country_code,
    currency_code,
    file_path,
    reserve,
    secret,
    text_value,
    title_template,
    trait_name,
    waiting_time,
    web_address,
)
from pipedrive_cli.model import Kind
from pipedrive_cli.secret import Secret
from pipedrive_cli.timestamps import DateOrder

PlanName: TypeAlias = Literal[
    "lite", "growth", "premium", "ultimate", "essential", "advanced", "professional", "power", "enterprise"
]


class Pipedrive(Section, frozen=True):
    """The account: where it is, how to get in, and what it allows."""

    company_domain: Annotated[
        str | None,
        config_key(
            "The company's name in its address: `acme` for https://acme.pipedrive.com.",
            read=company_domain,
            words="text",
            examples=["acme"],
        ),
    ] = None
    base_url: Annotated[
        str | None,
        config_key(
            "The whole address, instead of company_domain: for a sandbox or a proxy. Plain http to this machine alone.",
            read=base_url,
            words="an address",
            examples=["http://127.0.0.1:8080"],
        ),
    ] = None
    api_token: Annotated[
        Secret | None,
        config_key(
            "The API token (Pipedrive: Settings > Personal preferences > API). Better named than written: ${NAME} "
            "stands for an environment variable.",
            read=secret,
            words="text",
            written="${PIPEDRIVE_API_TOKEN}",
            examples=["${PIPEDRIVE_API_TOKEN}"],
            schema=TEXT_OR_NULL,
        ),
    ] = None
    api_token_file: Annotated[
        Path | None,
        config_key(
            "A file that holds the API token and nothing else, instead of api_token. Relative to the config file.",
            read=file_path,
            words="a path",
            examples=["/run/secrets/pipedrive"],
            schema=TEXT_OR_NULL,
        ),
    ] = None
    oauth_token: Annotated[
        Secret | None,
        config_key(
            "An OAuth access token, instead of api_token. It is not refreshed.",
            read=secret,
            words="text",
            examples=["${PIPEDRIVE_OAUTH_TOKEN}"],
            schema=TEXT_OR_NULL,
        ),
    ] = None
    keyring: Annotated[
        str | None,
        config_key(
            "The entry of the system's keyring that holds the API token, instead of api_token: the name that was given "
            "to `keyring set pipedrive-cli NAME`. Needs the extra `keyring`.",
            read=text_value,
            words="text",
            examples=["acme"],
        ),
    ] = None
    plan: Annotated[
        PlanName,
        config_key(
            "The plan that the company pays for: the limits to start from, until Pipedrive's answers tell better.",
            words=f"one of {', '.join(get_args(PlanName))}",
        ),
    ] = "lite"
    seats: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None,
        config_key("How many seats the company pays for. With plan it gives the day's tokens.", examples=[5]),
    ] = None


class Identity(Section, frozen=True):
    """Who is who: how users and groups of the events are found again among persons and organizations."""

    user_id_field: Annotated[
        str | None,
        config_key(
            "The custom field on persons that holds the user id, by name or by key. Needed as soon as an event is "
            "about a person.",
            read=text_value,
            words="text",
            examples=["RudderStack user id"],
        ),
    ] = None
    group_id_field: Annotated[
        str | None,
        config_key(
            "The custom field on organizations that holds the group id, by name or by key. Needed for group events.",
            read=text_value,
            words="text",
            examples=["RudderStack group id"],
        ),
    ] = None
    create_persons: Annotated[
        Literal["all", "identify", "none"],
        config_key(
            "Which events may create a person: all; identify alone, so that group and track events by somebody unknown "
            "are rejected; or none, so that every event by somebody unknown is skipped. To take over a person by email "
            "is no creation."
        ),
    ] = "all"
    create_missing_persons: Annotated[
        bool | None, config_key("The old name of create_persons: true is all, false is identify.", examples=[False])
    ] = None
    match_organizations: Annotated[
        Literal["name"] | None,
        config_key(
            "name: a new group takes over the one organization without a group id that has the same name. Several of "
            "that name are told, and none is taken."
        ),
    ] = None
    company: Annotated[
        str | None,
        config_key(
            "The trait of identify events that names the person's organization: its name, or an object with its group "
            "id as id and its name as name. The person is linked to it.",
            read=trait_name,
            words="a trait",
        ),
    ] = None
    match_email: Annotated[
        bool,
        config_key("Whether a new user takes over the one person without a user id that has the same email address."),
    ] = True
    anonymous: Annotated[
        Literal["skip", "use"],
        config_key("Events that have only an anonymous id: skip them, or use that id in place of the user id."),
    ] = "skip"
    name_fallback: Annotated[
        tuple[Literal["email", "user_id"], ...],
        config_key(
            "What a new person without a name is called, the first that is known. Empty: such a person is rejected, "
            "and so is a new organization without a name, which otherwise is called by its group id."
        ),
    ] = ("email", "user_id")
    alias: Annotated[
        Literal["merge", "rekey", "skip"],
        config_key(
            "What an alias event does where both persons exist: merge them, which cannot be undone; reject the event "
            "and only ever change user ids (rekey); or skip all alias events."
        ),
    ] = "merge"

    @property
    def creating(self) -> Literal["all", "identify", "none"]:
        """Which events may create a person, by whichever of the two names the file has it."""
        return (
            "identify" if self.create_missing_persons is False and self.create_persons == "all" else self.create_persons
        )


class Fields(Section, frozen=True):
    """Which trait or property goes to which field.

    On the left a trait (dots go down into nested ones, upper and lower case differ), or a path of the whole event
    (`$.context.campaign.source`). On the right a custom field by name or by key, or a standard field by key; a section
    with field, map, other and mask; or null, for what is not to be sent. Of several lines for one field the first that
    says something counts.
    """

    persons: Annotated[
        FieldMap,
        config_key(
            "Traits of identify events.", examples=[{"role": "Role", "address.city": "City"}], schema=FIELD_SCHEMA
        ),
    ] = NO_LINES
    organizations: Annotated[
        FieldMap, config_key("Traits of group events.", examples=[{"industry": "Sector"}], schema=FIELD_SCHEMA)
    ] = NO_LINES
    leads: Annotated[
        FieldMap,
        config_key(
            "Properties of track events that become leads. Leads share the custom fields of deals.",
            examples=[{"rating": "Rating"}],
            schema=FIELD_SCHEMA,
        ),
    ] = NO_LINES
    products: Annotated[
        FieldMap,
        config_key(
            "Properties of products in Product Viewed and Order Completed. The quantity of a Product Viewed is the "
            "product's unit, that of the oldest event, unless a line goes to unit.",
            examples=[{"brand": "Brand"}],
            schema=FIELD_SCHEMA,
        ),
    ] = NO_LINES

    def lines(self, kind: Kind) -> dict[str, MappingLine]:
        """Trait -> line of a section, in the order of the file, without those that are null."""
        written: FieldMap = getattr(self, kind)
        return {
            trait: line if isinstance(line, MappingLine) else MappingLine(line)
            for trait, line in written.items()
            if line is not None
        }

    def unwanted(self, kind: Kind) -> frozenset[str]:
        """The traits of a section that are null: not to be sent, and not to be missed."""
        return frozenset(trait for trait, line in getattr(self, kind).items() if line is None)


class Values(Section, frozen=True):
    """How texts in events are read, whatever they go to."""

    nothing: Annotated[
        tuple[str, ...],
        config_key(
            "Texts that say nothing: a value that is one of them, trimmed and otherwise exactly, is left out and "
            "counted. An option of that label comes first. Empty: every text counts."
        ),
    ] = ("null", "undefined", "None", "NaN", "n/a", "N/A", "-")
    dates: Annotated[
        DateOrder,
        config_key("How 03/04/2026 is read: not at all (iso), as the 3rd of April, or as the 4th of March."),
    ] = "iso"
    decimals: Annotated[
        Literal["point", "comma"],
        config_key(
            "The decimal sign of numbers in texts: point reads 1,200.50 and comma 1.200,50. Blanks and currency signs "
            "around a number go in any case."
        ),
    ] = "point"
    currency: Annotated[
        str | None,
        config_key(
            "The currency of amounts and prices that come without one, in every kind of record. Without it an event "
            "with such an amount is rejected with it.",
            read=currency_code,
            words="a currency's code",
            examples=["EUR"],
        ),
    ] = None
    country: Annotated[
        str | None,
        config_key(
            "The country that completes national phone numbers when two are compared, in two letters.",
            read=country_code,
            words="two letters",
            examples=["DE"],
        ),
    ] = None


class Events(Section, frozen=True):
    """Which events are for us. Event names are compared trimmed and without case; * and ? are wildcards."""

    include: Annotated[
        tuple[str, ...], config_key("Track events that become leads.", examples=[["Demo Requested", "Trial*"]])
    ] = ("*",)
    exclude: Annotated[
        tuple[str, ...], config_key("Track events of any kind that are skipped.", examples=[["Heartbeat*"]])
    ] = ()
    integrations: Annotated[
        tuple[str, ...],
        config_key("Names under which an event's `integrations` object means us. Empty: the object is ignored."),
    ] = ("Pipedrive", "Actions Pipedrive")


class Leads(Section, frozen=True):
    """What every new lead gets."""

    title: Annotated[
        str,
        config_key(
            "The title. {event} stands for the event's name, other braces for a property or a path of the event, as in "
            "the mapping; where one of them says nothing, the title is the event's name.",
            read=title_template,
            words="text",
            examples=["{event} of {$.context.campaign.source}"],
        ),
    ] = "{event}"
    default_currency: Annotated[
        str | None,
        config_key(
            "The old name of values.currency, which counts for every kind of record.",
            read=currency_code,
            words="a currency's code",
            examples=["EUR"],
        ),
    ] = None
    owner_id: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        config_key(
            "Pipedrive's id of the user who owns new leads. Without it, the owner of the API token.", examples=[123]
        ),
    ] = None
    visible_to: Annotated[
        Literal[1, 3, 5, 7] | None,
        config_key(
            "Who sees new leads, as Pipedrive's number: which numbers there are depends on the plan.", examples=[3]
        ),
    ] = None
    label_ids: Annotated[tuple[str, ...], config_key("Labels of new leads, by name or by id.", examples=[["Hot"]])] = ()


class Products(Section, frozen=True):
    """What happens to products."""

    existing: Annotated[
        Literal["update", "keep"],
        config_key("A product that Pipedrive already has: update it from events, or keep it as it is."),
    ] = "update"


Brake: TypeAlias = Annotated[int, msgspec.Meta(ge=0)] | None


class Brakes(Section, frozen=True):
    """How many records of all kinds one run may write before it stops, ahead of the write that is too many."""

    created: Annotated[
        Brake, config_key("The most records that one run may create. Without it, any number.", examples=[500])
    ] = None
    updated: Annotated[Brake, config_key("The most records that one run may update.", examples=[5_000])] = None
    merged: Annotated[Brake, config_key("The most merges in one run.", examples=[20])] = None
    deleted: Annotated[Brake, config_key("The most records that one command may delete.", examples=[100])] = None


class Delivery(Section, frozen=True):
    """How changes are sent."""

    lookahead: Annotated[
        int,
        config_key(
            "How many events are read ahead, so that changes of one record become one write; fewer where they ask for "
            "more than ten changes each, as large orders do. 1 sends event by event.",
            ge=1,
            le=10_000_000,
        ),
    ] = 100_000
    concurrency: Annotated[
        Literal["auto"] | Annotated[int, msgspec.Meta(ge=1, le=256)],
        config_key(
            "How many requests are under way at once. auto follows Pipedrive's limits and its speed.", examples=[4]
        ),
    ] = "auto"
    contacts: Annotated[
        Literal["add", "replace"],
        config_key(
            "Emails and phones: add those that are new to those there are, or replace them by the newest event's."
        ),
    ] = "add"
    existing: Annotated[
        Literal["overwrite", "fill", "newest"],
        config_key(
            "Values that came into Pipedrive from elsewhere: overwrite them, fill only blank fields, or let the newest "
            "of event and record win."
        ),
    ] = "overwrite"
    deleted: Annotated[
        Literal["recreate", "skip"],
        config_key("A record that was deleted in Pipedrive and has new events: recreate it, or skip those events."),
    ] = "recreate"
    max_attempts: Annotated[
        int, config_key("How often a request is tried before its events count as failed.", ge=1, le=100)
    ] = 8
    timeout: Annotated[
        float,
        config_key(
            "How long to wait for an answer.", read=answer_time, words=WAIT_WORDS, written="30s", schema=DURATION
        ),
    ] = 30.0
    settle: Annotated[
        float,
        config_key(
            "How long after a write without an answer to look whether it was done. Pipedrive's lists lag a little.",
            read=waiting_time,
            words=WAIT_WORDS,
            written="5s",
            schema=DURATION,
        ),
    ] = 5.0
    daily_tokens: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        config_key("The day's tokens of the company, where plan and seats do not give them.", examples=[150_000]),
    ] = None
    leave_tokens: Annotated[
        Reserve,
        config_key(
            "What is left of the day's tokens for the company's other integrations: a percentage or a number of "
            "tokens.",
            read=reserve,
            words="a percentage such as 10%, or a number of tokens",
            written="10%",
            schema={"type": ["string", "integer"], "pattern": r"^\s*[0-9.]+\s*%?\s*$", "minimum": 0},
        ),
    ] = Reserve(ratio=0.1)
    brakes: Brakes = Brakes()


class Config(Section, frozen=True):
    """The whole config file of pipedrive-cli. Any value may name environment variables as ${NAME}."""

    pipedrive: Pipedrive = Pipedrive()
    identity: Identity = Identity()
    fields: Fields = Fields()
    values: Values = Values()
    new_records: NewRecords = NewRecords()
    privacy: Privacy = Privacy()
    events: Events = Events()
    leads: Leads = Leads()
    products: Products = Products()
    delivery: Delivery = Delivery()
    report: ReportAsked = ReportAsked()
    notify: Annotated[
        Secret | None,
        config_key(
            "An address that is told by one POST that a run failed, and of the first success after that. Better named "
            "than written: it may be a secret. Plain http to this machine alone.",
            read=web_address,
            words="an address",
            examples=["${NOTIFY_URL}"],
            schema=TEXT_OR_NULL,
        ),
    ] = None
    state: Annotated[
        Path | None,
        config_key(
            "The journal's file. Without it, one file per account in the user's state folder. Relative to the config "
            "file; keep it on a lasting local disk.",
            read=file_path,
            words="a path",
            examples=["pipedrive.journal"],
            schema=TEXT_OR_NULL,
        ),
    ] = None

    @property
    def without_secrets(self) -> Config:
        """The same for processes that only transform: they need no key, and none is handed to them."""
        return msgspec.structs.replace(self, pipedrive=Pipedrive(), notify=None)

    @property
    def reading(self) -> Values:
        """How texts are read: the section `values`, with the currency under its old name, too."""
        old = self.leads.default_currency
        return self.values if old is None else msgspec.structs.replace(self.values, currency=old)
