"""YAMNet as published: what it hears in real sounds, and what is told where it cannot run."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from audiolcm.data.foley.rendering import EVENT_CLASSES
from audiolcm.errors import UserError
from evaluation.features.yamnet import HOP, WINDOW, YamNet, audioset_classes
from evaluation.metrics.frechet import fit_gaussian, frechet_distance
from evaluation.sound import SoundReader


@pytest.fixture(scope="module")
def weights(shared_data: Path) -> Path:
    return shared_data / "yamnet/yamnet.tflite"


@pytest.fixture(scope="module")
def yamnet(weights: Path) -> YamNet:
    return YamNet(str(weights))


def test_two_halves_of_esc10_are_as_far_apart_as_the_publisher_of_the_data_says(
    yamnet: YamNet, shared_data: Path
) -> None:
    """README of the data: 5016 between folds 3-4 and 1-2, .89 of the clips with a right class among the best five.

    The latter by another, wider map of labels.
    """
    with (shared_data / "esc10/metadata.csv").open(encoding="utf-8") as lines:
        clips = list(csv.DictReader(lines))
    reader = SoundReader()
    rows: dict[bool, list[np.ndarray]] = {False: [], True: []}
    hits = []
    for clip in clips:
        (heard,) = yamnet.extract([reader.read(shared_data / "esc10/audio" / clip["filename"], 16_000)])
        rows[clip["fold"] in "34"].append(heard["embedding"])
        right = [yamnet.classes.index(name) for name in audioset_classes()[clip["label"]]]
        hits.append((heard["logits"] > heard["logits"][right].max()).sum() < 5)
    one, other = (fit_gaussian(np.concatenate(rows[half]).astype(np.float64)) for half in rows)
    assert frechet_distance(one, other) == pytest.approx(5016, rel=0.01)
    assert np.mean(hits) == pytest.approx(0.866, abs=0.015)


def test_windows_are_those_that_a_sound_fills(yamnet: YamNet) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, WINDOW + 2 * HOP + 100).astype(np.float32)
    heard, first, last, short, padded = yamnet.extract(
        [noise, noise[:WINDOW], noise[2 * HOP :], noise[:4000], np.pad(noise[:4000], (0, WINDOW - 4000))]
    )
    assert heard["embedding"].shape == (3, 1024)
    assert heard["logits"].shape == (521,)
    assert len(yamnet.classes) == 521
    np.testing.assert_array_equal(heard["embedding"][[0, 2]], [first["embedding"][0], last["embedding"][0]])
    assert (heard["logits"] >= np.maximum(first["logits"], last["logits"])).all()
    np.testing.assert_array_equal(short["embedding"], padded["embedding"])
    assert heard["embedding"].min() >= 0  # ReLU6 in 8-bit steps
    assert heard["embedding"].max() <= 255


def test_silence_is_heard_as_such(yamnet: YamNet) -> None:
    (heard,) = yamnet.extract([np.zeros(WINDOW, np.float32)])
    assert yamnet.classes[heard["logits"].argmax()] == "Silence"


def test_every_label_of_esc50_and_foley_has_classes_that_yamnet_knows(yamnet: YamNet) -> None:
    known = audioset_classes()
    assert set(EVENT_CLASSES) <= set(known)
    assert {name for names in known.values() for name in names} <= set(yamnet.classes)


def test_another_file_is_not_run(tmp_path: Path) -> None:
    other = tmp_path / "yamnet.tflite"
    other.write_bytes(b"TFL3" * 100)
    with pytest.raises(UserError, match="is not the published file of yamnet: it has 400 bytes"):
        YamNet(str(other))
    with pytest.raises(UserError, match="There is no file"):
        YamNet(str(tmp_path / "nothing"))


def test_without_litert_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "evaluation.features.yamnet.find_spec",
        lambda name: None if name == "ai_edge_litert" else found(name),
    )
    with pytest.raises(UserError, match=r'pip install -e "\.\[yamnet\]"'):
        YamNet("anywhere")
