"""What the long form of a mapping line does to a value before and after its field's own conversion: map, other, mask.

The order is always the same: map, then the field's type, then the mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from pipedrive_cli.config.mapping_line import Constants, MappingLine
from pipedrive_cli.pipedrive.values import TextUpTo, Unfit, plain, says_nothing
from pipedrive_cli.text_forms import caseless_form, label_form

LISTED: Final = 10  # values that a message offers at most
QUOTED: Final = 40  # characters of a value that it quotes
LONGEST: Final = 1 << 22  # characters of a value that is masked: as long as an event may be
HIDDEN: Final = "does not take this value, which is masked and so not shown here"

to_masked_text = TextUpTo(LONGEST)  # the conversion of a value that is masked


class ValueMap:
    """The values of one line: what stands for each, and what becomes of others."""

    def __init__(self, known: Constants, other: Literal["reject", "keep", "drop"]) -> None:
        self._exact: dict[str, Any] = {label_form(name): _listed(value) for name, value in known.items()}
        caseless: dict[str, list[str]] = {}
        for name in self._exact:
            caseless.setdefault(caseless_form(name), []).append(name)
        self._caseless: Mapping[str, str] = {bare: names[0] for bare, names in caseless.items() if len(names) == 1}
        self._other = other
        names = list(self._exact)
        self._offer = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")

    def names(self, value: Any) -> bool:
        """Whether the line says what stands for this value."""
        return self._name(value) is not None

    def apply(self, value: Any) -> Any:
        """What stands for the value, or for each item of a list; None where that says nothing. Raises Unfit."""
        if isinstance(value, list):
            found = [self.apply(item) for item in value if not says_nothing(item)]
            flat = [each for item in found for each in (item if isinstance(item, list) else [item])]
            return [item for item in flat if item is not None] or None
        name = self._name(value)
        if name is not None:
            return self._exact[name]
        if self._other == "drop":
            return None
        if self._other == "keep":
            return value
        shown = plain(value)
        which = "" if shown is None else f"; {shown if len(shown) <= QUOTED else f'{shown[: QUOTED - 1]}…'!r} is none"
        raise Unfit(f"takes what the map of this line names: {self._offer}{which}")

    def _name(self, value: Any) -> str | None:
        written = plain(value)
        if written is None:
            return None
        written = label_form(written)
        return written if written in self._exact else self._caseless.get(caseless_form(written))


def value_map(line: MappingLine) -> ValueMap | None:
    """The line's map; None where it has none."""
    return ValueMap(line.map, line.other) if line.map else None


def masked(value: Any) -> str:
    """The SHA-256 of a value's text in UTF-8, without blanks around it, as 64 hexadecimal digits. Raises Unfit.

    The same text gives the same digits everywhere, so that two systems can compare without telling each other.
    """
    return hashlib.sha256(str(to_masked_text(value)).strip().encode("utf-8", "surrogatepass")).hexdigest()


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
