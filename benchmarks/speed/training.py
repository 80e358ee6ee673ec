"""Training steps as the training loop takes them, and the released distillation step."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import nn

from audiolcm.configuration.build import build
from audiolcm.distributed.hardware import Hardware
from audiolcm.objectives.objective import Batch, Objective
from audiolcm.random_numbers import Generator
from audiolcm.sizing.memory import random_batch, text_shape, untrained
from audiolcm.training.loop import StageRun, fit
from audiolcm.training.optimization import AdamW
from audiolcm.training.settings import StageSettings
from audiolcm.training.tracking import NoTracker
from benchmarks.speed.case import Case
from benchmarks.speed.denoising import (
    Config,
    configured,
    flops_of_call,
    inputs,
    released_network,
)
from benchmarks.speed.floor import count_flops
from benchmarks.speed.work import Tick, Work, repeated
from benchmarks.yardstick.distillation import Distillation

ENDLESS = 10**9
NUM_CLIPS = 64
WARM_UP = 2
"""Large steps until all memory was touched once: after that a step takes as long as the next one."""


class RandomClips:
    """A training set without content, in memory."""

    def __init__(self, cfg: Config, stage: str) -> None:
        self.clips = random_batch(cfg, stage, NUM_CLIPS)
        if "waveform" in self.clips:
            self.clips["waveform"] *= 0.1

    def __len__(self) -> int:
        return NUM_CLIPS

    def names(self, indices: list[int]) -> list[str]:
        """Return a name for each clip."""
        return [f"clip{index}" for index in indices]

    def batch(self, indices: list[int], generator: Generator) -> Batch:
        """Return the clips."""
        return {name: tensor[indices] for name, tensor in self.clips.items()}


def training(case: Case, words: list[str]) -> Work:
    """Measure a training step of one stage of the replica: its own batch, length and networks."""
    return _training(case, words, case.variant)


def distillation(case: Case, words: list[str]) -> Work:
    """Measure a distillation step on ``case.batch`` examples of ``case.seconds``."""
    given = [f"trainer.student.batch_size={case.batch}", f"trainer.student.crop_seconds={case.seconds}"]
    return replace(_training(case, [*given, *words], "student"), warm_up=WARM_UP)


def _training(case: Case, words: list[str], stage: str) -> Work:
    cfg, hardware = configured(case, words)
    objective = untrained(cfg, stage)
    cast(nn.Module, objective).to(hardware.torch_device())
    settings: StageSettings = replace(
        build(cfg["trainer"][stage], f"trainer.{stage}"), steps=ENDLESS, checkpoint_every=ENDLESS
    )
    optimizer = build(cfg["optimizer"], "optimizer", AdamW)
    loop = partial(_fit, objective, RandomClips(cfg, stage), settings, stage, hardware, optimizer)
    count = {"teacher": flops_of_step, "student": flops_of_distillation}.get(stage)
    flops = count(cfg, settings.batch_size, settings.crop_seconds) if count else None
    return Work(loop, hardware, flops, settings.batch_size * settings.crop_seconds)


def _fit(
    objective: Objective,
    clips: RandomClips,
    settings: StageSettings,
    stage: str,
    hardware: Hardware,
    optimizer: AdamW,
    tick: Tick,
) -> None:
    """Train for ever, as ``python train.py`` does; what ends a step tells that it is done."""
    after_step: Callable[[int], None] = objective.after_step

    def told(step: int) -> None:
        after_step(step)
        tick({})

    # pyrefly: ignore[missing-attribute]  (of this one object)
    objective.after_step = told
    with tempfile.TemporaryDirectory() as folder:
        run = StageRun(stage, Path(folder), "benchmark", 0, hardware, optimizer, NoTracker())
        fit(objective, clips, None, settings, run)


def flops_of_step(cfg: Config, batch: int, seconds: float) -> int:
    """Return the operations of a teacher's step: the denoiser there and back."""
    meta = torch.device("meta")
    network, given = released_network(cfg, meta).requires_grad_(True), inputs(cfg, batch, seconds, meta)
    return count_flops(lambda: network(**given).sum().backward())


def flops_of_distillation(cfg: Config, batch: int, seconds: float) -> int:
    """Return the operations of a step: the student there and back, two calls of the teacher and one of the target."""
    return flops_of_step(cfg, batch, seconds) + 3 * flops_of_call(cfg, batch, seconds)


def released_distillation(case: Case, words: list[str]) -> Work:
    """Measure the released distillation step."""
    cfg, hardware = configured(case, words)
    device = hardware.torch_device()
    step = Distillation(released_network(cfg, device), torch.randn(1, *text_shape(cfg), device=device))
    given = inputs(cfg, case.batch, case.seconds, device)

    def unit() -> None:
        with hardware.autocast():
            step.step(given["z_t"], given["text"])

    flops = flops_of_distillation(cfg, case.batch, case.seconds)
    return Work(repeated(unit), hardware, flops, case.batch * case.seconds, warm_up=WARM_UP)
