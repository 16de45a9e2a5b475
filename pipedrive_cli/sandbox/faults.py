"""Faults by plan: a small closed language, and the dice that carry it out the same way for the same seed.

A plan is rules with commas between them:

    EFFECT[-before|-after|-later][=SECONDS][@METHOD PATH][:CHANCE | #FIRST[-LAST]]

`429:0.05` refuses one request in twenty, `500-after@POST /api/v2/persons#3` does the third creation of a person and
answers 500, `slow=40@* /api/v2/*:0.01` keeps one answer in a hundred back for 40 seconds. `-before` means that the
work was not done, `-after` that it was and the answer is lost or wrong, `-later=9` that it is done nine seconds after
the answer. `late=9` does the work nine seconds later and answers then, should anybody still listen. `html422` and its
like are pages of somebody in between, `json400` is JSON that is not Pipedrive's; the effects of `distortions.py` make a
good answer odd. Without chance or count a rule always holds. In a path `{id}` stands for one part and `*` for anything;
the method may be `*`. A call may match several rules: the first that strikes counts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipedrive_cli.sandbox.distortions import DISTORTIONS
from pipedrive_cli.sandbox.wire import Response, html_response, json_response

When = Literal["before", "after", "later"]

# Effect -> when it may strike; the first is meant when none is given.
EFFECTS: dict[str, tuple[When, ...]] = {
    "429": ("before",),
    "429-daily": ("before",),
    "500": ("before", "after", "later"),
    "502": ("before", "after", "later"),
    "503": ("before", "after", "later"),
    "504": ("before", "after", "later"),
    "reset": ("before", "after", "later"),
    "refused": ("before",),
    "silence": ("before", "after", "later"),
    "unreachable": ("before",),
    "garbage": ("after", "before", "later"),
    "empty": ("after", "before", "later"),
    "success-false": ("before", "after"),
    "html400": ("before", "after", "later"),
    "html403": ("before", "after", "later"),
    "html404": ("before", "after", "later"),
    "html422": ("before", "after", "later"),
    "html429": ("before", "after", "later"),
    "json400": ("before", "after", "later"),
    "json403": ("before", "after", "later"),
    "slow": ("after",),
    "late": ("later",),
    **dict.fromkeys(DISTORTIONS, ("after",)),
}
TIMED = frozenset({"slow", "late", "misdated"})  # effects that may be given seconds, beside all that strike `later`

_RULE = re.compile(
    r"(?P<effect>[a-z0-9-]+)(=(?P<seconds>-?[0-9.]+))?"
    r"(@(?P<method>[A-Za-z]+|\*)\s+(?P<path>/[^\s:#]*|\*))?"
    r"(:(?P<chance>[0-9.]+)|#(?P<first>[0-9]+)(-(?P<last>[0-9]+))?)?"
)

FIREWALL_PAGE = (
    "<!DOCTYPE html><html><head><title>Access denied | Cloudflare</title></head>"
    "<body><h1>Error 1015</h1><p>You are being rate limited.</p></body></html>"
)


class FaultPlanError(ValueError):
    """A plan that cannot be read; the message names the part and what is allowed."""


@dataclass(slots=True)
class Rule:
    """One rule of a plan, and how many calls it has seen."""

    text: str
    effect: str
    when: When
    seconds: float | None
    method: str
    pattern: re.Pattern[str]
    chance: float | None
    first: int
    last: int
    dice: random.Random
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this call is hit. Every matching call is counted and rolled for, whatever other rules do."""
        if self.method not in ("*", method) or not self.pattern.fullmatch(path):
            return False
        self.seen += 1
        if self.chance is not None:
            return self.dice.random() < self.chance
        return self.first <= self.seen <= self.last


def parse(plan: str, seed: int) -> list[Rule]:
    """The rules of a plan. Raises `FaultPlanError`."""
    parts = [part.strip() for part in plan.split(",")]
    return [_rule(part, f"{seed}/{index}/{part}") for index, part in enumerate(parts) if part]


def draw(rules: list[Rule], method: str, path: str) -> Rule | None:
    """The rule that strikes a call to a full path, if one does."""
    if path.startswith("/v1/"):
        path = f"/api{path}"
    struck = [rule for rule in rules if rule.strikes(method, path)]
    return struck[0] if struck else None


