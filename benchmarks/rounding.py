"""How far results in bfloat16 and int8 are from those in float32: mels of the same prompts and seeds, or one call.

Usage:
    python benchmarks/rounding.py                             # embedded:foley, 24 sounds of 5 s
    python benchmarks/rounding.py --model artifacts --sounds 8
    python benchmarks/rounding.py --network base              # one call, random weights, 10 s

Prints a table: the mean absolute difference in dB (20 times that of the log10 mel), and the norm of the difference
divided by the norm of the mel around its mean. Of a call of the denoiser it is the relative difference of the predicted
noise from that of float32 with direct convolutions (models/spectral.py has faster ones). What the difference does to
FAD and the other metrics tells ``python evaluate.py checkpoint=embedded:foley hardware.precision=int8`` beside
``=bfloat16``: both are judged by one evaluator, while that of float32 is another one.
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from audiolcm import AudioLCM
from audiolcm.configuration.schema import compose
from audiolcm.distributed.hardware import Hardware
from audiolcm.models.layers import keep_products
from audiolcm.models.spectral import direct_convolutions
from benchmarks.speed.denoising import inputs, network
from benchmarks.speed.work import sampling

PRECISIONS = ("float32", "bfloat16", "int8")
CAPTIONS = ("a dog barks", "rain falls on leaves", "a clock ticks", "an engine hums and a bell rings")


def mels(model: AudioLCM, precision: str, sounds: int) -> np.ndarray:
    """Return the log10 mels (sounds, 80, frames) of the captions in turn, a seed for each sound."""
    captions = [CAPTIONS[index % len(CAPTIONS)] for index in range(sounds)]
    return model(captions, duration=5.0, seed=list(range(sounds)), precision=precision).mels


def table(model: AudioLCM, sounds: int) -> str:
    """Return the distances to float32 as Markdown."""
    exact = mels(model, "float32", sounds)
    size = np.linalg.norm(exact - exact.mean())
    lines = ["| precision | mean difference, dB | relative difference |", "|---|---:|---:|"]
    for precision in PRECISIONS[1:]:
        difference = mels(model, precision, sounds) - exact
        decibels = 20.0 * np.abs(difference).mean()
        lines.append(f"| {precision} | {decibels:.3f} | {np.linalg.norm(difference) / size:.4f} |")
    return "\n".join(lines)


def table_of_call(size: str, seconds: float = 10.0) -> str:
    """Return how far calls of an untrained denoiser are from float32 with direct convolutions, as Markdown."""
    torch.manual_seed(0)
    cfg, cpu = compose(["profile=paper", f"model={size}"]), torch.device("cpu")
    denoiser, given = keep_products(network(cfg, cpu)), inputs(cfg, 1, seconds, cpu)
    with torch.no_grad(), direct_convolutions():
        exact = denoiser(**given)
    lines = ["| precision | relative difference |", "|---|---:|"]
    for precision, direct in (*((name, False) for name in PRECISIONS), ("bfloat16", True)):
        with sampling(Hardware("cpu", precision)), direct_convolutions() if direct else nullcontext():
            difference = float((denoiser(**given) - exact).norm() / exact.norm())
        lines.append(f"| {precision}{', direct convolutions' * direct} | {difference:.2g} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="embedded:foley", help="what AudioLCM.from_pretrained loads")
    parser.add_argument("--sounds", type=int, default=24)
    parser.add_argument("--network", metavar="SIZE", help="one call of the denoiser of this size instead")
    words = parser.parse_args()
    if words.network:
        sys.stdout.write(table_of_call(words.network) + "\n")
        return 0
    sys.stdout.write(table(AudioLCM.from_pretrained(words.model), words.sounds) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
