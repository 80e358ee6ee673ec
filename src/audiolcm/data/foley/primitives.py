"""Building blocks of the procedural sounds: shaped noise, pitched sources, resonances, grains, room.

All arrays are mono at 16 kHz, float64 or float32, shape (samples,). Randomness comes only from the
``numpy.random.Generator`` that is passed in, so a sound is a pure function of its seed.
"""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft

SAMPLE_RATE = 16_000
Signal = NDArray[np.floating]
Formants = Sequence[tuple[float, float]]
"""(center in Hz, gain) of each vocal resonance."""

_TABLE_SIZE = 2048


def seconds(num_samples: int) -> Signal:
    """Return the time axis in seconds."""
    return np.arange(num_samples) / SAMPLE_RATE


def to_samples(duration: float) -> int:
    """Number of samples in ``duration`` seconds, at least one."""
    return max(1, round(duration * SAMPLE_RATE))


def bump(frequency: Signal, center: float, octaves: float) -> Signal:
    """Return a spectral gain: a Gaussian of standard deviation ``octaves`` on the log frequency axis."""
    return np.exp(-0.5 * (np.log2(np.maximum(frequency, 1.0) / center) / octaves) ** 2)


def low(frequency: Signal, cutoff: float, order: float = 2.0) -> Signal:
    """Return the spectral gain of a low-pass of ``order`` (6 dB per octave and order)."""
    return 1.0 / np.sqrt(1.0 + (frequency / cutoff) ** (2.0 * order))


def shaped_noise(rng: Generator, num_samples: int, gain: Callable[[Signal], Signal]) -> Signal:
    """Return stationary Gaussian noise with amplitude spectrum ``gain(frequency in Hz)`` and unit RMS."""
    size = fft.next_fast_len(max(num_samples, 64), real=True)
    frequency = fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    spectrum = rng.standard_normal((frequency.size, 2), dtype=np.float32).view(np.complex64)[:, 0]
    noise = fft.irfft(spectrum * gain(frequency).astype(np.float32), size)[:num_samples]
    return noise / (np.sqrt(np.mean(noise**2)) + 1e-12)


def filtered(x: Signal, gain: Callable[[Signal], Signal | NDArray[np.bool_]]) -> Signal:
    """Filter with amplitude response ``gain(frequency in Hz)`` and zero phase."""
    size = fft.next_fast_len(x.size + 256, real=True)
    frequency = fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    return fft.irfft(fft.rfft(x, size) * gain(frequency), size)[: x.size]


def wander(rng: Generator, num_samples: int, rate: float) -> Signal:
    """Return a smooth random control curve in about [-1, 1] with ``rate`` independent values a second."""
    num_points = int(num_samples / SAMPLE_RATE * rate) + 4
    points = rng.uniform(-1.0, 1.0, num_points)
    position = np.arange(num_samples) * (rate / SAMPLE_RATE)
    index = position.astype(int)
    fraction = position - index
    blend = fraction * fraction * (3.0 - 2.0 * fraction)
    return points[index] * (1.0 - blend) + points[index + 1] * blend


def curve(num_samples: int, *points: tuple[float, float]) -> Signal:
    """Return a piecewise linear control curve through (fraction of the sound in [0, 1], value)."""
    where, values = zip(*points, strict=True)
    return np.interp(np.arange(num_samples) / max(num_samples - 1, 1), where, values)


