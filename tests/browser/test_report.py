"""The report in a real browser: what a person sees, hears, clicks and types."""

from dataclasses import replace
from pathlib import Path

import pytest
from chromium import Page
from records import HOSTILE, make_record

from evaluation.report import write_report

pytestmark = pytest.mark.browser

NAMES = "[...document.querySelectorAll('#{} > *:not([hidden])')].map(e => e.dataset.name)"
CARDS, ROWS = NAMES.format("cards"), NAMES.format("rows")
BEST_FIRST = [f"clip{index}__0" for index in range(5)]  # by CLAP, as make_record has it
CLAP = "button[aria-pressed][data-sort='1']"
CLAP_HEAD = "th:has(button[data-sort='1'])"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    return write_report(make_record(folder), folder)


@pytest.fixture
def opened(page: Page, report: Path) -> Page:
    page.resize(1280, 900)
    page.open(report)
    return page


def troubles(page: Page) -> list[dict[str, object]]:
    kinds = (
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Page.javascriptDialogOpening",
    )
    return [event for event in page.events if event["method"] in kinds]


def test_page_opens_without_a_complaint_and_asks_nobody_for_anything(opened: Page, report: Path) -> None:
    opened.wait_for("[...document.querySelectorAll('audio')].every(a => a.readyState > 0)")
    assert troubles(opened) == []
    requests = [
        event["params"]["request"]["url"]
        for event in opened.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert requests.count(report.as_uri()) == 1
    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()]


def test_a_script_that_is_not_ours_can_not_run(opened: Page) -> None:
    """The policy of the page is the second lock: markup that slipped through would still do nothing."""
    opened.evaluate(
        "(document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.broken=1\">'), 0)"
    )
    opened.wait_for("[...document.images].at(-1).complete")
    assert opened.evaluate("window.broken === undefined")
    assert "Content Security Policy" in str(troubles(opened))


def test_captions_are_text(opened: Page) -> None:
    shown = "document.querySelector('#{} > [data-name=clip0__0] .caption').textContent"
    assert opened.evaluate(shown.format("cards")) == HOSTILE
    assert opened.evaluate(shown.format("rows")) == HOSTILE
    assert opened.evaluate("document.scripts.length") == 1
    assert opened.evaluate("document.querySelectorAll('img:not(.picture img)').length") == 0


def test_every_sound_plays_and_every_picture_shows(opened: Page) -> None:
    opened.wait_for("[...document.querySelectorAll('audio')].every(a => a.duration > 0)")
    durations = opened.evaluate("[...document.querySelectorAll('audio')].map(a => a.duration)")
    assert durations == pytest.approx([0.5] * 10, abs=0.01)
    sizes = opened.evaluate("[...document.images].map(i => [i.naturalWidth, i.naturalHeight])")
    assert sizes == [[8000 // 256, 80]] * 10


def test_long_pages_of_compressed_sound_play_too(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiolcm.pages.media._LOSSLESS_BUDGET", 0)
    page.open(write_report(make_record(tmp_path, num_clips=1), tmp_path))
    page.wait_for("[...document.querySelectorAll('audio')].every(a => a.duration > 0)")
    assert page.evaluate("document.querySelector('audio').src.startsWith('data:audio/mpeg')")
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(0.5, abs=0.2)


def test_sorting_by_click_shows_the_worst_first_and_then_the_best(opened: Page) -> None:
    opened.click(CLAP)
    assert opened.evaluate(CARDS) == opened.evaluate(ROWS) == BEST_FIRST[::-1]
    assert opened.evaluate(f"document.querySelector(`{CLAP_HEAD}`).ariaSort") == "ascending"
    assert opened.evaluate(f"document.querySelector(`{CLAP}`).ariaPressed") == "true"
    assert "worst first" in opened.evaluate("document.getElementById('status').textContent")
    opened.click(f"{CLAP_HEAD} button")
    assert opened.evaluate(CARDS) == opened.evaluate(ROWS) == BEST_FIRST
    assert opened.evaluate(f"document.querySelector(`{CLAP_HEAD}`).ariaSort") == "descending"


@pytest.mark.parametrize("key", ["Enter", " "])
def test_sorting_by_keyboard(opened: Page, key: str) -> None:
    opened.evaluate("document.getElementById('filter').focus()")
    for _ in range(3):  # Name, KL, CLAP
        opened.press("Tab")
    opened.press(key)
    assert opened.evaluate(CARDS) == BEST_FIRST[::-1]


def test_clips_without_the_score_come_last_in_either_direction(opened: Page) -> None:
    for _ in range(2):
        opened.click("button[data-sort='0']")
        assert opened.evaluate(ROWS)[-1] == "clip1__0"


def test_filter_narrows_cards_and_table(opened: Page) -> None:
    opened.click("#filter")
    opened.write("BELL 3")
    assert opened.evaluate(CARDS) == opened.evaluate(ROWS) == ["clip3__0"]
    assert "1 of 5 clips" in opened.evaluate("document.getElementById('status').textContent")


def test_clips_are_walked_and_played_by_keyboard_one_at_a_time(opened: Page) -> None:
    opened.wait_for("[...document.querySelectorAll('audio')].every(a => a.duration > 0)")
    opened.evaluate("document.querySelectorAll('audio').forEach(a => a.loop = true)")
    playing = "[...document.querySelectorAll('audio')].flatMap((a, i) => a.paused ? [] : [i])"
    opened.evaluate("document.querySelector('#cards > li').focus()")
    opened.press("ArrowDown")
    assert opened.evaluate("document.activeElement.dataset.name") == "clip1__0"
    opened.press(" ")
    opened.wait_for(f"String({playing}) === '2'")
    opened.press("r")
    opened.wait_for(f"String({playing}) === '3'")
    opened.press("r")
    opened.wait_for(f"String({playing}) === ''")
    opened.press("ArrowUp")
    assert opened.evaluate("document.activeElement.dataset.name") == "clip0__0"


def test_of_two_keys_in_one_moment_the_last_one_plays(opened: Page) -> None:
    opened.wait_for("[...document.querySelectorAll('audio')].every(a => a.duration > 0)")
    opened.evaluate("document.querySelectorAll('audio').forEach(a => a.loop = true)")
    opened.press("Tab")  # a page that nobody has touched may not play
    # In one task, so that the news of the first sound comes after the second one has begun.
    strike = "card.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))"
    opened.evaluate(f"(card => [' ', 'r'].forEach(key => {strike}))(document.querySelector('#cards > li'))")
    opened.evaluate("new Promise(done => setTimeout(done, 500))")
    assert opened.evaluate("[...document.querySelectorAll('audio')].map(a => a.paused)")[:2] == [True, False]


def test_phone_never_scrolls_sideways(page: Page, report: Path) -> None:
    page.resize(360, 740)
    page.open(report)
    page.evaluate("document.querySelector('details').open = true")
    assert page.evaluate("innerWidth") == 360
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_page_without_clips_still_sorts_nothing_quietly(page: Page, tmp_path: Path) -> None:
    record = make_record(tmp_path, num_clips=0)
    bare = replace(
        record, row=replace(record.row, scores=()), timings=(), sanity=(), verdicts=(), provenance={}
    )
    page.open(write_report(bare, tmp_path))
    page.click("button[data-sort='name']")
    assert troubles(page) == []
