"""How far two deviations are apart."""

import numpy as np

_LEAST = 0.01  # nepers of power: less than any sound that is heard


def log_ratio(deviation: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return ln((d + 0.01) / (d' + 0.01)) of deviations d and d', each (sounds,): 0 where both are silent."""
    return np.log((deviation + _LEAST) / (reference + _LEAST))
