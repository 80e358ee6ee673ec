"""Measures of whole sets of sounds: Frechet distances, the kernel distance, the inception score."""

from collections.abc import Sequence

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Features
from evaluation.features.store import reference_gaussian
from evaluation.measures.scoring import (
    NetworkMeasure,
    Resampled,
    expected_rows,
    reference_rows,
    require_feature,
    rows_by_clip,
    scored,
    stacked,
)
from evaluation.metrics import inception
from evaluation.metrics.clips import frechet_of_clips, kernel_of_clips
from evaluation.metrics.frechet import (
    Gaussian,
    fit_gaussian,
    frechet_distance,
    frechet_distance_from_rows,
    frechet_infinity,
    require_more_rows,
    require_rows,
)
from evaluation.metrics.kernel import kernel_audio_distance, median_distance
from evaluation.record import Score
from evaluation.trial import Extractors, Trial

_WIDE = 512  # features from which one resampled Frechet distance takes long
_DRAWS_OF_WIDE = 50  # leave an error of a tenth in the standard error


class _SetMeasure(NetworkMeasure):
    """What measures of whole sets share."""

    is_paired = False

    def reference(self, trial: Trial, extractors: Extractors) -> Gaussian:
        """Return the Gaussian of the references' rows of ``embedding``, kept from before where it can be."""
        reader, network = trial.reader_of(self.extractor), extractors[self.extractor]
        return reference_gaussian(extractors.store, network, reader, trial.references)


class FrechetDistance(_SetMeasure):
    """The Frechet distance between the generated and the true rows of ``embedding``.

    Args:
        extractor, num_resamples, seed: see ``NetworkMeasure``.
        label: FAD by convention for networks that give several rows a sound, FD for one.
        allow_few_clips: accept fewer rows than the network has dimensions, with a note.
    """

    def __init__(
        self, extractor: str, num_resamples: int, seed: int, label: str = "FAD", allow_few_clips: bool = False
    ) -> None:
        super().__init__(extractor, num_resamples, seed)
        self.label, self.allow_few_clips = label, allow_few_clips

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse too few rows; see ``ForeseesScores``."""
        for what, num_rows, width in expected_rows(self.extractor, trial, extractors):
            self._few_rows(what, num_rows, width, trial)

    def _few_rows(self, what: str, num_rows: int, width: int, trial: Trial) -> list[str]:
        """Return a note where there are too few rows for a covariance and that is allowed."""
        remedy = "Take more clips, or accept a figure that orders nothing: allow=[few_clips]."
        is_allowed = self.allow_few_clips or "few_clips" in trial.allowed
        require_rows(num_rows, width, f"{self.label} ({self.extractor}): {what}", remedy, is_allowed)
        if num_rows > width:
            return []
        return [f"{what} give {num_rows} rows of {width} features: compare only at equal numbers of clips"]

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the distance.

        Raises:
            UserError: when there are too few rows for the network's dimensions.
        """
        seeds, true = trial.generated(extractors, self.extractor), trial.true(extractors, self.extractor)
        notes = tuple(
            note
            for what, features in (("generated sounds", seeds[0]), ("references", true))
            for note in self._few_rows(f"{len(features)} {what}", *_size(features), trial)
        )
        per_seed = [self._distance(trial, extractors, features, true) for features in seeds]
        most = _DRAWS_OF_WIDE if true[0]["embedding"].shape[1] > _WIDE else self.resampling.num_resamples
        clip, reference = trial.clip_of_item, reference_rows(trial, true)
        statistics = [frechet_of_clips(rows_by_clip(features, clip), reference) for features in seeds]
        interval = self.resampling.of_statistic(statistics, int(clip.max()) + 1, most)
        return scored(
            key,
            self.label,
            "lower",
            per_seed,
            interval,
            extractors[self.extractor],
            trial,
            len(true),
            notes=notes,
        )

    def _distance(
        self, trial: Trial, extractors: Extractors, features: Sequence[Features], true: Sequence[Features]
    ) -> float:
        rows, reference = stacked(features), stacked(true)
        if min(len(rows), len(reference)) <= rows.shape[1]:
            return frechet_distance_from_rows(rows, reference)
        return frechet_distance(fit_gaussian(rows), self.reference(trial, extractors))


class FrechetInfinity(_SetMeasure):
    """FAD extrapolated to infinitely many generated rows.

    Args:
        extractor: the network.
        num_resamples: not used: the extrapolation already resamples.
        seed: of the drawing.
        min_rows: the smallest set that is drawn.
    """

    def __init__(self, extractor: str, num_resamples: int, seed: int, min_rows: int = 500) -> None:
        super().__init__(extractor, num_resamples, seed)
        self.min_rows = min_rows

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse too few rows of sounds; see ``ForeseesScores``."""
        for _, num_rows, _ in list(expected_rows(self.extractor, trial, extractors))[:1]:
            require_more_rows(num_rows, self.min_rows)

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the extrapolated distance; ``details`` has slope and R^2 of each seed.

        Raises:
            UserError: when there are too few rows.
        """
        extractor = extractors[self.extractor]
        reference = self.reference(trial, extractors)
        drawn = self.resampling.seed, self.min_rows
        found = [frechet_infinity(rows, reference, *drawn) for rows in self.rows(trial, extractors)]
        details = {"slope": [line.slope for line in found], "r_squared": [line.r_squared for line in found]}
        values, count = [line.value for line in found], len(trial.references)
        return scored(key, "FAD-inf", "lower", values, Resampled(), extractor, trial, count, details=details)


