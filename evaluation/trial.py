"""One system under one protocol: its sounds, the networks that hear them, its scores."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from audiolcm.configuration.build import build
from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor, Features
from evaluation.features.store import FeatureStore
from evaluation.protocol import ProtocolItem
from evaluation.record import Score
from evaluation.sound import SoundReader

EMBEDDED = "embedded"


class Extractors:
    """The networks of an evaluation, each loaded when first needed, behind one store of their features.

    Args:
        nodes: the configuration of each network by name, the section ``features``.
        store: where features are kept.
        embedded: makes the embedded evaluator's extractor, trained now if need be.
        device: of torch, for all of them.
        untrained: makes that extractor without training, to be asked for the shapes of its features.
    """

    def __init__(
        self,
        nodes: Mapping[str, Any],
        store: FeatureStore,
        embedded: Callable[[], Extractor],
        device: str = "cpu",
        untrained: Callable[[], Extractor] | None = None,
    ) -> None:
        self._nodes, self._embedded, self._device = nodes, embedded, device
        self._loaded: dict[str, Extractor] = {}
        self._shapes: dict[tuple[str, float], dict[str, tuple[int, ...]]] = {}
        self._untrained = untrained
        self._foreseen: Extractor | None = None
        self.store = store

    def load(self, names: Sequence[str]) -> None:
        """Load the networks of these names: of files at hand, then what may be fetched, then what is trained.

        Raises:
            UserError: one message for all of a kind that cannot be had; those after it were not touched.
        """
        trained = [name for name in names if name == EMBEDDED]
        fetched = [name for name in names if name in self._nodes and not self._nodes[name].get("weights")]
        at_hand = [name for name in names if name not in (*trained, *fetched)]
        for kind in (at_hand, fetched, trained):
            problems = []
            for name in dict.fromkeys(kind):
                try:
                    self[name]
                except UserError as error:
                    problems.append(str(error))
            if problems:
                raise UserError("\n".join(problems))

    def foreseen(self, name: str) -> Extractor | None:
        """Return what tells of a network before it is trained: a loaded one itself, the embedded one untrained.

        None where nothing is known of it yet. Features of an untrained one say nothing, but their shapes do.
        """
        if name == EMBEDDED and name not in self._loaded and self._untrained is not None:
            self._foreseen = self._foreseen or self._untrained()
            return self._foreseen
        return self._loaded.get(name)

    def shapes(self, name: str, seconds: float | None) -> dict[str, tuple[int, ...]] | None:
        """Return the shape of each feature of a sound that lasts so long; None while they are not known."""
        extractor = self.foreseen(name)
        if extractor is None or seconds is None:
            return None
        if (name, seconds) not in self._shapes:
            length = round(seconds * extractor.sample_rate)
            noise = np.random.default_rng(0).standard_normal(length, np.float32)
            (found,) = extractor.extract([0.1 * noise])
            self._shapes[name, seconds] = {feature: array.shape for feature, array in found.items()}
        return self._shapes[name, seconds]

    def __getitem__(self, name: str) -> Extractor:
        if name not in self._loaded:
            self._loaded[name] = self._make(name)
        return self._loaded[name]

    def _make(self, name: str) -> Extractor:
        if name == EMBEDDED:
            return self._embedded()
        if name not in self._nodes:
            raise UserError(f"features.{name} is not configured; there are: {', '.join(self._nodes)}.")
        return build(self._nodes[name], f"features.{name}", device=self._device)


Ears = Extractors
"""The name that classes of other people import it by since earlier versions."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """Sounds to be scored against their captions and references.

    Attributes:
        items: the captions.
        sounds: for each seed one file for each item.
        references: the true sounds.
        reader: how both sides are heard.
        readers: by the name of a network, how that one hears both sides instead.
        allowed: troubles that the user accepts, see ``evaluation.inspection``.
        longest: seconds of the longest sound and of the longest reference, as far as known before there are sounds.
    """

    items: tuple[ProtocolItem, ...]
    sounds: tuple[tuple[Path, ...], ...]
    references: tuple[Path, ...]
    reader: SoundReader
    allowed: frozenset[str] = frozenset()
    longest: tuple[float, float] | None = None
    readers: Mapping[str, SoundReader] = dataclasses.field(default_factory=dict)

    def reader_of(self, network: str) -> SoundReader:
        """Return how a network hears both sides."""
        return self.readers.get(network, self.reader)

    def expected(self, network: str = "") -> list[tuple[str, int, float | None]]:
        """Return for sounds and references what they are, their number, and the most seconds that a network hears."""
        counts = {"generated sounds": len(self.items), "references": len(self.references)}
        lengths = self.longest or (None, None)
        seconds = [None if length is None else self._heard(network, length) for length in lengths]
        return [(what, count, length) for (what, count), length in zip(counts.items(), seconds, strict=True)]

    def _heard(self, network: str, seconds: float) -> float:
        reader = self.reader_of(network)
        longest = math.inf if reader.max_seconds is None else reader.max_seconds
        return max(reader.min_seconds, min(seconds, longest))

    @cached_property
    def clip_of_item(self) -> np.ndarray:
        """Return for each item the number of its clip (items,): captions of one clip are no independent draws."""
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(item.clip_name, len(numbers)) for item in self.items])

    def generated(
        self, extractors: Extractors, name: str, reader: SoundReader | None = None
    ) -> list[list[Features]]:
        """Return the features of every sound, ``[seed][item]``, heard as the network hears or by another reader."""
        paths = [path for seed in self.sounds for path in seed]
        flat = extractors.store.features(extractors[name], reader or self.reader_of(name), paths)
        count = len(self.items)
        return [flat[first : first + count] for first in range(0, len(flat), count)]

    def true(self, extractors: Extractors, name: str) -> list[Features]:
        """Return the features of every distinct reference."""
        return extractors.store.features(extractors[name], self.reader_of(name), self.references)

    def where(self, applies: Callable[[ProtocolItem], bool]) -> "Trial":
        """Return the part of the items that a condition holds for, with their sounds; all references stay."""
        kept = [index for index, item in enumerate(self.items) if applies(item)]
        sounds = tuple(tuple(seed[index] for index in kept) for seed in self.sounds)
        return dataclasses.replace(self, items=tuple(self.items[index] for index in kept), sounds=sounds)

    def reference_of_item(self) -> list[int]:
        """Return for each item the position of its reference among ``references``."""
        position = {path: number for number, path in enumerate(self.references)}
        return [position[item.reference] for item in self.items]


class NothingToMeasure(UserError):
    """No caption of a trial says anything that a measure could check: its column is left out, and that is noted."""


@runtime_checkable
class Measure(Protocol):
    """One column of a table.

    Attributes:
        extractor: the network that it needs, by its name in the section ``features``.
        needs_references: whether true sounds are needed.
        is_paired: whether it compares each sound with its own caption, label or reference.
    """

    extractor: str
    needs_references: bool
    is_paired: bool

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the score of a trial under ``key``.

        Raises:
            NothingToMeasure: when the measure does not apply to any item.
            UserError: when the sounds are too few, or the network is not one for it.
        """
        ...


@runtime_checkable
class ForeseesScores(Protocol):
    """A measure that can tell before there are sounds that it will have no score."""

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse what ``score`` would, as far as numbers of sounds and shapes of features are known.

        Raises:
            UserError: as ``score``.
        """
        ...
