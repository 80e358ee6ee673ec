"""From a plan to sound: every part by itself, mixed at the levels that the plan says."""

from collections.abc import Sequence

import numpy as np
from numpy.random import SeedSequence, default_rng

from audiolcm.data.foley.primitives import SAMPLE_RATE, Signal, filtered, low, ramps, room, to_samples
from audiolcm.data.tunes.instruments import BASS, DRUMS, LEADS, kit
from audiolcm.data.tunes.songs import Part, Song
from audiolcm.data.tunes.theory import hertz

PEAK_LIMIT = 0.95
LEAD_RMS = (0.07, 0.13)
"""Range of the melody's RMS before the peak is limited."""
_HIGHEST = 4500.0
"""Hz: instruments are low-passed here, so that the hi-hat stands out."""


def render_part(part: Part, num_samples: int, seed: SeedSequence) -> Signal:
    """Return the sound of one part, dry, of RMS one: (samples,)."""
    sound = np.zeros(num_samples)
    struck = kit(default_rng(seed)) if part.label == DRUMS else {}
    instrument = BASS if part.label == BASS.label else LEADS.get(part.label)
    played: dict[tuple[int | str, int], Signal] = {}
    for note in part.notes:
        begin, size = round(note.start * SAMPLE_RATE), to_samples(note.length)
        wanted = (note.sound, size)
        if wanted not in played:
            # The same voice for each note: one piano plays the whole tune.
            played[wanted] = (
                struck[note.sound]
                if note.sound in struck
                # pyrefly: ignore[missing-attribute, bad-argument-type]  (only drums lack an instrument and pitches)
                else _of_unit_peak(instrument.synthesize(default_rng(seed), hertz(note.sound), size))
            )
        unit = played[wanted][: num_samples - begin]
        sound[begin : begin + unit.size] += note.loudness * unit
    if not struck:
        sound = filtered(sound, lambda f: low(f, _HIGHEST, 6.0))
    return sound / (np.sqrt(np.mean(sound**2)) + 1e-12)


def render(song: Song, seeds: Sequence[SeedSequence]) -> list[Signal]:
    """Return float32 stems of the parts; their sum is the clip, its peak at most 0.95.

    Args:
        song: the plan.
        seeds: one for each part, and a last one for the room that all of them are in, and the loudness.
    """
    num_samples = to_samples(song.duration)
    *part_seeds, room_seed = seeds
    rng = default_rng(room_seed)
    volume, reverberation, wet = rng.uniform(*LEAD_RMS), rng.uniform(0.15, 0.4), rng.uniform(0.02, 0.15)
    edges = ramps(num_samples, 0.002, 0.03)
    stems = []
    for part, seed in zip(song.parts, part_seeds, strict=True):
        placed = room(default_rng(room_seed), render_part(part, num_samples, seed), reverberation, wet)
        level = volume * 10.0 ** (part.level / 20.0) / np.sqrt(np.mean(placed**2))
        stems.append(level * placed * edges)
    gain = min(1.0, PEAK_LIMIT / max(float(np.abs(sum(stems)).max()), 1e-9))
    return [(gain * stem).astype(np.float32) for stem in stems]


def _of_unit_peak(sound: Signal) -> Signal:
    return sound / (np.abs(sound).max() + 1e-12)
