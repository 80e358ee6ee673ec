"""A listening test in a real browser: from the first key to the table of mean opinion scores."""

import csv
import json
import re
import time
from pathlib import Path

import pytest
from chromium import Page
from records import HOSTILE, make_record

from evaluation.listening.__main__ import main
from evaluation.listening.key import ListeningKey, ListeningTrial, read_key
from evaluation.listening.questions import SCALE, order_for

pytestmark = pytest.mark.browser

NUM_ITEMS = 3
OPINION = {"good": 80, "bad": 40, "reference": 100, "low_anchor": 20}
RATINGS_OPEN = "!document.getElementById('ratings').disabled"
CHOSEN = "document.querySelector('#ratings :checked')?.value"
TEXT = "document.getElementById('{}').textContent"


@pytest.fixture(autouse=True)
def wide(page: Page) -> None:
    page.resize(1000, 900)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listening")
    for name in ("good", "bad"):
        make_record(folder / name, NUM_ITEMS, 0.2).write(folder / name / "metrics.json")
    command = ["build", f"good={folder / 'good'}", f"bad={folder / 'bad'}", "-o", str(folder / "test")]
    amounts = ["--items", str(NUM_ITEMS), "--low-anchors", "1", "--checks", "1", "--repeats", "1"]
    assert main([*command, *amounts, "--mturk", folder.as_uri().replace("file", "https")]) == 0
    return folder / "test"


@pytest.fixture(scope="module")
def key(built: Path) -> ListeningKey:
    return read_key(built / "key.json")


def trials_of(rater: str, key: ListeningKey) -> list[ListeningTrial]:
    """What this rater hears, one after the other, as Python computes it."""
    parts = [[trial.token for trial in key.trials if trial.question == one.key] for one in key.questions]
    return [key.by_token[token] for part in parts for token in order_for(rater, part)]


def opened(page: Page, built: Path) -> None:
    """Open the page as somebody new does, whoever was there before."""
    page.open(built / "listening.html")
    page.evaluate("document.getElementById('another').click()")


def begin(page: Page, rater: str) -> None:
    """Fill in the first screen by keyboard alone."""
    page.write(rater)
    page.press("Tab")
    page.press(" ")  # headphones
    for _ in range(2):  # past the tone
        page.press("Tab")
    page.press(" ")  # consent
    page.press("Tab")
    page.press("Enter")
    page.wait_for("!document.getElementById('trial').hidden")


def hear(page: Page) -> None:
    page.press(" ")
    page.wait_for(RATINGS_OPEN)


def opinion(trial: ListeningTrial) -> int:
    return trial.choose or OPINION[trial.system]


def rate(page: Page, rating: int) -> None:
    page.press(str(SCALE.index(rating) + 1))


def rate_all(page: Page, built: Path, trials: list[ListeningTrial]) -> None:
    """Hear and rate every sound; on the way try to rate before hearing, and reload the page once."""
    for number, trial in enumerate(trials):
        if number == 2:
            page.open(built / "listening.html")
            page.wait_for("!document.getElementById('trial').hidden")
            page.press("ArrowLeft")
            assert page.evaluate(CHOSEN) == str(opinion(trials[1])), "lost by a reload"
            page.press("ArrowRight")
        assert page.evaluate(TEXT.format("shown")) == trial.shown
        rate(page, 60)
        page.press("ArrowRight")
        assert page.evaluate(CHOSEN) is None, "was rated before it was heard"
        hear(page)
        rate(page, opinion(trial))
        page.press("ArrowRight")
    page.wait_for("!document.getElementById('done').hidden")


