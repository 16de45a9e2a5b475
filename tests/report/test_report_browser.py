"""The page in a real browser: nothing is fetched or run, nothing runs over, all of it can be read, sorted, searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.html import render_page
from pipedrive_cli.report.run_context import RunContext
from pipedrive_cli.report.summary import EventCounts, Example, Summary, problem_group, worst_first
from pipedrive_cli.report.timeline import Moment

from .browser_window import Window, opened
from .report_scenes import HOSTILE, eventful

pytestmark = pytest.mark.slow  # a browser of its own in each worker

WIDTHS = (360, 768, 1400)
LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA, for text of the usual size

ATTACKS = (
    *HOSTILE,
    "</script><script>document.title = 'broken'</script>",
    "</style><style>body { display: none }</style>",
    "<img src=x onerror=\"document.title = 'broken'\">",
    '"><svg onload="document.title = \'broken\'">',
    "' onmouseover='document.title = 1' x='",
    "javascript:document.title='broken'",
    '<a href="javascript:alert(1)">click</a>',
    "<iframe srcdoc='<script>top.document.title=1</script>'></iframe>",
    "<base href='https://evil.example/'><link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "`</code><script>document.title = 'broken'</script>`",
    "{{constructor.constructor('alert(1)')()}}",
    "x" * 5_000,
    "خطأ في السطر الأول " * 20,
    "\u202e\u2066\u200f" * 50,
    "Z" + "\u0301\u0489\u033f" * 60 + "algo",
    "nul\x00byte\x1b[31m",
)


@dataclass(frozen=True)
class Pages:
    """Files to open."""

    eventful: Path
    hostile: Path
    empty: Path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """One browser for all these tests."""
    with opened(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A run where everything happened, one of strangers with bad intent, and one that had nothing to do."""
    folder = tmp_path_factory.mktemp("pages")
    written = Pages(folder / "eventful.html", folder / "hostile.html", folder / "empty.html")
    written.eventful.write_text(render_page(eventful(), occasion(), rejects=Path("rejects.ndjson")), encoding="utf-8")
    written.hostile.write_text(besieged(), encoding="utf-8")
    written.empty.write_text(render_page(Summary(run="r", status="complete", exit_code=0)), encoding="utf-8")
    return written


def occasion(**more: Any) -> RunContext:
    """A run of ten minutes with its curves."""
    moments = tuple(
        Moment(
            second * 7.5,
            {outcome: second * (share + 1) for share, outcome in enumerate(Outcome)},
            requests=second * 40,
            tokens_spent=second * 300,
            tokens_left_today=30_000 - second * 300,
            requests_allowed=20,
            slowed=second // 30,
        )
        for second in range(90)
    )
    told: dict[str, Any] = {"command": "replay export/", "company": "Acme", "moments": moments, **more}
    return RunContext(started=datetime(2026, 11, 23, 9, 15, 2, tzinfo=UTC), **told)


def besieged() -> str:
    """A page that holds every attack wherever text can stand."""
    groups = tuple(
        problem_group(
            text[:100],
            Outcome.REJECTED,
            10**12 + number,
            [Example(text, 10**9, text, text, user=text, value=text, message=f"{text} said")] * 3,
            message=text,
            hint=text,
        )
        for number, text in enumerate(ATTACKS)
    )
    summary = Summary(
        run=ATTACKS[0],
        status="partial",
        exit_code=1,
        events=EventCounts(read=10**13, rejected=10**13),
        problems=worst_first([*groups, problem_group("page", Outcome.SKIPPED, 3, message=ATTACKS[2])]),
        dropped_traits={"persons": dict.fromkeys(ATTACKS, 10**12), "leads": dict.fromkeys(ATTACKS, 1)},
    )
    everything = " ".join(ATTACKS)
    return render_page(
        summary,
        occasion(command=everything, company=everything, remarks=ATTACKS, scene="sandbox"),
        rejects=Path("/".join(ATTACKS[:9])),
        resume_in=1.0,
    )


def unfold(browser: Window) -> None:
    """Opens all that is folded."""
    browser.ask("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")


@pytest.mark.parametrize("name", ["eventful", "hostile", "empty"])
def test_the_page_asks_nobody_for_anything_and_the_console_stays_empty(
    browser: Window, pages: Pages, name: str
) -> None:
    """The file itself is all that is loaded; no error, no warning, no refusal by the page's own policy."""
    page: Path = getattr(pages, name)
    browser.open(page)
    unfold(browser)
    assert [address for address in browser.fetched() if not address.startswith("data:")] == [page.as_uri()]
    assert browser.complaints() == []


