"""The whole method learns: after a short training, a sound's average spectrum tells which caption it was made from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from audiolcm import AudioLCM
from audiolcm.audio.mel import MelSpectrogram
from audiolcm.configuration.schema import compose
from audiolcm.data.foley import FoleyCorpus
from audiolcm.stages.recipe import Recipe
from audiolcm.weights.artifacts import newest

LABELS = ["bell", "cricket", "rain", "wind"]
DURATION = 2.0
SHORT = [
    f"dataset.labels=[{','.join(LABELS)}]", "dataset.compose_probability=0.0", f"dataset.duration={DURATION}",
    f"dataset.max_duration={DURATION}", "dataset.num_train=96", "dataset.num_validation=8", "dataset.num_test=8",
    "hardware.num_threads=1", "logger=jsonl", "trainer=smoke", "model.depth=2",
    "trainer.teacher.steps=150", "trainer.teacher.batch_size=16", "trainer.teacher.validate_every=150",
    "trainer.student.steps=40", "trainer.student.batch_size=16", "trainer.student.validate_every=40",
]  # fmt: skip


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learning")
    paths = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    assert Recipe(compose([*SHORT, *paths])).student
    return folder / "artifacts"


def spectrum(mels: torch.Tensor) -> np.ndarray:
    """Mean over time of log-mels (batch, 80, frames), each row about its own mean: the loudness does not count."""
    mean = mels.mean(dim=2).numpy()
    return mean - mean.mean(axis=1, keepdims=True)


def true_mels(corpus: FoleyCorpus, label: str) -> torch.Tensor:
    waveforms = np.stack([corpus.waveform(clip) for clip in corpus.class_clips(label, 12)])
    return MelSpectrogram()(torch.from_numpy(waveforms))


@pytest.mark.parametrize(
    ("stage", "sampler"), [("teacher", {"num_steps": 20}), ("student", {"num_steps": 2})]
)
def test_captions_are_heard(artifacts: Path, stage: str, sampler: dict[str, object]) -> None:
    corpus = FoleyCorpus(labels=LABELS, duration=DURATION, max_duration=DURATION)
    model = AudioLCM.from_checkpoint(newest(artifacts, stage).folder, sampler=sampler)
    true = {label: spectrum(true_mels(corpus, label)).mean(axis=0) for label in LABELS}
    hits = 0
    for label in LABELS:
        captions, structured = [corpus.class_caption(label)] * 6, [corpus.class_structured_caption(label)] * 6
        made = model(captions, DURATION, list(range(6)), structured)
        for row in spectrum(torch.from_numpy(made.mels)):
            hits += label == min(LABELS, key=lambda name: float(np.square(row - true[name]).sum()))
    assert hits >= 16  # of 24; by chance 6, and 16 or more with a probability below 1e-4
