"""Rules between the keys of a config, which the declaration of a single key cannot express. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pipedrive_cli.config.document import Node, shown_path
from pipedrive_cli.config.model import Config
from pipedrive_cli.errors import ConfigProblem

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

# Fields, by API name, that other rules or Pipedrive itself write, so that no mapping may.
RESERVED_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "persons": frozenset(
        ("id", "name", "first_name", "last_name", "email", "emails", "phone", "phones", "owner_id", "org_id")
    ),
    "organizations": frozenset(("id", "name", "owner_id")),
    "leads": frozenset(("id", "title", "value", "origin_id", "owner_id", "person_id", "org_id", "organization_id")),
    "products": frozenset(("id", "name", "code", "price", "prices", "owner_id")),
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
    for section in RESERVED_TRAITS:
        yield from broken_mapping(config, root, section)


def broken_id_fields(config: Config, root: Node) -> Iterator[ConfigProblem]:
    for name, section in (("user_id_field", "persons"), ("group_id_field", "organizations")):
        field = getattr(config.identity, name)
        if field in RESERVED_FIELDS[section] | RESERVED_EVERYWHERE:
            line = line_in_mapping(root, "identity", name)
            hint = "make a custom field of type text in Pipedrive (Company settings > Data fields) and name it here"
            yield ConfigProblem(f"identity.{name}", "must be a custom field, and this is Pipedrive's own", line, hint)


def broken_mapping(config: Config, root: Node, section: str) -> Iterator[ConfigProblem]:
    """Problems of traits and fields that cannot be mapped, and of fields with two traits."""
    mapping: Mapping[str, str] = getattr(config.fields, section)
    id_field = {"persons": config.identity.user_id_field, "organizations": config.identity.group_id_field}.get(section)
    taken: dict[str, str] = {}
    for trait, field in mapping.items():
        path = f"fields.{section}.{shown_path(trait)}"
        line = line_in_mapping(root, "fields", section, trait)
        if not all(part.strip() for part in trait.split(".")):
            yield ConfigProblem(path, "is no trait: between the dots a name is missing", line)
        elif trait in RESERVED_TRAITS[section]:
            yield ConfigProblem(path, RESERVED_TRAITS[section][trait], line, "take this line out")
        if field in RESERVED_FIELDS[section] | RESERVED_EVERYWHERE:
            hint = "map it to a custom field, or take this line out"
            yield ConfigProblem(path, "is mapped to a field that no mapping can set", line, hint)
        elif field == id_field:
            which = "user_id_field" if section == "persons" else "group_id_field"
            yield ConfigProblem(path, f"is mapped to identity.{which}, which holds the id alone", line)
        elif field in taken:
            hint = f"keep one of {shown_path(taken[field])} and {shown_path(trait)}, or give each a field of its own"
            yield ConfigProblem(path, f"is mapped to the same field as {shown_path(taken[field])}", line, hint)
        taken.setdefault(field, trait)


def line_in_mapping(node: Node, *names: str) -> int | None:
    """The line of the key at this path; None if the file does not have it."""
    for name in names:
        inner = node.data.get(name) if isinstance(node.data, dict) else None
        if inner is None:
            return None
        node = inner
    return node.key_line
