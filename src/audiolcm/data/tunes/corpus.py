"""The corpus ``dataset=foley_music``: captioned tunes made by a program, a controlled test bed for text-to-music."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.random import SeedSequence, default_rng

from audiolcm.data.manifest import SPLITS, Clip, Event, check_split
from audiolcm.data.tunes.instruments import LEADS, Instrument
from audiolcm.data.tunes.rendering import render
from audiolcm.data.tunes.songs import Part, Song, compose
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests

GENERATOR_VERSION = 1
"""Part of the fingerprint: raise it with ANY change of sounds, plans or words, or caches stay stale."""

SHORTEST, LONGEST = 2.0, 30.0
_ORDER, _CLIP = range(2)
"""Random streams in a seed's spawn key: order of the instruments, clips of a split."""


class FoleyMusicCorpus:
    """Deterministic procedural tunes with captions, structured captions and labels: the instruments that play.

    What a caption states (instruments, tempo, key, pace, loudness of the drums) holds in the audio; what it does not
    name is not there. A clip's sound depends only on (seed, split, index) and the arguments here, never on the process
    or on earlier calls. As in MusicCaps all clips have one length, here that of a training example, so that no crop
    makes a caption untrue.

    Args:
        num_train: clips of the training split.
        num_validation: clips of the validation split.
        num_test: clips of the test split.
        duration: seconds of every clip.
        seed: of everything random.
        instruments: which may play the melody (None: all); they take turns.

    Raises:
        UserError: for bad arguments.
    """

    name = "foley_music"

    def __init__(
        self,
        num_train: int = 1200,
        num_validation: int = 64,
        num_test: int = 128,
        duration: float = 5.0,
        seed: int = 0,
        instruments: Sequence[str] | None = None,
    ) -> None:
        self._counts = dict(zip(SPLITS, (num_train, num_validation, num_test), strict=True))
        self.duration = float(duration)
        self.seed = seed
        for split, count in self._counts.items():
            if not isinstance(count, int) or count < 0:
                raise UserError(f"foley_music: num_{split}={count!r} must be a whole number >= 0.")
        if not isinstance(seed, int) or seed < 0:
            raise UserError(f"foley_music: seed={seed!r} must be a whole number >= 0.")
        if not SHORTEST <= self.duration <= LONGEST:
            raise UserError(f"foley_music: duration={duration} must lie in {SHORTEST} to {LONGEST} seconds.")
        self._leads = _chosen(instruments)

    def clips(self, split: str) -> list[Clip]:
        """Return the clips of a split, in order; makes no audio."""
        return [self._clip(split, index) for index in range(self._counts[check_split(split)])]

    def waveform(self, clip: Clip) -> np.ndarray:
        """Return the sound of a clip of this corpus: float32 (samples,), 16 kHz mono, peak at most 0.95."""
        return np.sum(self.stems(clip), axis=0, dtype=np.float32)

    def stems(self, clip: Clip) -> list[np.ndarray]:
        """Return the sound of each part of a clip, float32 (samples,), in the order of ``song(clip).parts``."""
        split, index = self._place(clip.name)
        song = self._song(split, index)
        return render(song, [self._seed(split, _CLIP, index, 1 + i) for i in range(len(song.parts) + 1)])

    def song(self, clip: Clip) -> Song:
        """Plan of a clip: tempo, key, and who plays which notes."""
        return self._song(*self._place(clip.name))

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the SHA-256 (hex) over the arguments and GENERATOR_VERSION; there are no files."""
        facts = {
            "corpus": self.name,
            "version": GENERATOR_VERSION,
            "counts": self._counts,
            "seed": self.seed,
            "duration": self.duration,
            "instruments": [lead.label for lead in self._leads],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _seed(self, split: str, *key: int) -> SeedSequence:
        return SeedSequence(self.seed, spawn_key=(SPLITS.index(split), *key))

    def _place(self, name: str) -> tuple[str, int]:
        """Split and index from a clip's name."""
        split, _, index = name.removeprefix(f"{self.name}_").partition("_")
        if not name.startswith(f"{self.name}_") or split not in SPLITS or not index.isdecimal():
            raise UserError(f"foley_music: {name!r} is no clip of this corpus; take clips from clips(split).")
        return split, int(index)

    def _song(self, split: str, index: int) -> Song:
        rng = default_rng(self._seed(split, _CLIP, index, 0))
        return compose(rng, self._turn(split, index), self.duration)

    def _turn(self, split: str, index: int) -> Instrument:
        """Return who plays the melody: each instrument once in every round, in a shuffled order."""
        turn, place = divmod(index, len(self._leads))
        order = default_rng(self._seed(split, _ORDER, turn)).permutation(len(self._leads))
        return self._leads[order[place]]

    def _clip(self, split: str, index: int) -> Clip:
        song = self._song(split, index)
        return Clip(
            name=f"{self.name}_{split}_{index:06d}",
            audio_path=None,
            caption=song.caption,
            structured_caption=song.structured_caption,
            duration=song.duration,
            split=split,
            labels=tuple(part.label for part in song.parts),
            events=tuple(sorted(map(_event, song.parts), key=lambda event: (event.start, event.end))),
        )


def _event(part: Part) -> Event:
    """Return a part as one sound, from its first note to the end of its last."""
    return Event(part.label, part.notes[0].start, max(note.start + note.length for note in part.notes))


def _chosen(labels: Sequence[str] | None) -> list[Instrument]:
    chosen = sorted(LEADS) if labels is None else sorted(set(labels))
    unknown = [label for label in chosen if label not in LEADS]
    if unknown or not chosen:
        raise UserError(
            f"foley_music: instruments: {', '.join(unknown) or 'an empty list'} is not known; "
            f"choose among {', '.join(sorted(LEADS))}, or null for all."
        )
    return [LEADS[label] for label in chosen]
