"""What other people hang on records: deals, activities and notes, as lists that show what has changed since a moment.

They are put there from outside (`Sandbox.add_other`): none of the tool's requests makes or changes one.
"""

from __future__ import annotations

from collections.abc import Callable

from pipedrive_cli.sandbox.clock import rfc3339
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.listing import limit_of, moment

_QUERY = frozenset({"limit", "cursor", "updated_since", "person_id", "org_id", "lead_id"})
_V1_QUERY = frozenset({"limit", "start", "updated_since", "person_id", "org_id", "lead_id"})


def _listed(what: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        limit, since = limit_of(call.query), moment(call.query, "updated_since")
        rows = [row for row in call.account.others[what] if since is None or row["update_time"] >= since]
        shown = [{**row, "update_time": rfc3339(row["update_time"])} for row in rows[:limit]]
        if what == "notes":
            page = {"start": 0, "limit": limit, "more_items_in_collection": len(rows) > limit}
            return Reply(shown, {"pagination": page})
        return Reply(shown, {"next_cursor": None})

    return answer


ENDPOINTS = (
    Endpoint("GET", 2, "/deals", 10, _listed("deals"), _QUERY),
    Endpoint("GET", 2, "/activities", 10, _listed("activities"), _QUERY),
    Endpoint("GET", 1, "/notes", 20, _listed("notes"), _V1_QUERY),
)
