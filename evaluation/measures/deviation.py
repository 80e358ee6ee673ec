"""A measure of one number a sound: does it fluctuate as much as its reference?"""

import numpy as np

from evaluation.measures.pairs import paired_score
from evaluation.measures.scoring import Resampling, require_feature, stacked
from evaluation.metrics.deviation import log_ratio
from evaluation.record import Score
from evaluation.trial import Ears, Trial


class FrameDeviation:
    """The mean of |ln d - ln d'|: d of a sound, d' of its reference, each the ``deviation`` that the network gives.

    Args:
        extractor: one that gives ``deviation``.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
    """

    needs_references = True
    is_paired = True

    def __init__(self, extractor: str, num_resamples: int, seed: int) -> None:
        self.extractor = extractor
        self.resampling = Resampling(num_resamples, seed)

    def foresee(self, key: str, trial: Trial, ears: Ears) -> None:
        """Refuse a network that does not give ``deviation``; see ``ForeseesScores``."""
        require_feature(key, self.extractor, "deviation", trial, ears)

    def score(self, key: str, trial: Trial, ears: Ears) -> Score:
        """Return the mean over all sounds; ``details`` has the mean signed difference: below 0 is too smooth."""
        reference = stacked(trial.true(ears, self.extractor), "deviation")[trial.reference_of_item(), 0]
        signed = [
            log_ratio(stacked(features, "deviation")[:, 0], reference)
            for features in trial.generated(ears, self.extractor)
        ]
        return paired_score(
            key, "Frame deviation", "lower", [np.abs(values) for values in signed], ears[self.extractor], trial,
            self.resampling, len(trial.references), details={"signed": [float(values.mean()) for values in signed]},
        )  # fmt: skip
