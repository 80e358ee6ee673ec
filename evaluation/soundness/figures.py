"""What the evaluator says of true sounds and of spoiled ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from audiolcm.data.manifest import Stated
from evaluation.features.embedded import EmbeddedExtractor
from evaluation.features.extractor import Features
from evaluation.measures.scoring import stacked
from evaluation.metrics.divergence import kl_softmax
from evaluation.metrics.events import counts_right, order_right, recall
from evaluation.metrics.frechet import frechet_distance_from_rows
from evaluation.metrics.rate import hit_rate
from evaluation.metrics.similarity import cosine_similarity
from evaluation.soundness.spoiling import Spoiling, TrueSounds


@dataclass(frozen=True)
class Figures:
    """Of one set of sounds: distance to and divergence from the true ones, caption similarity and hit rate."""

    frechet: float
    kl: float
    caption_similarity: float
    hit_rate: float

    def worse_by(self, other: Figures) -> dict[str, bool]:
        """Return for each figure whether it is at most as good as ``other``'s."""
        lower, higher = ("frechet", "kl"), ("caption_similarity", "hit_rate")
        grown = {name: getattr(self, name) >= getattr(other, name) for name in lower}
        return grown | {name: getattr(self, name) <= getattr(other, name) for name in higher}


class Soundness:
    """Figures of spoiled sounds.

    Args:
        extractor: the evaluator.
        sounds: the true ones, each at least as long as the evaluator needs.
        seed: of noise, orders and swaps; a way of spoiling draws the same at each of its levels.
    """

    def __init__(self, extractor: EmbeddedExtractor, sounds: TrueSounds, seed: int) -> None:
        self.extractor, self.sounds, self.seed = extractor, sounds, seed
        self.true = extractor.extract(sounds.waveforms)
        self.captions = extractor.embed_captions(sounds.captions)

    def figures(self, features: Sequence[Features], captions: np.ndarray | None = None) -> Figures:
        """Return the figures of as many sounds, with the captions' embeddings (theirs if None)."""
        return Figures(
            frechet=frechet_distance_from_rows(stacked(self.true), stacked(features)),
            kl=float(kl_softmax(stacked(self.true, "logits"), stacked(features, "logits")).mean()),
            caption_similarity=float(
                cosine_similarity(
                    stacked(features, "joint"), self.captions if captions is None else captions
                ).mean()
            ),
            hit_rate=hit_rate(self.hits(features)),
        )

    def hits(self, features: Sequence[Features]) -> np.ndarray:
        """Return for each sound whether its likeliest class is among its labels (sounds,)."""
        classes = self.extractor.classes
        likeliest = [classes[int(found["logits"].argmax())] for found in features]
        return np.array([name in labels for name, labels in zip(likeliest, self.sounds.labels, strict=True)])

    def of(self, spoiling: Spoiling) -> list[Figures]:
        """Return the figures at each level."""
        return [
            self.figures(self.extractor.extract(spoiling.spoil(self.sounds, level, default_rng(self.seed))))
            for level in spoiling.levels
        ]

    def with_other_captions(self) -> Figures:
        """Return the figures of the true sounds with each other's captions."""
        by_caption = np.argsort(self.sounds.captions, kind="stable")
        turned = np.empty_like(by_caption)
        turned[by_caption] = np.roll(by_caption, len(by_caption) // 2)
        return self.figures(self.true, self.captions[turned])


def is_monotone(figures: Sequence[Figures]) -> dict[str, bool]:
    """Return for each figure whether it gets no better from one level to the next."""
    steps = [after.worse_by(before) for before, after in itertools.pairwise(figures)]
    return {name: all(step[name] for step in steps) for name in steps[0]}


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
