"""Measures that compare each sound with its own reference, its caption, or what is known of its clip."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor, Features, TextAudioExtractor
from evaluation.measures.scoring import (
    NetworkMeasure,
    Resampling,
    clip_means,
    require_feature,
    scored,
    stacked,
)
from evaluation.metrics.divergence import DIVERGENCES
from evaluation.metrics.similarity import cosine_similarity
from evaluation.protocol import ProtocolItem
from evaluation.record import Score
from evaluation.sound import SoundReader
from evaluation.trial import Extractors, NothingToMeasure, Trial

_LABELS = {"softmax": "KL", "sigmoid": "KL sigmoid", "exact": "KL exact", "softmax_reversed": "KL reversed"}


def paired_score(
    key: str,
    label: str,
    better: str,
    values: Sequence[np.ndarray],
    extractor: Extractor,
    trial: Trial,
    resampling: Resampling,
    num_reference: int = 0,
    **facts: object,
) -> Score:
    """Return the score that is the mean of ``values`` (items,), one array a seed; the record keeps each item's."""
    by_item = np.mean(values, axis=0)
    interval = resampling.of_mean(clip_means(trial, by_item), [clip_means(trial, seed) for seed in values])
    per_clip = {item.name: float(value) for item, value in zip(trial.items, by_item, strict=True)}
    per_seed = [float(np.mean(seed)) for seed in values]
    return scored(
        key, label, better, per_seed, interval, extractor, trial, num_reference, per_clip=per_clip, **facts
    )


class Divergence(NetworkMeasure):
    """The mean KL divergence between the class probabilities of each sound and of its reference.

    Args:
        extractor, num_resamples, seed: see ``NetworkMeasure``.
        kind: ``softmax`` (that of the tables), ``sigmoid``, ``exact`` or ``softmax_reversed``.

    Raises:
        UserError: on another kind.
    """

    def __init__(self, extractor: str, num_resamples: int, seed: int, kind: str = "softmax") -> None:
        super().__init__(extractor, num_resamples, seed)
        if kind not in DIVERGENCES:
            raise UserError(
                f"metrics: kind={kind} of a divergence is unknown: choose {', '.join(DIVERGENCES)}."
            )
        self.kind = kind

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse a network without classes; see ``ForeseesScores``."""
        require_feature(key, self.extractor, "logits", trial, extractors)

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the mean over all sounds; several sounds of one clip each meet the clip's reference."""
        reference = stacked(trial.true(extractors, self.extractor), "logits")[trial.reference_of_item()]
        divergence = DIVERGENCES[self.kind]
        values = [divergence(reference, logits) for logits in self.rows(trial, extractors, "logits")]
        direction = "generated || reference" if self.kind == "softmax_reversed" else "reference || generated"
        return paired_score(
            key, _LABELS[self.kind], "lower", values, extractors[self.extractor], trial, self.resampling,
            len(trial.references), details={"direction": direction, "kind": self.kind},
        )  # fmt: skip


class ClapScore(NetworkMeasure):
    """The mean cosine of each sound and its caption in a joint space; no temperature, no factor.

    Args:
        extractor, num_resamples, seed: see ``NetworkMeasure``; the network must read captions too.
        clamp: count negative cosines as 0, as ConsistencyTTA does.
        reader: how sounds are heard for this measure; null: as the protocol says.
    """

    needs_references = False

    def __init__(
        self,
        extractor: str,
        num_resamples: int,
        seed: int,
        clamp: bool = False,
        reader: SoundReader | None = None,
    ) -> None:
        super().__init__(extractor, num_resamples, seed)
        self.clamp, self.reader = clamp, reader

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse a network that reads no captions; see ``ForeseesScores``."""
        if (extractor := extractors.foreseen(self.extractor)) is not None:
            _reader_of_captions(key, extractor)

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the mean over all sounds.

        Raises:
            UserError: when the network reads no captions.
        """
        extractor = _reader_of_captions(key, extractors[self.extractor])
        captions = extractors.store.captions(extractor, [item.clip.caption for item in trial.items])
        values = [
            cosine_similarity(_joint(features), captions)
            for features in trial.generated(extractors, self.extractor, self.reader)
        ]
        if self.clamp:
            values = [value.clip(min=0) for value in values]
        label = "CLAP, clamped" if self.clamp else "CLAP"
        return paired_score(key, label, "higher", values, extractor, trial, self.resampling)


def _reader_of_captions(key: str, extractor: Extractor) -> TextAudioExtractor:
    if not isinstance(extractor, TextAudioExtractor):
        raise UserError(
            f"metrics.{key}: {extractor.name} reads no captions; choose one of the CLAP networks."
        )
    return extractor


def _joint(features: Sequence[Features]) -> np.ndarray:
    """Return the vectors of the joint space: ``joint`` where a network has other rows for distances."""
    return stacked(features, "joint" if "joint" in features[0] else "embedding")


Numbers = TypeVar("Numbers")
"""What stands for a label among the classes of the network: a number, or several."""


class TruthMeasure(NetworkMeasure, ABC, Generic[Numbers]):
    """A mean over the clips whose truth says something: each sound is judged by what its clip is known to be."""

    needs_references = False
    label = ""
    states = "a label"

    def applies(self, item: ProtocolItem) -> bool:
        """Return whether the truth of an item says anything here: whether the clip has labels."""
        return bool(item.clip.labels)

    @abstractmethod
    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, Numbers]) -> float:
        """Return what a sound is worth, 0 to 1."""

    @abstractmethod
    def numbers(self, key: str, part: Trial, extractor: Extractor | None) -> dict[str, Numbers]:
        """Return what stands for each label, once all labels of these items are known to the network.

        Raises:
            UserError: it is no network for this, or does not know a label.
        """

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse another network, and labels that it does not know; see ``ForeseesScores``."""
        self.numbers(key, trial.where(self.applies), extractors.foreseen(self.extractor))

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the mean over the items that the measure applies to.

        Raises:
            NothingToMeasure: when it applies to none.
            UserError: as ``numbers``.
        """
        extractor, part = extractors[self.extractor], trial.where(self.applies)
        numbers = self.numbers(key, part, extractor)
        if not part.items:
            raise NothingToMeasure(
                f"{key} is left out: none of the {len(trial.items)} captions states {self.states}."
            )
        values = [
            np.array([self.judge(f, item, numbers) for f, item in zip(features, part.items, strict=True)])
            for features in part.generated(extractors, self.extractor)
        ]
        return paired_score(key, self.label, "higher", values, extractor, part, self.resampling)
