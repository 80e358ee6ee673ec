"""What measures against the truth of labeled data share: each sound is judged by what its clip is known to be."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np

from evaluation.features.extractor import Extractor, Features
from evaluation.measures.pairs import paired_score
from evaluation.measures.scoring import Resampling
from evaluation.protocol import Item
from evaluation.record import Score
from evaluation.trial import Ears, NothingToMeasure, Trial

Numbers = TypeVar("Numbers")
"""What stands for a label among the classes of the network: a number, or several."""


class TruthMeasure(ABC, Generic[Numbers]):
    """A mean over the clips whose truth says something.

    Args:
        extractor: the network, which knows classes.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
    """

    needs_references = False
    is_paired = True
    label = ""
    states = "a label"

    def __init__(self, extractor: str, num_resamples: int, seed: int) -> None:
        self.extractor = extractor
        self.resampling = Resampling(num_resamples, seed)

    def applies(self, item: Item) -> bool:
        """Return whether the truth of an item says anything here: whether the clip has labels."""
        return bool(item.clip.labels)

    @abstractmethod
    def judge(self, features: Features, item: Item, numbers: dict[str, Numbers]) -> float:
        """Return what a sound is worth, 0 to 1."""

    @abstractmethod
    def numbers(self, key: str, part: Trial, extractor: Extractor | None) -> dict[str, Numbers]:
        """Return what stands for each label, once all labels of these items are known to the network.

        Raises:
            UserError: it is no network for this, or does not know a label.
        """

    def foresee(self, key: str, trial: Trial, ears: Ears) -> None:
        """Refuse another network, and labels that it does not know; see ``ForeseesScores``."""
        self.numbers(key, trial.where(self.applies), ears.foreseen(self.extractor))

    def score(self, key: str, trial: Trial, ears: Ears) -> Score:
        """Return the mean over the items that the measure applies to.

        Raises:
            NothingToMeasure: when it applies to none.
            UserError: as ``numbers``.
        """
        extractor, part = ears[self.extractor], trial.where(self.applies)
        numbers = self.numbers(key, part, extractor)
        if not part.items:
            raise NothingToMeasure(
                f"{key} is left out: none of the {len(trial.items)} captions states {self.states}."
            )
        values = [
            np.array([self.judge(f, item, numbers) for f, item in zip(features, part.items, strict=True)])
            for features in part.generated(ears, self.extractor)
        ]
        return paired_score(key, self.label, "higher", values, extractor, part, self.resampling)
