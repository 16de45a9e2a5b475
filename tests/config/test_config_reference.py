"""Schema and reference describe the config completely, and as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pipedrive_cli.config import Config, reference, schema
from pipedrive_cli.config.declaring import Section
from pipedrive_cli.config.load import checked_config
from pipedrive_cli.errors import ConfigProblem

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def sections(described: dict[str, Any]) -> Mapping[str, Any]:
    """Every section that holds keys, by its path, in the order of the file."""
    found: dict[str, Any] = {}

    def add(properties: dict[str, Any], prefix: str) -> None:
        for name, about in properties.items():
            reference = about.get("anyOf", [{}])[0].get("$ref")
            if reference is not None:
                section = described["$defs"][reference.rpartition("/")[2]]
                found[prefix + name] = section
                add(section["properties"], f"{prefix}{name}.")

    add(described["properties"], "")
    return found


def keys_of(section: dict[str, Any]) -> list[str]:
    """The keys of a section that are no sections themselves."""
    return [key for key, about in section["properties"].items() if "$ref" not in about.get("anyOf", [{}])[0]]


def test_every_key_has_a_description_everywhere() -> None:
    """No key without a word about what it is for, in the schema and in the reference."""
    described = schema()
    for name, section in sections(described).items():
        assert section["description"], name
        for key in keys_of(section):
            assert section["properties"][key]["description"], f"{name}.{key}"
    assert all(row.description and row.type for row in reference())


def test_the_reference_has_every_key_once() -> None:
    """The rows are the keys of the Structs, section by section."""

    def paths(section: type[msgspec.Struct], prefix: str) -> list[str]:
        found = []
        for each in msgspec.structs.fields(section):
            inner = hasattr(each.type, "__struct_fields__") and issubclass(each.type, Section)
            found += paths(each.type, f"{prefix}{each.name}.") if inner else [prefix + each.name]
        return found

    assert [row.path for row in reference()] == paths(Config, "")


def test_the_schema_knows_the_same_keys_and_no_others() -> None:
    """Editors complete and refuse what the loader does."""
    described = schema()
    paths = [row.path for row in reference()]
    found = [f"{name}.{key}" for name, section in sections(described).items() for key in keys_of(section)]
    assert [*found, "notify", "state"] == paths
    assert described["additionalProperties"] is False
    assert all(section["additionalProperties"] is False for section in sections(described).values())
    assert json.loads(json.dumps(described)) == described


def test_the_schema_describes_files_and_not_values() -> None:
    """Durations and shares are text there, a number may come from a variable, and an empty section is null."""
    described = schema()
    found = sections(described)
    timeout = found["delivery"]["properties"]["timeout"]
    assert timeout["default"] == "30s"
    assert timeout["anyOf"][0]["type"] == ["string", "number"]
    assert found["delivery"]["properties"]["leave_tokens"]["default"] == "10%"
    assert "integer" in str(found["pipedrive"]["properties"]["seats"])
    assert r"\\$\\{" in str(found["pipedrive"]["properties"]["seats"])
    assert "object" in found["fields"]["properties"]["persons"]["type"]
    assert {"type": "null"} in described["properties"]["fields"]["anyOf"]
    assert "Reserve" not in str(described)


def test_defaults_are_told_as_one_writes_them() -> None:
    """A default copied from the reference into the file is the default."""
    for row in reference():
        if not row.default or row.path == "pipedrive.api_token":
            continue
        tree: object = (
            yaml.safe_load(row.default) if row.default[0] in "[{" and row.path != "leads.title" else row.default
        )
        if row.default.isdigit() or row.default in {"true", "false"}:
            tree = yaml.safe_load(row.default)
        for name in reversed(row.path.split(".")):
            tree = {name: tree}
        problems: list[ConfigProblem] = []
        assert checked_config(yaml.safe_dump(tree), {}, sandbox=False, problems=problems) == Config(), row
        assert not problems


def test_the_examples_are_good() -> None:
    """Each example of the schema is accepted by the loader."""
    for name, section in sections(schema()).items():
        for key, about in section["properties"].items():
            for example in about.get("examples", ()):
                problems: list[ConfigProblem] = []
                tree: object = {key: example}
                for part in reversed(name.split(".")):
                    tree = {part: tree}
                text = yaml.safe_dump(tree)
                checked_config(text, {"PIPEDRIVE_OAUTH_TOKEN": "t"}, sandbox=False, problems=problems)
                assert not problems, f"{name}.{key}: {example}"


def test_the_example_file_shows_every_key() -> None:
    """Somebody who reads config.example.yaml has seen all there is."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for row in reference():
        assert f"{row.path.rpartition('.')[2]}:" in text, row.path
