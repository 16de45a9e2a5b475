"""Converters for fields of options: one of them or several, by id or label. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set
from contextlib import suppress
from typing import Any, Final

from pipedrive_cli.pipedrive.values import Converter, Unfit, plain, says_nothing, truth
from pipedrive_cli.text_forms import caseless_form, label_form

LONGEST_QUOTED: Final = 40  # characters of a value that a message quotes


def words_beside(nothing: Set[str], labels: Iterable[str]) -> frozenset[str]:
    """The texts that say nothing in a field with these options: what is an option's label says something."""
    taken = {caseless_form(label) for label in labels}
    return frozenset(word for word in nothing if caseless_form(word) not in taken)


def one_of(known: Iterable[tuple[Any, str]]) -> Converter:
    """The id of an option that is named by its id or its label (exactly, or without case where that is unambiguous).

    true and false in events mean the options that say yes and no.
    """
    choices = tuple(known)
    by_id = {str(found): found for found, _ in choices}
    exact: dict[str, list[Any]] = {}
    formed: dict[str, list[Any]] = {}
    caseless: dict[str, list[Any]] = {}
    truths: dict[bool | None, list[Any]] = {}
    for found, label in choices:
        exact.setdefault(label.strip(), []).append(found)
        formed.setdefault(label_form(label), []).append(found)
        caseless.setdefault(caseless_form(label), []).append(found)
        truths.setdefault(truth(label), []).append(found)
    labels = [label for _, label in choices]
    offer = ", ".join(labels[:10]) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")

    def to_option(value: Any) -> Any:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        named = plain(value)
        if named is not None:
            key = named.strip()
            by_number = by_id.get(key)
            if by_number is not None and not isinstance(value, str):
                if exact.get(key, [by_number]) != [by_number]:
                    raise Unfit(
                        f"has an option named {key} and another whose id is {key}; give the label of one as text"
                    )
                return by_number
            found = (
                exact.get(key)
                or formed.get(label_form(key))
                or ([] if by_number is None else [by_number])
                or caseless.get(caseless_form(key))
                or (truths.get(said) if (said := truth(value)) is not None else None)
            )
            if found:
                if len(found) == 1:
                    return found[0]
                ids = ", ".join(str(option) for option in found)
                raise Unfit(f"has {len(found)} options named {_short(key)}; give the id of one: {ids}")
        if not labels:
            raise Unfit("has no options")
        raise Unfit(f"takes one of its options: {offer}" + (f"; {_short(named)} is none" if named else ""))

    return to_option


def _short(named: str) -> str:
    return repr(named if len(named) <= LONGEST_QUOTED else f"{named[: LONGEST_QUOTED - 1]}…")


def several_of(known: Iterable[tuple[Any, str]], nothing: Set[str] = frozenset()) -> Converter:
    """The ids of options, from a list, from text with commas, or from one option; without doubles, in order.

    `nothing` are texts that say nothing, unless they are the label of an option.
    """
    choices = tuple(known)
    one, words = one_of(choices), words_beside(nothing, (label for _, label in choices))

    def to_options(value: Any) -> list[Any] | None:
        if isinstance(value, list):
            items = value
        elif isinstance(value, str):
            parted = [[value], *(value.split(sign) for sign in _BETWEEN_OPTIONS if sign in value)]
            for items in parted[:-1]:  # a label may contain any of these signs
                with suppress(Unfit):
                    return ids(items)
            items = parted[-1]
        else:
            items = [value]
        return ids(items)

    def ids(items: Iterable[Any]) -> list[Any] | None:
        return list(dict.fromkeys(one(item) for item in items if not says_nothing(item, words))) or None

    return to_options


# What parts options in a text, the usual one first: HubSpot and Salesforce write semicolons.
_BETWEEN_OPTIONS: Final = (",", ";", "|", "\n")
