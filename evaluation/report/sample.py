"""Which clips a reader hears: the best, the worst, and some of all the others."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audiolcm.audio.io import OppositePhaseError, read_audio
from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.errors import UserError
from evaluation.record import Record, Score, ScoredClip
from evaluation.sound import SoundReader


def choose_clips(record: Record, max_clips: int) -> list[ScoredClip]:
    """Return at most ``max_clips`` clips in the order of the record.

    Two thirds are the worst and the best ones, in turn from every score that has values for single clips; the rest is
    spread evenly over what is left.

    Raises:
        UserError: when ``max_clips`` is negative.
    """
    if max_clips < 0:
        raise UserError(f"A report cannot hold {max_clips} clips: give 0 or more.")
    if len(record.clips) <= max_clips:
        return list(record.clips)
    chosen: set[str] = set()
    for name in _extremes(record):
        if len(chosen) >= max_clips * 2 // 3:
            break
        chosen.add(name)
    left = [clip.name for clip in record.clips if clip.name not in chosen]
    wanted = max_clips - len(chosen)
    chosen.update(left[(2 * i + 1) * len(left) // (2 * wanted)] for i in range(wanted))
    return [clip for clip in record.clips if clip.name in chosen]


def _extremes(record: Record) -> Iterator[str]:
    """Yield names from the ends of every ranking, in turn: worst of each score, best of each, second worst, ..."""
    rankings = []
    for score in record.row.scores:
        if names := worst_first(score, record.clips):
            rankings += [names, names[::-1]]
    return itertools.chain.from_iterable(zip(*rankings, strict=False))


def worst_first(score: Score, clips: tuple[ScoredClip, ...]) -> list[str]:
    """Return the names of the clips that have a value of this score, the worst one first."""
    names = [clip.name for clip in clips if clip.name in score.per_clip]
    return sorted(names, key=score.per_clip.__getitem__, reverse=score.better == "lower")


MAX_SECONDS = 12.0
"""Of a longer sound the start is shown."""


def read_excerpt(path: Path) -> np.ndarray:
    """Return the first ``MAX_SECONDS`` (samples,) at 16 kHz.

    Raises:
        UserError: when the file is missing or damaged.
    """
    try:
        return read_audio(path, MAX_SECONDS)
    except OppositePhaseError:  # a protocol that hears the first channel scores it all the same
        return SoundReader(channel="first", max_seconds=MAX_SECONDS).read(path, SAMPLE_RATE)
