"""Checks the file's tree by the declarations in `model` and makes the `Config`: unknown keys, types, limits, variables.
Goes on after a mistake, so that all mistakes are reported at once. Rules between keys are in `rules`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import inspect

from pipedrive_cli.config.declarations import maps_fields, unwrapped, words_of
from pipedrive_cli.config.document import Node, shown_path
from pipedrive_cli.config.mapping_line import MappingLine
from pipedrive_cli.config.model import Config
from pipedrive_cli.config.values import BadValue, text_value
from pipedrive_cli.config.variables import TOKEN_VARIABLE, expand, named_variables
from pipedrive_cli.errors import ConfigProblem

FAILED: Final = object()  # in place of a value for which a problem is reported
YES_NO: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class ValueCheck:
    """Checks one tree. Mistakes are added to `problems`; all other values are in the Config that `section` returns."""

    def __init__(self, environ: Mapping[str, str], *, sandbox: bool, problems: list[ConfigProblem]) -> None:
        self.environ = environ
        self.sandbox = sandbox
        self.problems = problems

    def add_problem(self, path: str, line: int, message: str, hint: str | None = None) -> object:
        self.problems.append(ConfigProblem(path, message, line, hint))
        return FAILED

    def section(self, info: inspect.StructType, node: Node, path: str) -> Any:
        """The section's Struct, with the default in place of every value that has a problem."""
        if node.data is None:
            return info.cls()
        if not isinstance(node.data, dict):
            self.add_problem(
                path, node.line, "must be a section of key: value lines", "is a space missing after the colon?"
            )
            return info.cls()
        declared = {field.name: field.type for field in info.fields}
        given: dict[str, object] = {}
        for name, child in node.data.items():
            inner = f"{path}.{shown_path(name)}" if path else shown_path(name)
            if name not in declared:
                self.add_problem(inner, child.key_line, "is no key of the config", nearest(name, declared, path))
                continue
            value = self.value(declared[name], child, inner)
            if value is not FAILED:
                given[name] = value
        return info.cls(**given)

    def value(self, info: inspect.Type, node: Node, path: str) -> object:
        bare, extra = unwrapped(info)
        read = extra.get("read")
        if isinstance(bare, inspect.StructType) and read is None:
            return self.section(bare, node, path)
        if isinstance(bare, inspect.DictType):
            return self.entries(bare, node, path)
        if node.data is None:
            if isinstance(bare, inspect.UnionType) and bare.includes_none:
                return None
            is_list = isinstance(bare, inspect.VarTupleType)
            hint = "write [] for an empty list" if is_list else "take the line out to get the default"
            return self.add_problem(path, node.line, f"has no value; it must be {words_of(info)}", hint)
        if isinstance(bare, inspect.VarTupleType):
            if not isinstance(node.data, list):
                brackets = None if isinstance(node.data, dict) else "put it in brackets: [ ]"
                return self.add_problem(path, node.line, f"must be {words_of(info)}", brackets)
            items = [
                self.scalar(bare.item_type, item, f"{path}[{index}]", None) for index, item in enumerate(node.data)
            ]
            return FAILED if FAILED in items else tuple(items)
        return self.scalar(info, node, path, read)

    def entries(self, info: inspect.DictType, node: Node, path: str) -> object:
        """Lines whose names are the user's own: traits with their fields, or names with their values."""
        if node.data is None:
            return {}
        if not isinstance(node.data, dict):
            example = "role: Role" if maps_fields(info) else "Source: Website"
            return self.add_problem(path, node.line, f"must be {words_of(info)}", f"{example}, for example")
        found: dict[str, object] = {}
        for name, child in node.data.items():
            inner = f"{path}.{shown_path(name)}"
            value = self.line(name, child, inner) if maps_fields(info) else self.constant(child, inner)
            if value is not FAILED:
                found[name] = value
        return found

    def line(self, trait: str, node: Node, path: str) -> object:
        """One line of the mapping: a field, a section of the long form, or null."""
        if node.data is None:
            return None
        if not isinstance(node.data, dict):
            return self.scalar(inspect.StrType(), node, path, text_value)
        if not node.data.keys() & set(MappingLine.__struct_fields__):
            hint = f"write nested traits with dots: {shown_path(trait)}.city: City"
            known = MappingLine.__struct_fields__
            slips = [
                (name, near[0]) for name in node.data if (near := difflib.get_close_matches(str(name), known, 1, 0.75))
            ]
            if slips:
                hint = f"did you mean {slips[0][1]} for {shown_path(slips[0][0])}?"
            return self.add_problem(path, node.line, "must be the name of a field, not a section", hint)
        if "field" not in node.data:
            return self.add_problem(path, node.line, "names no field", "add a line `field: NAME` to it")
        before = len(self.problems)
        info = inspect.type_info(MappingLine)
        assert isinstance(info, inspect.StructType)  # noqa: S101 - tells the type checker what a line is
        line = self.section(info, node, path)
        return FAILED if len(self.problems) > before else line

    def constant(self, node: Node, path: str) -> object:
        """A single value, or a list of them."""
        if isinstance(node.data, dict):
            return self.add_problem(path, node.line, "must be a single value, not a section")
        if isinstance(node.data, list):
            items = [self.constant(item, f"{path}[{index}]") for index, item in enumerate(node.data)]
            return FAILED if FAILED in items else tuple(items)
        if not isinstance(node.data, str):
            return node.data
        return self.scalar(inspect.StrType(), node, path, text_value)

    def scalar(self, info: inspect.Type, node: Node, path: str, read: Callable[[object], object] | None) -> object:
        data: object = node.data
        replaced = False
        if isinstance(data, str):
            if self.may_be_missing(path, data):
                return None
            expanded = expand(data, self.environ)
            if expanded.broken:
                return self.add_problem(path, node.line, "has a ${ } without a variable's name in it", "$${ writes ${")
            if expanded.unset:
                who = ", ".join(dict.fromkeys(named_variables(name) for name in expanded.unset))
                return self.add_problem(path, node.line, f"needs {who}, which is not set")
            data, replaced = expanded.text, expanded.replaced
        try:
            return read(data) if read is not None else converted(info, data, replaced=replaced)
        except BadValue as refusal:
            return self.add_problem(path, node.line, refusal.message, refusal.hint)

    def may_be_missing(self, path: str, data: str) -> bool:
        """Whether the value names a variable that is not set and not needed now.

        Credentials are needed only to contact an account; `credentials` reports a missing one then.
        """
        if path == "notify":  # nobody is told of a sandbox
            return self.sandbox and bool(expand(data, self.environ).unset)
        section, _, name = path.rpartition(".")
        if section != "pipedrive" or name in {"plan", "seats"}:
            return False
        if name == "api_token" and data.strip() == f"${{{TOKEN_VARIABLE}}}":
            return not self.environ.get(TOKEN_VARIABLE, "").strip()
        return self.sandbox and bool(expand(data, self.environ).unset)


