"""The evaluator as a stage: trained once for each data set, found again by what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.artifacts import Artifact
from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.build import build
from audiolcm.data.prepare import prepare
from audiolcm.data.prepared import PreparedData
from audiolcm.workshop import Data, Workshop
from evaluation.embedded.data import EvaluatorClips
from evaluation.embedded.objective import EvaluatorObjective
from evaluation.features.embedded import EmbeddedExtractor


def embedded_extractor(cfg: Mapping[str, Any]) -> EmbeddedExtractor:
    """Return the evaluator of the configured data set, trained now if it is not among the artifacts.

    Args:
        cfg: resolved sections dataset, evaluator, trainer (``trainer.evaluator``), optimizer, hardware, logger, paths,
            seed.

    Raises:
        UserError: when the data set has no labels.
    """
    data = prepare(build(cfg["dataset"], "dataset"), Path(cfg["paths"]["cache"]))
    classes = sorted({label for clip in data.split("train").clips for label in clip.labels})
    network = build(cfg["evaluator"]["model"], "evaluator.model", num_classes=len(classes))
    workshop = Workshop(cfg)
    artifact = _train(cfg, workshop, data, classes)
    return EmbeddedExtractor(
        artifact, artifact.load_weights(network), classes, workshop.hardware.torch_device()
    )


def _train(cfg: Mapping[str, Any], workshop: Workshop, data: PreparedData, classes: list[str]) -> Artifact:
    def objective() -> EvaluatorObjective:
        model = build(cfg["evaluator"]["model"], "evaluator.model", num_classes=len(classes))
        return build(cfg["evaluator"]["objective"], "evaluator.objective", model=model)

    def sets() -> Data:
        model = build(cfg["evaluator"]["model"], "evaluator.model", num_classes=len(classes))
        num_samples = round(workshop.settings["evaluator"].crop_seconds * SAMPLE_RATE)
        made = (
            EvaluatorClips(data.split(name), num_samples, classes, model.text_encoder)
            for name in ("train", "validation")
        )
        return next(made), next(made)

    sections = {"evaluator": cfg["evaluator"]}
    identity = workshop.identity("evaluator", data.name, data.fingerprint, {}, sections)
    return workshop.make(identity, objective, sets, {})
