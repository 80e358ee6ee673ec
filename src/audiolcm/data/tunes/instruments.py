"""Timbres of the procedural music: additive, subtractive, plucked-string and FM synthesis of single notes; drums.

A note's loudest frequency components lie below about 5 kHz, so that drums and their hi-hat stay audible above it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.random import Generator

from audiolcm.data.foley.primitives import (
    SAMPLE_RATE,
    Signal,
    bump,
    curve,
    decay,
    low,
    modes,
    pitched,
    ramps,
    seconds,
    shaped_noise,
    to_samples,
    tone,
)

Synthesizer = Callable[[Generator, float, int], Signal]
"""(voice, frequency in Hz, num_samples) -> one note of any level that fills num_samples.

``voice`` draws what stays the same within a clip (which piano): it is new for each note.
"""


@dataclass(frozen=True)
class Instrument:
    """Something that plays notes: its label, which is also its name, its compass as a lead, and its sound."""

    label: str
    lowest: int
    highest: int
    synthesize: Synthesizer


def _vibrato(frequency: float, num_samples: int, rate: float, depth: float) -> Signal:
    """Return an instantaneous frequency that begins to swing after a quarter of a second."""
    t = seconds(num_samples)
    return frequency * (1.0 + depth * np.clip((t - 0.1) / 0.3, 0.0, 1.0) * np.sin(2.0 * np.pi * rate * t))


def _steady(frequency: float, num_samples: int) -> Signal:
    return np.full(num_samples, frequency)


def piano(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return slightly stretched harmonics; high ones die first (additive)."""
    stretch, hardness, length = voice.uniform(1e-4, 4e-4), voice.uniform(1.2, 1.7), voice.uniform(0.7, 1.2)
    number = np.arange(1, max(2, min(13, int(5500.0 / frequency) + 1)))
    frequencies = frequency * number * np.sqrt(1.0 + stretch * number**2)
    times = length * (220.0 / frequency) ** 0.3 / (1.0 + 0.3 * number)
    return modes(num_samples, frequencies, times, number**-hardness) * ramps(num_samples, 0.002, 0.03)


