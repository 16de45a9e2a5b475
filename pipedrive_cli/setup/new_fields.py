"""New fields for traits that have none: a name, and a type that takes the values of the sample. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.moments import day
from pipedrive_cli.pipedrive.values import Unfit, number, plain, says_nothing
from pipedrive_cli.transform.targets import STANDARD

FIELD_NAME: Final = 60  # characters of a new field's name
SHORT_TEXT: Final = 255  # characters that a `varchar` holds

_WORDS = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NO_AMOUNT = re.compile(r"(?:id|code|zip|phone|number|no|key)$")


def guess_type(path: str, values: Sequence[Any]) -> str | None:
    """The field type that suits all of these values; text in doubt, None where not even text fits."""
    values = [value for value in values if not says_nothing(value)]
    if any(isinstance(value, dict) for value in values) or any(_text(value) is None for value in values):
        return None
    if not values:
        return "varchar"
    if all(_is_amount(value) for value in values) and not _NO_AMOUNT.search(path.casefold()):
        return "double"
    if all(isinstance(value, str) and _is_day(value) for value in values):
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


def _is_amount(value: Any) -> bool:
    """Whether this is a number and no code. A code begins with a zero, or is too long to be exact as a number."""
    if isinstance(value, bool | list):
        return False
    written = str(value).strip()
    if re.match(r"[-+]?0\d", written) or len(written) > 15:
        return False
    try:
        number(value)
    except Unfit:
        return False
    return True


def _is_day(text: str) -> bool:
    if not _DAY.match(text.strip()):
        return False
    try:
        day(text)
    except Unfit:
        return False
    return True
