"""How far mels in bfloat16 and int8 are from those in float32: the same prompts and seeds in each precision.

Usage:
    python benchmarks/rounding.py                             # embedded:foley, 24 sounds of 5 s
    python benchmarks/rounding.py --model artifacts --sounds 8

Prints a table: the mean absolute difference in dB (20 times that of the log10 mel), and the norm of the difference
divided by the norm of the mel around its mean. What the difference does to FAD and the other metrics tells
``python evaluate.py checkpoint=embedded:foley hardware.precision=int8`` beside ``=bfloat16``: both are judged by one
evaluator, while that of float32 is another one.
"""

import argparse
import sys

import numpy as np

from audiolcm import AudioLCM

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


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="embedded:foley", help="what AudioLCM.from_pretrained loads")
    parser.add_argument("--sounds", type=int, default=24)
    words = parser.parse_args()
    sys.stdout.write(table(AudioLCM.from_pretrained(words.model), words.sounds) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
