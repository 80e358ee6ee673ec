"""The corpus ``dataset=foley``: captioned sounds made by a program, a controlled test bed."""

import hashlib
import itertools
import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.random import SeedSequence, default_rng

from audiolcm.data.foley import scenes
from audiolcm.data.foley.event_class import EventClass
from audiolcm.data.foley.rendering import EVENT_CLASSES, render
from audiolcm.data.foley.scenes import Durations, Scene
from audiolcm.data.manifest import SPLITS, Clip, Event, Stated, check_split
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests

GENERATOR_VERSION = 1
"""Part of the fingerprint: raise it with ANY change of sounds, plans or words, or caches stay stale."""

SHORTEST, LONGEST = 2.0, 10.0
_ORDER, _MIXED, _PLAIN = range(3)
"""Random streams in a seed's spawn key: order of the turns, clips of a split, clips of one class."""

ClipKey = tuple[int, ...]
"""Of a clip in its split: stream, in that of one class a number of the class, index."""
T = TypeVar("T")


class ProceduralCorpus(ABC):
    """A corpus whose clips are functions of (seed, split, index) and its arguments alone, and named by the latter two.

    Args:
        counts: clips of each split, in the order of ``SPLITS``.
        duration: seconds of one training example.
        seed: of everything random.

    Raises:
        UserError: for bad arguments.
    """

    name: str

    def __init__(self, counts: Sequence[int], duration: float, seed: int) -> None:
        self._counts = dict(zip(SPLITS, counts, strict=True))
        self.duration = float(duration)
        self.seed = seed
        numbers = {f"num_{split}": count for split, count in self._counts.items()} | {"seed": seed}
        for argument, value in numbers.items():
            if not isinstance(value, int) or value < 0:
                raise UserError(f"{self.name}: {argument}={value!r} must be a whole number >= 0.")

    @abstractmethod
    def _clip(self, name: str) -> Clip:
        """Return the clip of a name."""

    @abstractmethod
    def stems(self, clip: Clip) -> list[np.ndarray]:
        """Return the sounds that a clip is the sum of: float32 (samples,)."""

    @abstractmethod
    def _facts(self) -> dict[str, object]:
        """Return the version of the generator and the arguments that are not those of every corpus."""

    def clips(self, split: str) -> list[Clip]:
        """Return the clips of a split, in order; makes no audio."""
        indices = range(self._counts[check_split(split)])
        return [self._clip(f"{self.name}_{split}_{index:06d}") for index in indices]

    def waveform(self, clip: Clip) -> np.ndarray:
        """Return the sound of a clip of this corpus: float32 (samples,), 16 kHz mono, peak at most 0.95."""
        return np.sum(self.stems(clip), axis=0, dtype=np.float32)

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the SHA-256 (hex) over the arguments and the version of the generator; there are no files."""
        facts = {"corpus": self.name, "counts": self._counts, "seed": self.seed} | self._facts()
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _seed(self, split: str, *key: int) -> SeedSequence:
        return SeedSequence(self.seed, spawn_key=(SPLITS.index(split), *key))

    def _turn(self, split: str, index: int, choices: Sequence[T]) -> T:
        """Return whose turn a clip is: each choice comes once in every round, in a shuffled order."""
        turn, place = divmod(index, len(choices))
        return choices[default_rng(self._seed(split, _ORDER, turn)).permutation(len(choices))[place]]

    def _chosen(self, argument: str, wanted: Iterable[str] | None, known: Mapping[str, T]) -> dict[str, T]:
        """Return what is known of the wanted labels, by label, sorted; None wants all."""
        labels = sorted(known if wanted is None else set(wanted))
        unknown = [label for label in labels if label not in known]
        if unknown or not labels:
            raise UserError(
                f"{self.name}: {argument}: {', '.join(unknown) or 'an empty list'} is not known; "
                f"choose among {', '.join(sorted(known))}, or null for all."
            )
        return {label: known[label] for label in labels}


class FoleyCorpus(ProceduralCorpus):
    """Deterministic procedural sounds with captions, structured captions, labels and event times.

    What a caption states (order, simultaneity, count, loudness, length) holds in the audio. A clip's sound
    depends only on (seed, split, index) and the arguments here, never on the process or on earlier calls.
    Clips longer than ``duration`` hold one steady texture only, so that a caption stays true of any crop.

    Args:
        num_train: clips of the training split.
        num_validation: clips of the validation split.
        num_test: clips of the test split.
        duration: seconds of one training example (crop or pad).
        seed: of everything random.
        compose_probability: share of clips with more than one source.
        min_duration: seconds of the shortest clips.
        max_duration: seconds of the longest clips.
        labels: classes to use (None: all).

    Raises:
        UserError: for bad arguments.
    """

    name = "foley"

    def __init__(
        self,
        num_train: int = 1200,
        num_validation: int = 64,
        num_test: int = 128,
        duration: float = 5.0,
        seed: int = 0,
        compose_probability: float = 0.5,
        min_duration: float = SHORTEST,
        max_duration: float = LONGEST,
        labels: Sequence[str] | None = None,
    ) -> None:
        super().__init__((num_train, num_validation, num_test), duration, seed)
        self.compose_probability = float(compose_probability)
        self._durations = Durations(float(min_duration), float(max_duration), self.duration)
        self._classes = self._chosen("labels", labels, EVENT_CLASSES)
        if not 0.0 <= self.compose_probability <= 1.0:
            raise UserError(f"foley: compose_probability={self.compose_probability} must lie in [0, 1].")
        shortest, longest = self._durations.shortest, self._durations.longest
        if not SHORTEST <= shortest <= longest <= LONGEST:
            raise UserError(
                f"foley: min_duration={shortest}, max_duration={longest} must satisfy "
                f"{SHORTEST} <= min_duration <= max_duration <= {LONGEST} (seconds)."
            )
        if not shortest <= self.duration < float("inf"):
            raise UserError(
                f"foley: duration={self.duration} must be at least min_duration={shortest} seconds, "
                "or crops would cut away what captions say."
            )

    @property
    def labels(self) -> list[str]:
        """Sorted names of the event classes in use."""
        return sorted(self._classes)

    def class_caption(self, label: str) -> str:
        """Return a plain caption that names one class and nothing else, e.g. "A dog barks"."""
        wording = self._event_class(label).wordings[0]
        text = f"{wording.subject} {wording.verb}"
        return text[0].upper() + text[1:]

    def class_structured_caption(self, label: str) -> str:
        """Return the structured caption of one class that lasts throughout, e.g. "<dog barking& all>"."""
        return f"<{self._event_class(label).wordings[0].tag}& all>"

    def class_clips(self, label: str, num_clips: int, split: str = "test") -> list[Clip]:
        """Return more clips of one class, ``duration`` (at most 10 s) long, captioned ``class_caption(label)``."""
        self._event_class(label)
        return [self._clip(f"foley_{split}_{label}_{index:06d}") for index in range(num_clips)]

    def stems(self, clip: Clip) -> list[np.ndarray]:
        """Return the sound of each source of a clip, float32 (samples,), in the order of ``scene(clip).sources``."""
        split, key, _ = self._place(clip.name)
        scene = self.scene(clip)
        seeds = [self._seed(split, *key, 1 + number) for number in range(len(scene.sources))]
        return render(scene, seeds)

    def scene(self, clip: Clip) -> Scene:
        """Plan of a clip: its sources with intervals, levels and what the caption states about each."""
        return self._scene(clip.name)

    def stated(self, clip: Clip) -> Stated:
        """Return the counts and order that a clip's caption states; sources that overlap are told to sound together."""
        sources = self.scene(clip).sources
        counts = {source.label: source.count for source in sources if source.count is not None}
        apart = all(before.span[1] <= after.span[0] for before, after in itertools.pairwise(sources))
        return Stated(counts, tuple(source.label for source in sources) if apart and len(sources) > 1 else ())

    def _facts(self) -> dict[str, object]:
        return {
            "version": GENERATOR_VERSION,
            "compose_probability": self.compose_probability,
            "durations": [self._durations.shortest, self._durations.longest, self.duration],
            "labels": self.labels,
        }

    def _event_class(self, label: str) -> EventClass:
        if label not in self._classes:
            raise UserError(f"foley: unknown class {label!r}; choose among {', '.join(self.labels)}.")
        return self._classes[label]

    def _place(self, name: str) -> tuple[str, ClipKey, str]:
        """Return split, key and, for a clip of one class, the label from a clip's name."""
        prefix, _, rest = name.partition("_")
        split, _, rest = rest.partition("_")
        label, _, index = rest.rpartition("_")
        is_known = prefix == self.name and split in SPLITS and index.isdecimal()
        if not is_known or (label and label not in self._classes):
            raise UserError(f"foley: {name!r} is no clip of this corpus; take clips from clips(split).")
        return (
            split,
            (_PLAIN, zlib.crc32(label.encode()), int(index)) if label else (_MIXED, int(index)),
            label,
        )

    def _scene(self, name: str) -> Scene:
        split, key, label = self._place(name)
        rng = default_rng(self._seed(split, *key, 0))
        if label:
            return scenes.plain(rng, self._classes[label], min(self.duration, LONGEST))
        event_class = self._turn(split, key[-1], list(self._classes.values()))
        if rng.random() < self.compose_probability:
            return scenes.composed(rng, event_class, self._classes, self._durations)
        return scenes.alone(rng, event_class, self._durations)

    def _clip(self, name: str) -> Clip:
        scene = self._scene(name)
        events = [Event(source.label, *sounding) for source in scene.sources for sounding in source.soundings]
        return Clip(
            name=name,
            audio_path=None,
            caption=scene.caption,
            structured_caption=scene.structured_caption,
            duration=scene.duration,
            split=self._place(name)[0],
            labels=tuple(source.label for source in scene.sources),
            events=tuple(sorted(events, key=lambda event: (event.start, event.end))),
        )
