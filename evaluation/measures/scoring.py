"""What every measure needs: intervals by resampling clips, and the facts that a score records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor, Features
from evaluation.metrics.bootstrap import (
    MEAN_METHOD,
    STATISTIC_METHOD,
    Statistic,
    bootstrap_mean,
    bootstrap_statistic,
)
from evaluation.metrics.clips import ClipRows, FixedRows, Rows
from evaluation.record import Score
from evaluation.score import Ears, Trial

Interval = tuple[tuple[float, float] | None, str]


@dataclasses.dataclass(frozen=True)
class Resampling:
    """How 95% intervals are made. ``num_resamples``: draws of clips, below 2 for none; ``seed``: of the draws."""

    num_resamples: int
    seed: int

    def of_mean(self, values: np.ndarray) -> Interval:
        """Return the interval of the mean of values (clips,), and how it was made."""
        if self.num_resamples < 2 or len(values) < 2:
            return None, ""
        return bootstrap_mean(values, self.num_resamples, self.seed), MEAN_METHOD

    def of_statistic(self, statistics: Sequence[Statistic], num_clips: int, most: int = 10**9) -> Interval:
        """Return the interval of the mean of one statistic a seed; at most ``most`` draws where one takes long."""
        draws = min(self.num_resamples, most)
        if draws < 2 or num_clips < 2:
            return None, ""

        def mean(clips: np.ndarray) -> float:
            return float(np.mean([statistic(clips) for statistic in statistics]))

        return bootstrap_statistic(mean, num_clips, draws, self.seed), f"{STATISTIC_METHOD}, {draws} draws"


def stacked(features: Sequence[Features], name: str = "embedding") -> np.ndarray:
    """Return the arrays of a name, one below the other; vectors become rows."""
    return np.concatenate([np.atleast_2d(found[name]) for found in features])


def rows_by_clip(features: Sequence[Features], clip: np.ndarray) -> ClipRows:
    """Return the rows of ``embedding`` with the clip of each; ``clip`` (sounds,) numbers the clips of the sounds."""
    counts = [len(found["embedding"]) for found in features]
    return ClipRows(stacked(features), np.repeat(clip, counts))


def reference_rows(trial: Trial, features: Sequence[Features]) -> Rows:
    """Return the references' rows, resampled with the clips they belong to; fixed where they belong to none."""
    clip_of_reference = {
        item.reference: clip for item, clip in zip(trial.items, trial.clip_of_item, strict=True)
    }
    clips = [clip_of_reference.get(path) for path in trial.references]
    if None in clips:
        return FixedRows(stacked(features))
    return rows_by_clip(features, np.array(clips))


def expected_rows(name: str, trial: Trial, ears: Ears) -> Iterator[tuple[str, int, int]]:
    """Yield sounds and references as a message names them, the rows of ``embedding`` that they will give, its width.

    Nothing is yielded while the network is not known. Rows are counted as if all sounds were as long as the longest.
    """
    for what, count, seconds in trial.expected():
        if shapes := ears.shapes(name, seconds):
            rows, width = shapes["embedding"]
            yield f"{count} {what}", count * rows, width


def require_feature(key: str, name: str, feature: str, trial: Trial, ears: Ears) -> None:
    """Refuse a network that does not give a feature, such as ``logits``, once it is known.

    Raises:
        UserError: it gives others.
    """
    (_, _, seconds), _ = trial.expected()
    shapes = ears.shapes(name, seconds)
    if shapes is not None and feature not in shapes:
        raise UserError(
            f"metrics.{key}.extractor={name} gives {', '.join(shapes)}, and the metric needs {feature}: choose another "
            "network."
        )


def clip_means(trial: Trial, values: np.ndarray) -> np.ndarray:
    """Return the mean of values (items,) over the items of each clip, (clips,)."""
    return np.bincount(trial.clip_of_item, values) / np.bincount(trial.clip_of_item)


def scored(
    key: str,
    label: str,
    better: str,
    per_seed: Sequence[float],
    interval: Interval,
    extractor: Extractor,
    trial: Trial,
    num_reference: int = 0,
    **facts: Any,
) -> Score:
    """Return the score whose value is the mean over the seeds, with what is the same for every measure."""
    return Score(
        key=key,
        title=label if extractor.is_embedded else f"{label} ({extractor.name})",  # tables mark embedded ones
        value=float(np.mean(per_seed)),
        better=better,
        interval=interval[0],
        interval_method=interval[1],
        per_seed=tuple(float(value) for value in per_seed),
        num_generated=len(trial.items),
        num_reference=num_reference,
        extractor={"name": extractor.name, "identity": extractor.identity},
        is_embedded=extractor.is_embedded,
        **facts,
    )
