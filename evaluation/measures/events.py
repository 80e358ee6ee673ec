"""Measures on data whose truth is known: is a sound of its class, are its events there, as often and in the order told?

They need the embedded evaluator, which knows the classes of the data set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.embedded import EmbeddedExtractor
from evaluation.features.extractor import Extractor, Features
from evaluation.measures.pairs import paired_score
from evaluation.measures.scoring import Resampling
from evaluation.metrics.events import counts_right, order_right, recall
from evaluation.protocol import Item
from evaluation.record import Score
from evaluation.score import Ears, NothingToMeasure, Trial


class _TruthMeasure(ABC):
    """What measures against the truth share.

    Args:
        extractor: the embedded evaluator.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
    """

    needs_references = False
    is_paired = True
    label = ""
    states = ""

    def __init__(self, extractor: str, num_resamples: int, seed: int) -> None:
        self.extractor = extractor
        self.resampling = Resampling(num_resamples, seed)

    @abstractmethod
    def applies(self, item: Item) -> bool:
        """Return whether the truth of an item says anything here."""

    @abstractmethod
    def judge(self, features: Features, item: Item, numbers: dict[str, int]) -> float:
        """Return what a sound is worth, 0 to 1."""

    def foresee(self, key: str, trial: Trial, ears: Ears) -> None:
        """Refuse a network that is not the embedded evaluator, and labels that it does not know."""
        self._numbers(key, trial.where(self.applies), self._evaluator(key, ears.foreseen(self.extractor)))

    def _evaluator(self, key: str, extractor: Extractor | None) -> EmbeddedExtractor:
        if not isinstance(extractor, EmbeddedExtractor):
            raise UserError(
                f"metrics.{key} needs extractor: embedded, which knows the classes of the data set."
            )
        return extractor

    def _numbers(self, key: str, part: Trial, evaluator: EmbeddedExtractor) -> dict[str, int]:
        """Return the number of each class of the evaluator, once all labels are known to be among them."""
        numbers = {name: number for number, name in enumerate(evaluator.classes)}
        unknown = sorted({label for item in part.items for label in item.clip.labels if label not in numbers})
        if unknown:
            raise UserError(
                f"metrics.{key}: the embedded evaluator does not know {len(unknown)} labels, such as {unknown[0]!r}: "
                "no training clip has them. Train it on data that has, or leave the metric out."
            )
        return numbers

    def score(self, key: str, trial: Trial, ears: Ears) -> Score:
        """Return the mean over the items that the measure applies to.

        Raises:
            NothingToMeasure: when it applies to none.
            UserError: when the extractor knows no classes.
        """
        extractor, part = self._evaluator(key, ears[self.extractor]), trial.where(self.applies)
        numbers = self._numbers(key, part, extractor)
        if not part.items:
            raise NothingToMeasure(
                f"{key} is left out: none of the {len(trial.items)} captions states {self.states}."
            )
        values = [
            np.array([self.judge(f, item, numbers) for f, item in zip(features, part.items, strict=True)])
            for features in part.generated(ears, self.extractor)
        ]
        return paired_score(key, self.label, "higher", values, extractor, part, self.resampling)


class HitRate(_TruthMeasure):
    """How often the likeliest class of a sound is among its labels."""

    label, states = "Hit rate", "a label"

    def applies(self, item: Item) -> bool:
        """Return whether the clip has labels."""
        return bool(item.clip.labels)

    def judge(self, features: Features, item: Item, numbers: dict[str, int]) -> float:
        """Return 1 for a hit."""
        return float(int(features["logits"].argmax()) in {numbers[label] for label in item.clip.labels})


class EventRecall(_TruthMeasure):
    """How many of a clip's classes are heard anywhere in the sound."""

    label, states = "Event recall", "an event"

    def applies(self, item: Item) -> bool:
        """Return whether the clip's events are known: only then has the evaluator learned what a frame holds."""
        return bool(item.clip.events)

    def judge(self, features: Features, item: Item, numbers: dict[str, int]) -> float:
        """Return the share of the clip's classes."""
        return recall(features["frames"], [numbers[label] for label in item.clip.labels])


class CountAccuracy(_TruthMeasure):
    """How often what a caption counts ("three times") is heard as often."""

    label, states = "Counts", "a count"

    def applies(self, item: Item) -> bool:
        """Return whether the caption states a count."""
        return bool(item.stated.counts)

    def judge(self, features: Features, item: Item, numbers: dict[str, int]) -> float:
        """Return the share of the stated counts that are right."""
        counts = {numbers[label]: count for label, count in item.stated.counts.items()}
        return counts_right(features["frames"], counts)


class OrderAccuracy(_TruthMeasure):
    """How often what a caption puts in order ("a, then b") begins in that order."""

    label, states = "Order", "an order"

    def applies(self, item: Item) -> bool:
        """Return whether the caption states an order."""
        return len(item.stated.order) > 1

    def judge(self, features: Features, item: Item, numbers: dict[str, int]) -> float:
        """Return 1 when it is right."""
        return float(order_right(features["frames"], [numbers[label] for label in item.stated.order]))
