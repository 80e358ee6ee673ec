"""Measures that compare each sound with its own reference or caption."""

from collections.abc import Sequence

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor, Features, TextAudioExtractor
from evaluation.measures.scoring import Resampling, clip_means, require_feature, scored, stacked
from evaluation.metrics.divergence import DIVERGENCES
from evaluation.metrics.similarity import cosine_similarity
from evaluation.record import Score
from evaluation.sound import SoundReader
from evaluation.trial import Ears, Trial

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


class Divergence:
    """The mean KL divergence between the class probabilities of each sound and of its reference.

    Args:
        extractor: the network.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
        kind: ``softmax`` (that of the tables), ``sigmoid``, ``exact`` or ``softmax_reversed``.

    Raises:
        UserError: on another kind.
    """

    needs_references = True
    is_paired = True

    def __init__(self, extractor: str, num_resamples: int, seed: int, kind: str = "softmax") -> None:
        if kind not in DIVERGENCES:
            raise UserError(
                f"metrics: kind={kind} of a divergence is unknown: choose {', '.join(DIVERGENCES)}."
            )
        self.extractor, self.kind = extractor, kind
        self.resampling = Resampling(num_resamples, seed)

    def foresee(self, key: str, trial: Trial, ears: Ears) -> None:
        """Refuse a network without classes; see ``ForeseesScores``."""
        require_feature(key, self.extractor, "logits", trial, ears)

    def score(self, key: str, trial: Trial, ears: Ears) -> Score:
        """Return the mean over all sounds; several sounds of one clip each meet the clip's reference."""
        reference = stacked(trial.true(ears, self.extractor), "logits")[trial.reference_of_item()]
        values = [
            DIVERGENCES[self.kind](reference, stacked(features, "logits"))
            for features in trial.generated(ears, self.extractor)
        ]
        direction = "generated || reference" if self.kind == "softmax_reversed" else "reference || generated"
        return paired_score(
            key, _LABELS[self.kind], "lower", values, ears[self.extractor], trial, self.resampling,
            len(trial.references), details={"direction": direction, "kind": self.kind},
        )  # fmt: skip


class ClapScore:
    """The mean cosine of each sound and its caption in a joint space; no temperature, no factor.

    Args:
        extractor: a network that reads captions too.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
        clamp: count negative cosines as 0, as ConsistencyTTA does.
        reader: how sounds are heard for this measure; null: as the protocol says.
    """

    needs_references = False
    is_paired = True

    def __init__(
        self,
        extractor: str,
        num_resamples: int,
        seed: int,
        clamp: bool = False,
        reader: SoundReader | None = None,
    ) -> None:
        self.extractor, self.clamp, self.reader = extractor, clamp, reader
        self.resampling = Resampling(num_resamples, seed)

    def foresee(self, key: str, trial: Trial, ears: Ears) -> None:
        """Refuse a network that reads no captions; see ``ForeseesScores``."""
        if (extractor := ears.foreseen(self.extractor)) is not None:
            _reader_of_captions(key, extractor)

    def score(self, key: str, trial: Trial, ears: Ears) -> Score:
        """Return the mean over all sounds.

        Raises:
            UserError: when the network reads no captions.
        """
        extractor = _reader_of_captions(key, ears[self.extractor])
        captions = ears.store.captions(extractor, [item.clip.caption for item in trial.items])
        values = [
            cosine_similarity(_joint(features), captions)
            for features in trial.generated(ears, self.extractor, self.reader)
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