class KernelDistance(_SetMeasure):
    """KAD between the generated and the true rows of ``embedding``.

    Args:
        extractor, num_resamples, seed: see ``NetworkMeasure``.
        bandwidth: of the kernel: the median distance within the ``reference``, as kadtk's README says, or within the
            ``evaluated`` set, as its command computes.

    Raises:
        UserError: on another bandwidth.
    """

    def __init__(self, extractor: str, num_resamples: int, seed: int, bandwidth: str = "reference") -> None:
        super().__init__(extractor, num_resamples, seed)
        if bandwidth not in ("reference", "evaluated"):
            raise UserError(
                f"metrics: bandwidth={bandwidth} of KAD is unknown: choose reference or evaluated."
            )
        self.bandwidth = bandwidth

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the distance, 100 times the unbiased squared discrepancy; it may be negative."""
        seeds, true = trial.generated(extractors, self.extractor), trial.true(extractors, self.extractor)
        rows, reference = [stacked(features) for features in seeds], stacked(true)
        widths = [median_distance(own) if self.bandwidth == "evaluated" else None for own in rows]
        per_seed = [kernel_audio_distance(own, reference, h) for own, h in zip(rows, widths, strict=True)]
        clip, known = trial.clip_of_item, reference_rows(trial, true)
        by_clip = (rows_by_clip(features, clip) for features in seeds)
        statistics = [kernel_of_clips(own, known, h) for own, h in zip(by_clip, widths, strict=True)]
        interval = self.resampling.of_statistic(statistics, int(clip.max()) + 1)
        label = f"KAD, {self.bandwidth} bandwidth"
        return scored(key, label, "lower", per_seed, interval, extractors[self.extractor], trial, len(true))


class InceptionScore(_SetMeasure):
    """IS of the network's logits, sounds in the order of their names.

    Args:
        extractor, num_resamples, seed: see ``NetworkMeasure``; ``seed`` is not that of the splits.
        num_splits: the figure is the mean over them.
        split_seed: of the shuffle before the splits.
    """

    needs_references = False

    def __init__(
        self, extractor: str, num_resamples: int, seed: int, num_splits: int = 10, split_seed: int = 2020
    ) -> None:
        super().__init__(extractor, num_resamples, seed)
        self.num_splits, self.split_seed = num_splits, split_seed

    def foresee(self, key: str, trial: Trial, extractors: Extractors) -> None:
        """Refuse too few sounds for the splits, and a network without classes; see ``ForeseesScores``."""
        inception.require_sounds(len(trial.items), self.num_splits)
        require_feature(key, self.extractor, "logits", trial, extractors)

    def score(self, key: str, trial: Trial, extractors: Extractors) -> Score:
        """Return the score; ``details`` has the spread over the splits of each seed.

        Raises:
            UserError: when there are fewer sounds than splits.
        """
        order = sorted(range(len(trial.items)), key=lambda index: trial.items[index].name)
        clip = trial.clip_of_item[order]
        seeds = [logits[order] for logits in self.rows(trial, extractors, "logits")]
        found = [inception.inception_score(logits, self.num_splits, self.split_seed) for logits in seeds]
        sounds_of_clip = [np.flatnonzero(clip == number) for number in range(int(clip.max()) + 1)]

        def resampled(logits: np.ndarray, clips: np.ndarray) -> float:
            drawn = logits[np.concatenate([sounds_of_clip[number] for number in clips])]
            return inception.inception_score(drawn, self.num_splits, self.split_seed).mean

        statistics = [lambda clips, logits=logits: resampled(logits, clips) for logits in seeds]
        values = [score.mean for score in found]
        made = self.resampling.of_statistic(statistics, len(sounds_of_clip))
        # Resampled sounds come in the order of the clips, on which the splits depend: only the width is the figure's.
        if made.interval is not None:
            half = (made.interval[1] - made.interval[0]) / 2
            made = made._replace(interval=(float(np.mean(values)) - half, float(np.mean(values)) + half))
        details = {"std_over_splits": [score.std for score in found]}
        return scored(key, "IS", "higher", values, made, extractors[self.extractor], trial, details=details)


def _size(features: Sequence[Features]) -> tuple[int, int]:
    """Return the number of rows of ``embedding`` in all, and their width."""
    return sum(len(found["embedding"]) for found in features), features[0]["embedding"].shape[1]
