"""Mean and covariance of the references' features, kept with a hash of everything that they come from."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from audiolcm.storage.hashing import content_hash
from audiolcm.storage.tensors import UNSEALED, check_seal, safetensors_path
from evaluation.features.extractor import Extractor
from evaluation.features.store import FeatureStore
from evaluation.metrics.frechet import Gaussian, fit_gaussian
from evaluation.sound import SoundReader

log = logging.getLogger(__name__)


def reference_gaussian(
    store: FeatureStore, extractor: Extractor, reader: SoundReader, paths: Sequence[Path]
) -> Gaussian:
    """Return the Gaussian fitted to all rows of ``embedding`` of these files, whatever their order.

    It is computed once for each network, reader and set of sounds.
    """
    content = [extractor.name, extractor.identity, reader.identity, sorted(store.digests(paths))]
    path = store.folder / "statistics" / f"{extractor.name}-{content_hash(content)}.safetensors"
    if path.exists():
        try:
            check_seal(path)
            kept = load_file(path)
            return Gaussian(kept["mean"], kept["covariance"], int(kept["num_rows"][0]))
        except (SafetensorError, OSError, ValueError, LookupError) as error:
            log.warning("%s is damaged (%s): computed again.", path, error)
    rows = np.concatenate([found["embedding"] for found in store.features(extractor, reader, paths)])
    fitted = fit_gaussian(rows)
    with safetensors_path(path) as temporary:
        arrays = {
            "mean": fitted.mean,
            "covariance": fitted.covariance,
            "num_rows": np.array([fitted.num_rows]),
        }
        save_file(arrays, temporary, UNSEALED)
    return fitted
