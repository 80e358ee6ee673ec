"""Ways to make sounds worse, and the plain ones: noise, low-pass, other orders, other classes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.random import Generator


@dataclass(frozen=True)
class TrueSounds:
    """Waveforms (samples,) at ``sample_rate`` Hz, all equally long, with captions and labels of their clips."""

    waveforms: list[np.ndarray]
    captions: list[str]
    labels: list[frozenset[str]]
    sample_rate: int
    structured: list[str] | None = None


Spoil = Callable[[TrueSounds, float, Generator], list[np.ndarray]]


@dataclass(frozen=True)
class Spoiling:
    """One way to make sounds worse, at several levels.

    grows: whether each level is worse than the one before by what it does; of the others YAMNet must say.
    through_mel: whether it is what an autoencoder, a vocoder or a student does.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    spoil: Spoil
    grows: bool = True
    through_mel: bool = False

    def case(self, level: float) -> str:
        """Return what a level is called."""
        return f"{self.name}, {level:g} {self.unit}"


def add_noise(sounds: TrueSounds, decibels: float, rng: Generator) -> list[np.ndarray]:
    """Return the sounds with white noise, ``decibels`` of power below each."""

    def noisy(wave: np.ndarray) -> np.ndarray:
        level = np.sqrt(np.mean(np.square(wave, dtype=np.float64))) * 10 ** (-decibels / 20)
        return (wave + level * rng.standard_normal(len(wave))).astype(np.float32)

    return [noisy(wave) for wave in sounds.waveforms]


def cut_highs(sounds: TrueSounds, hertz: float, rng: Generator) -> list[np.ndarray]:
    """Return the sounds below ``hertz``: a Butterworth filter of order 8, run in both directions."""
    sections = scipy.signal.butter(8, hertz, fs=sounds.sample_rate, output="sos")
    return [scipy.signal.sosfiltfilt(sections, wave).astype(np.float32) for wave in sounds.waveforms]


def shuffle_time(sounds: TrueSounds, seconds: float, rng: Generator) -> list[np.ndarray]:
    """Return each sound cut into pieces of ``seconds``, in another order."""
    size = round(seconds * sounds.sample_rate)

    def shuffled(wave: np.ndarray) -> np.ndarray:
        pieces = [wave[first : first + size] for first in range(0, len(wave), size)]
        return np.concatenate([pieces[index] for index in rng.permutation(len(pieces))])

    return [shuffled(wave) for wave in sounds.waveforms]


def swap_classes(sounds: TrueSounds, share: float, rng: Generator) -> list[np.ndarray]:
    """Return the sounds, a ``share`` of them replaced by sounds of other classes, all from a quarter of the classes.

    Replaced by sounds of all classes they would be the same set again, which no distance of sets can tell.
    """
    classes = sorted(set().union(*sounds.labels))
    favored = set(rng.permutation(classes)[: max(2, len(classes) // 4)])
    donors = [index for index, labels in enumerate(sounds.labels) if labels and labels <= favored]
    given = list(sounds.waveforms)
    order = rng.permutation(len(given))
    for index in order[: round(share * len(given))]:
        others = [donor for donor in donors if not sounds.labels[donor] & sounds.labels[index]]
        if others:
            given[index] = sounds.waveforms[int(rng.choice(others))]
    return given


def as_long(waveforms: Iterable[np.ndarray], sounds: TrueSounds) -> list[np.ndarray]:
    """Return each waveform cut, or ended in zeros, as long as the true one."""
    return [
        np.pad(wave[: len(true)], (0, max(0, len(true) - len(wave))))
        for wave, true in zip(waveforms, sounds.waveforms, strict=True)
    ]
