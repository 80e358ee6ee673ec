"""The four stages at toy size, trained on noise by ``fit``: in this process, or in many by ``torchrun stages.py``."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from audiolcm import random_numbers
from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.distance import Huber
from audiolcm.diffusion.guidance import UniformGuidance
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.diffusion.solver import GridSolver
from audiolcm.distributed import processes
from audiolcm.distributed.hardware import Hardware
from audiolcm.environment.interrupts import Interrupted
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.discriminator import MelPatchDiscriminator, PatchDiscriminator
from audiolcm.models.feed_forward import SwiGLU
from audiolcm.models.norm import RMSNorm
from audiolcm.models.position import RotaryPosition
from audiolcm.models.transformer import Transformer
from audiolcm.models.vocoder_discriminator import MultiResolutionDiscriminator
from audiolcm.models.vocoder_istft import IstftVocoder
from audiolcm.objectives.adversary import HingeAdversary, LeastSquaresAdversary, NoAdversary
from audiolcm.objectives.autoencoder import AutoencoderObjective
from audiolcm.objectives.consistency import ConsistencyDistillation
from audiolcm.objectives.diffusion import DiffusionObjective
from audiolcm.objectives.objective import Objective
from audiolcm.objectives.reconstruction import FixedVarianceL1, LearnedVarianceL1
from audiolcm.objectives.vocoder import VocoderObjective
from audiolcm.sizing.texts import wordless_text_encoder
from audiolcm.training.loop import StageRun, fit
from audiolcm.training.optimization import AdamW
from audiolcm.training.parallel import Parallel
from audiolcm.training.settings import StageSettings
from audiolcm.training.tracking import NoTracker, read_metrics

ADVERSARIAL = ("autoencoder", "vocoder", "released_autoencoder")
STAGES = ("plain_autoencoder", *ADVERSARIAL, "teacher", "teacher_with_text", "student")
SETTINGS = StageSettings(
    steps=4,
    batch_size=4,
    learning_rate=1e-3,
    crop_seconds=1.0,
    log_every=1,
    validate_every=4,
    num_validation=12,
)
ACCUMULATED = replace(SETTINGS, accumulate=2)
TEXT = {
    "_target_": "audiolcm.models.clap_t5.ReleasedTextEncoder",
    "bert": {
        "vocab_size": 20,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    },
    "t5": {"vocab_size": 20, "d_model": 12, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2},
    "tokens_per_half": 2,
}
Trace = list[dict[str, float]]


@dataclass
class Noise:
    """Clips of noise; asked for the third batch, ``stopped_process`` sends itself a signal."""

    shapes: dict[str, tuple[int, ...]]
    stopped_process: int | None = None
    batches: int = 0
    words: int = 0
    """Of a vocabulary whose ids stand in the place of the texts' features."""

    def __len__(self) -> int:
        return 12

    def names(self, indices: list[int]) -> list[str]:
        return [f"clip {index}" for index in indices]

    def batch(self, indices: list[int], generator: random_numbers.Generator) -> dict[str, Tensor]:
        self.batches += 1
        if self.batches == 3 and self.stopped_process == processes.rank():
            os.kill(os.getpid(), signal.SIGTERM)
        batch = {
            name: random_numbers.randn((len(indices), *shape), generator)
            for name, shape in self.shapes.items()
        }
        return batch | ({"text": batch["text"][..., 0].mul(9.0).long() % self.words} if self.words else {})


def data(stage: str) -> Noise:
    if "autoencoder" in stage:
        return Noise({"mel": (80, 32)})
    words = TEXT["t5"]["vocab_size"] if stage == "teacher_with_text" else 0
    shapes = {"waveform": (8192,)} if stage == "vocoder" else {"latent": (8, 16), "text": (4, 12)}
    return Noise(shapes, words=words)


