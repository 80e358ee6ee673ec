"""What every measure needs: intervals by resampling clips, and the facts that a score records."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from audiolcm.errors import UserError
from audiolcm.storage.hashing import content_hash
from evaluation.features.extractor import Extractor, Features
from evaluation.metrics.bootstrap import (
    MEAN_METHOD,
    STATISTIC_METHOD,
    Statistic,
    bootstrap_mean,
    bootstrap_statistic,
    resampled,
)
from evaluation.metrics.clips import ClipRows, FixedRows, Rows
from evaluation.record import Score
from evaluation.trial import Extractors, Trial

Draws = tuple[tuple[float, ...], ...]
Interval = tuple[tuple[float, float] | None, str]
"""A 95% interval, and how it was made; what ``Resampling`` returns also knows its draws."""
_DIGITS = 7
"""Of a draw that a record keeps: its error is far below that of so many draws."""


class Resampled(NamedTuple):
    """A 95% interval, how it was made, and the figure of each draw by generation seed; ``seed``: of the draws."""

    interval: tuple[float, float] | None = None
    method: str = ""
    draws: Draws = ()
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Resampling:
    """How 95% intervals are made. ``num_resamples``: draws of clips, below 2 for none; ``seed``: of the draws."""

    num_resamples: int
    seed: int

    def of_mean(self, values: np.ndarray, by_seed: Sequence[np.ndarray] = ()) -> Resampled:
        """Return the interval of the mean of values (clips,); ``by_seed``: the values of each generation seed."""
        if self.num_resamples < 2 or len(values) < 2:
            return Resampled()

        def draws_of(own: np.ndarray) -> np.ndarray:
            return resampled(lambda clips: float(own[clips].mean()), len(own), self.num_resamples, self.seed)

        interval = bootstrap_mean(values, self.num_resamples, self.seed)
        return Resampled(interval, MEAN_METHOD, _kept(map(draws_of, by_seed)), self.seed)

    def of_statistic(self, statistics: Sequence[Statistic], num_clips: int, most: int = 10**9) -> Resampled:
        """Return the interval of the mean of one statistic a seed; at most ``most`` draws where one takes long."""
        num_draws = min(self.num_resamples, most)
        if num_draws < 2 or num_clips < 2:
            return Resampled()

        figures: list[list[float]] = []

        def mean(clips: np.ndarray) -> float:
            figures.append([statistic(clips) for statistic in statistics])
            return float(np.mean(figures[-1]))

        interval = bootstrap_statistic(mean, num_clips, num_draws, self.seed)
        draws = _kept(np.array(figures[1:]).T)  # the first is of all clips
        return Resampled(interval, f"{STATISTIC_METHOD}, {num_draws} draws", draws, self.seed)


class NetworkMeasure:
    """A column made with one network; see ``evaluation.trial.Measure``.

    Args:
        extractor: the network, by its name in the section ``features``.
        num_resamples: draws behind the 95% interval; below 2 for none.
        seed: of the draws.
    """

    needs_references = True
    is_paired = True

    def __init__(self, extractor: str, num_resamples: int, seed: int) -> None:
        self.extractor = extractor
        self.resampling = Resampling(num_resamples, seed)

    def rows(self, trial: Trial, extractors: Extractors, name: str = "embedding") -> Iterator[np.ndarray]:
        """Yield for each generation seed the features of this name, those of the sounds one below the other."""
        return (stacked(features, name) for features in trial.generated(extractors, self.extractor))


def _kept(figures: Iterable[np.ndarray]) -> Draws:
    """Return the draws (draws,) of each generation seed as a record keeps them."""
    return tuple(tuple(float(f"{figure:.{_DIGITS}g}") for figure in seed) for seed in figures)


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


def expected_rows(name: str, trial: Trial, extractors: Extractors) -> Iterator[tuple[str, int, int]]:
    """Yield sounds and references as a message names them, the rows of ``embedding`` that they will give, its width.

    Nothing is yielded while the network is not known. Rows are counted as if all sounds were as long as the longest.
    """
    for what, count, seconds in trial.expected(name):
        if shapes := extractors.shapes(name, seconds):
            rows, width = shapes["embedding"]
            yield f"{count} {what}", count * rows, width


def require_feature(key: str, name: str, feature: str, trial: Trial, extractors: Extractors) -> None:
    """Refuse a network that does not give a feature, such as ``logits``, once it is known.

    Raises:
        UserError: it gives others.
    """
    (_, _, seconds), _ = trial.expected(name)
    shapes = extractors.shapes(name, seconds)
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
    interval: Interval | Resampled,
    extractor: Extractor,
    trial: Trial,
    num_reference: int = 0,
    **facts: Any,
) -> Score:
    """Return the score whose value is the mean over the seeds, with what is the same for every measure."""
    made = interval if isinstance(interval, Resampled) else Resampled(*interval)
    return Score(
        key=key,
        title=label if extractor.is_embedded else f"{label} ({extractor.name})",  # tables mark embedded ones
        value=float(np.mean(per_seed)),
        better=better,
        interval=made.interval,
        interval_method=made.method,
        per_seed=tuple(float(value) for value in per_seed),
        num_generated=len(trial.items),
        num_reference=num_reference,
        extractor={"name": extractor.name, "identity": extractor.identity},
        is_embedded=extractor.is_embedded,
        draws=made.draws,
        drawn=_drawn(trial, made) if made.draws else "",
        **facts,
    )


def _drawn(trial: Trial, made: Resampled) -> str:
    """Return a hash of what decides which clips the draws have: the clips in their order, their seed and number."""
    clips = list(dict.fromkeys(item.clip_name for item in trial.items))
    return content_hash([clips, made.seed, len(made.draws[0])])
