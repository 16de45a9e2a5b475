"""Advice on a trait that no mapping names: the mapped trait that was perhaps meant, or the field made for it."""

from __future__ import annotations

from difflib import get_close_matches

from pipedrive_cli.config import Config
from pipedrive_cli.config.known_traits import ALWAYS_READ
from pipedrive_cli.model import Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.transform.targets import STANDARD, resolve_field

ALIKE = 0.7  # how much alike two names must be for one to be a slip of the other, from 0 to 1


def mapping_advice(kind: Kind, trait: str, config: Config, account: Account | None) -> str | None:
    """A sentence or two for people; None where there is nothing to say."""
    known = (*ALWAYS_READ[kind], *config.fields.lines(kind))
    if trait in known:  # no slip: of several such traits, this event had another one
        return None
    parent, _, leaf = trait.rpartition(".")
    leaves = {
        name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0].casefold() == parent.casefold()
    }
    # The same letters are surer than similar ones, and a field of that name is surer than a slip.
    if (same := next((name for name in leaves if _bare(name) == _bare(leaf)), None)) is not None:
        return f"Did you mean {leaves[same]}? Upper and lower case count."
    field = made_for_it(kind, trait, account)
    ids = {"persons": config.identity.user_id_field, "organizations": config.identity.group_id_field}
    if field is not None and field == ids.get(kind):
        return None  # its values are the ids that events name
    if field is not None:
        return f"To send it add `{trait}: {field}` to fields.{kind}."
    alike = {name.casefold(): name for name in leaves}
    near = get_close_matches(leaf.casefold(), alike, 1, ALIKE)
    return f"Did you mean {leaves[alike[near[0]]]}?" if near else None


def made_for_it(kind: Kind, trait: str, account: Account | None) -> str | None:
    """The field of the account that bears the trait's name, or nearly so."""
    custom = () if account is None else account.fields.get(kind, ())
    names = (*STANDARD[kind], *(field.name for field in custom if field.custom))
    name = next((name for name in names if _bare(name) == _bare(trait)), None)
    return None if name is None or isinstance(resolve_field(kind, name, account), str) else name


def _bare(name: str) -> str:
    """A name by its letters and digits alone: `jobTitle`, `job_title` and `Job title` are one."""
    return "".join(character for character in name.casefold() if character.isalnum())