def downloaded(page: Page, path: Path) -> list[dict[str, str]]:
    """Download the answers by keyboard and return their rows."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(path.parent))
    page.press("Tab")
    page.press("Enter")
    deadline = time.monotonic() + 30
    while not path.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    with path.open() as file:
        return list(csv.DictReader(file))


def test_from_the_first_key_to_the_table(
    page: Page, built: Path, key: ListeningKey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(page, built)
    begin(page, "ann")
    trials = trials_of("ann", key)
    rate_all(page, built, trials)
    answers = tmp_path / f"ratings-{key.test}-ann.csv"
    rows = downloaded(page, answers)
    assert [row["trial"] for row in rows] == [trial.token for trial in trials]
    assert all(0.2 <= float(row["seconds"]) < 60 and int(row["plays"]) == 1 for row in rows)
    capsys.readouterr()
    assert main(["score", str(built / "key.json"), str(answers), "-o", str(tmp_path / "mos.json")]) == 0
    found = json.loads((tmp_path / "mos.json").read_text())
    assert found["raters"]["used"] == 1
    for system, scores in found["systems"].items():
        assert {score["key"]: score["value"] for score in scores} == dict.fromkeys(
            ("mos_q", "mos_f"), float(OPINION[system])
        )
    table = capsys.readouterr().out
    assert re.search(r"\| good +\| 80.0 N=3 +\| 80.0 N=3", table), table


def test_page_asks_nobody_for_anything_and_names_no_system(page: Page, built: Path) -> None:
    opened(page, built)
    begin(page, "bob")
    hear(page)
    kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert [event for event in page.events if event["method"] in kinds] == []
    requests = [
        event["params"]["request"]["url"]
        for event in page.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith("data:")] == [(built / "listening.html").as_uri()]
    text = (built / "listening.html").read_text()
    data = text[text.index('id="test">') : text.index("</script>")]
    assert not re.search("good/|bad/|reference|low_anchor|clip0", re.sub('base64,[^"]*', "", data))


def test_captions_are_text(page: Page, built: Path, tmp_path: Path) -> None:
    systems = [f"{name}={built.parent / name}" for name in ("good", "bad")]
    amounts = [
        "--items",
        "3",
        "--checks",
        "0",
        "--repeats",
        "0",
        "--questions",
        "faithfulness",
        "--without-anchors",
    ]
    assert main(["build", *systems, "-o", str(tmp_path), *amounts]) == 0
    key = read_key(tmp_path / "key.json")
    names = map("rater{}".format, range(1000))
    page.open(tmp_path / "listening.html")
    begin(page, next(name for name in names if trials_of(name, key)[0].shown == HOSTILE))
    assert page.evaluate(TEXT.format("shown")) == HOSTILE
    assert page.evaluate("document.scripts.length") == 2
    assert page.evaluate("document.images.length") == 0


def test_arrows_change_a_rating_and_stopping_early_does_not_count(page: Page, built: Path) -> None:
    opened(page, built)
    begin(page, "dora")
    page.press(" ")
    page.press(" ")
    assert not page.evaluate(RATINGS_OPEN)
    hear(page)
    rate(page, 60)
    page.press("ArrowUp")
    assert page.evaluate(CHOSEN) == "80"
    for _ in range(5):
        page.press("ArrowDown")
    assert page.evaluate(CHOSEN) == "20"
    page.press("ArrowRight")
    assert "sound 2 of" in page.evaluate(TEXT.format("place"))
    page.press("ArrowLeft")
    assert page.evaluate(CHOSEN) == "20"


def test_names_that_a_spreadsheet_would_compute_are_refused(page: Page, built: Path) -> None:
    opened(page, built)
    for name, is_valid in (("=1+1", False), ("a,b", False), ("rater-7@lab.org", True)):
        page.evaluate(f"document.getElementById('rater').value = '{name}'")
        assert page.evaluate("document.getElementById('rater').validity.valid") is is_valid


def test_phone_never_scrolls_sideways(page: Page, built: Path) -> None:
    page.resize(360, 740)
    opened(page, built)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    begin(page, "eve")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.resize(1000, 900)


def test_hit_layout_wants_every_sound_heard_and_rated(page: Page, built: Path, tmp_path: Path) -> None:
    """The layout, its variables filled in as Mechanical Turk does; `crowd-form` itself is Amazon's."""
    with (built / "mturk" / "hits.csv").open(newline="") as file:
        row = dict(list(csv.DictReader(file))[-1])
    text = (built / "mturk" / "hit_layout.html").read_text()
    for name, value in row.items():
        text = text.replace(
            f"${{{name}}}", re.sub(r"https://.*(?=/)", (built / "mturk" / "sounds").as_uri(), value)
        )
    assert "${" not in text
    (tmp_path / "hit.html").write_text(re.sub("<script src=[^>]*></script>", "", text))
    page.open(tmp_path / "hit.html")
    slots = sum(value != "" for name, value in row.items() if name.startswith("clip_"))
    assert page.evaluate("document.querySelectorAll('.slot').length") == slots
    submit = (
        "document.querySelector('crowd-form').onsubmit(window.last = new Event('submit', {cancelable: true})),"
        "window.last.defaultPrevented"
    )
    assert page.evaluate(submit)
    assert "Sound 1" in page.evaluate(TEXT.format("trouble"))
    page.click("[value=headphones]")
    for slot in range(slots):
        ratings = f"document.querySelectorAll('.slot fieldset')[{slot}]"
        assert page.evaluate(f"{ratings}.disabled")
        page.evaluate(f"document.querySelectorAll('audio')[{slot}].play()")
        page.wait_for(f"!{ratings}.disabled")
        page.evaluate(f"{ratings}.querySelector('[value=\"60\"]').click()")
    assert not page.evaluate(submit)
