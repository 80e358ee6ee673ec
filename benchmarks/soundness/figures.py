"""What all judges say of true sounds and of spoiled ones."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import default_rng

from audiolcm.data.manifest import Stated
from benchmarks.soundness.judges import Column, Judge
from benchmarks.soundness.spoiling import Spoiling, TrueSounds
from evaluation.features.extractor import Features
from evaluation.metrics.events import counts_right, order_right, recall

Figures = dict[str, float]
"""Of one set of sounds, by column."""


class Soundness:
    """Figures of spoiled sounds.

    Args:
        judges: each made for these sounds.
        sounds: the true ones, each at least as long as every judge needs.
        seed: of noise, orders and swaps; a way of spoiling draws the same at each of its levels.
    """

    def __init__(self, judges: Sequence[Judge], sounds: TrueSounds, seed: int) -> None:
        self.judges, self.sounds, self.seed = judges, sounds, seed
        self.columns: dict[str, Column] = {
            key: column for judge in judges for key, column in judge.columns.items()
        }

    def figures(self, waveforms: Sequence[np.ndarray]) -> Figures:
        """Return every judge's figures of as many sounds."""
        return {key: value for judge in self.judges for key, value in judge.figures(waveforms).items()}

    def of(self, spoiling: Spoiling) -> dict[str, Figures]:
        """Return the figures at each level, by the name of the case."""
        return {
            spoiling.case(level): self.figures(spoiling.spoil(self.sounds, level, default_rng(self.seed)))
            for level in spoiling.levels
        }


def is_monotone(columns: Mapping[str, Column], levels: Sequence[Figures]) -> dict[str, bool]:
    """Return for each column whether it gets no better from one level to the next."""
    return {
        key: all(
            column.badness(after[key]) >= column.badness(before[key])
            for before, after in itertools.pairwise(levels)
        )
        for key, column in columns.items()
    }


def detection(
    features: Sequence[Features],
    stated: Sequence[Stated],
    labels: Sequence[frozenset[str]],
    classes: Sequence[str],
) -> dict[str, tuple[float, int]]:
    """Return recall of events, accuracy of counts and of orders on true sounds, each with the number of sounds."""
    number = {name: index for index, name in enumerate(classes)}
    recalls, counts, orders = [], [], []
    for found, told, present in zip(features, stated, labels, strict=True):
        frames = found["frames"]
        recalls.append(recall(frames, [number[label] for label in sorted(present)]))
        if told.counts:
            counts.append(
                counts_right(frames, {number[label]: times for label, times in told.counts.items()})
            )
        if told.order:
            orders.append(order_right(frames, [number[label] for label in told.order]))
    parts = {"event recall": recalls, "counts": counts, "order": orders}
    return {name: (float(np.mean(values)), len(values)) for name, values in parts.items() if values}
