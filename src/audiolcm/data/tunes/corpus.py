"""The corpus ``dataset=foley_music``: captioned tunes made by a program, a controlled test bed for text-to-music."""

from collections.abc import Sequence

import numpy as np
from numpy.random import default_rng

from audiolcm.data.foley.corpus import ProceduralCorpus
from audiolcm.data.manifest import SPLITS, Clip, Event
from audiolcm.data.tunes.instruments import LEADS
from audiolcm.data.tunes.rendering import render
from audiolcm.data.tunes.songs import Part, Song, compose
from audiolcm.errors import UserError

GENERATOR_VERSION = 1
"""Part of the fingerprint: raise it with ANY change of sounds, plans or words, or caches stay stale."""

SHORTEST, LONGEST = 2.0, 30.0
_CLIP = 1
"""Random stream in a seed's spawn key: clips of a split."""


class FoleyMusicCorpus(ProceduralCorpus):
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
        super().__init__((num_train, num_validation, num_test), duration, seed)
        if not SHORTEST <= self.duration <= LONGEST:
            raise UserError(f"foley_music: duration={duration} must lie in {SHORTEST} to {LONGEST} seconds.")
        self._leads = self._chosen("instruments", instruments, LEADS)

    def stems(self, clip: Clip) -> list[np.ndarray]:
        """Return the sound of each part of a clip, float32 (samples,), in the order of ``song(clip).parts``."""
        split, index = self._place(clip.name)
        song = self._song(split, index)
        return render(song, [self._seed(split, _CLIP, index, 1 + i) for i in range(len(song.parts) + 1)])

    def song(self, clip: Clip) -> Song:
        """Plan of a clip: tempo, key, and who plays which notes."""
        return self._song(*self._place(clip.name))

    def _facts(self) -> dict[str, object]:
        return {"version": GENERATOR_VERSION, "duration": self.duration, "instruments": list(self._leads)}

    def _place(self, name: str) -> tuple[str, int]:
        """Split and index from a clip's name."""
        split, _, index = name.removeprefix(f"{self.name}_").partition("_")
        if not name.startswith(f"{self.name}_") or split not in SPLITS or not index.isdecimal():
            raise UserError(f"foley_music: {name!r} is no clip of this corpus; take clips from clips(split).")
        return split, int(index)

    def _song(self, split: str, index: int) -> Song:
        rng = default_rng(self._seed(split, _CLIP, index, 0))
        return compose(rng, self._turn(split, index, list(self._leads.values())), self.duration)

    def _clip(self, name: str) -> Clip:
        split, index = self._place(name)
        song = self._song(split, index)
        return Clip(
            name=name,
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
