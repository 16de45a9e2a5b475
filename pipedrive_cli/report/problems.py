"""The message and hint of every problem code: what happened, and what to do. Knows nothing of runs or terminals.

Codes are stable, because scripts match on them; messages may be improved at any time. A complaint may have a more exact
message about one event; the messages here are for all events with the same code.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

# What is told of a mapping or an account, and of no event. `model` and `errors` have the other codes.
NoticeCode: TypeAlias = Literal[
    "unmapped_trait", "reading_advised", "mapping_unused", "budget_short", "not_admin", "id_field_unused"
]


class Words(NamedTuple):
    """`message` is a heading without a full stop; `hint` says in whole sentences what to do."""

    message: str
    hint: str | None = None


_LINES: dict[str, Words] = {
    "bad_json": Words(
        "the line is no JSON",
        "Often a line that was cut off or edited by hand. The rejects file has it under `raw`: mend it there.",
    ),
    "not_utf8": Words("the line is not UTF-8", "Save the file as UTF-8 and replay it."),
    "not_an_object": Words("the line is no event: not a JSON object", "Each line must hold one event, as `{...}`."),
    "line_too_long": Words(
        "the line is longer than 4 MiB", "No SDK sends that much in one event: see what is at that place in the file."
    ),
    "too_deep": Words(
        "objects or lists stand inside each other too deeply", "See what wrote the event; no SDK nests so deep."
    ),
    "other_format": Words(
        "the line is another program's, not an event of RudderStack or Segment", "The examples say whose it is."
    ),
    "empty_batch": Words("the batch holds no events"),
    "bad_batch": Words("a batch is no list of events", "See what wrote the line."),
    "bad_row": Words(
        "a row of a table has not the cells that its header names",
        "Often a separator or a quote within a cell that was not quoted: mend it in the table, and read that again.",
    ),
    "not_events": Words("no event file", "Every run names it, until it is mended or moved away."),
    "not_a_file": Words("no file that can be read", "It was passed over. Every run names it until it is moved away."),
    "source_unreadable": Words("a file could not be read to its end", "See that it is there and readable; run again."),
    "source_unreachable": Words(
        "the connection broke off while a file was read", "See to the network, then run again; what was read counts."
    ),
    "input_unread": Words("reading broke off before the end", "The problems say why."),
    "gzip_broken": Words("a gzip file is damaged or breaks off", "Fetch it again, then run again."),
    "zstd_broken": Words("a zstd file is damaged or breaks off", "Fetch it again, then run again."),
    "cut_off": Words(
        "the file ends in the middle of a line, and is no longer written",
        "Fetch the whole file again, or mend its last line; every run names it until then.",
    ),
    "unfinished_line": Words(
        "the last line of a file has no end and is no JSON", "Its writer may not be done: run again later."
    ),
}

_EVENTS: dict[str, Words] = {
    "missing_type": Words("the event has no type", "`type` must be identify, group, alias or track."),
    "unknown_type": Words("the event's type is unknown", "`type` must be identify, group, alias or track."),
    "missing_event_name": Words("the track event has no name", "Give it one in `event`: the lead is called by it."),
    "missing_user_id": Words(
        "the event names neither a user nor an anonymous id", "Give it a `userId`; without, it is nobody's event."
    ),
    "missing_group_id": Words("the group event names no group", "Give it a `groupId`."),
    "missing_previous_id": Words("the alias event names no previous id", "Give it a `previousId`."),
    "bad_user_id": Words("the user id is no text", "`userId` must be text or a whole number."),
    "bad_anonymous_id": Words("the anonymous id is no text", "`anonymousId` must be text or a whole number."),
    "bad_group_id": Words("the group id is no text", "`groupId` must be text or a whole number."),
    "bad_previous_id": Words("the previous id is no text", "`previousId` must be text or a whole number."),
    "bad_external_id": Words(
        "an id in context.externalId is none of Pipedrive's", "Pipedrive's ids are whole numbers above zero."
    ),
    "key_too_long": Words("an id is longer than 255 characters", "A text field in Pipedrive holds no more."),
    "bad_traits": Words("traits is no object", "`traits` must be `{name: value, ...}`."),
    "bad_properties": Words("properties is no object", "`properties` must be `{name: value, ...}`."),
    "bad_context": Words("context is no object", "`context` must be `{...}`."),
    "clock_ahead": Words(
        "the event's time is later than it was received, or than now: that counts",
        "A device's clock was wrong; nothing is lost.",
    ),
    "own_clock_wrong": Words(
        "this machine's clock is wrong",
        "Events are dated by Pipedrive's clock. Set this one: ages such as `--since 24h` and `--older-than` go by it.",
    ),
    "unreadable_time": Words(
        "a time of the event cannot be read", "Write times as 2026-03-01T12:00:00Z; the event's next best time counts."
    ),
    "anonymous_only": Words(
        "the event has only an anonymous id", "To import such events set `identity.anonymous: use` in the config."
    ),
    "consent_denied": Words("the user has refused consent", "See `privacy.consent` in the config."),
    "suppressed": Words(
        "the user asked not to be sent, or to be forgotten", "See `privacy.suppress` in the config, and `forget`."
    ),
    "consent_ignored": Words(
        "the event says what its user consents to, and nobody asks",
        "Name the purposes that Pipedrive stands for under `privacy.consent`, or refused events are sent.",
    ),
    "type_not_supported": Words("events of this type are not sent"),
    "same_id_other_content": Words(
        "an event bears the message id of another one, and was taken for its copy",
        "What wrote the file gives one id to different events. Give each its own `messageId`, or none; then replay it.",
    ),
    "integrations_off": Words(
        "the event's own `integrations` leave Pipedrive out", "`events.integrations: []` in the config ignores that."
    ),
    "event_excluded": Words("the config excludes this event", "See `events.exclude` in the config."),
    "event_not_included": Words("the config does not include this event", "See `events.include` in the config."),
    "bad_value": Words(
        "a value does not fit its field in Pipedrive",
        "The rest of the event is sent. Mend the value, list it under `values.nothing`, or map the trait elsewhere.",
    ),
    "amount_without_currency": Words(
        "an amount without a currency cannot be sent",
        "Set `values.currency` in the config, or let events carry a `currency`. Whoever wants no amounts maps them to "
        "null.",
    ),
    "says_nothing": Words(
        "a value that says nothing was left out", "`values.nothing` in the config lists such texts; [] sends them all."
    ),
    "too_late": Words("a time of creation came after the record was made", "Pipedrive takes it on creation alone."),
    "overwritten": Words(
        "a value that others had written was overwritten", "`delivery.existing: fill` in the config leaves such values."
    ),
    "placeholder_id": Words(
        "an id that names nobody counts as missing",
        "A program wrote it where it knew no id, for many people alike. See what fills this place in your events.",
    ),
    "garbled_text": Words(
        "a text looks garbled, and was sent as it is: UTF-8 that was read as another encoding",
        "See what wrote the file: it, or what it read, takes UTF-8 for Latin-1 or Windows-1252.",
    ),
    "zone_left_out": Words(
        "a lead's time of day is sent without its time zone",
        "Pipedrive reads it in the time zone of the key's user: send the time as it is there.",
    ),
    "products_missing": Words(
        "the order has no products", "`properties.products` must be a list with something in it."
    ),
    "bad_product": Words("a product of the order is no object", "The other products were sent."),
    "bad_product_id": Words("a product's id is no text of at most 255 characters", "Mend `product_id` or `sku`."),
    "product_unnamed": Words("a product has neither an id nor a name", "Give it a `product_id`, a `sku` or a `name`."),
}

_RECORDS: dict[str, Words] = {
    "missing_name": Words(
        "a new record needs a name and the event has none", "See `identity.name_fallback` in the config."
    ),
    "person_not_found": Words(
        "nobody in Pipedrive or in the input bears this user id",
        "Set `identity.create_persons: all`, or import the identify events too.",
    ),
    "person_unknown": Words(
        "nobody in Pipedrive bears this user id, and no event may create a person",
        "So the config says (`identity.create_persons: none`); `identify` lets identify events create.",
    ),
    "organization_ambiguous": Words(
        "several organizations have the name, and none of them was taken",
        "Give the right one its group id, or merge them in Pipedrive.",
    ),
    "organization_name_there": Words(
        "an organization was made, and another one of that name and without a group id is there",
        "`identity.match_organizations: name` takes it over instead; merge the two in Pipedrive.",
    ),
    "recognised_by_email": Words("a person who was there was taken over, by the email address"),
    "recognised_by_name": Words("an organization that was there was taken over, by its name"),
    "company_not_linked": Words(
        "the trait company names an organization, and the person is linked to none",
        "`identity.company: company` links them; `company: null` in fields.persons says that you know.",
    ),
    "alias_unknown": Words(
        "the alias names a previous person whom nobody knows", "If that person comes later, the alias is applied then."
    ),
    "waits_for_input": Words(
        "somebody whom the event names may come in the part of the input that was not read",
        "Run again to read on: what waits is taken up then.",
    ),
    "alias_same": Words("both ids of the alias name the same person already"),
    "alias_gone": Words(
        "a person whom an alias names by Pipedrive's id was deleted in Pipedrive", "Name the person who is there."
    ),
    "alias_off": Words("the config skips alias events", "See `identity.alias` in the config."),
    "alias_reused": Words(
        "the previous id is another name of somebody else", "Merging would mix two strangers: mend the ids."
    ),
    "alias_both_exist": Words(
        "both persons exist and the config forbids merging", "Set `identity.alias: merge`, or merge them in Pipedrive."
    ),
    "identity_conflict": Words(
        "the ids of the event and those in Pipedrive do not fit together",
        "Correct the id in context.externalId, or the id field of the record in Pipedrive, then run again.",
    ),
    "unknown_pipedrive_id": Words("Pipedrive has no record of that id", "Correct the id in context.externalId."),
    "depends_on": Words(
        "a record that this one needs is not in Pipedrive", "Put that one right first; it is in this report too."
    ),
    "refused_value": Words(
        "Pipedrive refused a value; the rest of the event was sent", "Mend the value as Pipedrive's message says."
    ),
    "refused": Words("Pipedrive refused the record", "Mend the event as Pipedrive's message says."),
    "gone": Words("the record is not in Pipedrive any more", "Run again: it is looked up anew."),
    "other_mapping": Words(
        "the event was handled under another mapping",
        "`replay --refill` with the same sources takes such events up again, and fills what was added since.",
    ),
    "changed_by_hand": Words(
        "somebody has changed the value since we wrote it", "It stays. To have the event's value, empty the field."
    ),
    "unsaid": Words(
        "a value stays of which its event says nothing under this mapping",
        "A refill takes nothing away. Empty the field in Pipedrive, or undo the run that wrote it: `runs undo`.",
    ),
    "deleted_in_pipedrive": Words(
        "the record was deleted in Pipedrive", "`delivery.deleted: recreate` in the config makes it anew."
    ),
    "twin_records": Words(
        "several records in Pipedrive bear the same id; the oldest was used", "Merge them in Pipedrive."
    ),
    "twin_by_email": Words(
        "persons without a user id have the same email as one that was brought", "Where they are one, merge them."
    ),
    "made_anew": Words(
        "records that people had deleted or merged into others were made anew",
        "Delete or merge them again where that was meant; `delivery.deleted: skip` in the config makes none anew.",
    ),
    "unmapped_trait": Words("no mapping names the trait"),
    "mapping_unused": Words("a mapped trait is in no event", "See how your events spell it, or take its line out."),
    "reading_advised": Words(
        "settings of `values` would make more values fit", "Write them under `values:` in the config."
    ),
    "budget_short": Words(
        "a replay may cost more API tokens than are left for today",
        "It stops when they are spent and goes on when run again, or with `--wait`; `rehearse` foretells the days.",
    ),
    "field_read_only": Words(
        "a mapped field cannot be written, and its values are left out; the rest is sent",
        "Pipedrive fills the field in itself: map the trait to another field, or take its line out.",
    ),
    "field_refused": Words(
        "Pipedrive refuses a field of every record; its values are left out, and the rest is sent",
        "Map the trait to a field that can be written, or take its line out.",
    ),
    "account_changed": Words(
        "a field, its options or a currency has changed in Pipedrive while the run was under way",
        "Run again: its values are read anew for the account as it is now.",
    ),
    "field_moved": Words(
        "a field that the config names was renamed in Pipedrive, or made anew", "Write its present name in the config."
    ),
    "id_field_unused": Words(
        "no record has an id in the field for ids",
        "If ids were written before, name their field: with a wrong one every record is made twice.",
    ),
    "not_admin": Words(
        "the API token's user is no admin and may not see every record",
        "Use an admin's API token: what is not seen is created a second time.",
    ),
}

_DELIVERY: dict[str, Words] = {
    "gave_up": Words("Pipedrive failed to answer, several times", "Run again; what arrived is not sent twice."),
    "in_doubt": Words("nobody knows yet whether Pipedrive did what was asked", "Run again: that is looked up first."),
    "firewall_content": Words(
        "a firewall on the way to Pipedrive refuses what a record says",
        "Some text of its events looks like an attack to it (SQL, a script): mend that text in the rejects file.",
    ),
    "asked_to_wait": Words(
        "Pipedrive asks for a long wait", "Run the same command again when it is over, or use `--wait`."
    ),
    "origin_id_hidden": Words(
        "this account does not show the origin_id of leads",
        "Leads whose answer is lost are not sent again, as nobody could see whether they are there.",
    ),
    "refused_setting": Words(
        "Pipedrive refuses a value of the config; the records are made without it", "Mend that key of the config."
    ),
    "record_busy": Words("another write of the same record took too long", "Run again."),
    "journal": Words("the journal cannot be read or written", "Make room on its disk, or name another with --state."),
    "rejects_file": Words(
        "the rejects file cannot be written", "Make room there or name another place, then run again."
    ),
    "temporary_file": Words(
        "the run's temporary file cannot be written or read", "Make room, or name another folder in TMPDIR."
    ),
    "look_up_failed": Words("Pipedrive could not be asked whether the record exists", "Run again."),
    "kind_refused": Words(
        "Pipedrive refuses this kind of record",
        "The API token's user lacks a permission, the feature is off, or a limit of the plan is reached.",
    ),
    "day_spent": Words("the day's API tokens are spent", "Run the same command again tomorrow, or use `--wait`."),
    "max_tokens": Words("the run has spent the tokens that --max-tokens allows", "Run the same command again."),
    "deadline": Words("the time that --deadline allows is over", "Run the same command again."),
    "max_failures": Words("more events failed than --max-failures allows", "See the problems above; then run again."),
    "brake": Words(
        "the run would write more records than its brakes allow", "See `preview --online`; then raise the brake."
    ),
    "plan_changed": Words(
        "the plan is not the expected one", "Run `preview --online` again, and expect the name that it ends with."
    ),
    "input_left": Words("the run before had not read all its input", "Repeat its replay: a retry reads no files."),
    "cluster": Words(
        "the Dask cluster did not do the work", "See to it; the same command goes on from what is folded so far."
    ),
    "no_pipedrive": Words(
        "what answers there is no Pipedrive", "Check pipedrive.company_domain or pipedrive.base_url."
    ),
    "config": Words("the config does not fit the account", "`pipedrive-cli check` lists every problem."),
    "failed": Words("the event failed", "Run again: it is taken up once more."),
    "unreachable": Words("Pipedrive cannot be reached", "See that the network works and the company domain is right."),
    "firewall": Words("Pipedrive's firewall blocks this machine", "Wait a quarter of an hour; then run again."),
    "credentials_refused": Words("Pipedrive refused the API token", "See Personal preferences, API, in Pipedrive."),
    "account_closed": Words("the Pipedrive account is not open (trial over, or unpaid)", "Ask the account's owner."),
    "interrupted": Words("the run was interrupted", "Run the same command again; what is done is not sent twice."),
    "output": Words("the output could not be written", "`pipedrive-cli runs show` has a run's report."),
    "stopped": Words("the run was stopped", "Run the same command again; what is done is not sent twice."),
}

PROBLEMS: dict[str, Words] = _LINES | _EVENTS | _RECORDS | _DELIVERY


def words_for(code: str) -> Words:
    """The words for a code. Pipedrive's own codes are an open set: a code without words here is shown as it is."""
    if code in PROBLEMS:
        return PROBLEMS[code]
    if code.startswith("feature_capping"):
        return Words("a limit of the company's Pipedrive plan is reached", "Make room in Pipedrive, or raise the plan.")
    if code.startswith("http_"):
        return Words(f"Pipedrive refused it (HTTP {code.removeprefix('http_')})", PROBLEMS["refused"].hint)
    if code.startswith("ERR_"):
        return Words("Pipedrive refused it", PROBLEMS["refused"].hint)
    return Words(code.replace("_", " "))
