"""Rows that a figure must beat, or cannot: silence, noise, shuffled captions; reconstructions, the truth in halves."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.protocol import ProtocolItem
from evaluation.record import RecordRow, Score
from evaluation.trial import Measure, Trial

TO_BEAT = ("silence", "white_noise", "shuffled_captions")
"""Rows that a system must beat; the others are bounds."""

SHUFFLED, HALVES = "shuffled_captions", "reference_halves"


def shuffled(trial: Trial, seed: int) -> Trial:
    """Return the same sounds with the captions and references of other clips, none with its own caption.

    Sorted by caption, the items are turned by half of their number: no sound meets its own caption unless more than
    half of the items share one.
    """
    order = np.random.default_rng(seed).permutation(len(trial.items))
    by_caption = sorted(order, key=lambda index: trial.items[index].clip.caption)
    turned = np.roll(by_caption, len(by_caption) // 2)
    given: list[ProtocolItem] = list(trial.items)
    for own, other in zip(by_caption, turned, strict=True):
        given[own] = trial.items[other]
    return dataclasses.replace(trial, items=tuple(given))


def halves(trial: Trial, seed: int) -> Trial:
    """Return one random half of the references as sounds, the other half as references."""
    order = np.random.default_rng(seed).permutation(len(trial.references))
    middle = len(order) // 2
    first, rest = sorted(order[:middle]), sorted(order[middle:])
    item_of = {item.reference: item for item in reversed(trial.items)}
    sounds, references = (tuple(trial.references[index] for index in half) for half in (first, rest))
    items = tuple(item_of[sound] for sound in sounds)
    return dataclasses.replace(trial, items=items, sounds=(sounds,), references=references)


def verdicts(row: RecordRow, sanity: Sequence[RecordRow]) -> tuple[str, ...]:
    """Return a sentence for each row to beat: which figures are no better, or too near to tell."""
    keys = {score.key for score in row.scores}
    rivals = [other for other in sanity if other.system in TO_BEAT]
    return tuple(_verdict(row.scores, other) for other in rivals if keys & {s.key for s in other.scores})


def _verdict(scores: Sequence[Score], other: RecordRow) -> str:
    rivals: Mapping[str, Score] = {score.key: score for score in other.scores}
    pairs = [(score, rivals[score.key]) for score in scores if score.key in rivals]
    no_better, too_near = [], []
    for score, rival in pairs:
        if _lead(score.value, rival.value, score) <= 0:
            no_better.append(_named(score, rival))
        elif _lead(_worse_end(score), rival.value, score) <= 0:
            too_near.append(_named(score, rival))
    parts = [f"no better in {', '.join(no_better)}"] if no_better else []
    parts += [f"better, but within the 95% interval, in {', '.join(too_near)}"] if too_near else []
    name = other.system.replace("_", " ")
    return f"Against {name}: {'; '.join(parts)}." if parts else f"Against {name}: every figure is better."


def _lead(value: float, rival: float, score: Score) -> float:
    return rival - value if score.better == "lower" else value - rival


def _worse_end(score: Score) -> float:
    low, high = score.interval or (score.value, score.value)
    return high if score.better == "lower" else low


def _named(score: Score, rival: Score) -> str:
    return f"{score.title} ({score.value:.4g}; {rival.value:.4g})"


def applies(measure: Measure, row: str) -> bool:
    """Return whether a measure says anything of a row: shuffling changes pairs only, halves have no captions."""
    if row == SHUFFLED:
        return measure.is_paired
    return not (row == HALVES and (measure.is_paired or not measure.needs_references))
