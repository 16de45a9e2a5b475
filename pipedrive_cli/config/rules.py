"""Rules between the keys of a config, which the declaration of a single key cannot express. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pipedrive_cli.config.document import Node, shown_path
from pipedrive_cli.config.mapping_line import Constants, FieldMap, MappingLine
from pipedrive_cli.config.masks import shown_elsewhere
from pipedrive_cli.config.model import Config
from pipedrive_cli.config.paths import SIGN, doubtful, is_path, placeholders, unmistakable, wrong_path
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import KINDS, Kind

OWN_PLACE: Final = "has a place of its own and goes there without being mapped"
NEVER_TAKEN: Final = "is never taken from an event: it would be Pipedrive's own id, which events do not know"

# Traits that cannot be mapped, by section of `fields`.
RESERVED_TRAITS: Final[Mapping[str, Mapping[str, str]]] = {
    "persons": dict.fromkeys(("name", "email", "phone", "visible_to", "add_time"), OWN_PLACE)
    | dict.fromkeys(("owner_id", "org_id"), NEVER_TAKEN),
    "organizations": dict.fromkeys(("name", "visible_to", "add_time"), OWN_PLACE)
    | dict.fromkeys(("owner_id", "org_id"), NEVER_TAKEN),
    "leads": dict.fromkeys(("owner_id", "person_id", "org_id", "organization_id"), NEVER_TAKEN),
    "products": dict.fromkeys(("owner_id",), NEVER_TAKEN),
}

# Traits that say who a record is: they are read before any mapping.
NAMING: Final[Mapping[str, frozenset[str]]] = {
    "persons": frozenset(("id", "userId", "previousId")),
    "organizations": frozenset(("id", "groupId", "userId")),
    "leads": frozenset(),
    "products": frozenset(),
}
LEAD_CONSTANTS: Final = frozenset({"owner_id", "visible_to", "label_ids"})  # also keys of the section `leads`

EMAILS: Final = frozenset(("email", "emails"))  # whoever asked not to be sent is known by the trait alone
# Fields, by API name, that other rules or Pipedrive itself write, so that no mapping may.
RESERVED_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "persons": frozenset(("id", "email", "emails", "phones", "owner_id", "org_id")),
    "organizations": frozenset(("id", "owner_id")),
    "leads": frozenset(("id", "title", "value", "origin_id", "owner_id", "person_id", "org_id", "organization_id")),
    "products": frozenset(("id", "name", "code", "price", "prices", "owner_id")),
}
# Fields that traits of the event specification go to; traits of other names may be mapped to them, constants may not.
OF_KNOWN_TRAITS: Final[Mapping[str, frozenset[str]]] = {
    "persons": frozenset(("name", "first_name", "last_name", "phone")),
    "organizations": frozenset(("name",)),
    "leads": frozenset(),
    "products": frozenset(),
}
RESERVED_EVERYWHERE: Final = frozenset(("add_time", "update_time", "is_deleted", "custom_fields"))


def broken_rules(config: Config, root: Node, counted: list[str]) -> Iterator[ConfigProblem]:
    """A problem for each rule that `config` breaks. `root` has the lines; `counted` are the credentials in the file."""
    if config.pipedrive.company_domain and config.pipedrive.base_url:
        line = line_in_mapping(root, "pipedrive", "base_url")
        yield ConfigProblem("pipedrive.base_url", "cannot stand beside company_domain", line, "keep one of the two")
    for name in counted[1:]:
        line = line_in_mapping(root, "pipedrive", name)
        yield ConfigProblem(f"pipedrive.{name}", f"cannot stand beside {counted[0]}", line, "keep one of them")
    daily, reserve = config.delivery.daily_tokens, config.delivery.leave_tokens
    if daily is not None and reserve.of(daily) >= daily:
        line = line_in_mapping(root, "delivery", "leave_tokens")
        yield ConfigProblem("delivery.leave_tokens", "leaves nothing of daily_tokens to work with", line)
    old = config.leads.default_currency
    if old is not None and config.values.currency not in {None, old}:
        line = line_in_mapping(root, "leads", "default_currency")
        yield ConfigProblem(
            "leads.default_currency", "is the old name of values.currency, which is another one", line, "take it out"
        )
    yield from broken_id_fields(config, root)
    if config.identity.create_missing_persons is True and config.identity.create_persons != "all":
        line = line_in_mapping(root, "identity", "create_missing_persons")
        hint = "take this line out: it is the old name of create_persons"
        yield ConfigProblem("identity.create_missing_persons", "contradicts create_persons", line, hint)
    for section in KINDS:
        yield from broken_mapping(config, root, section)
        yield from broken_constants(config, root, section)
    yield from broken_title(config, root)
    yield from broken_masks(config, root)


def broken_id_fields(config: Config, root: Node) -> Iterator[ConfigProblem]:
    for name, section in (("user_id_field", "persons"), ("group_id_field", "organizations")):
        field = getattr(config.identity, name)
        if field in RESERVED_FIELDS[section] | OF_KNOWN_TRAITS[section] | RESERVED_EVERYWHERE:
            line = line_in_mapping(root, "identity", name)
            hint = "make a custom field of type text in Pipedrive (Company settings > Data fields) and name it here"
            yield ConfigProblem(f"identity.{name}", "must be a custom field, and this is Pipedrive's own", line, hint)


def broken_mapping(config: Config, root: Node, section: Kind) -> Iterator[ConfigProblem]:
    """Problems of traits, paths and fields that cannot be mapped, and of long forms that cannot mean anything."""
    written: FieldMap = getattr(config.fields, section)
    lines = config.fields.lines(section)
    id_field = {"persons": config.identity.user_id_field, "organizations": config.identity.group_id_field}.get(section)
    for trait in written:
        path = f"fields.{section}.{shown_path(trait)}"
        at = line_in_mapping(root, "fields", section, trait)
        if (wrong := wrong_trait(section, trait, lines.get(trait))) is not None:
            yield ConfigProblem(path, wrong[0], at, wrong[1])
        if (line := lines.get(trait)) is None:
            continue
        if line.field in RESERVED_FIELDS[section] | RESERVED_EVERYWHERE:
            hint = "map it to a custom field, or take this line out"
            if section == "persons" and line.field in EMAILS:
                hint = "call the trait email in what sends the events; in a table, name the column so"
            yield ConfigProblem(path, "is mapped to a field that no mapping can set", at, hint)
        elif line.field == id_field:
            which = "user_id_field" if section == "persons" else "group_id_field"
            yield ConfigProblem(path, f"is mapped to identity.{which}, which holds the id alone", at)
        elif line.field == "phone" and section == "persons" and (line.map or line.mask):
            yield ConfigProblem(path, "is mapped to phone, whose values are phone numbers", at, "take out map and mask")
        if not line.map and line.other != "reject":
            at = line_in_mapping(root, "fields", section, trait, "other")
            hint = "write the values into map, or take this line out"
            yield ConfigProblem(f"{path}.other", "means nothing without map", at, hint)


def wrong_trait(section: Kind, trait: str, line: MappingLine | None) -> tuple[str, str | None] | None:
    """Why this cannot stand on the left of a line of the mapping, and what to do; None where it can. `line` None: the
    trait is not to be sent."""
    if is_path(trait):
        if line is None:
            return "is a path, which nothing sends without a field", "null is for traits; take this line out"
        return wrong_path(trait)
    if not all(part.strip() for part in trait.split(".")):
        return "is no trait: between the dots a name is missing", None
    if doubtful(trait):
        own = f"; if it is a trait's name, {unmistakable(section, trait)}"
        return "is no trait but a part of the event", f"write {SIGN}{trait}{own}"
    if line is None:
        if trait in NAMING[section]:
            return "names the record and cannot be left out", "take this line out"
        return None
    if trait in RESERVED_TRAITS[section]:
        return RESERVED_TRAITS[section][trait], "take this line out"
    return None


def broken_constants(config: Config, root: Node, section: Kind) -> Iterator[ConfigProblem]:
    """Problems of what new records are to get."""
    constants: Constants = getattr(config.new_records, section)
    for field, value in constants.items():
        path = f"new_records.{section}.{shown_path(field)}"
        at = line_in_mapping(root, "new_records", section, field)
        never = RESERVED_FIELDS[section] | OF_KNOWN_TRAITS[section] | RESERVED_EVERYWHERE
        if field != "owner_id" and field in never:
            yield ConfigProblem(path, "is a field that no config can set", at, "take this line out")
        elif value is None or value == ():
            yield ConfigProblem(path, "has no value", at, "write one, or take this line out")
        elif section == "leads" and field in LEAD_CONSTANTS and getattr(config.leads, field):
            yield ConfigProblem(path, f"cannot stand beside leads.{field}", at, "keep one of the two")


def broken_title(config: Config, root: Node) -> Iterator[ConfigProblem]:
    """Problems of the names in a lead's title."""
    at = line_in_mapping(root, "leads", "title")
    for name in placeholders(config.leads.title):
        if is_path(name):
            wrong = wrong_path(name)
        elif doubtful(name):
            wrong = "is no property but a part of the event", f"write {{{SIGN}{name}}}"
        else:
            continue
        if wrong is not None:
            yield ConfigProblem("leads.title", f"{{{shown_path(name)}}} {wrong[0]}", at, wrong[1])


def broken_masks(config: Config, root: Node) -> Iterator[ConfigProblem]:
    """Problems of masks whose value something else would show."""
    for path, other in shown_elsewhere(config):
        _, section, trait = path.split(".", 2)
        at = line_in_mapping(root, "fields", section, trait, "mask")
        hint = "mask it there too, take one of the two out, or keep the trait out with null"
        message = f"hides nothing: the same value is shown by {shown_path(other)}"
        yield ConfigProblem(f"fields.{section}.{shown_path(trait)}.mask", message, at, hint)


def line_in_mapping(node: Node, *names: str) -> int | None:
    """The line of the key at this path; None if the file does not have it."""
    for name in names:
        inner = node.data.get(name) if isinstance(node.data, dict) else None
        if inner is None:
            return None
        node = inner
    return node.key_line
