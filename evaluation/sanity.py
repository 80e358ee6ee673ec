"""Rows that a figure must beat, or can not: silence, noise, shuffled captions; reconstructions, the truth in halves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.protocol import Item
from evaluation.record import Row, Score
from evaluation.score import Measure, Trial

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
    given: list[Item] = list(trial.items)
    for own, other in zip(by_caption, turned, strict=True):
        given[own] = trial.items[other]
    return dataclasses.replace(trial, items=tuple(given))


def halves(trial: Trial, seed: int) -> Trial:
    """Return one random half of the references as sounds, the other half as references."""
    order = np.random.default_rng(seed).permutation(len(trial.references))
    middle = len(order) // 2
    first = sorted(order[:middle])
    rest = sorted(order[middle:])
    item_of = {item.reference: item for item in reversed(trial.items)}
    return dataclasses.replace(
        trial,
        items=tuple(item_of[trial.references[index]] for index in first),
        sounds=(tuple(trial.references[index] for index in first),),
        references=tuple(trial.references[index] for index in rest),
        reader=trial.reference_reader,
    )


def verdicts(row: Row, sanity: Sequence[Row]) -> tuple[str, ...]:
    """Return a sentence for every figure that is not better than a sanity row's, and one when all are."""
    sentences = [
        _sentence(score, rival, other.system)
        for other in sanity
        if other.system in TO_BEAT
        for score, rival in _pairs(row.scores, other.scores)
    ]
    told = tuple(sentence for sentence in sentences if sentence)
    compared = any(other.system in TO_BEAT for other in sanity)
    return told or (("Every figure is better than those of all sanity rows.",) if compared else ())


def _pairs(scores: Sequence[Score], others: Sequence[Score]) -> list[tuple[Score, Score]]:
    by_key: Mapping[str, Score] = {score.key: score for score in others}
    return [(score, by_key[score.key]) for score in scores if score.key in by_key]


def _sentence(score: Score, rival: Score, system: str) -> str:
    lead = rival.value - score.value if score.better == "lower" else score.value - rival.value
    name = system.replace("_", " ")
    if lead <= 0:
        return f"{score.title} {score.value:.4g} is no better than that of {name}, {rival.value:.4g}."
    low, high = score.interval or (score.value, score.value)
    reach = high if score.better == "lower" else low
    hopeful = rival.value - reach if score.better == "lower" else reach - rival.value
    if hopeful <= 0:
        return (
            f"{score.title} {score.value:.4g} is better than that of {name}, {rival.value:.4g}, but its 95% interval "
            f"({low:.4g} to {high:.4g}) reaches it."
        )
    return ""


def applies(measure: Measure, row: str) -> bool:
    """Return whether a measure says anything of a row: shuffling changes pairs only, halves have no captions."""
    if row == SHUFFLED:
        return measure.is_paired
    return not (row == HALVES and (measure.is_paired or not measure.needs_references))
