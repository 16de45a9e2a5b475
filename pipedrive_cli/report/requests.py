"""Writes a preview's requests: as text for people, as NDJSON, as a .http file or as curl commands. Pure text.

Names, values and file names are hostile. Each format makes them harmless: text escapes control characters; NDJSON and
bodies are JSON; shell words and comments are quoted whole. In .http files a client would replace the variable
`{{...}}` (by the API token, for example), so no text of an event keeps two braces.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from pipedrive_cli.delivery.retry import in_words
from pipedrive_cli.report.json_line import json_text
from pipedrive_cli.report.safe_text import encodable, visible_text
from pipedrive_cli.report.wording import first_of

Form: TypeAlias = Literal["text", "ndjson", "http", "curl"]
FORMS: tuple[Form, ...] = ("text", "ndjson", "http", "curl")

TOKEN_VARIABLE = "PIPEDRIVE_API_TOKEN"  # noqa: S105 - the variable's name, not a token
EVENTS_SHOWN = 5  # of one request, in comments and text; ndjson has all
VALUE_LIMIT = 160  # characters of one value in text
_QUOTE, _APOSTROPHE = "'", "\u2019"
_RED = "1;31"
_STYLES: Mapping[str, str] = {"merge": _RED, "create": "32", "create or update": "32", "update": "33", "look up": "2"}


class ShownPlace(Protocol):
    """An event's place in the input."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def index(self) -> int | None: ...


class ShownOrigin(Protocol):
    """Where an event comes from."""

    @property
    def message_id(self) -> str: ...
    @property
    def place(self) -> ShownPlace: ...


class ShownEvent(Protocol):
    """An event that asks for a request."""

    @property
    def origin(self) -> ShownOrigin: ...
    @property
    def place(self) -> ShownPlace: ...


class ShownChange(Protocol):
    """One field of a write; `old` has a meaning only if it is `known`. `labels` are those of options, by id."""

    @property
    def name(self) -> str: ...
    @property
    def new(self) -> Any: ...
    @property
    def old(self) -> Any: ...
    @property
    def known(self) -> bool: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def overwrites(self) -> bool: ...


