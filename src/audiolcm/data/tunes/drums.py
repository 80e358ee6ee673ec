"""Drums of the procedural music: three sounds and the patterns that they play."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from audiolcm.data.foley.primitives import Signal, decay, low, ramps, seconds, shaped_noise, to_samples, tone

Hit = tuple[float, str, float]
"""(beats after the bar's first, "kick", "snare" or "hat", loudness)."""

_HATS: tuple[Hit, ...] = tuple((0.5 * i, "hat", 0.4 if i % 2 else 0.55) for i in range(8))
_BACKBEAT: tuple[Hit, ...] = ((1.0, "snare", 0.9), (3.0, "snare", 0.9))
PATTERNS: Mapping[str, Sequence[Hit]] = MappingProxyType(
    {
        "rock": ((0.0, "kick", 1.0), (2.0, "kick", 1.0), *_BACKBEAT, *_HATS),
        "four on the floor": (*((float(i), "kick", 1.0) for i in range(4)), *_BACKBEAT, *_HATS),
        "sparse": ((0.0, "kick", 1.0), (2.0, "kick", 0.9), *_BACKBEAT, *_HATS[::2]),
        "syncopated": ((0.0, "kick", 1.0), (2.0, "kick", 0.8), (2.5, "kick", 0.8), *_BACKBEAT, *_HATS),
    }
)
"""Patterns of one bar of four beats; something sounds on every beat."""


def kit(voice: Generator) -> dict[str, Signal]:
    """Return the sounds of one drum set by name, peak one."""
    sounds = {"kick": _kick(voice), "snare": _snare(voice), "hat": _hat(voice)}
    return {name: sound / np.abs(sound).max() for name, sound in sounds.items()}


def _kick(voice: Generator) -> Signal:
    """Return a membrane whose pitch falls from about 150 to 50 Hz."""
    size, base = to_samples(0.3), voice.uniform(46.0, 60.0)
    fall = decay(size, voice.uniform(0.02, 0.035))
    return tone(base * (1.0 + 2.0 * fall)) * decay(size, voice.uniform(0.08, 0.12)) * ramps(size, 0.001, 0.05)


def _snare(voice: Generator) -> Signal:
    """Return two modes of the head, and the rattle of the wires."""
    size, base = to_samples(0.22), voice.uniform(170.0, 220.0)
    head = np.sin(2.0 * np.pi * base * seconds(size)) + 0.6 * np.sin(2.0 * np.pi * 1.6 * base * seconds(size))
    wires = shaped_noise(voice, size, lambda f: 1.0 - low(f, 1200.0))
    return 0.5 * head * decay(size, 0.04) + 0.5 * wires * decay(size, 0.07) * ramps(size, 0.001, 0.05)


def _hat(voice: Generator) -> Signal:
    """Return noise above five kilohertz that stops at once."""
    size = to_samples(0.09)
    return shaped_noise(voice, size, lambda f: 1.0 - low(f, 5000.0, 4.0)) * decay(
        size, voice.uniform(0.012, 0.025)
    )