def test_no_event_changes_what_the_page_is_or_does(browser: Window, pages: Pages) -> None:
    """The title, the elements and their attributes are ours; nothing of an event ran, and it can be read as text."""
    browser.open(pages.hostile)
    unfold(browser)
    assert browser.ask("return document.title").startswith("pipedrive-cli: sandbox run")
    assert browser.ask("return document.querySelectorAll('script, style').length") == 2
    assert browser.ask("return document.querySelectorAll('img, iframe, a, link, base, object, form').length") == 0
    handlers = "return [...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames())"
    assert [name for name in browser.ask(handlers) if name.startswith("on") or name in {"href", "src", "style"}] == []
    shown = browser.ask("return document.body.innerText")
    assert "</script><script>document.title = 'broken'</script>" in shown
    assert "javascript:document.title='broken'" in shown
    assert "\\u202e" in shown
    assert "nul\\x00byte" in shown
    assert browser.ask("return getComputedStyle(document.body).display") == "block"


def test_a_script_of_an_event_would_not_run_even_if_it_were_in_the_page(browser: Window, tmp_path: Path) -> None:
    """The second line of defence: the page's policy names our script by its hash and no other."""
    page = tmp_path / "broken.html"
    attack = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
    page.write_text(render_page(eventful()).replace("<main>", f"<main>{attack}"), encoding="utf-8")
    browser.open(page)
    assert browser.ask("return document.title") != "broken"
    assert "Content Security Policy" in " ".join(browser.complaints())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["eventful", "hostile", "empty"])
def test_nothing_runs_over_the_edge_of_the_screen(browser: Window, pages: Pages, name: str, width: int) -> None:
    """On a phone, a tablet and a desk: the page is never scrolled sideways, with all that is folded open too."""
    browser.open(getattr(pages, name), width=width)
    for _ in ("folded", "open"):
        assert browser.ask("return document.documentElement.scrollWidth") <= width
        unfold(browser)


def test_what_is_wider_than_the_screen_is_scrolled_by_itself(browser: Window, pages: Pages) -> None:
    """Nothing is cut off: what sticks out does so within a part that can be scrolled, also by keys."""
    browser.open(pages.hostile, width=360)
    unfold(browser)
    sticking_out = """
        return [...document.querySelectorAll('main *')]
            .filter((e) => !e.closest('svg') && e.getBoundingClientRect().right > 361 && !e.closest('.scroll'))
            .map((e) => e.outerHTML.slice(0, 80));
    """
    assert browser.ask(sticking_out) == []
    assert browser.ask("return [...document.querySelectorAll('.scroll')].every((e) => e.tabIndex === 0)")


CONTRASTS = """
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour) => {
        const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = colour.map((c) => linear(c / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return rgba('Canvas');
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim();
        const element = walker.currentNode.parentElement;
        if (!text || !element.checkVisibility() || element.closest('script, title, desc')) continue;
        const style = getComputedStyle(element);
        const ink = rgba(element.closest('svg') ? style.fill : style.color);
        // Text on a coloured shape has a border in the ground's colour around each letter.
        const behind = style.paintOrder.startsWith('stroke') ? rgba(style.stroke) : ground(element);
        const [light, dark] = [luminance(ink), luminance(behind)].sort((a, b) => b - a);
        found.push([(light + 0.05) / (dark + 0.05), text.slice(0, 40)]);
    }
    return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize("name", ["eventful", "hostile"])
def test_all_text_stands_out_from_its_ground(browser: Window, pages: Pages, name: str, scheme: str) -> None:
    """At least 4.5 to 1 by computed colours, by day, by night and on paper."""
    browser.open(getattr(pages, name), scheme=scheme)
    if scheme == "print":
        browser.print_preview()
    unfold(browser)
    contrasts = browser.ask(CONTRASTS)
    assert len(contrasts) > 100
    assert [(round(ratio, 2), text) for ratio, text in contrasts if ratio < LEAST_CONTRAST] == []


def test_the_night_is_dark(browser: Window, pages: Pages) -> None:
    """The page follows the system's choice without being asked."""
    grounds = set()
    for scheme in ("light", "dark"):
        browser.open(pages.eventful, scheme=scheme)
        grounds.add(browser.ask("return getComputedStyle(document.body).backgroundColor"))
    assert grounds == {"rgb(255, 255, 255)", "rgb(20, 24, 28)"}


ROWS = "return [...document.querySelectorAll('#problems tbody tr')].filter((row) => !row.hidden)"
CODES = f"{ROWS}.map((row) => row.querySelector('.faint code').textContent)"
COUNTS = f"{ROWS}.map((row) => Number(row.cells[1].textContent.replace(',', '')))"


def press(browser: Window, *keys: str) -> None:
    """Keys, typed wherever the focus is."""
    from selenium.webdriver import ActionChains

    ActionChains(browser.driver).send_keys(*keys).perform()