def ramps(num_samples: int, attack: float, release: float) -> Signal:
    """Return a raised-cosine window: rises in ``attack`` seconds, falls in ``release`` seconds, flat between."""
    window = np.ones(num_samples)
    rise, fall = (min(to_samples(edge), num_samples // 2) for edge in (attack, release))
    if rise:
        window[:rise] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    if fall:
        window[-fall:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / fall)
    return window


def decay(num_samples: int, time_constant: float) -> Signal:
    """Return exp(-t / time_constant)."""
    return np.exp(-seconds(num_samples) / time_constant)


def phase_of(frequency: Signal, start: float = 0.0) -> Signal:
    """Return the phase in turns of an instantaneous frequency in Hz."""
    return start + np.cumsum(frequency) / SAMPLE_RATE


def tone(frequency: Signal, start: float = 0.0) -> Signal:
    """Return a sine with instantaneous frequency in Hz."""
    return np.sin(2.0 * np.pi * phase_of(frequency, start))


def pitched(frequency: Signal, amplitude: Callable[[Signal], Signal], rng: Generator | None = None) -> Signal:
    """Return harmonic tone at instantaneous ``frequency`` (Hz).

    ``amplitude`` maps frequencies in Hz to the gain of a harmonic there (at the mean pitch). Harmonics that
    would pass 7.6 kHz at the highest pitch are left out, so nothing aliases. Phases are random with ``rng``
    (smooth, bell-like) or all equal (pulse-like, rougher) without.
    """
    count = max(1, min(int(7600.0 / max(float(frequency.max()), 1.0)), _TABLE_SIZE // 4))
    number = np.arange(1, count + 1)
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=complex)
    phases = np.zeros(count) if rng is None else rng.uniform(0.0, 2.0 * np.pi, count)
    spectrum[1 : count + 1] = amplitude(number * float(frequency.mean())) * np.exp(1j * phases)
    table = fft.irfft(spectrum, _TABLE_SIZE)
    table /= np.sqrt(np.mean(table**2)) + 1e-12
    position = (phase_of(frequency) % 1.0) * _TABLE_SIZE
    index = position.astype(int) % _TABLE_SIZE
    fraction = position - np.floor(position)
    return table[index] * (1.0 - fraction) + table[(index + 1) % _TABLE_SIZE] * fraction


def vowel(formants: Formants, slope: float = 1.0) -> Callable[[Signal], Signal]:
    """Return the amplitude of a voice: a source falling as f**-slope through resonances of about 1/5 octave."""

    def amplitude(frequency: Signal) -> Signal:
        frequency = np.maximum(frequency, 40.0)
        resonance = sum(gain * bump(frequency, center, 0.28) for center, gain in formants)
        return (resonance + 0.02) * (frequency / 500.0) ** -slope

    return amplitude


def gliding_voice(frequency: Signal, vowels: Sequence[Formants], slope: float = 0.7) -> Signal:
    """Return a voice that glides through ``vowels`` at equal spacing while its pitch follows ``frequency``."""
    position = np.linspace(0.0, len(vowels) - 1.0, frequency.size)
    voices = (
        pitched(frequency, vowel(formants, slope)) * np.clip(1.0 - np.abs(position - i), 0.0, 1.0)
        for i, formants in enumerate(vowels)
    )
    return cast(Signal, sum(voices))


def modes(num_samples: int, frequencies: Signal, time_constants: Signal, amplitudes: Signal) -> Signal:
    """Return a struck body: sum of exponentially decaying sines, each below 7.8 kHz."""
    t = seconds(num_samples)
    sound = np.zeros(num_samples)
    for frequency, time_constant, amplitude in zip(frequencies, time_constants, amplitudes, strict=True):
        if frequency < 7800.0:
            stop = min(num_samples, to_samples(7.0 * time_constant))
            sound[:stop] += (
                amplitude * np.exp(-t[:stop] / time_constant) * np.sin(2.0 * np.pi * frequency * t[:stop])
            )
    return sound


def scatter(num_samples: int, starts: Signal, grains: Sequence[Signal], gains: Signal) -> Signal:
    """Return the sum of grains: grain i % len(grains) starts at ``starts[i]`` seconds with ``gains[i]``."""
    sound = np.zeros(num_samples)
    for i, (start, gain) in enumerate(zip(starts, gains, strict=True)):
        grain = grains[i % len(grains)]
        begin = int(start * SAMPLE_RATE)
        end = min(num_samples, begin + grain.size)
        if 0 <= begin < end:
            sound[begin:end] += gain * grain[: end - begin]
    return sound


def random_times(rng: Generator, num_samples: int, rate: float) -> Signal:
    """Return independent uniform times in seconds, about ``rate`` a second, at least one."""
    duration = num_samples / SAMPLE_RATE
    return rng.uniform(0.0, duration, max(1, round(rate * duration)))


def click(rng: Generator, length: float, center: float, octaves: float) -> Signal:
    """Return a noise burst around ``center`` Hz that decays within ``length`` seconds, peak about one."""
    num_samples = to_samples(length)
    burst = shaped_noise(rng, num_samples, lambda f: bump(f, center, octaves)) * decay(
        num_samples, length / 5
    )
    return burst * ramps(num_samples, 0.0003, length / 4) / (np.abs(burst).max() + 1e-12)


def room(rng: Generator, x: Signal, reverberation: float, wet: float) -> Signal:
    """Add a diffuse tail of energy ``wet`` that falls 60 dB in ``reverberation`` seconds."""
    from scipy import signal  # a second to import, wanted only where a sound is made

    size = to_samples(reverberation * 0.7)
    tail = rng.standard_normal(size, dtype=np.float32) * decay(size, reverberation / 6.9)
    tail *= wet / np.sqrt(np.sum(tail**2))
    return x + signal.oaconvolve(x, tail)[: x.size]
