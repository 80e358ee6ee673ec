"""A measure of one number a sound: does it fluctuate as much as its reference?"""

import numpy as np

from evaluation.measures.pairs import paired_score
from evaluation.measures.scoring import NetworkMeasure, require_feature, stacked
from evaluation.metrics.deviation import log_ratio
from evaluation.record import Score
from evaluation.trial import Extractors, Trial


class FrameDeviation(NetworkMeasure):
    """The mean of |ln d - ln d'|: d of a sound, d' of its reference, each the ``deviation`` that the network gives."""

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse a network that does not give ``deviation``; see ``ForeseesScores``."""
        require_feature(key, self.extractor, "deviation", trial, extractors)

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the mean over all sounds; ``details`` has the mean signed difference: below 0 is too smooth."""
        reference = stacked(trial.true(extractors, self.extractor), "deviation")[trial.reference_of_item(), 0]
        signed = [log_ratio(rows[:, 0], reference) for rows in self.rows(trial, extractors, "deviation")]
        return paired_score(
            key, "Frame deviation", "lower", [np.abs(values) for values in signed], extractors[self.extractor], trial,
            self.resampling, len(trial.references), details={"signed": [float(values.mean()) for values in signed]},
        )  # fmt: skip
