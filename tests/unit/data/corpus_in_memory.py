"""A corpus for tests: clips and sounds from a dictionary, and a way to make it slow."""

import time
from collections.abc import Mapping

import numpy as np

from audiolcm.data.manifest import Clip, Event
from audiolcm.errors import UserError


class CorpusInMemory:
    """Clips are given by split; a sound is noise of the clip's duration, seeded by its name, or what `sounds` says."""

    name = "memory"

    def __init__(
        self,
        clips: Mapping[str, list[Clip]],
        sounds: Mapping[str, np.ndarray] | None = None,
        seconds_per_sound: float = 0.0,
        duration: float = 1.0,
    ) -> None:
        self.duration = duration
        self._clips = clips
        self._sounds = sounds or {}
        self._seconds_per_sound = seconds_per_sound
        self.num_decoded = 0

    def clips(self, split: str) -> list[Clip]:
        return self._clips.get(split, [])

    def waveform(self, clip: Clip) -> np.ndarray:
        self.num_decoded += 1
        time.sleep(self._seconds_per_sound)
        if clip.name.startswith("unreadable"):
            raise UserError(f"Audio file {clip.name}.wav cannot be read: it is no sound.")
        if clip.name in self._sounds:
            return self._sounds[clip.name]
        rng = np.random.default_rng(list(clip.name.encode()))
        return rng.uniform(-0.5, 0.5, round(clip.duration * 16000)).astype(np.float32)

    def fingerprint(self, digests: object = None) -> str:
        return "f" * 64


def clip(
    name: str, split: str = "train", duration: float = 1.0, caption: str = "A sound", row: int = 0
) -> Clip:
    events = (Event("sound", 0.0, duration),)
    return Clip(name, None, caption, f"<{caption}& all>", duration, split, ("sound",), events, row)


def corpus_of(num_clips: int, seconds_per_sound: float = 0.0) -> CorpusInMemory:
    """Clips of 0.5 to 1.4 s in train and three of validation, with one bad row."""
    train = [
        clip(f"clip{i}", duration=0.5 + 0.1 * (i % 10), caption=f"Sound {i % 4}") for i in range(num_clips)
    ]
    train.insert(3, clip("unreadable"))
    validation = [clip(f"held{i}", "validation", duration=0.7) for i in range(3)]
    return CorpusInMemory({"train": train, "validation": validation}, seconds_per_sound=seconds_per_sound)
