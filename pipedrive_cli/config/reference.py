"""Describes the config, from the declarations in `model`: as JSON Schema for editors, as rows for people."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from pipedrive_cli.config.declarations import unwrapped, words_of
from pipedrive_cli.config.declaring import Section
from pipedrive_cli.config.model import Config

VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}


class KeyRow(NamedTuple):
    """One key: its path (`delivery.timeout`), its possible values, its default as one writes it, its description."""

    path: str
    type: str
    default: str
    description: str


def reference() -> list[KeyRow]:
    """Every key of the config, in the order of the file."""
    return list(rows(Config, ""))


def rows(section: type[msgspec.Struct], prefix: str) -> Iterator[KeyRow]:
    info = inspect.type_info(section)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - tells the type checker what a section is
    for field, declared in zip(info.fields, msgspec.structs.fields(section), strict=True):
        path = prefix + field.name
        bare, extra = unwrapped(field.type)
        if isinstance(bare, inspect.StructType) and issubclass(bare.cls, Section):
            yield from rows(bare.cls, f"{path}.")
            continue
        default = declared.default_factory() if declared.default is msgspec.NODEFAULT else declared.default
        described = field.type.extra_json_schema or {} if isinstance(field.type, inspect.Metadata) else {}
        yield KeyRow(
            path,
            words_of(field.type),
            extra.get("written", default_as_written(default)),
            described.get("description", ""),
        )


def default_as_written(default: object) -> str:
    """A default as YAML, on one line."""
    return "" if default is None else msgspec.json.encode(default).decode().strip('"')


def schema() -> dict[str, Any]:
    """The config file's JSON Schema (draft 2020-12), as `pipedrive-cli schema` prints it."""
    (root,), definitions = msgspec.json.schema_components(
        [Config], schema_hook=lambda _: {"type": "string"}, ref_template="#/$defs/{name}"
    )
    name = root["$ref"].rpartition("/")[2]
    config = definitions.pop(name)
    definitions.pop("Reserve", None)
    sections_in_files(config, Config, definitions)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **config,
        "title": "pipedrive-cli config",
        "$defs": definitions,
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))  # tuples among the defaults become lists
    return plain


def sections_in_files(definition: dict[str, Any], section: type[Section], definitions: dict[str, Any]) -> None:
    """Turns the schemas of a section and of the sections in it into those of files."""
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, Section):
            inner = definitions[field.type.__name__]
            inner["description"] = cleandoc(inner["description"])
            sections_in_files(inner, field.type, definitions)
            reference = {"$ref": f"#/$defs/{field.type.__name__}"}
            # YAML reads a section whose lines are all commented out as null.
            definition["properties"][field.name] = {"anyOf": [reference, {"type": "null"}]}
    as_in_files(definition, section)


def as_in_files(definition: dict[str, Any], section: type[Section]) -> None:
    """Turns the schema of the values into the schema of files: defaults as written, variables allowed for numbers."""
    info = inspect.type_info(section)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - tells the type checker what a section is
    for field in info.fields:
        _, extra = unwrapped(field.type)
        found = definition["properties"][field.name]
        if "schema" in extra:
            kept = {name: found[name] for name in ("description", "examples", "default") if name in found}
            found = {**extra["schema"], **kept}
        if "written" in extra:
            found["default"] = extra["written"]
        if not accepts_text(found):
            about = {name: found.pop(name) for name in ("description", "examples", "default") if name in found}
            found = {**about, "anyOf": [*found.pop("anyOf", [found] if found else []), VARIABLE]}
        definition["properties"][field.name] = found


def accepts_text(found: dict[str, Any]) -> bool:
    """Whether the schema accepts `${NAME}` already: it allows text, or a list or section with schemas of its own."""
    types = found.get("type", ())
    kinds = {types} if isinstance(types, str) else set(types)
    if kinds & {"array", "object"} or "$ref" in str(found):
        return True
    inner = found.get("anyOf", ())
    return ("string" in kinds and "pattern" not in found) or any(accepts_text(part) for part in inner)
