"""The HTML report stands alone, says what the other reports say, and runs nothing that an event brought."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.html import render_page
from pipedrive_cli.report.run_context import RunContext
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.summary import EventCounts, Example, Summary, problem_group
from pipedrive_cli.report.timeline import Moment
from pipedrive_cli.report.wording import Scene

from .report_scenes import HOSTILE, eventful, hostile

SERIES = [
    Moment(
        float(second),
        {Outcome.DELIVERED: second * 10, Outcome.REJECTED: second // 4},
        requests=second * 12,
        tokens_spent=second * 60,
        tokens_left_today=30_000 - second * 60,
        requests_allowed=80,
        slowed=second // 10,
    )
    for second in range(60)
]
TOLD = RunContext(
    command="replay export/",
    company="Acme & Söhne",
    started=datetime(2026, 11, 23, 9, 15, 2, tzinfo=UTC),
    moments=tuple(SERIES),
)
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """The page as a parser that trusts nobody sees it: its elements, its text, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """SVG closes its shapes at once."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Every tag closes the one opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collects what a reader sees, and the script and style."""
        self.words.append(data)


@cache
def harmless() -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page with a text that nobody could take for one."""
    return skeleton(told("harmless"))


def skeleton(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The page's elements with the names of their attributes: what text must never change."""
    return [(tag, tuple(attributes)) for tag, attributes in Page(page).elements]


def one_problem(text: str) -> Summary:
    """A run whose one problem consists of `text` wherever text can stand."""
    example = Example(text, 1, text, text, user=text, value=text, message="said: " + text)
    return Summary(
        run="r",
        status="partial",
        exit_code=1,
        events=EventCounts(read=1, rejected=1),
        problems=(problem_group("bad_value", Outcome.REJECTED, 1, [example], message="m" + text, hint="h" + text),),
        dropped_traits={"persons": {text: 1}},
    )


def said(page: str) -> str:
    """All text of the page, with single blanks."""
    return " ".join(" ".join(Page(page).words).split())


def told(text: str) -> str:
    """A page that has `text` wherever text can stand."""
    context = RunContext(command=text, company=text, remarks=(text,), moments=tuple(SERIES))
    return render_page(one_problem(text), context, rejects=Path("x" + text), resume_in=1.0)


@pytest.mark.parametrize("moments", [[], SERIES[:1], SERIES])
def test_the_page_is_well_formed_and_stands_alone(moments: list[Moment]) -> None:
    """Each tag is closed, and nothing is fetched from anywhere."""
    text = render_page(eventful(), RunContext(moments=tuple(moments)))
    page = Page(text)
    assert page.open == []
    assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "form", "base"}
    assert not [
        attributes for _, attributes in page.elements if attributes.keys() & {"src", "href", "style", "onclick"}
    ]
    assert "url(" not in text


def test_the_page_says_what_happened() -> None:
    """The numbers, the problems with their words, the dropped traits and the next step."""
    words = said(render_page(eventful(), TOLD))
    for part in (
        "12,345 events read",
        "10,000 delivered",
        "bad_value",
        "Age holds numbers",
        "favourite_color",
        "retry",
    ):
        assert part in words


def test_the_page_says_where_when_and_by_what() -> None:
    """Who finds the file a month later knows what it is of."""
    words = said(render_page(eventful(), TOLD))
    for told in ("2026-11-23 09:15:02 UTC", "Acme & Söhne", "pipedrive-cli replay export/", eventful().run):
        assert told in words


@pytest.mark.parametrize(
    ("scene", "told"), [("sandbox", "nothing of this is in Pipedrive"), ("foretold", "nothing was sent")]
)
def test_what_did_not_happen_in_the_account_says_so_first(scene: Scene, told: str) -> None:
    """Before the numbers; a run against the account has no such line."""
    page = render_page(eventful(), RunContext(scene=scene))
    assert told in said(page[: page.index("<h1")])
    assert 'class="scene"' not in render_page(eventful())


def test_what_stands_between_backticks_is_code() -> None:
    """Hints name options and keys as the terminal does; on the page no backtick is left."""
    text = render_page(eventful())
    assert "<code>userId</code>" in text
    assert "`" not in said(text.partition("<script>")[0])


def test_the_next_steps_name_the_file_and_the_hour() -> None:
    """A page is read later: it says when, not in how long."""
    text = render_page(eventful(), TOLD, rejects=Path("<b>.ndjson"), resume_in=3600)
    assert "Come back after 2026-11-23 10:27 UTC" in text
    assert "7 rejected or failed events are in &lt;b&gt;.ndjson" in text


