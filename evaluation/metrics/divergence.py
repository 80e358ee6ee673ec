"""KL divergence between the class probabilities of a reference and of the sound generated for it.

Each function takes logits (N, classes) of the references and of the generated sounds, row i belonging to row i, and
returns the divergence of each pair (N,) in nats; the figure of a table is their mean. Several generations for one
reference are several rows: gather ``reference_logits[reference_of_sound]`` first.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_softmax, softmax, xlogy

from evaluation.metrics.arrays import pair

EPSILON = 1e-6  # added to the second distribution by audioldm_eval and stable-audio-metrics
_NAMES = ("logits of the references", "logits of the generated sounds")


def kl_softmax(reference: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Return KL(reference || generated), sum_c P log(P / (Q + 1e-6)): ``kl_softmax`` of audioldm_eval, the tables'."""
    p, q = (softmax(logits, axis=1) for logits in pair(reference, generated, _NAMES))
    return _divergence(p, q)


def kl_sigmoid(reference: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Return sum_c P log(P / (Q + 1e-6)) of sigmoids: ``kl_sigmoid`` of audioldm_eval.

    It has no term of 1 - P, so that it is no divergence of the classes' probabilities, and may be negative.
    """
    p, q = (expit(logits) for logits in pair(reference, generated, _NAMES))
    return _divergence(p, q)


def kl_exact(reference: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Return KL(reference || generated) of softmaxes without the 1e-6, as av-benchmark computes it."""
    log_p, log_q = (log_softmax(logits, axis=1) for logits in pair(reference, generated, _NAMES))
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=1)


def kl_softmax_reversed(reference: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Return KL(generated || reference), sum_c Q log(Q / (P + 1e-6)), as stable-audio-metrics computes it."""
    p, q = (softmax(logits, axis=1) for logits in pair(reference, generated, _NAMES))
    return _divergence(q, p)


DIVERGENCES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "softmax": kl_softmax,
    "sigmoid": kl_sigmoid,
    "exact": kl_exact,
    "softmax_reversed": kl_softmax_reversed,
}


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.sum(xlogy(p, p) - p * np.log(q + EPSILON), axis=1)