@pytest.mark.parametrize("width", [360, 1400])
def test_problems_are_sorted_by_keyboard(browser: Window, pages: Pages, width: int) -> None:
    """Tab to a heading, Enter to sort, Enter again for the other way; what is sorted is told to screen readers."""
    from selenium.webdriver import ActionChains, Keys

    browser.open(pages.eventful, width=width)
    worst_first_codes = browser.ask(CODES)
    browser.ask("document.getElementById('search').focus()")
    press(browser, Keys.TAB, Keys.TAB, Keys.ENTER)
    assert browser.ask(COUNTS) == sorted(browser.ask(COUNTS), reverse=True)
    sorted_by = "return [...document.querySelectorAll('#problems [aria-sort]')].map((h) => [h.innerText, h.ariaSort])"
    assert [way for _, way in browser.ask(sorted_by)] == ["descending"]
    press(browser, Keys.ENTER)
    assert browser.ask(COUNTS) == sorted(browser.ask(COUNTS))
    assert [way for _, way in browser.ask(sorted_by)] == ["ascending"]
    back = ActionChains(browser.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT)
    back.send_keys(Keys.ENTER).perform()
    assert browser.ask(CODES) == worst_first_codes


def test_numbers_are_sorted_as_numbers(browser: Window, tmp_path: Path) -> None:
    """9 comes before 10 and 1,000."""
    groups = worst_first(problem_group(f"code_{n}", Outcome.REJECTED, n) for n in (9, 10, 1_000, 100, 2))
    page = tmp_path / "run.html"
    page.write_text(render_page(Summary(run="r", status="partial", exit_code=1, problems=groups)), encoding="utf-8")
    browser.open(page)
    browser.ask("document.querySelectorAll('#problems th button')[1].click()")
    browser.ask("document.querySelectorAll('#problems th button')[1].click()")
    assert browser.ask(COUNTS) == [2, 9, 10, 100, 1_000]


def test_problems_are_searched_as_one_types(browser: Window, pages: Pages) -> None:
    """By any word of theirs, those of folded examples too, which then unfold; how many were found is told."""
    browser.open(pages.eventful)
    browser.ask("document.getElementById('search').focus()")
    press(browser, "MISSING", " 2026-03-02")
    assert browser.ask(CODES) == ["missing_user_id"]
    assert browser.ask("return document.getElementById('found').textContent") == "1 of 4 problems"
    assert browser.ask("return document.querySelector('#problems tr:not([hidden]) details').open")
    press(browser, "nothing has this")
    assert browser.ask(CODES) == []
    browser.ask("const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input'));")
    assert len(browser.ask(CODES)) == 4
    assert browser.ask("return document.querySelectorAll('#problems details[open]').length") == 0


def test_the_table_stays_a_table_for_screen_readers_on_a_phone(browser: Window, pages: Pages) -> None:
    """The style makes blocks of its rows and cells there; their roles are kept."""
    browser.open(pages.eventful, width=360)
    roles = browser.roles()
    assert roles.count("columnheader") >= 3
    assert {"table", "row", "cell", "searchbox", "status"} <= set(roles)


def test_without_scripts_all_of_it_can_be_read(browser: Window, pages: Pages) -> None:
    """No button that does nothing, no field to search in; the problems stand there, worst first."""
    browser.open(pages.eventful, scripts=False)
    assert browser.ask("return document.querySelectorAll('button').length") == 0
    assert not browser.ask("return document.getElementById('search').checkVisibility()")
    assert browser.ask(CODES) == ["missing_user_id", "bad_value", "gave_up", "clock_ahead"]
    assert "Age holds numbers" in browser.ask("return document.body.innerText")


def test_paper_shows_what_is_folded_and_no_controls(browser: Window, pages: Pages) -> None:
    """Nobody can open anything on it."""
    browser.open(pages.eventful, scheme="dark")
    seen = """
        return [...document.querySelectorAll('#problems details li')]
            .map((example) => example.checkVisibility({ contentVisibilityAuto: true }) && example.offsetHeight > 0);
    """
    assert set(browser.ask(seen)) == {False}
    browser.print_preview()
    assert set(browser.ask(seen)) == {True}
    assert not browser.ask("return document.getElementById('search').checkVisibility()")
    assert browser.ask("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_pictures_have_text_of_a_size_that_can_be_read(browser: Window, pages: Pages) -> None:
    """Also on a phone: letters do not shrink with the picture, and the axes' texts do not run into each other."""
    for width in WIDTHS:
        browser.open(pages.eventful, width=width)
        sizes = browser.ask(
            "return [...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height)"
        )
        assert min(sizes) >= 10
        overlaps = """
            return [...document.querySelectorAll('.times')].filter((axis) => {
                const boxes = [...axis.querySelectorAll('text')].map((t) => t.getBoundingClientRect());
                return boxes.some((box, i) => i > 0 && box.left < boxes[i - 1].right);
            }).length;
        """
        assert browser.ask(overlaps) == 0
