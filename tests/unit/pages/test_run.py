"""The page of a training: text stays text, links lead to what it was made of, curves are those of the log."""

import html
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_run import HOSTILE, KINDS, losses, made_page, stage

from audiolcm.jobs.preview import titled
from audiolcm.pages.run import curves, write_page


def test_captions_and_names_stay_text(tmp_path: Path) -> None:
    text = made_page(tmp_path).read_text()
    assert text.count("<script>") == 1 and text.count("<img ") == text.count("<audio ") == 2 * len(KINDS)
    assert HOSTILE not in text and html.escape(HOSTILE) in text


def test_each_caption_has_every_kind_of_sound_in_one_order(tmp_path: Path) -> None:
    text = made_page(tmp_path).read_text()
    (_, *cards) = text.split('<li class="card">')
    found = [re.findall(r"<figcaption><b>(.*?)</b>", card.partition("</li>")[0]) for card in cards]
    assert found == [list(KINDS)] * 2


def test_links_lead_to_settings_and_folders(tmp_path: Path) -> None:
    page = made_page(tmp_path)
    links = [unquote(link) for link in re.findall(r'<a href="(.*?)"', page.read_text())]
    targets = [(page.parent / link).resolve() for link in links]
    places = [tmp_path / "artifacts" / name / "toy-abc" for name in ("autoencoder", "student")]
    assert targets == [path for place in places for path in (place / "config.yaml", place)]
    assert all(target.exists() for target in targets)


def test_a_stage_without_sounds_has_its_curves(tmp_path: Path) -> None:
    text = write_page(tmp_path, [stage(tmp_path, "autoencoder", losses())]).read_text()
    assert "<audio" not in text and text.count("<polyline") == 2 and "Training of the autoencoder" in text


def test_curves_are_those_of_the_log() -> None:
    rows = [
        {"step": 10, "loss": 4.0},
        {"step": 20, "loss": 1.0},
        {"step": 20, "once": 3.0},
        {"step": 30, "loss": 2.0},
    ]
    (drawn,) = curves(rows)
    ((x, y), *rest) = [tuple(map(float, p.split(","))) for p in re.findall(r"[\d.]+,[\d.]+", drawn)]
    assert rest[0][0] - x == pytest.approx(rest[1][0] - rest[0][0]) and y < rest[1][1] < rest[0][1]
    assert "1 to 4" in drawn and "at the end 2" in drawn and "logarithmic" not in drawn


def test_long_and_steep_logs_are_thinned_and_logarithmic_and_keep_their_end() -> None:
    loss, rate = curves([*losses(5000), {"step": 5001, "train/loss": float("nan"), "rate": 2.0}])
    points = re.findall(r"[\d.]+,[\d.]+", loss)
    assert 200 < len(points) <= 401 and "logarithmic" in loss and "step 1<" in loss and "5000" in loss
    assert "nan" not in loss and "logarithmic" not in rate


def test_kinds_of_sound_are_said_in_words() -> None:
    words = [titled(name) for name in ("true", "teacher", "student_1step", "student_4step")]
    assert words == ["true", "teacher", "student, 1 step", "student, 4 steps"]
