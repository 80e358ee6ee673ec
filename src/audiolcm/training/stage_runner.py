"""How a stage becomes an artifact: given by path, found by identity, or trained now under a lock."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiolcm.audio.resampling import DEFAULT_RESAMPLER
from audiolcm.configuration.build import build
from audiolcm.configuration.fingerprint import code_of_plugins
from audiolcm.configuration.schema import to_yaml
from audiolcm.distributed import processes
from audiolcm.distributed.hardware import Hardware
from audiolcm.distributed.sharded import gathered_in_first
from audiolcm.objectives.objective import Objective
from audiolcm.published.untrained import placed
from audiolcm.storage.files import remove_leftovers
from audiolcm.training.checkpoint import check_snapshots
from audiolcm.training.loop import StageRun, fit
from audiolcm.training.parallel import Parallel
from audiolcm.training.settings import StageSettings, TrainingSet
from audiolcm.training.tracking import NoTracker, read_metrics, tracking_facts
from audiolcm.weights.artifacts import Artifact, ArtifactStore, Identity, open_artifact
from audiolcm.weights.place import embedded_name

log = logging.getLogger(__name__)

Config = Mapping[str, Any]
Parents = Mapping[str, Artifact]
Data = tuple[TrainingSet, TrainingSet | None]


class StageRunner:
    """Makes artifacts of one configuration."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.hardware: Hardware = build(cfg["hardware"], "hardware")
        self.parallel: Parallel = build(cfg["parallel"], "parallel") if "parallel" in cfg else Parallel()
        self.announce: Callable[[str, Path, int], None] = lambda stage, folder, steps: None
        """Told of each stage that is made: its name, its folder, its steps; a run notes them for onlookers."""
        self.store = ArtifactStore(Path(cfg["paths"]["artifacts"]))
        self.settings: dict[str, StageSettings] = {
            stage: build(node, f"trainer.{stage}") for stage, node in cfg["trainer"].items()
        }

    def identity(
        self, stage: str, name: str, data_fingerprint: str, parents: Parents, sections: Mapping[str, Any]
    ) -> Identity:
        """Return what ``stage`` is made from: ``sections`` of the configuration and all that every stage shares."""
        content = dict(sections) | {
            "trainer": self.settings[stage].identity(),
            "optimizer": self.optimizer(stage),
            "seed": self.cfg["seed"],
            "precision": self.hardware.precision,
            "data": data_fingerprint,
            "parents": {parent: artifact.hash for parent, artifact in parents.items()},
        }
        if plugins := code_of_plugins([dict(sections), self.optimizer(stage)]):
            content["plugins"] = plugins
        return Identity(stage, name, content)

    def optimizer(self, stage: str) -> Config:
        """Return the configuration of the stage's own optimizer, or of the one that all share."""
        return self.cfg.get(stage, {}).get("optimizer", self.cfg["optimizer"])

    def make(
        self,
        identity: Identity,
        objective: Callable[[], Objective],
        data: Callable[[], Data],
        parents: Parents,
        afterwards: Callable[[nn.Module], object] = lambda network: None,
        cfg: Config | None = None,
        beside: Callable[[Objective], Parents] = lambda objective: {},
    ) -> Artifact:
        """Return the artifact of ``identity``, trained now if it is not there.

        ``objective`` and ``data`` are called only then; ``afterwards`` may complete the trained network before it
        is written. ``parents`` are recorded in the card by relative path, ``cfg`` beside it (None: that of the run).
        ``beside`` writes artifacts of other networks that were trained along, which are recorded with the parents.
        """
        stage, folder = identity.stage, self.store.folder(identity)
        is_there = partial(processes.first_decides, lambda: self.store.find(identity) is not None)
        if is_there():
            log.info("%s: done before, in %s", stage, folder)
        else:
            self.announce(stage, folder, self.settings[stage].steps)
            with self.store.lock(identity) if processes.is_first() else nullcontext():
                if not is_there():  # else another run has finished it while this one waited
                    self._train(identity, objective, data, parents, afterwards, cfg or self.cfg, beside)
        return processes.found_by_all(lambda: self.store.find(identity)) or open_artifact(folder)

    def _train(
        self,
        identity: Identity,
        objective: Callable[[], Objective],
        data: Callable[[], Data],
        parents: Parents,
        afterwards: Callable[[nn.Module], object],
        cfg: Config,
        beside: Callable[[Objective], Parents],
    ) -> None:
        stage, folder = identity.stage, self.store.folder(identity)
        if processes.is_first():
            for place in (folder, folder / "checkpoints", *folder.glob("snapshots/*")):
                remove_leftovers(place)
            check_snapshots(folder)
        log.info("%s: training in %s", stage, folder)
        tracker = build(self.cfg["logger"], "logger") if processes.is_first() else NoTracker()
        optimizer = build(self.optimizer(stage), "optimizer")
        seed, hardware = self.cfg["seed"], self.hardware.for_training()
        run = StageRun(stage, folder, identity.hash, seed, hardware, optimizer, tracker, self.parallel)
        torch.manual_seed(seed)  # initial weights
        with self.parallel.construction():
            made = objective()
        sets = data()
        tracker.start(folder, f"{stage}/{identity.name}", identity.hash, dict(self.cfg))
        try:
            began = time.monotonic()
            start = fit(made, *sets, self.settings[stage], run)
        finally:
            tracker.finish()
        product = made.product()
        afterwards(product)
        facts = self._facts(folder, {**parents, **beside(made)}, product) | tracking_facts(tracker)
        facts |= {"training_seconds": round(time.monotonic() - began, 1), "resumed_from_step": start}
        tensors = gathered_in_first(product.state_dict())
        if processes.is_first():
            self.store.write(identity, tensors, to_yaml(placed(cfg)), facts)
        processes.first_decides(lambda: True)  # the others wait for it

    def _facts(self, folder: Path, parents: Parents, product: nn.Module) -> dict[str, object]:
        """Return what the card of a training in ``folder`` says besides."""
        rows = read_metrics(folder / "metrics.jsonl") if processes.is_first() else []
        origins = [parent.card["origin"] for parent in parents.values() if "origin" in parent.card]
        if hasattr(product, "origin"):  # published weights, trained further
            origins.append(product.origin)
        return {
            "parents": {
                name: embedded_name(parent.folder) or os.path.relpath(parent.folder, folder)
                for name, parent in parents.items()
            },
            "derived_from": origins,
            "num_parameters": sum(parameter.numel() for parameter in product.parameters()),
            "hardware": self.hardware.describe(),
            "processes": processes.count(),
            "parallel": asdict(self.parallel),
            "resampler": _resampler(self.cfg["dataset"]),
            "figures": {key: value for row in rows for key, value in row.items()},
        }


def _resampler(dataset: Config) -> str | None:
    """Return what brought the sounds of a data set to 16 kHz; None of one that makes or keeps them at it."""
    if corpora := dataset.get("corpora"):
        common = dataset.get("resampler")
        each = (dict(corpora[name]) for name in dataset.get("include") or corpora)
        found = {_resampler(one | {"resampler": one.get("resampler") or common}) for one in each}
        return ", ".join(sorted(map(str, found)))
    if dataset.get("mels"):
        return "none: mels as given"
    return (dataset["resampler"] or DEFAULT_RESAMPLER) if "resampler" in dataset else None


def variant_name(cfg: Config) -> str:
    """Return a readable name for size and backbone, from what the configuration names."""
    backbone = cfg["backbone"]
    parts = [str(backbone[part]["_target_"]).rsplit(".", 1)[1] for part in sorted(backbone)]
    return "-".join([f"w{cfg['model']['width']}d{cfg['model']['depth']}", *parts]).lower()