def test_a_picture_has_its_limit_its_numbers_and_words() -> None:
    """The curves are drawn against the limits; what they show can be read without seeing them."""
    text = render_page(eventful(), TOLD)
    words = said(text)
    assert text.count('class="limit-line" points') == 2
    for told in (
        "the limit: 80",
        "At most 24 requests in 2 seconds",
        "slow down: 5 times",
        "the day allowed: 30",
    ):
        assert told in words
    pictures = [
        attributes for tag, attributes in Page(text).elements if tag == "svg" and attributes.get("role") == "img"
    ]
    assert len(pictures) > 3
    ids = {attributes.get("id") for _, attributes in Page(text).elements}
    for picture in pictures:
        assert picture.get("aria-label") or {picture["aria-labelledby"], picture["aria-describedby"]} <= ids


def test_a_limit_far_above_the_curve_is_told_and_not_drawn() -> None:
    """It would press the curve flat."""
    far = [Moment(float(at), {}, at, at * 5, 1_000_000 - at * 5, 80) for at in range(3)]
    text = render_page(eventful(), RunContext(moments=tuple(far)))
    assert 'class="limit-line" points' not in text
    assert "The limit of 80 in 2 seconds is far above this picture." in text
    assert "The day allowed 1,000,000: far above this picture." in text


def test_the_policy_allows_our_style_and_script_and_nothing_else() -> None:
    """The hashes in the policy are those of what the page holds."""
    text = render_page(eventful())
    page = Page(text)
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


ATTACKS = [
    *HOSTILE,
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "&lt;b&gt;",
    "<!-- ",
    "]]>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_shown_as_text(attack: str) -> None:
    """No text makes an element or an attribute; it can be read as it was."""
    text = told(attack)
    assert skeleton(text) == harmless()
    assert visible_text(attack) in Page(text).words


@given(st.text(st.characters(exclude_categories=(), exclude_characters="`"), min_size=1))
def test_no_text_changes_the_page(text: str) -> None:
    """For any text the page has the same elements, and can be written as UTF-8."""
    page = told(text)
    page.encode("utf-8")
    assert skeleton(page) == harmless()


@given(st.text(st.sampled_from("`<>&\"'ab \u202e"), min_size=1))
def test_backticks_make_code_and_nothing_else(text: str) -> None:
    """Whatever stands around and between them."""
    elements = [element for element in skeleton(told(text)) if element != ("code", ())]
    assert elements == [element for element in harmless() if element != ("code", ())]


def test_hostile_runs_have_no_hidden_characters_left() -> None:
    """A bidi override would turn the text of a browser as that of a terminal."""
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", render_page(hostile())
    )


def test_the_headline_of_a_stopped_run_hides_nothing_either() -> None:
    """No template asks for this: whatever is shown is made visible, then escaped."""
    stopped = problem_group("stop", Outcome.PENDING, 0, message="\u202egnp.exe <b> & \x1b")
    page = render_page(Summary(run="r", status="stopped", reason="stop", exit_code=3, problems=(stopped,)))
    assert "Stopped: \\u202egnp.exe &lt;b&gt; &amp; \\x1b." in page


def test_an_empty_run_has_a_page_too() -> None:
    """Nothing to draw is no error, and neither is a run that stood still."""
    bare = Summary(run="r", status="complete", exit_code=0)
    assert "there was nothing to do" in render_page(bare)
    for moments in ((Moment(0.0),), (Moment(0.0), Moment(0.0)), (Moment(0.0), Moment(3.0))):
        assert Page(render_page(bare, RunContext(moments=moments))).open == []


@pytest.mark.parametrize("events", [EventCounts(read=1), EventCounts(delivered=1)])
def test_a_run_that_lost_count_of_its_events_has_a_page_that_says_so(events: EventCounts) -> None:
    """That is a bug of ours, and no reason for a second one."""
    page = render_page(Summary(run="r", status="partial", exit_code=1, events=events))
    assert "This report does not add up" in said(page)


def test_huge_numbers_are_drawn_too() -> None:
    """As are those that are next to nothing beside them."""
    most = 10**15
    events = EventCounts(read=most + 1, delivered=most, rejected=1)
    moments = (Moment(0.0), Moment(1e9, {Outcome.DELIVERED: most, Outcome.REJECTED: 1}, most, most * 9, 0, 10**5))
    text = render_page(Summary(run="r", status="partial", exit_code=1, events=events), RunContext(moments=moments))
    assert Page(text).open == []
    assert "&lt; 0.1 %" in text
    assert "e+" not in text
