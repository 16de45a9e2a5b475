"""The organization that an identify event names in a trait (`identity.company`), and the person's link to it."""

from __future__ import annotations

from typing import Any, Final

from pipedrive_cli.model import CONTEXT, OWN, Change, Complaint, Event, JsonObject, RecordName
from pipedrive_cli.pipedrive.values import Unfit, plain
from pipedrive_cli.text_forms import caseless_form, names_nobody, visible
from pipedrive_cli.transform.mapping import Notes, trait_at

LONGEST: Final = 255
USUAL: Final = "company"  # the trait's name in the event specification
NOT_LINKED: Final = Complaint(
    "company_not_linked", "the trait company names an organization, and the person is linked to none", f"traits.{USUAL}"
)


def company_changes(
    event: Event, person: RecordName, traits: JsonObject, trait: str, notes: Notes, *, may_create: bool
) -> tuple[Change, ...]:
    """A change of the organization and one that links the person to it; none where the trait says nothing.

    An organization without an id is known by its name. What the person's event says of it fills blanks alone.
    """
    where = f"traits.{trait}"
    named = trait_at(traits, trait)
    if isinstance(named, dict):
        if not named:
            notes.use_trait("persons", trait)
        key, name = _key(named.get("id"), f"{where}.id", notes), _text(named.get("name"), f"{where}.name", notes)
    elif named is not None:
        key, name = None, _text(named, where, notes)
        notes.use_trait("persons", trait)
    else:  # flattened exports have names with dots
        key = _key(traits.get(f"{trait}.id"), f"{where}.id", notes)
        name = _text(traits.get(f"{trait}.name"), f"{where}.name", notes)
    if key is None and name is None:
        return ()
    organization = RecordName("organizations", key, None, caseless_form(name) if key is None and name else None)
    link = Change(person, event.time, OWN, {"organization": organization}, may_create=may_create)
    named_so = {} if name is None else {"name": name}
    if key is None:  # one spelling of many, so the first counts
        return Change(organization, event.time, CONTEXT, oldest=named_so), link
    return Change(organization, event.time, CONTEXT, named_so), link


def _key(value: Any, where: str, notes: Notes) -> str | None:
    written = _text(value, where, notes)
    key = None if written is None else visible(written) or None
    if key is not None and names_nobody(key):
        notes.count_problem("placeholder_id", "an id that names nothing counts as missing", where, value)
        return None
    return key


def _text(value: Any, where: str, notes: Notes) -> str | None:
    if value is None or notes.says_nothing(value, where):
        return None
    written = None if isinstance(value, bool) else plain(value)
    if written is None or len(written := written.strip()) > LONGEST:
        reason = Unfit("takes an organization's name, or an object with id and name, of at most 255 characters each")
        notes.reject_value(where, value, "identity.company", reason)
        return None
    return written
