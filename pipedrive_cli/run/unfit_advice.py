"""What a run's report says of the values that did not fit: which they were, how often, and which line would mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.config.mapping_line import MappingLine
from pipedrive_cli.config.paths import is_path
from pipedrive_cli.config.places import with_lines
from pipedrive_cli.delivery.unfit_values import UnfitValues
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.model import KINDS, Kind, cause_of
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.summary import ProblemGroup, Summary
from pipedrive_cli.run.mapped_traits import path_of, unfit_words, values_shown
from pipedrive_cli.transform.targets import FieldTarget, resolve_field

# How complaints begin the path of a trait, and of which kinds of record it may be.
_PLACES: Final[Mapping[str, tuple[Kind, ...]]] = {
    "traits.": ("persons", "organizations"),
    "context.traits.": ("persons",),
    "properties.products[].": ("products",),
    "properties.": ("leads", "products"),
}
_SETTING: Final = re.compile(r"set (values\.\w+: [\w ]+)$")


def with_unfit_values(
    summary: Summary, unfit: UnfitValues, config: Config, config_file: str, account: Account | None
) -> Summary:
    """The summary, in which problems with values name these and the line of the config that maps them."""

    def advised(group: ProblemGroup) -> ProblemGroup:
        where = cause_of(group.code, group.examples[0].field) if group.code == "bad_value" and group.examples else None
        if where is None:
            return group
        values = list(unfit.of(where))
        told = list(_mapped(where, config, account))
        if len(told) != 1:  # known without a mapping, or of two kinds of record alike
            words = f"{group.hint or ''} These do not: {values_shown(values)}.".strip() if values else group.hint
        else:
            ((kind, trait, line, target),) = told
            (placed,) = with_lines(Path(config_file), [ConfigProblem(path_of(kind, trait), "")])
            place = path_of(kind, trait) if placed.line is None else f"{config_file}:{placed.line}"
            those = unfit_words("These values", target, (kind, trait), line, place, values)
            words = f"The rest of the event is sent. {those}"
        settings = dict.fromkeys(
            found[1] for each in group.examples if (found := _SETTING.search(each.message or "")) is not None
        )
        if settings:
            words = f"{words} Some may be meant otherwise: set {', '.join(f'`{each}`' for each in settings)}."
        return msgspec.structs.replace(group, hint=words)

    return msgspec.structs.replace(summary, problems=tuple(map(advised, summary.problems)))


def _mapped(
    where: str, config: Config, account: Account | None
) -> Iterator[tuple[Kind, str, MappingLine, FieldTarget]]:
    """The lines of the mapping that may be meant by a complaint's field."""
    prefix = next((each for each in _PLACES if where.startswith(each)), "")
    kinds = KINDS if is_path(where) else _PLACES.get(prefix, ())
    trait = where if is_path(where) else where.removeprefix(prefix)
    for kind in kinds:
        if (line := config.fields.lines(kind).get(trait)) is not None:
            target = resolve_field(kind, line.field, account)
            if isinstance(target, FieldTarget) and target.type is not None:
                yield kind, trait, line, target