def objective(stage: str) -> Objective:
    """Return a fresh objective; equal weights at every call."""
    torch.manual_seed(0)
    autoencoder = Autoencoder(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=8)
    if stage == "released_autoencoder":  # in groups of half a batch
        judge = PatchDiscriminator(8, 2)
        adversary = LeastSquaresAdversary(
            judge, 1, 0.5, factor=2.0, penalty_weight=3.0, floor=1e-4, group_size=2, after_update=True
        )
        return AutoencoderObjective(autoencoder, FixedVarianceL1(), adversary, loss_per="example")
    if "autoencoder" in stage:
        adversary = HingeAdversary(MelPatchDiscriminator(8, 2), start_step=1, feature_weight=1.0)
        if stage == "plain_autoencoder":
            adversary = NoAdversary()
        return AutoencoderObjective(autoencoder, LearnedVarianceL1(), adversary, ema_rate=0.9)
    if stage == "vocoder":
        # Few passes: each multiplies what float32 rounds, which differs with the size of a batch.
        vocoder = IstftVocoder(16, 1, sharpening_passes=1, mel_passes=0, tonal_passes=0)
        return VocoderObjective(vocoder, MultiResolutionDiscriminator((256,), 4), autoencoder, 0.5)
    network = Transformer(8, 32, 2, 2, 12, RMSNorm, RotaryPosition, SwiGLU)
    for parameter in network.parameters():  # no zeros: every weight counts from the first step
        torch.nn.init.normal_(parameter, std=0.1)
    schedule, empty = ScaledLinearSchedule(), torch.zeros(1, 4, 12)
    if stage == "teacher_with_text":
        empty = torch.zeros(1, 4, dtype=torch.int64)
        return DiffusionObjective(
            network, schedule, empty, ema_rate=0.9, text_encoder=wordless_text_encoder(TEXT)
        )
    if stage == "teacher":
        return DiffusionObjective(network, schedule, empty, ema_rate=0.9)
    pieces = (schedule, BoundaryScalings(), GridSolver(), UniformGuidance(), Huber())
    return ConsistencyDistillation(network, *pieces, empty)


def train(
    stage: str,
    folder: Path,
    parallel: Parallel,
    settings: StageSettings = SETTINGS,
    stopped: int | None = None,
) -> None:
    """Train a stage in ``folder``, or until process ``stopped`` gets a signal in the third step."""
    place = (stage, folder / stage, "abc", 7)
    run = StageRun(*place, Hardware("cpu", "float32", 1), AdamW(), NoTracker(), parallel)
    training = replace(data(stage), stopped_process=stopped)
    with parallel.construction():
        made = objective(stage)
    with suppress(Interrupted) if stopped is not None else nullcontext():
        fit(made, training, data(stage), settings, run)


def trace(folder: Path, stage: str) -> Trace:
    """Return the figures of every step, without the speed."""
    rows = read_metrics(folder / stage / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "steps_per_second"} for row in rows]


def runs_of_many() -> Iterator[tuple[str, Parallel, StageSettings, tuple[str, ...]]]:
    """Yield what many processes train: folder, engine, settings, stages."""
    ddp, fsdp = Parallel("ddp"), Parallel("fsdp")
    plain = tuple(stage for stage in STAGES if stage not in ADVERSARIAL)
    transformers = ("teacher", "teacher_with_text", "student")
    yield "ddp", ddp, SETTINGS, STAGES
    yield "ddp_accumulated", Parallel("ddp", recompute=True), ACCUMULATED, plain
    yield "fsdp", fsdp, SETTINGS, transformers
    yield "fsdp_accumulated", Parallel("fsdp", recompute=True), ACCUMULATED, transformers
    resumed = ("autoencoder", "released_autoencoder", "student")
    yield "one_then_ddp", ddp, SETTINGS, resumed
    yield "one_then_fsdp", fsdp, SETTINGS, ("student",)
    yield "ddp_then_one", ddp, SETTINGS, resumed
    yield "fsdp_then_one", fsdp, SETTINGS, transformers


def main(folder: Path) -> None:
    processes.join()
    for name, parallel, settings, stages in runs_of_many():
        for stage in stages:
            train(stage, folder / name, parallel, settings, 1 if name.endswith("then_one") else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
