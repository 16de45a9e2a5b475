"""The HTML report stands alone, says what the other reports say, and runs nothing that an event brought."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.outcomes import Outcome
from pipedrive_cli.report.escape import plain
from pipedrive_cli.report.html import Moment, render
from pipedrive_cli.report.summary import EventCounts, Example, Summary, problem_group

from .report_scenes import HOSTILE, eventful, hostile

SERIES = [
    Moment(
        float(second),
        {Outcome.DELIVERED: second * 10, Outcome.REJECTED: second // 4},
        requests=second * 12,
        tokens_spent=second * 60,
        tokens_left_today=30_000 - second * 60,
        requests_allowed=40.0,
    )
    for second in range(60)
]
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


@pytest.mark.parametrize("series", [[], SERIES[:1], SERIES])
def test_the_page_is_well_formed_and_stands_alone(series: list[Moment]) -> None:
    """Each tag is closed, and nothing is fetched from anywhere."""
    text = render(eventful(), series)
    page = Page(text)
    assert page.open == []
    assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "form", "base"}
    assert not [
        attributes for _, attributes in page.elements if attributes.keys() & {"src", "href", "style", "onclick"}
    ]
    assert "url(" not in text


def test_the_page_says_what_happened() -> None:
    """The numbers, the problems with their words, the dropped traits and the next step."""
    words = " ".join(" ".join(Page(render(eventful(), SERIES)).words).split())
    for said in (
        "12,345 events read",
        "10,000 delivered",
        "bad_value",
        "Age holds numbers",
        "favourite_color",
        "retry",
    ):
        assert said in words


def test_the_policy_allows_our_style_and_script_and_nothing_else() -> None:
    """The hashes in the policy are those of what the page holds."""
    text = render(eventful())
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
    text = render(one_problem(attack))
    assert skeleton(text) == skeleton(render(one_problem("harmless")))
    assert plain(attack) in Page(text).words


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_no_text_changes_the_page(text: str) -> None:
    """For any text the page has the same elements, and can be written as UTF-8."""
    page = render(one_problem(text))
    page.encode("utf-8")
    assert skeleton(page) == skeleton(render(one_problem("harmless")))


def test_hostile_runs_have_no_hidden_characters_left() -> None:
    """A bidi override would turn the text of a browser as that of a terminal."""
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", render(hostile())
    )


def test_an_empty_run_has_a_page_too() -> None:
    """Nothing to draw is no error, and neither is a run that stood still."""
    bare = Summary(run="r", status="complete", exit_code=0)
    assert "there was nothing to do" in render(bare)
    assert Page(render(bare, [Moment(0.0), Moment(0.0)])).open == []