def _rule(text: str, seed: str) -> Rule:
    parts = _RULE.fullmatch(text)
    if parts is None:
        raise FaultPlanError(
            f"fault {text!r} cannot be read: it should look like EFFECT[-before|-after|-later][=SECONDS][@METHOD PATH]"
            "[:CHANCE or #COUNT], such as '500-after@POST /api/v2/persons#3' or '429:0.05'"
        )
    effect, when = _effect(text, parts["effect"])
    if parts["seconds"] is not None and effect not in TIMED and when != "later":
        raise FaultPlanError(f"fault {text!r}: only {', '.join(sorted(TIMED))} and '-later' take '=SECONDS'")
    chance = None if parts["chance"] is None else _number(text, parts["chance"])
    if chance is not None and not 0 <= chance <= 1:
        raise FaultPlanError(f"fault {text!r}: the chance {parts['chance']} is not between 0 and 1")
    first = int(parts["first"] or 1)
    last = int(parts["last"] or (first if parts["first"] else 10**12))
    if first < 1 or last < first:
        raise FaultPlanError(f"fault {text!r}: counts begin at 1 and do not go backwards")
    return Rule(
        text,
        effect,
        when,
        None if parts["seconds"] is None else _number(text, parts["seconds"]),
        (parts["method"] or "*").upper(),
        _pattern(parts["path"] or "*"),
        chance,
        first,
        last,
        random.Random(seed),
    )


def _effect(text: str, name: str) -> tuple[str, When]:
    if name in EFFECTS:
        return name, EFFECTS[name][0]
    for when in ("before", "after", "later"):
        effect = name.removesuffix(f"-{when}")
        if effect != name and effect in EFFECTS:
            for allowed in EFFECTS[effect]:
                if allowed == when:
                    return effect, allowed
            raise FaultPlanError(f"fault {text!r}: {effect!r} can only strike {EFFECTS[effect][0]!r} the work")
    raise FaultPlanError(f"fault {text!r}: there is no {name!r}; there are {', '.join(EFFECTS)}")


def _number(text: str, digits: str) -> float:
    try:
        return float(digits)
    except ValueError:
        raise FaultPlanError(f"fault {text!r}: {digits!r} is no number") from None


def _pattern(path: str) -> re.Pattern[str]:
    if path.startswith("/v1/"):
        path = f"/api{path}"
    pieces = re.split(r"(\{[^}]*\}|\*)", path)
    return re.compile("".join(".*" if p == "*" else "[^/]+" if p.startswith("{") else re.escape(p) for p in pieces))


def answer(rule: Rule, real: Response | None, default_slow: float) -> Response:
    """What goes out when a rule strikes: in place of the real answer, or made from it. `real` is None before it.

    The statuses 429 and 429-daily are not made here: they need the account's limits.
    """
    if rule.effect in DISTORTIONS and real is not None:
        return DISTORTIONS[rule.effect](real, rule.seconds)
    if (between := _BETWEEN.fullmatch(rule.effect)) is not None:
        return _from_between(between[1], int(between[2]))
    return _ANSWERS.get(rule.effect, _error)(rule, real, default_slow)


_BETWEEN = re.compile(r"(html|json)(4\d\d)")


def from_between(rule: Rule) -> bool:
    """Whether somebody between client and Pipedrive answers."""
    return _BETWEEN.fullmatch(rule.effect) is not None


def _from_between(form: str, status: int) -> Response:
    """What a firewall, a proxy or a gateway answers in Pipedrive's place."""
    if form == "json":
        return json_response(status, {"message": "The request was blocked", "requestId": "7f3a"})
    if status == 403:
        return html_response(403, FIREWALL_PAGE)
    return html_response(status, f"<html><body><h1>{status} Request Rejected</h1></body></html>")


def _error(rule: Rule, *_: object) -> Response:
    status = int(rule.effect)
    if status in {502, 504}:
        return html_response(status, f"<html><body><center><h1>{status}</h1></center></body></html>")
    body = {"success": False, "error": "Internal Server Error", "code": "ERR_UNKNOWN"}
    if status == 503:
        body = {"success": False, "error": "Service Unavailable", "code": "ERR_UNAVAILABLE"}
    return json_response(status, body)


def _slow(rule: Rule, real: Response | None, default: float) -> Response:
    if real is None:
        raise TypeError("a slow answer needs an answer")
    real.delay += default if rule.seconds is None else rule.seconds
    return real


def _success_false(*_: object) -> Response:
    return json_response(200, {"success": False, "error": "Something went wrong", "error_info": "", "data": None})


_ANSWERS: dict[str, Callable[[Rule, Response | None, float], Response]] = {
    "reset": lambda *_: Response(0, b"", {}, "reset"),
    "refused": lambda *_: Response(0, b"", {}, "refused"),
    "silence": lambda *_: Response(0, b"", {}, "silence"),
    "unreachable": lambda *_: Response(0, b"", {}, "unreachable"),
    "garbage": lambda *_: Response(200, b"<!-- \xff\xfe no JSON -->", {"content-type": "application/json"}),
    "empty": lambda *_: Response(200, b"", {"content-type": "application/json"}),
    "success-false": _success_false,
    "slow": _slow,
}
