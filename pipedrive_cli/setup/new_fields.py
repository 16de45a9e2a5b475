"""New fields for traits that have none: a name, and a type that takes the values of the sample. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, get_args

from pipedrive_cli.config import Values
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.moments import day
from pipedrive_cli.pipedrive.numbers import Decimals, read_amount
from pipedrive_cli.pipedrive.values import Unfit, number, plain, says_nothing
from pipedrive_cli.timestamps import DateOrder
from pipedrive_cli.transform.targets import STANDARD

FIELD_NAME: Final = 60  # characters of a new field's name
SHORT_TEXT: Final = 255  # characters that a `varchar` holds

_WORDS = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_WRITTEN_DAY = re.compile(r"\d{1,4}[./ -]+[^\W_]{1,12}[./, -]+\d{2,4}|[^\W\d_]{3,12}[. ]+\d{1,2},? +\d{4}")
_NOTHING = frozenset(Values().nothing)
LONGEST_NUMBER: Final = 15  # digits; longer ones are not exact
_NO_AMOUNT = re.compile(r"(?:id|code|zip|phone|number|no|key)$")


def guess_type(path: str, values: Sequence[Any]) -> str | None:
    """The field type that suits all of these values; text in doubt, None where not even text fits.

    Dates and numbers as people write them count, under any one setting of the config's `values`.
    """
    values = [value for value in values if not says_nothing(value, _NOTHING)]
    if any(isinstance(value, dict) for value in values) or any(_text(value) is None for value in values):
        return None
    if not values:
        return "varchar"
    if not _NO_AMOUNT.search(path.casefold()):
        for decimals in get_args(Decimals):
            if all(_is_amount(value, decimals) for value in values):
                return "monetary" if 2 * sum(map(_bears_currency, values)) >= len(values) else "double"
    for order in get_args(DateOrder):
        if all(isinstance(value, str) and _is_day(value, order) for value in values):
            return "date"
    return "text" if any(len(_text(value) or "") > SHORT_TEXT for value in values) else "varchar"


def bare(name: str) -> str:
    """A name reduced to letters and digits, without case: `jobTitle`, `job_title` and `Job title` are the same."""
    return "".join(character for character in name.casefold() if character.isalnum())


class FieldNames:
    """Names for new fields, which neither the account nor another proposal uses."""

    def __init__(self, account: Account | None) -> None:
        self._used: dict[Kind, set[str]] = {
            kind: {bare(name) for name in STANDARD[kind]}
            if account is None
            else {bare(field.name) for field in account.fields.get(kind, ())}
            for kind in KINDS
        }

    def make_name(self, kind: Kind, path: str) -> str:
        """A new field's name, made from the trait's."""
        leaf = path.rpartition(".")[2]
        names = [_title(leaf), _title(path.replace(".", " "))]
        for name in (*names, f"{names[-1]} (events)", *(f"{names[-1]} {nth}" for nth in range(2, 1000))):
            if name and bare(name) not in self._used[kind]:
                break
        self._used[kind].add(bare(name))
        return name


def _title(name: str) -> str:
    """`jobTitle` -> `Job title`."""
    words = [
        word if word.isupper() and len(word) > 1 else word.lower() for word in _WORDS.findall(_HUMP.sub(" ", name))
    ]
    joined = " ".join(words)[:FIELD_NAME].strip()
    return joined[:1].upper() + joined[1:] if joined else "Field"


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return None if any(item is None or "," in item for item in items) else ", ".join(str(item) for item in items)
    return plain(value)


def _is_amount(value: Any, decimals: Decimals) -> bool:
    """Whether this is a number and no code. A code begins with a zero, or is too long to be exact as a number."""
    if isinstance(value, bool | list):
        return False
    written = str(value).strip()
    if re.match(r"[-+]?0\d", written) or sum(map(str.isdigit, written)) > LONGEST_NUMBER:
        return False
    try:
        number(value, decimals)
    except Unfit:
        return False
    return True


def _bears_currency(value: Any) -> bool:
    found = [read_amount(value, decimals) for decimals in get_args(Decimals)] if isinstance(value, str) else []
    return any(amount is not None and amount.currencies for amount in found)


def _is_day(text: str, order: DateOrder) -> bool:
    if not (_DAY.match(text.strip()) or (order != "iso" and _WRITTEN_DAY.fullmatch(text.strip()))):
        return False
    try:
        day(text, order)
    except Unfit:
        return False
    return True