def converted(info: inspect.Type, data: object, *, replaced: bool) -> object:
    """The value in the type of `info`; raises BadValue. `replaced`: a variable gave it, so text may be a number."""
    bare, _ = unwrapped(info)
    options = bare.types if isinstance(bare, inspect.UnionType) else (bare,)
    for option in options:
        found = converted_to(option, data, replaced=replaced)
        if found is not FAILED:
            return found
    if isinstance(bare, inspect.StrType):
        return text_value(data)  # raises with the reason
    raise BadValue(f"must be {words_of(info)}", suggestion(options, data))


def converted_to(option: inspect.Type, data: object, *, replaced: bool) -> object:
    match option:
        case inspect.BoolType():
            if isinstance(data, bool):
                return data
            return YES_NO.get(data.strip().lower(), FAILED) if replaced and isinstance(data, str) else FAILED
        case inspect.IntType(ge=low, le=high):
            number = whole_number(data, from_text=replaced)
            if number is None or (low is not None and number < low) or (high is not None and number > high):
                return FAILED
            return number
        case inspect.LiteralType(values=values):
            for value in values:
                if data == value and type(data) is type(value):
                    return value
                if isinstance(data, str) and data.strip().casefold() == str(value):
                    return value
            return FAILED
        case inspect.StrType() if isinstance(data, str) and data.strip():
            return data.strip()
        case _:
            return FAILED


def whole_number(data: object, *, from_text: bool) -> int | None:
    if isinstance(data, int) and not isinstance(data, bool):
        return data
    if from_text and isinstance(data, str) and data.strip().isascii() and data.strip().isdigit() and len(data) < 20:
        return int(data)
    return None


def suggestion(options: tuple[inspect.Type, ...], data: object) -> str | None:
    if isinstance(data, bool):
        return "YAML reads yes, no, on and off as true and false"
    if not isinstance(data, str):
        return None
    if isinstance(options[0], inspect.BoolType | inspect.IntType):
        return "write it without quotes"
    known = [str(value) for option in options if isinstance(option, inspect.LiteralType) for value in option.values]
    close = difflib.get_close_matches(data.strip().casefold(), known, 1)
    return f"did you mean {close[0]}?" if close else None


def nearest(name: str, declared: Mapping[str, object], path: str) -> str | None:
    """The hint for an unknown key: a similar key of this section, or the section that has such a key."""
    if ":" in name:
        return "is a space missing after the colon?"
    plain = {plain_name(known): known for known in declared}
    if name == name.strip() and (close := difflib.get_close_matches(plain_name(name), plain, 1, 0.65)):
        return f"did you mean {plain[close[0]]}?"
    for section in msgspec.structs.fields(Config):
        here = getattr(section.type, "__struct_fields__", ())
        if name in here and section.name != path:
            return f"it belongs into the section {section.name}"
        if name == section.name and path:
            return f"{name} is a section of its own: take its indentation out"
    return f"known here: {', '.join(declared)}"


def plain_name(name: str) -> str:
    """The key without case, hyphens and underscores: userIdField, user-id-field and user_id_field are the same."""
    return name.casefold().replace("_", "").replace("-", "")
