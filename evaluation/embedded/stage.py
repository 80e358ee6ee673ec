"""The evaluator as a stage: trained once for each data set, found again by what it was made from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.configuration.build import build
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData
from audiolcm.storage.files import require_writable
from audiolcm.training.stage_runner import Data, StageRunner
from audiolcm.weights.artifacts import Artifact, Identity
from evaluation.embedded.data import EvaluatorClips
from evaluation.embedded.features import EmbeddedExtractor
from evaluation.embedded.network import EvaluatorNetwork
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
    runner = StageRunner(cfg)
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
    runner = StageRunner(cfg)
    build(runner.optimizer("evaluator"), "optimizer")
    build(cfg["evaluator"]["objective"], "evaluator.objective", model=network)
    if runner.store.find(_identity(cfg, runner, data)) is None:
        require_writable(runner.store.root, "paths.artifacts=FOLDER")
    return EmbeddedExtractor(None, network.eval(), classes, runner.hardware.torch_device())


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
        made = (
            EvaluatorClips(data.split(name), num_samples, classes, model.text_encoder)
            for name in ("train", "validation")
        )
        return next(made), next(made)

    return runner.make(_identity(cfg, runner, data), objective, sets, {})
