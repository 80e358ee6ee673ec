"""The page of a training in a real browser: it is heard, seen and safe, on a phone too."""

from pathlib import Path

import pytest
from chromium import Page
from made_run import HOSTILE, KINDS, made_page

pytestmark = pytest.mark.browser

NUMBER = 2 * len(KINDS)


@pytest.fixture
def opened(page: Page, tmp_path: Path) -> Page:
    page.resize(1280, 900)
    page.open(made_page(tmp_path))
    return page


def test_sounds_play_one_at_a_time_and_nothing_is_fetched(opened: Page) -> None:
    opened.wait_for("[...document.querySelectorAll('audio')].every(a => a.duration > 0)")
    kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert [event for event in opened.events if event["method"] in kinds] == []
    requests = [
        e["params"]["request"]["url"] for e in opened.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    opened.click(".card .caption")  # no page may play before it was touched
    opened.evaluate("[...document.querySelectorAll('audio')].forEach(a => a.loop = true)")
    for index in (0, 3):
        opened.evaluate(f"document.querySelectorAll('audio')[{index}].play()")
        playing = (
            "[...document.querySelectorAll('audio')].map((a, i) => a.paused ? -1 : i).filter(i => i >= 0)"
        )
        opened.wait_for(f"JSON.stringify({playing}) === '[{index}]'")
    opened.wait_for("document.querySelectorAll('.playhead')[3].classList.contains('moving')")


def test_pictures_curves_and_captions_are_there(opened: Page) -> None:
    sizes = opened.evaluate("[...document.images].map(i => [i.naturalWidth, i.naturalHeight])")
    assert sizes == [[8000 // 256, 80]] * NUMBER
    assert opened.evaluate("document.querySelector('.card .caption').textContent") == HOSTILE
    assert opened.evaluate("window.broken === undefined")
    heights = opened.evaluate(
        "[...document.querySelectorAll('polyline')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) == 2 and heights[0] > 50


def test_a_phone_shows_all_of_it(opened: Page) -> None:
    tops = (
        "[...document.querySelectorAll('.card:first-child figure')].map(f => f.getBoundingClientRect().top)"
    )
    assert len(set(opened.evaluate(tops))) == 1, "the steps stand side by side"
    opened.resize(390, 844)
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
