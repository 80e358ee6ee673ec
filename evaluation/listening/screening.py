"""Which raters count: each rule looks at one thing; who is left out is counted under every rule that he broke."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from statistics import mean, median

from audiolcm.errors import UserError
from evaluation.listening.answers import Answer
from evaluation.listening.key import LOW_ANCHOR, REFERENCE, ListeningKey, ListeningTrial
from evaluation.listening.questions import QUESTIONS

_FEWEST_ANSWERS = 8  # of one question, before equal ratings say anything of a rater


@dataclasses.dataclass(frozen=True)
class ScreeningLimits:
    """Where a rule begins to be broken.

    Attributes:
        failed_checks: Share of failed checks of attention.
        pace: Median of the seconds for a trial by the seconds of its sound.
        same: Share of the commonest rating.
        difference: Mean difference of two ratings of one sound, in points.

    Raises:
        UserError: A share is not between 0 and 1, or a number is negative.
    """

    failed_checks: float = 0.25
    pace: float = 1.0
    same: float = 0.9
    difference: float = 30.0

    def __post_init__(self) -> None:
        for name, highest in (("failed_checks", 1.0), ("pace", 1e3), ("same", 1.0), ("difference", 80.0)):
            if not 0 <= (value := getattr(self, name)) <= highest:
                raise UserError(f"--{name.replace('_', '-')} {value:g} must lie between 0 and {highest:g}.")


Answered = list[tuple[ListeningTrial, Answer]]
"""What one rater answered."""


def _attention(answered: Answered, limits: ScreeningLimits) -> bool:
    """More checks of attention failed than allowed."""
    failed = [answer.rating != trial.choose for trial, answer in answered if trial.choose is not None]
    return bool(failed) and mean(failed) > limits.failed_checks


def _anchors(answered: Answered, limits: ScreeningLimits) -> bool:
    """The true sounds rated below the low anchor, in a question."""
    ratings = defaultdict(list)
    for trial, answer in answered:
        ratings[trial.question, trial.system].append(answer.rating)
    return any(
        mean(ratings[question, REFERENCE]) < mean(ratings[question, LOW_ANCHOR])
        for question in QUESTIONS
        if ratings[question, REFERENCE] and ratings[question, LOW_ANCHOR]
    )


def _too_fast(answered: Answered, limits: ScreeningLimits) -> bool:
    """Half of the answers came in less time than their sounds last."""
    return median([answer.seconds / trial.seconds for trial, answer in answered]) < limits.pace


def _straight_lining(answered: Answered, limits: ScreeningLimits) -> bool:
    """Nearly all sounds of a question have one rating."""
    counts = {question: Counter() for question in QUESTIONS}
    for trial, answer in answered:
        if trial.choose is None:
            counts[trial.question][answer.rating] += 1
    return any(
        count.total() >= _FEWEST_ANSWERS and max(count.values()) > limits.same * count.total()
        for count in counts.values()
    )


def _inconsistent(answered: Answered, limits: ScreeningLimits) -> bool:
    """Sounds that were heard twice have ratings far apart."""
    ratings = {trial.token: answer.rating for trial, answer in answered}
    differences = [
        abs(answer.rating - ratings[trial.repeats]) for trial, answer in answered if trial.repeats in ratings
    ]
    return bool(differences) and mean(differences) > limits.difference


def _loudspeakers(answered: Answered, limits: ScreeningLimits) -> bool:
    """Listened with loudspeakers."""
    return any(answer.device == "loudspeakers" for _, answer in answered)


RULES: dict[str, Callable[[Answered, ScreeningLimits], bool]] = {
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
        UserError: A word is no rule.
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


def screen(
    answers: Sequence[Answer], key: ListeningKey, rules: Sequence[str], limits: ScreeningLimits
) -> Screening:
    """Look at every rater by the rules that are switched on."""
    by_rater: dict[str, Answered] = defaultdict(list)
    for answer in answers:
        by_rater[answer.rater].append((key.by_token[answer.trial], answer))
    broken = {
        rater: tuple(name for name in rules if RULES[name](answered, limits))
        for rater, answered in sorted(by_rater.items())
    }
    return Screening(
        tuple(rater for rater, names in broken.items() if not names),
        {rater: names for rater, names in broken.items() if names},
        {name: sum(name in names for names in broken.values()) for name in rules},
    )
