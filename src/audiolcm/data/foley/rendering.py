"""From a plan to sound."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from audiolcm.data.foley import household, living, outdoors
from audiolcm.data.foley.event_class import EventClass
from audiolcm.data.foley.primitives import SAMPLE_RATE, Signal, filtered, low, ramps, room
from audiolcm.data.foley.scenes import Interval, Scene, SoundSource

PEAK_LIMIT = 0.95
EVENT_CLASSES: Mapping[str, EventClass] = MappingProxyType(
    {
        label: event_class
        for module in (household, living, outdoors)
        for label, event_class in sorted(vars(module).items())
        if isinstance(event_class, EventClass)
    }
)
"""All event classes of the procedural data set, by label."""


def normalized(sound: Signal, active: Signal, level: float) -> Signal:
    """Scale to ``level``: the peak of noisy and struck sounds, 3.5 times the RMS of steady tones.

    Peaks alone would make a beep much louder than rain of one level. ``active`` is nonzero where it sounds.
    """
    power = float(np.sum(sound**2)) / max(int(np.count_nonzero(active)), 1)
    reference = max(float(np.abs(sound).max()), 3.5 * power**0.5, 1e-9)
    return sound * (level / reference)


def _surroundings(rng: Generator, sound: Signal) -> Signal:
    """Place the source: dry and near, in a room, or far away."""
    place = rng.random()
    reverberation = rng.uniform(0.15, 0.45)
    if place < 0.35:
        return sound
    if place < 0.8:
        return room(rng, sound, reverberation, rng.uniform(0.1, 0.35))
    cutoff = rng.uniform(2500.0, 5000.0)
    return filtered(room(rng, sound, reverberation + 0.2, 0.45), lambda f: low(f, cutoff, 1.0))


def _slice(interval: Interval) -> slice:
    return slice(round(interval[0] * SAMPLE_RATE), round(interval[1] * SAMPLE_RATE))


def render_source(source: SoundSource, num_samples: int, seed: SeedSequence) -> Signal:
    """Return the sound of one source on the time axis of its clip, exactly zero outside its soundings."""
    event_class = EVENT_CLASSES[source.label]
    voice_seed, place_seed, *unit_seeds = seed.spawn(2 + len(source.soundings))
    dry, window = np.zeros(num_samples), np.zeros(num_samples)
    for sounding, unit_seed in zip(source.soundings, unit_seeds, strict=True):
        where = _slice(sounding)
        length = where.stop - where.start
        rng = default_rng(unit_seed)
        # The same voice for each unit: the same dog barks three times.
        unit = event_class.synthesize(default_rng(voice_seed), rng, length)
        dry[where] = unit * rng.uniform(0.85, 1.0)
        window[where] = ramps(length, 0.001, min(0.03, 0.1 * length / SAMPLE_RATE))
    first, last = _slice(source.span).start, _slice(source.span).stop
    placed = np.zeros(num_samples)
    placed[first:last] = _surroundings(default_rng(place_seed), dry[first:last]) * window[first:last]
    return normalized(placed, window, source.level)


def render(scene: Scene, seeds: Sequence[SeedSequence]) -> list[Signal]:
    """Return float32 stems of the sources (one seed each); their sum is the clip, its peak at most 0.95."""
    num_samples = round(scene.duration * SAMPLE_RATE)
    stems = [
        render_source(source, num_samples, seed) for source, seed in zip(scene.sources, seeds, strict=True)
    ]
    gain = min(1.0, PEAK_LIMIT / max(float(np.abs(sum(stems)).max()), 1e-9))
    return [(gain * stem).astype(np.float32) for stem in stems]
