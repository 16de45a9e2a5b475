"""Merging two persons or two organizations (v1): the record in the path is lost, `merge_with_id` survives."""

from __future__ import annotations

from collections.abc import Callable

from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.records import Record
from pipedrive_cli.sandbox.values import is_integer
from pipedrive_cli.sandbox.views import v1_person
from pipedrive_cli.sandbox.wire import v1_refusal


def _merged(kind: str, word: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        store = call.account.stores[kind]
        text = call.path["id"]
        loser = store.get(int(text)) if text.isascii() and text.isdigit() else None
        if loser is None:
            raise v1_refusal(404, f"{word} not found", "Object was not found.")
        survivor = _survivor(call, kind, word)
        if survivor is loser:
            raise v1_refusal(400, f"Cannot merge the {word.lower()} with itself")
        call.account.merge(kind, loser, survivor)
        if kind == "organizations":
            return Reply({"id": survivor.id})
        return Reply({**v1_person(call.account, survivor), "merge_what_id": loser.id})

    return answer


def _survivor(call: Call, kind: str, word: str) -> Record:
    body = call.json_object()
    for key in body:
        if key != "merge_with_id":
            raise v1_refusal(400, "Bad request", f'"{key}" is not allowed')
    wanted = body.get("merge_with_id")
    if not is_integer(wanted) or wanted is None:
        raise v1_refusal(400, "Bad request", '"merge_with_id" must be a number')
    survivor = call.account.stores[kind].get(int(wanted))
    if survivor is None:
        # Reported of live accounts: forbidden, not missing.
        raise v1_refusal(403, f"You do not have permission to merge with this {word.lower()}")
    return survivor


ENDPOINTS = (
    Endpoint("PUT", 1, "/persons/{id}/merge", 40, _merged("persons", "Person")),
    Endpoint("PUT", 1, "/organizations/{id}/merge", 40, _merged("organizations", "Organization")),
)