def guitar(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return a plucked string (Karplus and Strong, 1983): a burst of noise in a loop that averages neighbors.

    The loop lasts a period: whole samples, the half sample of the average, and the rest by linear interpolation.
    """
    from scipy import signal  # a second to import, wanted only where a sound is made

    period = SAMPLE_RATE / frequency - 0.5
    whole = int(period)
    rest, loss = period - whole, 0.1 ** (1.0 / (voice.uniform(0.8, 1.4) * frequency))
    loop = loss * np.convolve((0.5, 0.5), (1.0 - rest, rest))
    burst = np.zeros(num_samples)
    size = min(whole, num_samples)
    # A finger is soft: beside the noise one swing of the string as a whole, so that the fundamental is never missing.
    burst[:size] = voice.uniform(-1.0, 1.0, size) + np.sin(2.0 * np.pi * np.arange(size) / whole)
    burst[:size] -= burst[:size].mean()
    feedback = np.concatenate(([1.0], np.zeros(whole - 1), -loop))
    return cast(Signal, signal.lfilter([1.0], feedback, burst)) * ramps(num_samples, 0.001, 0.03)


def organ(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return drawbars: a few harmonics of equal standing, with a slow beat of their level (additive)."""
    bars = np.zeros(9)
    bars[[1, 2, 3, 4, 6, 8]] = (1.0, *voice.uniform((0.5, 0.2, 0.2, 0.1, 0.05), (0.9, 0.6, 0.6, 0.3, 0.2)))
    beat = 1.0 + 0.12 * np.sin(2.0 * np.pi * voice.uniform(5.5, 6.8) * seconds(num_samples))

    def amplitude(harmonics: Signal) -> Signal:
        number = np.rint(harmonics / frequency).astype(int)
        return np.where(number < 9, bars[np.minimum(number, 8)], 0.0) * low(harmonics, 4500.0)

    return pitched(_steady(frequency, num_samples), amplitude) * beat * ramps(num_samples, 0.008, 0.03)


def flute(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return few harmonics, vibrato, and breath around the tone."""
    rate, depth, breath = voice.uniform(4.5, 5.8), voice.uniform(0.003, 0.007), voice.uniform(0.04, 0.09)
    tone = pitched(_vibrato(frequency, num_samples, rate, depth), lambda f: (frequency / f) ** 2.2)
    noise = shaped_noise(voice, num_samples, lambda f: bump(f, 1.5 * frequency, 0.5))
    return (tone + breath * noise) * ramps(num_samples, 0.05, 0.05)


def strings(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return two bowed voices a little apart: all harmonics, low-passed, slow attack (subtractive)."""
    apart, cutoff, rate = voice.uniform(0.0015, 0.003), voice.uniform(1400.0, 2400.0), voice.uniform(4.8, 6.2)
    section = sum(
        pitched(
            _vibrato(frequency * (1.0 + side * apart), num_samples, rate * (1.0 + 0.1 * side), 0.004),
            lambda f: frequency / f * low(f, cutoff),
            voice,
        )
        for side in (-1.0, 1.0)
    )
    return section * ramps(num_samples, 0.08, 0.06)


def bell(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return a struck bar of a glockenspiel: partials at 1, 2.76 and 5.4 times the pitch that ring long (additive)."""
    times = voice.uniform(0.6, 1.0) * np.array([1.0, 0.5, 0.2])
    level = np.array([1.0, voice.uniform(0.3, 0.5), voice.uniform(0.1, 0.25)])
    partials = frequency * np.array([1.0, 2.76, 5.4])
    return modes(num_samples, partials, times, level) * ramps(num_samples, 0.001, 0.03)


def trumpet(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return a tone that gets brighter as it gets louder: from dull to brassy within the attack."""
    center, depth = voice.uniform(1100.0, 1600.0), voice.uniform(0.003, 0.006)
    path = _vibrato(frequency, num_samples, 5.2, depth)
    dull = pitched(path, lambda f: (frequency / f) ** 2)
    bright = pitched(path, lambda f: (frequency / f) ** 0.4 * (0.25 + bump(f, center, 0.8)) * low(f, 3200.0))
    blend = curve(num_samples, (0.0, 0.0), (0.25, 0.9), (0.7, 0.8), (1.0, 0.4))
    return (dull * (1.0 - blend) + bright * blend) * ramps(num_samples, 0.03, 0.04)


def clarinet(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return odd harmonics, hardly any even ones, no vibrato."""
    even, slope = voice.uniform(0.03, 0.08), voice.uniform(0.9, 1.3)

    def amplitude(harmonics: Signal) -> Signal:
        odd = np.rint(harmonics / frequency) % 2 == 1
        return np.where(odd, 1.0, even) * (frequency / harmonics) ** slope * low(harmonics, 2800.0)

    return pitched(_steady(frequency, num_samples), amplitude) * ramps(num_samples, 0.04, 0.04)


def marimba(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return struck wood: partials at 1, 4 and 10 times the pitch that die quickly (additive)."""
    times = voice.uniform(0.18, 0.3) * np.array([1.0, 0.3, 0.12])
    level = np.array([1.0, voice.uniform(0.25, 0.45), 0.12])
    partials = frequency * np.array([1.0, 3.98, 9.9])
    return modes(num_samples, partials, times, level) * ramps(num_samples, 0.001, 0.02)


def vibraphone(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return frequency modulation (Chowning, 1973) at four times the pitch, index and level dying, with a tremolo."""
    index, rate, length = voice.uniform(0.5, 0.9), voice.uniform(4.0, 7.0), voice.uniform(0.8, 1.4)
    turns = 2.0 * np.pi * frequency * seconds(num_samples)
    modulation = index * decay(num_samples, 0.25) * np.sin(4.0 * turns)
    tremolo = 1.0 + 0.3 * np.sin(2.0 * np.pi * rate * seconds(num_samples))
    return np.sin(turns + modulation) * decay(num_samples, length) * tremolo * ramps(num_samples, 0.002, 0.04)


def synth(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return a pulse wave through a low-pass that closes a little (subtractive)."""
    width, cutoff = voice.uniform(0.22, 0.34), voice.uniform(1800.0, 3000.0)

    def pulse(harmonics: Signal) -> Signal:
        number = np.rint(harmonics / frequency)
        return np.abs(np.sin(np.pi * number * width)) / number

    path = _steady(frequency, num_samples)
    opened = pitched(path, lambda f: pulse(f) * low(f, cutoff, 3.0))
    closed = pitched(path, lambda f: pulse(f) * low(f, 0.4 * cutoff, 3.0))
    blend = decay(num_samples, 0.2)
    return (opened * blend + closed * (1.0 - blend)) * ramps(num_samples, 0.005, 0.03)


def bass(voice: Generator, frequency: float, num_samples: int) -> Signal:
    """Return a synthetic bass: a sawtooth whose low-pass closes, over a steady fundamental (subtractive)."""
    cutoff, length = voice.uniform(500.0, 900.0), voice.uniform(0.15, 0.3)
    path = _steady(frequency, num_samples)
    bright = pitched(path, lambda f: frequency / f * low(f, cutoff, 3.0))
    round_ = pitched(path, lambda f: (frequency / f) ** 2.5)
    blend = 0.8 * decay(num_samples, length)
    return (bright * blend + round_ * (1.0 - blend)) * ramps(num_samples, 0.006, 0.03)


LEADS: Mapping[str, Instrument] = MappingProxyType(
    {
        item.label: item
        for item in (
            Instrument("bell", 74, 91, bell),
            Instrument("clarinet", 60, 79, clarinet),
            Instrument("flute", 69, 88, flute),
            Instrument("guitar", 57, 76, guitar),
            Instrument("marimba", 62, 81, marimba),
            Instrument("organ", 62, 81, organ),
            Instrument("piano", 64, 83, piano),
            Instrument("strings", 60, 81, strings),
            Instrument("synth", 60, 81, synth),
            Instrument("trumpet", 60, 79, trumpet),
            Instrument("vibraphone", 62, 81, vibraphone),
        )
    }
)
"""What plays melodies, by label."""
CHORD_LABELS = ("guitar", "organ", "piano", "strings", "synth")
"""What plays chords."""
SUSTAINED = ("organ", "strings", "synth")
"""Whose chords last; others strike them again on each beat."""
BASS = Instrument("bass", 33, 44, bass)
DRUMS = "drums"
"""Label of the drums, which are no Instrument: see ``kit``."""

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
