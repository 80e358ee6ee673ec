"""The page of results in a real browser: what is measured comes first, and a phone shows it."""

from pathlib import Path

import pytest
from chromium import Page
from made_results import write_table6

from experiments.rendering.render import render

pytestmark = pytest.mark.browser


def test_a_phone_shows_what_is_measured_first_and_nothing_sideways(page: Page, tmp_path: Path) -> None:
    write_table6(tmp_path)
    render([], None, tmp_path)
    page.resize(390, 844)
    page.open(tmp_path / "index.html")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.documentElement.scrollHeight") < 4000
    first = "document.querySelector('main > section').id"
    assert page.evaluate(first) == "replica-table6_backbone"
    shown = "[...document.querySelectorAll('#not-measured details')].filter(e => e.open).length"
    assert page.evaluate(shown) == 0
    page.click("#not-measured > details > summary")
    assert page.evaluate(shown) == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390