class ShownRequest(Protocol):
    """A request, as this module needs it: `target` is percent-encoded, `path` is the readable form."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def body(self) -> Mapping[str, Any] | None: ...
    @property
    def tokens(self) -> int: ...
    @property
    def action(self) -> str: ...
    @property
    def record(self) -> str: ...
    @property
    def events(self) -> tuple[ShownEvent, ...]: ...
    @property
    def note(self) -> str | None: ...
    @property
    def irreversible(self) -> bool: ...
    @property
    def fields(self) -> tuple[ShownChange, ...]: ...


@dataclass(frozen=True, slots=True)
class Style:
    """How requests are written. `base` is the account's address, `colours` for a terminal.

    `names` maps keys of custom fields to their names; it may grow while requests are written.
    """

    form: Form
    base: str
    oauth: bool = False
    colours: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


def head(style: Style) -> str:
    """The beginning of a file of this format."""
    if style.form == "curl":
        return f": 'Needs the environment variable {TOKEN_VARIABLE}.'\n\n"
    if style.form == "http":
        return f"# Needs the variable {TOKEN_VARIABLE} (an environment of your HTTP client).\n\n"
    return ""


def render_request(request: ShownRequest, style: Style) -> str:
    """One request, with the newline (or the blank line) after it."""
    match style.form:
        case "text":
            return _text(request, style)
        case "ndjson":
            return _row(request, style)
        case "http":
            return _http(request, style)
        case "curl":
            return _curl(request, style)


def _row(request: ShownRequest, style: Style) -> str:
    row = {
        "method": request.method,
        "url": style.base + request.path,
        "body": request.body,
        "tokens": request.tokens,
        "action": request.action,
        "events": [
            {"file": origin.place.file, "line": origin.place.line, "message_id": origin.message_id}
            for origin in [event.origin for event in request.events]
        ],
        "note": request.note,
    }
    return json_text(row) + "\n"


def _http(request: ShownRequest, style: Style) -> str:
    lines = [f"### {_summary(request)}", *(f"# {line}" for line in _comments(request))]
    lines.append(f"{request.method} {style.base}{request.target} HTTP/1.1")
    key = f"{{{{{TOKEN_VARIABLE}}}}}"
    lines.append(f"Authorization: Bearer {key}" if style.oauth else f"x-api-token: {key}")
    if request.body is not None:
        lines += ["Content-Type: application/json", "", _no_variables(json_text(request.body))]
    return "\n".join(lines) + "\n\n"


def _no_variables(text: str) -> str:
    """JSON in which no string has two opening braces side by side; outside of strings JSON never has them."""
    return re.sub(r"\{(?=\{)|(?<=\{)\{", r"\\u007b", text)


def _curl(request: ShownRequest, style: Style) -> str:
    header = "Authorization: Bearer " if style.oauth else "x-api-token: "
    # --globoff: curl would read braces and brackets in a URL as patterns. -w: one answer a line.
    words = ["curl -sS --globoff -w '\\n'", *([] if request.method == "GET" else [f"-X {request.method}"])]
    words.append(f'-H "{header}${TOKEN_VARIABLE}"')
    if request.body is not None:
        # --data-raw: with --data a body that begins with @ would name a file.
        words += [
            "-H 'Content-Type: application/json'",
            f"--data-raw {shlex.quote(_shell_safe(json_text(request.body)))}",
        ]
    words.append(shlex.quote(style.base + request.target))
    # No comments: zsh would run pasted comments. The command `:` does nothing in any shell.
    about = "".join(
        f": {shlex.quote(line.replace(_QUOTE, _APOSTROPHE))}\n" for line in (_summary(request), *_comments(request))
    )
    return f"{about}{' '.join(words)}\n\n"


def _shell_safe(text: str) -> str:
    """JSON without the two characters that a shell interprets within single quotes: the quote itself, and `!`."""
    return text.replace("'", "\\u0027").replace("!", "\\u0021")


def _summary(request: ShownRequest) -> str:
    about = f" {_comment(request.record)}" if request.record else ""
    return f"{request.action}{about} ({_tokens(request.tokens)})"


def _comments(request: ShownRequest) -> list[str]:
    lines = []
    if request.events:
        lines.append(_comment(f"events: {_places(request.events)}", 1_000))
    if request.note:
        lines.append(_comment(f"note: {request.note}", 1_000))
    return lines


def _comment(text: str, limit: int = 200) -> str:
    """One line without invisible characters and without variables of a .http client."""
    return re.sub(r"\{(?=\{)", "{ ", encodable(visible_text(text, limit)))


def _text(request: ShownRequest, style: Style) -> str:
    def coloured(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if style.colours else text

    title = coloured(request.action, _STYLES[request.action])
    if request.action == "look up":
        # Only text shortens the URL: nobody reads ten keys. The other formats have it as it is sent.
        path = in_words(request.path, style.names).replace("%2C", ",")
        line = f"{title}  {request.method} {visible_text(path, 300)}  ({_tokens(request.tokens)})"
        return encodable(f"{line}\n")
    lines = [f"{title}  {visible_text(request.record)}  ({_tokens(request.tokens)})"]
    lines.append(f"    {request.method} {visible_text(style.base + request.path, 300)}")
    width = min(28, max((len(visible_text(change.name, 60)) for change in request.fields), default=0))
    for change in request.fields:
        lines.append(f"      {visible_text(change.name, 60):<{width}}  {_change(change)}")
    if request.events:
        lines.append(f"    from {visible_text(_places(request.events), 1_000)}")
    if request.note:
        lines.append(
            "    " + coloured(visible_text(f"note: {request.note}", 1_000), _RED if request.irreversible else "2")
        )
    return encodable("\n".join(lines) + "\n\n")


def _change(change: ShownChange) -> str:
    new = _value(change.new, change.labels)
    if not change.known:
        return new
    others = " (overwrites what others wrote)" if change.overwrites else ""
    return f"{_value(change.old, change.labels)} -> {new}{others}"


def _value(value: Any, labels: Mapping[str, str]) -> str:
    """A value as people write it: text as it is, options by label and id, lists of emails or phones as addresses."""
    if value is None or value in ("", []):
        return "(blank)"
    if labels and (named := _options(value, labels)) is not None:
        return visible_text(named, VALUE_LIMIT)
    if isinstance(value, str):
        # A text that reads like no value is put in quotes: `Head of Sales -> null` would read like clearing.
        shown = visible_text(value, VALUE_LIMIT)
        return f'"{shown}"' if value.strip().casefold() in _LIKE_NOTHING else shown
    if isinstance(value, list) and all(isinstance(item, Mapping) and "value" in item for item in value):
        return visible_text(", ".join(str(item["value"]) for item in value), VALUE_LIMIT)
    if isinstance(value, Mapping) and "currency" in value:
        amount = next((value[name] for name in ("amount", "price", "value") if name in value), "")
        return visible_text(f"{amount} {value['currency']}", VALUE_LIMIT)
    return visible_text(json_text(_plain_data(value)), VALUE_LIMIT)


_LIKE_NOTHING = frozenset({"", "null", "none", "nil", "undefined", "(blank)", "blank", "nan", "n/a", "-"})


def _options(value: Any, labels: Mapping[str, str]) -> str | None:
    """One or several options as `Pro (32)`; None where the value is none of them."""
    items = value if isinstance(value, list | tuple) else [value]
    ids = [item.get("id") if isinstance(item, Mapping) else item for item in items]
    named = [f"{labels[str(number)]} ({number})" for number in ids if str(number) in labels]
    return ", ".join(named) if len(named) == len(items) else None


def _plain_data(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _places(events: Iterable[ShownEvent]) -> str:
    """`a.ndjson:3, a.ndjson:7 and 12 more`."""
    all_events = list(events)
    places = [event.place for event in all_events[:EVENTS_SHOWN]]
    shown = [f"{each.file}:{each.line}" + ("" if each.index is None else f"[{each.index}]") for each in places]
    return first_of(shown, EVENTS_SHOWN, whole=len(all_events))


def _tokens(tokens: int) -> str:
    return f"{tokens} token{'' if tokens == 1 else 's'}"
