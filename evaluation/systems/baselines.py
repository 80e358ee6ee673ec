"""Systems that nobody wants: a figure means little until it beats them. And the true sounds, which nobody beats."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.systems.system import made

_NOISE_LEVEL = 0.1  # standard deviation: -20 dB of full scale


class Silence:
    """Zeros."""

    name = "silence"
    is_seeded = False

    def facts(self) -> dict[str, Any]:
        """Return nothing: there is nothing to choose."""
        return {}

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return a silent file for each item."""

        def make(items: list[ProtocolItem], seeds: list[int]) -> list[np.ndarray]:
            return [np.zeros(round(test_set.seconds * SAMPLE_RATE), np.float32) for _ in items]

        return made(self, {}, test_set, 0, folder, make, batch_size=32)


class WhiteNoise:
    """Gaussian noise at -20 dB of full scale, another one for each item."""

    name = "white_noise"
    is_seeded = True

    def facts(self) -> dict[str, Any]:
        """Return the level."""
        return {"level_db": 20 * np.log10(_NOISE_LEVEL)}

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return a noise for each item."""

        def make(items: list[ProtocolItem], seeds: list[int]) -> list[np.ndarray]:
            length = round(test_set.seconds * SAMPLE_RATE)
            draws = (np.random.default_rng(seed).standard_normal(length, np.float32) for seed in seeds)
            return [_NOISE_LEVEL * draw for draw in draws]

        return made(self, {"level": _NOISE_LEVEL}, test_set, seed, folder, make, batch_size=32)


class Reference:
    """The true sounds themselves."""

    name = "reference"
    is_seeded = False

    def facts(self) -> dict[str, Any]:
        """Return nothing: there is nothing to choose."""
        return {}

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Return the references."""
        return self.sounds(test_set, 0, Path())

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return the reference of each item."""
        test_set.require_references()
        return [item.reference for item in test_set.items]
