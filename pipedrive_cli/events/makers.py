"""Which program has written JSON objects that are no events: other makers' exports, webhooks and uploads. Pure.

Each is told by its keys, with what to do, so that a file of them is one problem. An object around an event, as queues,
search indexes and pages of an API have it, is told with the member in which the event is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from pipedrive_cli.events.foreign import BAD_LINES, Foreign

# The types of events that RudderStack and Segment write, whether they are for a CRM or not.
EVENT_TYPES: Final = frozenset(
    ("identify", "group", "alias", "track", "page", "screen", "record", "merge", "delete", "audiencelist")
)
_EVENT_KEYS: Final = frozenset(("messageId", "userId", "anonymousId", "groupId"))
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_]\w{0,50}")
_ANY_NAME: Final = re.compile(r"[\w.$ -]{1,50}")
_UNTYPED: Final = Foreign(
    "lines of JSON of which none has a `type`",
    "events have one (identify, group, alias, track): see what wrote the file, or take it out of the folder",
)
_OTHER_TYPES: Final = Foreign(
    "lines of JSON whose `type` is that of no event",
    "an event's is identify, group, alias or track: see what wrote the file, or take it out of the folder",
)
_OTHERS: Final = "import it with its maker's own tool, or write its rows as identify, group and track events"
_OWN_RECORDS: Final = "leave them out: they are in Pipedrive already; its own import takes them into another account"


class _Layout(NamedTuple):
    kind: Foreign
    keys: frozenset[str]  # all of these
    one_of: frozenset[str] = frozenset()  # and one of these, where there are some


def _layout(what: str, keys: str, one_of: str = "", advice: str = _OTHERS) -> _Layout:
    return _Layout(Foreign(what, advice), frozenset(keys.split()), frozenset(one_of.split()))


_CODED: Final = "take out what stands in them in base64: `jq -c '{} | @base64d | fromjson' FILE > events.ndjson`"
_GATEWAY: Final = "leave it out: the events are in the gateway's own dumps (gw_jobs), or in rudder-logs"
_ROWS: Final = (
    "replay the object storage export (rudder-logs, segment-logs) of the same source; or unload the table as CSV, and "
    "name what its columns are: `--as identify --id user_id --time received_at`"
)
# As the makers' pages describe their exports, webhooks and request bodies (looked at in November 2026).
_LAYOUTS: Final = (
    _layout(
        "a row staged for RudderStack's warehouse", "metadata data", advice="replay rudder-logs of the same source"
    ),
    _layout("a status dump of RudderStack's jobs", "job_id job_state", advice=_GATEWAY),
    _layout("a status dump of RudderStack's jobs", "JobID JobState", advice=_GATEWAY),
    _layout("a dump of RudderStack's requests to destinations", "endpoint body", "method headers params", _GATEWAY),
    _layout(
        "the settings of RudderStack's Pipedrive destination",
        "apiToken",
        "userIdToken groupIdToken personsMap",
        "`pipedrive-cli init --from-rudderstack FILE` makes a config of them",
    ),
    _layout("Amplitude's export", "event_type", "event_properties amplitude_id device_id"),
    _layout("MoEngage's events", "event_name", "event_uuid event_attributes"),
    _layout("Amplitude's export", "event_type", "user_properties"),
    _layout("Amplitude's upload of events", "api_key events"),
    _layout("PostHog's export of persons", "distinct_id", "person_version person_distinct_id_version"),
    _layout("PostHog's export", "event distinct_id"),
    _layout("Mixpanel's export of profiles", "$distinct_id $properties"),
    _layout("Mixpanel's pipeline", "distinct_id", "mp_lib insert_id mp_processing_time_ms"),
    _layout("Google Analytics 4 in BigQuery", "event_name", "event_params event_timestamp user_pseudo_id"),
    _layout("Google Analytics 4's Measurement Protocol", "events", "client_id app_instance_id"),
    _layout("Universal Analytics in BigQuery", "hits", "fullVisitorId visitId"),
    _layout("mParticle's batches", "events", "mpid mp_deviceid source_request_id user_identities batch_id"),
    _layout("Jitsu's events", "event_type", "eventn_ctx source_ip api_key"),
    _layout("Snowplow's enriched events", "app_id", "collector_tstamp event_vendor domain_userid"),
    _layout("Snowplow's events", "schema data"),
    _layout("Braze's Currents", "user_id", "external_user_id braze_id campaign_id canvas_id app_group_id"),
    _layout("Braze's Currents", "external_user_id"),
    _layout("Braze's export of users", "external_id", "braze_id custom_attributes custom_events"),
    _layout("Braze's upload of users", "attributes", "events purchases"),
    _layout("CloudWatch's logs", "logGroup logEvents", advice="take the events out of `logEvents[].message` with jq"),
    _layout("CloudTrail's records", "Records"),
    _layout("HubSpot's webhooks", "subscriptionType"),
    _layout("HubSpot's records", "id properties", "archived createdAt updatedAt"),
    _layout("Intercom's export", "type id", "external_id workspace_id"),
    _layout("Intercom's webhooks", "type topic", "app_id data"),
    _layout("Stripe's events", "object type", "api_version pending_webhooks"),
    _layout("Klaviyo's export", "type attributes relationships"),
    _layout("Pendo's events", "visitorId", "accountId pageId featureId numEvents numMinutes event"),
    _layout("Pendo's events", "visitor_id", "account_id_hash num_events num_minutes page_id feature_id guide_id"),
    _layout("Singer's messages", "type stream", "record schema"),
    _layout("GitHub's events", "type actor repo"),
    _layout("Auth0's logs", "type log_id"),
    _layout("Firebase's events", "event_dim"),
    _layout("Heap's export", "heap_user_id"),
    _layout("Heap's webhooks", "heap"),
    _layout("FullStory's export", "EventType", "IndvId UserId SessionId"),
    _layout("Customer.io's activity", "delivery_id", "customer_id identifiers"),
    _layout("Customer.io's webhooks", "object_type metric", "event_id timestamp"),
    _layout("Customer.io's export", "internal_customer_id"),
    _layout("Kissmetrics' export", "_p", "_n _t"),
    _layout("CleverTap's export", "profile ts"),
    _layout("AppsFlyer's raw data", "appsflyer_id"),
    _layout("Tealium's events", "tealium_event"),
    _layout("Iterable's export", "itblInternal"),
    _layout("SendGrid's webhooks", "sg_event_id"),
    _layout("Mailgun's events", "event recipient"),
    _layout("Postmark's webhooks", "RecordType MessageID"),
    _layout("Mailchimp's members", "email_address merge_fields"),
    _layout("Typeform's responses", "form_response"),
    _layout("Shopify's records", "admin_graphql_api_id"),
    _layout("Salesforce's records", "attributes Id"),
    _layout("Adobe's hits", "hitid_high"),
    _layout("Matomo's visits", "idVisit"),
    _layout("rows that Fivetran has synced", "_fivetran_synced"),
    _layout("rows that Airbyte has synced", "_airbyte_data"),
    _layout("Debezium's changes of rows", "op source", "after before"),
    _layout("DynamoDB's export", "Item"),
    _layout("Pub/Sub's messages", "message subscription", advice=_CODED.format(".message.data")),
    _layout("Kinesis' records", "records", advice=_CODED.format(".records[].data")),
    _layout("Customer.io's people", "cio_id"),
    _layout("OpenTelemetry's spans or logs", "", "resourceSpans resourceLogs resourceMetrics"),
    _layout("Pipedrive's own records", "id add_time", "update_time owner_id org_id person_id visible_to", _OWN_RECORDS),
    _layout(
        "rows of RudderStack's or Segment's warehouse",
        "id",
        "received_at original_timestamp sent_at uuid_ts context_library_name context_traits_email event_text",
        _ROWS,
    ),
)


_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def maker_in(raw: bytes) -> Foreign | None:
    """Which other program has written this JSON object, or in which of its members there is an event.

    None where nothing tells.
    """
    try:
        members = _decode_members(raw)
        inner = _members(members.get("properties", b""))
        return _holder_of(members) or maker_of(members, inner) or _maker_of_items(members)
    except (ValueError, RecursionError):
        return None


def kind_of_objects(raws: Sequence[bytes]) -> Foreign | None:
    """What a file is whose first lines are these JSON objects; None: some are events, or they are too few to tell.

    Of a few lines all must be another program's; of many, not to be events is enough.
    """
    kind = maker_in(raws[0]) if raws else None
    types = [_type_in(raw, nameless=kind is None) for raw in raws]
    if any(map(_names_event, types)):
        return None
    if len(raws) < BAD_LINES:
        return kind if kind is not None and all(maker_in(raw) == kind for raw in raws) else None
    return kind or (_UNTYPED if not any(types) else _OTHER_TYPES)


def _type_in(raw: bytes, *, nameless: bool) -> str | None:
    """The type of an object; None: it has none. What cannot be read may be an event.

    `nameless`: it counts in an object without any of an event's keys, too. Other makers have types that are called so.
    """
    try:
        members = _decode_members(raw)
    except (ValueError, RecursionError):
        return "track"
    return _type_of(members) if nameless or not _EVENT_KEYS.isdisjoint(members) else None


def _type_of(members: Mapping[str, msgspec.Raw]) -> str | None:
    written = members.get("type", members.get("Type"))
    value = None if written is None else msgspec.json.decode(written)
    return (value if isinstance(value, str) else repr(value)) if value not in (None, "") else None


def _names_event(type_: str | None) -> bool:
    return type_ is not None and type_.strip().casefold() in EVENT_TYPES


def _members(raw: bytes) -> dict[str, msgspec.Raw]:
    """The members of an object, which may stand in a text; none for anything else."""
    try:
        text = bytes(raw)
        if text.startswith(b'"'):
            text = msgspec.json.decode(text, type=str).strip().encode()
        return _decode_members(text) if text.startswith(b"{") else {}
    except (ValueError, RecursionError):
        return {}


def _is_event(raw: bytes) -> bool:
    members = _members(raw)
    return not _EVENT_KEYS.isdisjoint(members) and _names_event(_type_of(members))


def _holder_of(members: Mapping[str, msgspec.Raw]) -> Foreign | None:
    """An object around an event, as queues, search indexes and pages of an API have it: in which member it is."""
    for name, value in members.items():
        text = bytes(value)
        items = _first_item(text)
        if _ANY_NAME.fullmatch(name) is None or "FILE" in name or not _is_event(text if items is None else items):
            continue
        path = f".{name}" if _PLAIN_NAME.fullmatch(name) else f'.["{name}"]'
        if items is not None:
            how = f"take them out: `jq -c '{path}[]' FILE > events.ndjson`"
            return Foreign("documents that hold events in a list", how)
        option = "-r" if text.startswith(b'"') else "-c"
        return Foreign("objects around events", f"take them out: `jq {option} '{path}' FILE > events.ndjson`")
    return None


def _maker_of_items(members: Mapping[str, msgspec.Raw]) -> Foreign | None:
    """Who has written the objects in a list of this document, as a page of an API has them."""
    for value in members.values():
        item = _members(_first_item(bytes(value)) or b"")
        if item and (kind := maker_of(item, _members(item.get("properties", b"")))) is not None:
            return kind
    return None


def _first_item(text: bytes) -> bytes | None:
    """The first item of a list of objects; None for anything else."""
    if not text.startswith(b"[") or not text[1:].lstrip().startswith(b"{"):
        return None
    try:
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (ValueError, RecursionError):
        return None
    return bytes(items[0]) if items else None


def maker_of(keys: Iterable[str], properties: Iterable[str] = ()) -> Foreign | None:
    """Which program writes objects of these keys that are no events of RudderStack or Segment; None: not known.

    `properties` are the keys of its `properties`.
    """
    found = frozenset(keys)
    found |= {key.lower() for key in found if key.isupper()}  # Snowflake writes columns so
    if {"event", "properties"} <= found and not {"distinct_id", "token"}.isdisjoint(properties):
        ours = not {"time", "token", "$insert_id", "mp_lib"}.isdisjoint(properties)
        return Foreign("Mixpanel's export" if ours else "events of PostHog or Mixpanel", _OTHERS)
    for layout in _LAYOUTS:
        if layout.keys <= found and (not layout.one_of or not layout.one_of.isdisjoint(found)):
            return layout.kind
    return None
