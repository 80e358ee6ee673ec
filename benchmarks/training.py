"""Speed and memory of every training stage, beside the floor that its arithmetic sets.

Usage:
    python benchmarks/training.py stages              # the four stages at replica size
    python benchmarks/training.py precision           # the stages in float32 and bfloat16, by turns
    python benchmarks/training.py base                # one distillation step of the base model, float32 and bfloat16
    python benchmarks/training.py startup             # python train.py --help

Each measurement runs in a process of its own, so that the peak memory is its own. The floor of a step is its
floating-point operations (counted by torch, a multiply-add is 2) over what one large matrix product reaches in the
same precision, in the same process. Run each on an otherwise idle machine; every line names the hardware.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from audiolcm.assembly import build_denoiser
from audiolcm.audio.mel import HOP_LENGTH
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.distributed.hardware import Hardware
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.objectives.objective import Batch, Objective
from audiolcm.stages.recipe import Recipe
from audiolcm.training.loop import clip_gradients, losses_under
from audiolcm.training.reproducibility import generator_for

REPEATS = 5
STAGES = ("autoencoder", "vocoder", "teacher", "student")


def matmul_rate(hardware: Hardware) -> float:
    """Return the FLOP/s of a 2048 x 2048 matrix product under this hardware's precision."""
    a = torch.randn(2048, 2048, device=hardware.torch_device())
    with hardware.autocast(), torch.no_grad():
        seconds = median_seconds(lambda: a @ a)
    return 2 * 2048**3 / seconds


def median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median wall time of ``work`` after one warm-up call."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def report(
    name: str, objective: Objective, batch: Batch, recipe: Recipe, stage: str, repeats: int = REPEATS
) -> None:
    """Print steps per second, the floor and the peak memory of one objective's training step."""
    hardware, settings = recipe.runner.hardware, recipe.runner.settings[stage]
    optimizer = build(recipe.cfg["optimizer"], "optimizer")
    optimizers = {part: optimizer.make(weights) for part, weights in objective.parts().items()}

    def one_step() -> None:
        rng = generator_for("benchmark")
        for part, loss, _ in losses_under(objective, batch, 0, rng, hardware):
            loss.backward(inputs=[p for group in optimizers[part].param_groups for p in group["params"]])
            clip_gradients(optimizers[part], settings, 0)
            optimizers[part].step()
            optimizers[part].zero_grad(set_to_none=True)
        objective.after_step(0)

    with FlopCounterMode(display=False) as counter:
        one_step()
    flops, seconds = counter.get_total_flops(), median_seconds(one_step, repeats)
    floor = flops / matmul_rate(hardware)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write(
        f"{name:34s} {1 / seconds:7.2f} steps/s  {flops / 1e9:8.1f} GFLOP  floor {floor:6.3f} s, "
        f"measured {seconds:6.3f} s ({seconds / floor:4.1f} x)  peak {peak:5.2f} GiB  {hardware.describe()}\n"
    )


def autoencoder_objective(recipe: Recipe) -> Objective:
    """Return the untrained autoencoder's objective."""
    cfg = recipe.cfg["autoencoder"]
    return build(cfg["objective"], "autoencoder.objective", model=build(cfg["model"], "autoencoder.model"))


def vocoder_objective(recipe: Recipe) -> Objective:
    """Return the untrained vocoder's objective behind an untrained autoencoder."""
    cfg = recipe.cfg["vocoder"]
    autoencoder: Autoencoder = build(recipe.cfg["autoencoder"]["model"], "autoencoder.model")
    model = build(cfg["model"], "vocoder.model")
    return build(cfg["objective"], "vocoder.objective", model=model, autoencoder=autoencoder)


def denoiser(recipe: Recipe) -> nn.Module:
    """Return an untrained denoiser; unlike the recipe's, it waits for no trained autoencoder."""
    channels = recipe.cfg["autoencoder"]["model"]["latent_channels"]
    return build_denoiser(recipe.cfg, recipe.text_encoder.width, channels)


def teacher_objective(recipe: Recipe) -> Objective:
    """Return the untrained teacher's objective."""
    return recipe.method.noise_prediction(denoiser(recipe), recipe.unconditional)


