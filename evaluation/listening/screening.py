"""Which raters count: each rule looks at one thing; who is left out is counted under every rule that he broke."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from audiolcm.errors import UserError
from evaluation.listening.answer import Answer
from evaluation.listening.key import LOW_ANCHOR, REFERENCE, Key, Trial

_FEWEST_ANSWERS = 8  # of one question, before equal ratings say anything of a rater


@dataclasses.dataclass(frozen=True)
class Limits:
    """Where a rule begins to be broken.

    failed_checks: share of failed checks of attention.  pace: median of the seconds for a trial by the seconds of its
    sound.  same: share of the commonest rating.  difference: mean difference of two ratings of one sound, in points.

    Raises:
        UserError: when a share is not between 0 and 1, or a number is negative.
    """

    failed_checks: float = 0.25
    pace: float = 1.0
    same: float = 0.9
    difference: float = 30.0

    def __post_init__(self) -> None:
        for name, highest in (("failed_checks", 1.0), ("pace", 1e3), ("same", 1.0), ("difference", 80.0)):
            if not 0 <= (value := getattr(self, name)) <= highest:
                raise UserError(f"--{name.replace('_', '-')} {value:g} must lie between 0 and {highest:g}.")


Answers = Sequence[tuple[Trial, Answer]]
Rule = Callable[[Answers, Limits], bool]


def _attention(answers: Answers, limits: Limits) -> bool:
    """More checks of attention failed than allowed."""
    failed = [answer.rating != trial.choose for trial, answer in answers if trial.choose is not None]
    return bool(failed) and float(np.mean(failed)) > limits.failed_checks


def _anchors(answers: Answers, limits: Limits) -> bool:
    """The true sounds rated below the low anchor, in a question."""
    for question in {trial.question for trial, _ in answers}:
        ratings = {
            row: [a.rating for trial, a in answers if trial.question == question and trial.system == row]
            for row in (REFERENCE, LOW_ANCHOR)
        }
        if all(ratings.values()) and np.mean(ratings[REFERENCE]) < np.mean(ratings[LOW_ANCHOR]):
            return True
    return False


def _too_fast(answers: Answers, limits: Limits) -> bool:
    """Half of the answers came in less time than their sounds last."""
    return float(np.median([answer.seconds / trial.seconds for trial, answer in answers])) < limits.pace


def _straight_lining(answers: Answers, limits: Limits) -> bool:
    """Nearly all sounds of a question have one rating."""
    for question in {trial.question for trial, _ in answers}:
        ratings = [a.rating for trial, a in answers if trial.question == question and trial.choose is None]
        if len(ratings) >= _FEWEST_ANSWERS and max(Counter(ratings).values()) > limits.same * len(ratings):
            return True
    return False


def _inconsistent(answers: Answers, limits: Limits) -> bool:
    """Sounds that were heard twice have ratings far apart."""
    ratings = {trial.token: answer.rating for trial, answer in answers}
    differences = [
        abs(answer.rating - ratings[trial.repeats]) for trial, answer in answers if trial.repeats in ratings
    ]
    return bool(differences) and float(np.mean(differences)) > limits.difference


def _loudspeakers(answers: Answers, limits: Limits) -> bool:
    """Listened with loudspeakers."""
    return any(answer.device == "loudspeakers" for _, answer in answers)


RULES: dict[str, Rule] = {
    "attention": _attention,
    "anchors": _anchors,
    "too_fast": _too_fast,
    "straight_lining": _straight_lining,
    "inconsistent": _inconsistent,
    "loudspeakers": _loudspeakers,
}
DEFAULT_RULES = tuple(name for name in RULES if name != "loudspeakers")
NO_RULES = "none"


def chosen_rules(words: str) -> tuple[str, ...]:
    """Return the rules that a list such as ``attention,anchors`` names; ``none`` for none.

    Raises:
        UserError: when a word is no rule.
    """
    if words.strip() == NO_RULES:
        return ()
    names = tuple(word.strip() for word in words.split(","))
    if unknown := [name for name in names if name not in RULES]:
        raise UserError(f"--rules: {unknown[0]!r} is no rule. Choose of {', '.join(RULES)}, or {NO_RULES}.")
    return names


@dataclasses.dataclass(frozen=True)
class Screening:
    """Raters that count, raters left out with the rules that each broke, and raters by broken rule."""

    used: tuple[str, ...]
    screened: dict[str, tuple[str, ...]]
    counts: dict[str, int]


def screen(answers: Sequence[Answer], key: Key, rules: Sequence[str], limits: Limits) -> Screening:
    """Look at every rater by the rules that are switched on."""
    by_rater: dict[str, list[tuple[Trial, Answer]]] = {}
    for answer in answers:
        by_rater.setdefault(answer.rater, []).append((key.by_token[answer.trial], answer))
    broken = {
        rater: tuple(name for name in rules if RULES[name](given, limits))
        for rater, given in sorted(by_rater.items())
    }
    return Screening(
        tuple(rater for rater, names in broken.items() if not names),
        {rater: names for rater, names in broken.items() if names},
        {name: sum(name in names for names in broken.values()) for name in rules},
    )
