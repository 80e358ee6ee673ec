"""How a sound of any length becomes one of the length that a network hears."""

import hashlib
import random
from dataclasses import dataclass

import numpy as np

from audiolcm.errors import UserError

KINDS = ("center", "start", "random")


@dataclass(frozen=True)
class Crop:
    """Which part of a longer sound is heard; ``str`` of it is a word for names.

    Attributes:
        kind: ``center``, ``start`` or ``random``.
        seed: of ``random``. The part hangs on the seed and the sound alone, not on what was cropped before.

    Raises:
        UserError: there is no such kind.
    """

    kind: str = "center"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"There is no crop {self.kind!r}. Choose from: {', '.join(KINDS)}.")

    def __str__(self) -> str:
        return f"random-seed{self.seed}" if self.kind == "random" else self.kind

    def __call__(self, waveform: np.ndarray, length: int) -> np.ndarray:
        """Return ``length`` samples of a longer waveform (samples,), and a shorter one as it is."""
        surplus = len(waveform) - length
        if surplus <= 0:
            return waveform
        start = {"center": surplus // 2, "start": 0, "random": self._random(waveform, surplus)}[self.kind]
        return waveform[start : start + length]

    def _random(self, waveform: np.ndarray, surplus: int) -> int:
        content = hashlib.sha256(np.ascontiguousarray(waveform).tobytes()).hexdigest()
        return random.Random(f"{self.seed} {content}").randint(0, surplus)


def repeat_and_pad(waveform: np.ndarray, length: int) -> np.ndarray:
    """Return the waveform (samples,) repeated as often as it fits whole, then zeros: LAION's ``repeatpad``."""
    repeated = np.tile(waveform, length // len(waveform))
    return np.pad(repeated, (0, length - len(repeated)))


def repeat_and_cut(waveform: np.ndarray, length: int) -> np.ndarray:
    """Return the waveform (samples,) repeated until ``length`` is full, the last time in part, as MS-CLAP does."""
    return np.resize(waveform, length)
