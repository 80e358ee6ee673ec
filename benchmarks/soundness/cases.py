"""All cases that the judges are asked about."""

import numpy as np
from numpy.random import Generator

from audiolcm.pipeline import AudioLCM
from benchmarks.soundness.resynthesis import (
    bend_noise,
    griffin_lim,
    keep_components,
    smooth_bands,
    smooth_frames,
)
from benchmarks.soundness.spoiling import (
    Spoiling,
    TrueSounds,
    add_noise,
    as_long,
    cut_highs,
    shuffle_time,
    swap_classes,
)

_AT_ONCE = 8  # sounds that a student makes at a time

SPOILINGS = (
    Spoiling("white noise", "dB SNR", (30, 20, 10, 0), add_noise),
    Spoiling("low-pass", "Hz", (6000, 4000, 2000, 1000), cut_highs),
    Spoiling("shuffled time", "s a piece", (0.4, 0.2, 0.1, 0.05), shuffle_time),
    Spoiling("swapped classes", "of the sounds", (0.25, 0.5, 0.75, 1.0), swap_classes),
    Spoiling("mel smoothed in time", "frames", (0.5, 1, 2, 4), smooth_frames, through_mel=True),
    Spoiling("mel smoothed across bands", "bands", (0.5, 1, 2, 4), smooth_bands, through_mel=True),
    Spoiling("mel of few components", "of 160", (80, 40, 20, 10), keep_components, through_mel=True),
    Spoiling(
        "noise bent to a smooth mel", "passes", (1, 3, 8, 40), bend_noise, grows=False, through_mel=True
    ),
    Spoiling("Griffin-Lim", "iterations", (1, 4, 16, 64), griffin_lim, grows=False, through_mel=True),
)


def steps_of(pipeline: AudioLCM) -> Spoiling:
    """Return the sounds that a student makes of the captions in 1, 2, 4 and 8 steps, each from the same noise."""

    def generate(sounds: TrueSounds, steps: float, rng: Generator) -> list[np.ndarray]:
        seconds = len(sounds.waveforms[0]) / sounds.sample_rate
        seeds = rng.integers(2**31, size=len(sounds.captions)).tolist()
        made: list[np.ndarray] = []
        for first in range(0, len(seeds), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            structured = None if sounds.structured is None else sounds.structured[part]
            made += list(
                pipeline(
                    sounds.captions[part], seconds, seeds[part], structured, steps=round(steps)
                ).waveforms
            )
        return as_long(made, sounds)

    return Spoiling("student", "steps", (1, 2, 4, 8), generate, grows=False, through_mel=True)
