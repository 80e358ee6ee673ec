"""The inception score of generated sounds (Salimans et al., 2016): confident for each sound, diverse over all."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from audiolcm.errors import UserError
from evaluation.metrics.arrays import matrix


@dataclass(frozen=True)
class InceptionScore:
    """Mean and standard deviation (divisor: their number) of the scores of the splits, each from 1 to classes."""

    mean: float
    std: float
    splits: tuple[float, ...]


def inception_score(logits: np.ndarray, num_splits: int = 10, seed: int = 2020) -> InceptionScore:
    """Return exp(mean KL(P(class | sound) || P(class))) of logits (N, classes), split by split.

    As ``calculate_isc`` of torch-fidelity and audioldm_eval: rows shuffled with ``RandomState(seed)``, then cut into
    ``num_splits`` runs. The score depends on the order of the rows (sort the sounds by name) and on their number:
    scores of 900 and of 4500 sounds do not compare.

    Raises:
        UserError: when there are fewer sounds than splits.
    """
    logits = matrix(logits, "logits of the generated sounds")
    number = len(logits)
    require_sounds(number, num_splits)
    logits = logits[np.random.RandomState(seed).permutation(number)]
    p, log_p = softmax(logits, axis=1), log_softmax(logits, axis=1)
    bounds = [i * number // num_splits for i in range(num_splits + 1)]
    splits = [_score(p[i:j], log_p[i:j]) for i, j in itertools.pairwise(bounds)]
    return InceptionScore(float(np.mean(splits)), float(np.std(splits)), tuple(splits))


def require_sounds(number: int, num_splits: int) -> None:
    """Refuse fewer sounds than splits.

    Raises:
        UserError: naming both numbers.
    """
    if number < num_splits:
        raise UserError(
            f"IS needs a sound or more in each of its {num_splits} splits, and there are {number} sounds."
        )


def _score(p: np.ndarray, log_p: np.ndarray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = p * (log_p - np.log(p.mean(0)))
    return float(np.exp(np.where(p > 0, divergence, 0.0).sum(1).mean()))  # a class no sound has adds nothing
