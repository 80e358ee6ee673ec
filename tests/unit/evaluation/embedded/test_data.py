"""Training examples of the evaluator: labels, labels of frames, captions."""

import numpy as np
import pytest
import torch

from audiolcm.data.manifest import Clip, Event
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.models.text_encoder import HashedTextEncoder
from evaluation.embedded.stage import EvaluatorClips

RATE = 16000
CLASSES = ("bell", "dog", "rain")


class Split(PreparedSplit):
    """Three clips: one whose events are known, two with labels only."""

    clips = (
        Clip("a", None, "a dog barks", "", 1.0, "train", ("dog", "rain"), (
            Event("dog", 0.16, 0.24), Event("dog", 0.41, 0.65), Event("rain", 0.0, 1.0), Event("whale", 0.0, 1.0),
        )),
        Clip("b", None, "a bell rings", "", 0.5, "train", ("bell",)),
        Clip("c", None, "a dog barks", "", 0.5, "train", ("dog",)),
    )  # fmt: skip

    def __init__(self) -> None:
        """Read no files."""

    def waveform(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        return np.full(RATE if index == 0 else RATE // 2, 1 + index, np.float32)[start:stop]


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    clips = EvaluatorClips(Split(), RATE, CLASSES, HashedTextEncoder(8, 16))
    return clips.batch([0, 1, 2], torch.Generator())


def test_short_sounds_end_in_zeros(batch):
    waveform = batch["waveform"]
    assert waveform.shape == (3, RATE)
    assert (waveform[1, : RATE // 2] == 2).all() and (waveform[1, RATE // 2 :] == 0).all()


def test_labels(batch):
    assert batch["labels"].tolist() == [[0, 1, 1], [1, 0, 0], [0, 1, 0]]
    assert batch["knows_events"].tolist() == [True, False, False]


def test_an_event_is_in_the_frames_that_hold_more_than_20_ms_of_it(batch):
    """Frames of 80 ms: 0.16 to 0.24 is frame 2; 0.41 to 0.65 is in frames 5 to 7, and for 10 ms in frame 8."""
    bell, dog, rain = batch["frames"][0].T
    assert dog.nonzero().flatten().tolist() == [2, 5, 6, 7]
    assert rain.all() and len(rain) == 12 and not bell.any()
    assert not batch["frames"][1:].any()


def test_equal_captions_have_equal_numbers(batch):
    assert batch["caption"].tolist() == [0, 1, 0]
    assert torch.equal(batch["text"][0], batch["text"][2]) and batch["text"].shape == (3, 16, 16)


def test_labels_that_training_does_not_know_are_left_out():
    batch = EvaluatorClips(Split(), RATE, ("bell",), HashedTextEncoder(8, 16)).batch([0], torch.Generator())
    assert batch["labels"].tolist() == [[0]] and not batch["frames"].any()