def student_objective(recipe: Recipe) -> Objective:
    """Return the distillation of an untrained teacher."""
    return recipe.method.distillation(denoiser(recipe), recipe.unconditional)


def latents_batch(recipe: Recipe, size: int, frames: int) -> Batch:
    """Return random latents with the text of one caption."""
    channels = recipe.cfg["autoencoder"]["model"]["latent_channels"]
    text = recipe.text_encoder(["A dog is barking"], ["<dog barking& all>"]).expand(size, -1, -1)
    device = recipe.runner.hardware.torch_device()
    return {"latent": torch.randn(size, channels, frames, device=device), "text": text}


def replica_step(recipe: Recipe, name: str) -> tuple[Objective, Batch]:
    """Return the objective of one stage of the replica profile, and a batch of random content."""
    size, frames = recipe.runner.settings[name].batch_size, recipe.crop_frames(name)
    if name == "autoencoder":
        return autoencoder_objective(recipe), {"mel": torch.randn(size, 80, frames)}
    if name == "vocoder":
        return vocoder_objective(recipe), {"waveform": 0.1 * torch.randn(size, frames * HOP_LENGTH)}
    objective = {"teacher": teacher_objective, "student": student_objective}[name](recipe)
    return objective, latents_batch(recipe, size, frames // 2)


def stage(name: str) -> None:
    """Measure one stage of the replica profile."""
    recipe = Recipe(compose(["vocoder=istft"]))
    report(name, *replica_step(recipe, name), recipe, name)


def precision() -> None:
    """Compare the two precisions of each stage's forward and backward pass, by turns in one process."""
    recipe = Recipe(compose(["vocoder=istft"]))
    for name in STAGES:
        objective, batch = replica_step(recipe, name)

        def one_pass(hardware: Hardware, objective: Objective = objective, batch: Batch = batch) -> None:
            for _, loss, _ in losses_under(objective, batch, 0, generator_for("benchmark"), hardware):
                loss.backward()

        seconds: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        for _ in range(REPEATS):
            for kind, times in seconds.items():
                times.append(median_seconds(partial(one_pass, Hardware("cpu", kind)), repeats=1))
        medians = {kind: statistics.median(times) for kind, times in seconds.items()}
        ratio = medians["float32"] / medians["bfloat16"]
        sys.stdout.write(
            f"{name:12s} float32 {medians['float32']:6.3f} s, bfloat16 {medians['bfloat16']:6.3f} s: "
            f"bfloat16 is {ratio:.2f} times as fast  {recipe.runner.hardware.describe()}\n"
        )


def base(precision: str) -> None:
    """Measure one distillation step of the base model: batch 8, 312 latent frames, 154 text tokens of 1024."""
    overrides = ["model=base", "text_encoder.tokens_per_half=77", "text_encoder.width=1024"]
    recipe = Recipe(compose([*overrides, f"hardware.precision={precision}"]))
    batch = latents_batch(recipe, 8, 312)
    report(f"student, base, 8 x 312, {precision}", student_objective(recipe), batch, recipe, "student", 1)


def each(what: str, names: tuple[str, ...]) -> None:
    """Measure each name in a process of its own, so that its peak memory is its own."""
    for name in names:
        subprocess.run([sys.executable, __file__, what, name], check=True)


def startup() -> None:
    """Measure ``python train.py --help``."""
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "train.py", "--help"]
    seconds = median_seconds(lambda: subprocess.run(command, cwd=root, check=True, capture_output=True))
    sys.stdout.write(f"python train.py --help: {seconds:.2f} s\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("stages", "stage", "precision", "base", "startup"))
    parser.add_argument("name", nargs="?", help="of one stage, or a precision for base")
    options = parser.parse_args()
    if options.what == "stages":
        each("stage", STAGES)
    elif options.what == "stage":
        stage(options.name)
    elif options.what == "precision":
        precision()
    elif options.what == "base" and options.name is None:
        each("base", ("float32", "bfloat16"))
    elif options.what == "base":
        base(options.name)
    else:
        startup()
