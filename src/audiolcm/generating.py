"""What the commands that generate share: the options of a model, and sounds written a batch at a time."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiolcm.pipeline import AudioLCM


@dataclass(frozen=True)
class Wanted:
    """One sound, and the file that it goes into."""

    target: Path
    caption: str
    structured: str
    seed: int


def add_model_options(
    parser: argparse.ArgumentParser, batch_size: int, vocoder: Callable[[str], str | Path]
) -> None:
    """Add what a model is asked for besides captions; ``vocoder`` makes the value of that option of its text."""
    parser.add_argument("--vocoder", type=vocoder, help="another vocoder's folder, or griffin_lim")
    parser.add_argument("--steps", type=int, help="sampling steps (default: as trained; of students, 2)")
    parser.add_argument("--omega", type=float, help="guidance, CFG scale - 1 (default: as trained, 4)")
    parser.add_argument("--batch-size", type=int, default=batch_size, help=f"(default: {batch_size})")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--plugins", action="append", metavar="PACKAGE", help="a package besides ours whose classes "
                        "the checkpoint may name; it is imported and run")  # fmt: skip


def write_sounds(
    model: AudioLCM, wanted: Sequence[Wanted], duration: float, batch_size: int
) -> Iterator[Path]:
    """Generate sounds and write each as a WAV file; give the files, in order, as they are there.

    Args:
        model: what makes them.
        wanted: the sounds.
        duration: seconds of each.
        batch_size: sounds made at a time.

    Raises:
        UserError: a value out of range, or the disk is full.
    """
    for first in range(0, len(wanted), batch_size):
        batch = wanted[first : first + batch_size]
        captions, structured = [one.caption for one in batch], [one.structured for one in batch]
        made = model(captions, duration, [one.seed for one in batch], structured)
        for sound, one in zip(made, batch, strict=True):
            yield sound.save(one.target)
