"""The evaluator as a stage: trained once for each data set, found again by what it was made from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.configuration.build import build
from audiolcm.data.loading.dataset import WaveformClips
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData, PreparedSplit
from audiolcm.models.text_encoder import HashedTextEncoder
from audiolcm.random_numbers import Generator
from audiolcm.storage.files import require_writable
from audiolcm.training.stage_runner import Data, StageRunner
from audiolcm.weights.artifacts import Artifact, Identity
from evaluation.embedded.features import EmbeddedExtractor
from evaluation.embedded.network import FRAME_SECONDS, EvaluatorNetwork
from evaluation.embedded.objective import EvaluatorObjective


def embedded_extractor(cfg: Mapping[str, Any]) -> EmbeddedExtractor:
    """Return the evaluator of the configured data set, trained now if it is not among the artifacts.

    Args:
        cfg: resolved sections dataset, evaluator, trainer (``trainer.evaluator``), optimizer, hardware, logger, paths,
            seed.

    Raises:
        UserError: when the data set has no labels.
    """
    data, classes, network = _made_of(cfg)
    runner = _runner(cfg)
    artifact = _train(cfg, runner, data, classes)
    return EmbeddedExtractor(
        artifact, artifact.load_weights(network), classes, runner.hardware.torch_device()
    )


def untrained_extractor(cfg: Mapping[str, Any]) -> EmbeddedExtractor:
    """Return the evaluator as it is before its training, which tells classes and shapes.

    Raises:
        UserError: as ``embedded_extractor`` would once it trained, or no place to keep it can be written.
    """
    data, classes, network = _made_of(cfg)
    runner = _runner(cfg)
    build(runner.optimizer("evaluator"), "optimizer")
    build(cfg["evaluator"]["objective"], "evaluator.objective", model=network)
    if runner.store.find(_identity(cfg, runner, data)) is None:
        require_writable(runner.store.root, "paths.artifacts=FOLDER")
    return EmbeddedExtractor(None, network.eval(), classes, runner.hardware.torch_device())


def _runner(cfg: Mapping[str, Any]) -> StageRunner:
    """Return what trains the evaluator, in bfloat16 where sounds are sampled in int8, in which nothing trains."""
    runner = StageRunner(cfg)
    if runner.hardware.precision == "int8":
        runner.hardware = runner.hardware.in_precision("bfloat16")
    return runner


def _made_of(cfg: Mapping[str, Any]) -> tuple[PreparedData, list[str], EvaluatorNetwork]:
    """Return the data, its classes, and a new network for them."""
    data = prepare(build(cfg["dataset"], "dataset"), Path(cfg["paths"]["cache"]))
    classes = sorted({label for clip in data.split("train").clips for label in clip.labels})
    with torch.random.fork_rng(devices=[]):  # what is drawn here never counts
        return data, classes, build(cfg["evaluator"]["model"], "evaluator.model", num_classes=len(classes))


def _identity(cfg: Mapping[str, Any], runner: StageRunner, data: PreparedData) -> Identity:
    sections = {"evaluator": cfg["evaluator"]}
    return runner.identity("evaluator", data.name, data.fingerprint, {}, sections)


def _train(cfg: Mapping[str, Any], runner: StageRunner, data: PreparedData, classes: list[str]) -> Artifact:
    def objective() -> EvaluatorObjective:
        model = build(cfg["evaluator"]["model"], "evaluator.model", num_classes=len(classes))
        return build(cfg["evaluator"]["objective"], "evaluator.objective", model=model)

    def sets() -> Data:
        model = build(cfg["evaluator"]["model"], "evaluator.model", num_classes=len(classes))
        num_samples = round(runner.settings["evaluator"].crop_seconds * SAMPLE_RATE)
        splits = data.split("train"), data.split("validation")
        train, validation = (
            EvaluatorClips(split, num_samples, classes, model.text_encoder) for split in splits
        )
        return train, validation

    return runner.make(_identity(cfg, runner, data), objective, sets, {})


_SHORTEST = 0.02  # seconds that an event must last within a frame to be heard there


class EvaluatorClips(WaveformClips):
    """Clips from their start, cut or padded to ``num_samples``.

    A batch: waveform (batch, samples), labels (batch, classes), frames (batch, frames, classes) and knows_events
    (batch,), text (batch, tokens, width), caption (batch,): equal numbers for equal captions.
    """

    def __init__(
        self, split: PreparedSplit, num_samples: int, classes: Sequence[str], text_encoder: HashedTextEncoder
    ) -> None:
        super().__init__(split, num_samples)
        self._class_of = {name: number for number, name in enumerate(classes)}
        self._text_encoder = text_encoder
        numbers: dict[str, int] = {}
        self._caption = [numbers.setdefault(clip.caption, len(numbers)) for clip in split.clips]

    def batch(self, indices: Sequence[int], generator: Generator) -> dict[str, Tensor]:
        """Return one batch; nothing is drawn."""
        clips = [self.split.clips[index] for index in indices]
        waveforms = np.zeros((len(clips), self.num_samples), np.float32)
        for row, index in zip(waveforms, indices, strict=True):
            sound = self.split.waveform(index, 0, self.num_samples)
            row[: len(sound)] = sound
        captions = [clip.caption for clip in clips]
        text = self._text_encoder(captions, [fallback_structure(caption) for caption in captions])
        return {
            "waveform": torch.from_numpy(waveforms),
            "labels": torch.stack([self._labels(clip) for clip in clips]),
            "frames": torch.stack([self._frames(clip) for clip in clips]),
            "knows_events": torch.tensor([bool(clip.events) for clip in clips]),
            "text": text,
            "caption": torch.tensor([self._caption[index] for index in indices]),
        }

    def _labels(self, clip: Clip) -> Tensor:
        labels = torch.zeros(len(self._class_of))
        labels[[self._class_of[label] for label in clip.labels if label in self._class_of]] = 1.0
        return labels

    def _frames(self, clip: Clip) -> Tensor:
        num_frames = int(self.num_samples / SAMPLE_RATE / FRAME_SECONDS)
        starts = torch.arange(num_frames) * FRAME_SECONDS
        frames = torch.zeros(num_frames, len(self._class_of))
        for event in clip.events:
            overlap = (starts + FRAME_SECONDS).clamp(max=event.end) - starts.clamp(min=event.start)
            if event.label in self._class_of:
                frames[overlap > _SHORTEST, self._class_of[event.label]] = 1.0
        return frames
