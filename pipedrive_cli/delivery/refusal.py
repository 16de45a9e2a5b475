"""Which of the fields we sent Pipedrive's words of refusal name. Pure.

The words are no contract (changing them is not a breaking change to Pipedrive), so nothing may depend on finding a
field. What is found is always one that was sent: names are looked for in the message, not taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipedrive_cli.pipedrive.catalog import FACTS, Call

LONGEST_MESSAGE = 10_000  # characters; whoever answers more is no help to anybody
_HASH = re.compile(r"[0-9a-f]{40}")


def named_fields(call: Call, message: str) -> tuple[str, ...]:
    """The addresses of the fields of `call` that `message` names, in the order in which they were sent.

    Understood: ``Validation failed: custom_fields.<key>: ...; emails.0.value: ...``, ``Parameter 'x' is not allowed``,
    ``custom_fields: Unknown key 'x'``, ``"owner_id" must be a number``, and a custom field's key anywhere.
    """
    if not call.body or not message:
        return ()
    message = message[:LONGEST_MESSAGE]
    found = dict.fromkeys(address for address, names in _sent(call) if any(_names(name, message) for name in names))
    return tuple(found)


def in_words(message: str, names: Mapping[str, str]) -> str:
    """Pipedrive's words with the names of custom fields in place of their keys, as far as `names` (by key) has them."""
    return _HASH.sub(lambda found: names.get(found[0], found[0]), message) if names else message


def _sent(call: Call) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field that was sent: its address, and the regular expressions by which a message may call it."""
    facts = FACTS[call.endpoint.kind] if call.endpoint.kind else None
    addresses = {key: address for address, key in facts.links.items()} if facts else {}
    for key, value in (call.body or {}).items():
        if key == "custom_fields" and isinstance(value, Mapping):
            yield from ((f"custom_fields.{name}", _custom_names(name)) for name in value)
        elif key == "prices" and isinstance(value, list):
            yield from _prices(value)
        elif match := _HASH.match(key):  # a lead's, with or without a suffix
            yield f"custom_fields.{match[0]}", (match[0],)
        else:
            yield addresses.get(key, key), _plain_names(key)


def _plain_names(key: str) -> tuple[str, ...]:
    name = re.escape(key)
    # As a path before a colon (`emails.0.value: ...`), or between quotes, but not as a key of custom_fields.
    return (rf"(?:^|[:;·]\s*){name}(?:[.\[][\w.\[\]]*)?:", rf"Parameter '{name}'", rf'"{name}(?:[.\[][\w.\[\]]*)?"')


def _custom_names(key: str) -> tuple[str, ...]:
    name = re.escape(key)
    return (name,) if _HASH.fullmatch(key) else (rf"custom_fields[.:][^;]*(?<!\w){name}(?!\w)",)


def _prices(rows: Iterable[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for index, row in enumerate(rows):
        if isinstance(row, Mapping) and isinstance(row.get("currency"), str):
            yield (
                f"prices.{row['currency']}",
                (
                    rf"\bprices(?:\.{index}\b|\[{index}\])",
                    r"(?:^|[:;·]\s*)prices:",
                    r"\"prices\"",
                    r"Parameter 'prices'",
                ),
            )


def _names(pattern: str, message: str) -> bool:
    return re.search(pattern, message) is not None
