"""Measures by AudioSet's classes against what a classifier of known logits hears."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from audiolcm.audio.io import write_wav
from audiolcm.data.manifest import Clip
from audiolcm.errors import UserError
from evaluation.features.store import FeatureStore
from evaluation.measures.labels import LabelAmongBest, LabelProbability
from evaluation.protocol import ProtocolItem
from evaluation.sound import SoundReader
from evaluation.trial import Extractors, NothingToMeasure, Trial

MAP = {"dog": ("Dog", "Bark"), "rain": ("Rain",), "cow": ("Moo",), "sneezing": ("Sneeze",)}
CLASSES = ("Dog", "Bark", "Rain", "Sneeze", "Moo", "Speech", "Music")


@pytest.fixture(autouse=True)
def small_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.measures.labels.audioset_classes", lambda: MAP)


class Classifier:
    """Its logits are the first samples of a sound, sixteenfold."""

    name, identity, sample_rate, is_embedded, classes = "toy", "0123456789", 16000, False, CLASSES

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        return [{"embedding": x[None, :4], "logits": 16 * x[: len(CLASSES)]} for x in waveforms]


class Deaf(Classifier):
    """It has no classes."""

    classes = None


def trial(folder: Path, sounds: list[tuple[tuple[str, ...], list[float]]]) -> Trial:
    items, paths = [], []
    for number, (labels, logits) in enumerate(sounds):
        path = folder / f"{number}.wav"
        write_wav(path, np.pad(np.array(logits, np.float32) / 16, (0, 300)))
        clip = Clip(str(number), None, "a caption", "", 1.0, "test", labels)
        items.append(ProtocolItem(str(number), clip, path))
        paths.append(path)
    return Trial(tuple(items), (tuple(paths),), tuple(paths), SoundReader())


def extractors(folder: Path, classifier: type = Classifier) -> Extractors:
    return Extractors({}, FeatureStore(folder / "cache"), classifier)


SOUNDS = [
    (("dog",), [4, 1, 0, 0, 0, 0, 0]),  # the likeliest
    (("dog",), [0, 3, 4, 0, 0, 0, 0]),  # Bark is second
    (("rain", "cow"), [3, 3, 2, 1, 0, 4, 4]),  # four are likelier than Rain
    (("sneezing",), [3, 3, 3, 2, 3, 4, 4]),  # six are
    (("dog",), [4, 0, 0, 0, 0, 4, 4]),  # as likely as others
]


def test_hits_count_what_is_likelier(tmp_path: Path) -> None:
    given = trial(tmp_path, SOUNDS)
    top5 = LabelAmongBest("embedded", 20, 0).score("hits", given, extractors(tmp_path))
    assert top5.per_clip == {"0": 1, "1": 1, "2": 1, "3": 0, "4": 1}
    assert (top5.value, top5.title, top5.better) == (pytest.approx(0.8), "Hits, top 5 (toy)", "higher")
    top1 = LabelAmongBest("embedded", 20, 0, best=1).score("hits", given, extractors(tmp_path))
    assert top1.per_clip == {"0": 1, "1": 0, "2": 0, "3": 0, "4": 1}


def test_probability_is_the_sigmoid_of_the_likeliest_right_class(tmp_path: Path) -> None:
    found = LabelProbability("embedded", 20, 0).score("p", trial(tmp_path, SOUNDS), extractors(tmp_path))
    expected = {str(i): 1 / (1 + np.exp(-x)) for i, x in enumerate((4, 3, 2, 2, 4))}
    assert found.per_clip == pytest.approx(expected, abs=1e-3)  # 16-bit files


def test_labels_without_a_class_are_left_out_and_networks_without_classes_refused(tmp_path: Path) -> None:
    strange = trial(tmp_path, [(("theremin_solo",), [0] * 7), (("dog",), [0] * 7)])
    with pytest.raises(NothingToMeasure, match=r"left out: .* 1 of 2 labels, such as 'theremin_solo'"):
        LabelAmongBest("embedded", 20, 0).score("hits", strange, extractors(tmp_path))
    with pytest.raises(UserError, match=r"metrics\.hits needs a network that knows AudioSet's classes"):
        LabelAmongBest("embedded", 20, 0).score("hits", trial(tmp_path, SOUNDS), extractors(tmp_path, Deaf))
    with pytest.raises(UserError, match="best=0 must be 1 or more"):
        LabelAmongBest("embedded", 20, 0, best=0)


def test_what_will_be_refused_is_foreseen_once_the_network_is_there(tmp_path: Path) -> None:
    strange, networks = trial(tmp_path, [(("theremin_solo",), [0] * 7)]), extractors(tmp_path, Deaf)
    LabelAmongBest("embedded", 20, 0).foresee("hits", strange, networks)
    networks.load(["embedded"])
    with pytest.raises(UserError, match="needs a network that knows AudioSet's classes"):
        LabelAmongBest("embedded", 20, 0).foresee("hits", strange, networks)
    networks = extractors(tmp_path)
    networks.load(["embedded"])
    LabelAmongBest("embedded", 20, 0).foresee("hits", strange, networks)  # left out later, no reason to stop


def test_captions_without_labels_leave_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasure, match="none of the 1 captions states a label"):
        LabelAmongBest("embedded", 20, 0).score(
            "hits", trial(tmp_path, [((), [0] * 7)]), extractors(tmp_path)
        )
