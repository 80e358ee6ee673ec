"""Measures by a published classifier on data with labels: does it hear in a sound what the sound should be?"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor
from evaluation.features.yamnet import audioset_classes
from evaluation.measures.pairs import paired_score
from evaluation.measures.scoring import Resampling
from evaluation.protocol import Item
from evaluation.record import Score
from evaluation.score import Ears, NothingToMeasure, Trial


@runtime_checkable
class AudioSetClassifier(Extractor, Protocol):
    """An extractor whose ``logits`` are of AudioSet's classes, by these names."""

    classes: tuple[str, ...]


class _AudioSetMeasure:
    """What measures by AudioSet's classes share; a sound counts by the likeliest of the classes of any of its labels.

    Args:
        extractor: a classifier of AudioSet's classes.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
    """

    needs_references = False
    is_paired = True
    label = ""

    def __init__(self, extractor: str, num_resamples: int, seed: int) -> None:
        self.extractor = extractor
        self.resampling = Resampling(num_resamples, seed)

    def judge(self, logits: np.ndarray, right: list[int]) -> float:
        """Return what a sound is worth, 0 to 1, whose right classes have these numbers."""
        raise NotImplementedError

    def foresee(self, key: str, trial: Trial, ears: Ears) -> None:
        """Refuse a network without AudioSet's classes, and labels that none of them names."""
        if (
            extractor := ears.foreseen(self.extractor)
        ) is not None:  # else it is asked again, once it is loaded
            self._numbers(key, trial, extractor)

    def _numbers(self, key: str, trial: Trial, extractor: Extractor) -> dict[str, list[int]]:
        """Return the numbers of the right classes of each label, once all labels are known to have some."""
        if not isinstance(extractor, AudioSetClassifier) or not extractor.classes:
            raise UserError(
                f"metrics.{key} needs a network that knows AudioSet's classes: extractor: yamnet."
            )
        labels = sorted({label for item in trial.items for label in item.clip.labels})
        if unknown := [label for label in labels if label not in audioset_classes()]:
            raise UserError(
                f"metrics.{key}: no AudioSet class is known for {len(unknown)} of {len(labels)} labels, such as "
                f"{unknown[0]!r}. Leave the metric out, or add a line to evaluation/features/audioset_classes.csv."
            )
        place = {name: number for number, name in enumerate(extractor.classes)}
        return {label: [place[name] for name in audioset_classes()[label]] for label in labels}

    def score(self, key: str, trial: Trial, ears: Ears) -> Score:
        """Return the mean over the items that have labels.

        Raises:
            NothingToMeasure: when none has.
        """
        extractor, part = ears[self.extractor], trial.where(_has_labels)
        if not part.items:
            raise NothingToMeasure(f"{key} is left out: none of the {len(trial.items)} captions has a label.")
        numbers = self._numbers(key, part, extractor)
        right = [[number for label in item.clip.labels for number in numbers[label]] for item in part.items]
        values = [
            np.array([self.judge(found["logits"], these) for found, these in zip(heard, right, strict=True)])
            for heard in part.generated(ears, self.extractor)
        ]
        return paired_score(key, self.label, "higher", values, extractor, part, self.resampling)


def _has_labels(item: Item) -> bool:
    return bool(item.clip.labels)


class LabelAmongBest(_AudioSetMeasure):
    """How often fewer than ``best`` classes are likelier than a right one: 8-bit logits are often equal.

    Args:
        extractor: a classifier of AudioSet's classes.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
        best: 1 for the likeliest alone.
    """

    def __init__(self, extractor: str, num_resamples: int, seed: int, best: int = 5) -> None:
        super().__init__(extractor, num_resamples, seed)
        if best < 1:
            raise UserError(f"metrics: best={best} must be 1 or more.")
        self.best = best
        self.label = f"Hits, top {best}"

    def judge(self, logits: np.ndarray, right: list[int]) -> float:
        """Return 1 for a hit."""
        return float((logits > logits[right].max()).sum() < self.best)


class LabelProbability(_AudioSetMeasure):
    """The mean probability (sigmoid) of the likeliest of the right classes."""

    label = "Probability of label"

    def judge(self, logits: np.ndarray, right: list[int]) -> float:
        """Return it."""
        return float(1 / (1 + np.exp(-logits[right].max())))
