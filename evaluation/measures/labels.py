"""Measures by a published classifier on data with labels: does it hear in a sound what the sound should be?"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor, Features
from evaluation.features.yamnet import audioset_classes
from evaluation.measures.pairs import TruthMeasure
from evaluation.protocol import ProtocolItem
from evaluation.trial import Extractors, NothingToMeasure, Trial


@runtime_checkable
class AudioSetClassifier(Extractor, Protocol):
    """An extractor whose ``logits`` are of AudioSet's classes, by these names."""

    classes: tuple[str, ...]


def right_classes(classifier: AudioSetClassifier, labels: Iterable[str]) -> dict[str, list[int]]:
    """Return the numbers of the classes that each label means; all of the labels must be known."""
    place = {name: number for number, name in enumerate(classifier.classes)}
    return {label: [place[name] for name in audioset_classes()[label]] for label in labels}


def is_among_best(logits: np.ndarray, right: Sequence[int], best: int) -> bool:
    """Return whether fewer than ``best`` classes are likelier than the likeliest right one."""
    return bool((logits > logits[right].max()).sum() < best)


class _AudioSetMeasure(TruthMeasure[list[int]]):
    """One that hears with a classifier of AudioSet's classes, of which a label may mean several.

    A sound counts by the likeliest of all classes of all its labels.
    """

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse another network; one that is not loaded yet is not known, and unknown labels are left out later."""
        if extractors.foreseen(self.extractor) is not None:
            with suppress(NothingToMeasure):
                super().foresee(key, trial, extractors)

    def numbers(self, key: str, part: Trial, extractor: Extractor | None) -> dict[str, list[int]]:
        """Return the numbers of the right classes of each label.

        Raises:
            NothingToMeasure: when a label has none; a mean over the others would be of other data.
            UserError: it is no such network.
        """
        if not isinstance(extractor, AudioSetClassifier) or not extractor.classes:
            raise UserError(
                f"metrics.{key} needs a network that knows AudioSet's classes: extractor: yamnet."
            )
        labels = sorted({label for item in part.items for label in item.clip.labels})
        if unknown := [label for label in labels if label not in audioset_classes()]:
            raise NothingToMeasure(
                f"{key} is left out: no AudioSet class is known for {len(unknown)} of {len(labels)} labels, such as "
                f"{unknown[0]!r}. Lines of evaluation/features/audioset_classes.csv say which are."
            )
        return right_classes(extractor, labels)


def _right(item: ProtocolItem, numbers: dict[str, list[int]]) -> list[int]:
    return [number for label in item.clip.labels for number in numbers[label]]


class LabelAmongBest(_AudioSetMeasure):
    """How often fewer than ``best`` classes are likelier than a right one: 8-bit logits are often equal.

    Args:
        extractor, num_resamples, seed: see ``NetworkMeasure``.
        best: 1 for the likeliest alone.
    """

    def __init__(self, extractor: str, num_resamples: int, seed: int, best: int = 5) -> None:
        super().__init__(extractor, num_resamples, seed)
        if best < 1:
            raise UserError(f"metrics: best={best} must be 1 or more.")
        self.best = best
        self.label = f"Hits, top {best}"

    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, list[int]]) -> float:
        """Return 1 for a hit."""
        return float(is_among_best(features["logits"], _right(item, numbers), self.best))


class LabelProbability(_AudioSetMeasure):
    """The mean probability (sigmoid) of the likeliest of the right classes."""

    label = "Probability of label"

    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, list[int]]) -> float:
        """Return it."""
        return float(1 / (1 + np.exp(-features["logits"][_right(item, numbers)].max())))
