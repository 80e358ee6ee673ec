"""Which raters count: each rule looks at one thing; who is left out is counted under every rule that he broke."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from statistics import mean, median

from audiolcm.errors import UserError
from evaluation.listening.answers import Answer
from evaluation.listening.key import LOW_ANCHOR, REFERENCE
from evaluation.listening.questions import QUESTIONS

_FEWEST_ANSWERS = 8  # of one question, before equal ratings say anything of a rater


@dataclasses.dataclass(frozen=True)
class ScreeningLimits:
    """Where a rule begins to be broken.

    Args:
        failed_checks: share of failed checks of attention.
        pace: median of the seconds for a trial by the seconds of its sound.
        same: share of the commonest rating.
        difference: mean difference of two ratings of one sound, in points.

    Raises:
        UserError: a share is not between 0 and 1, or a number is negative.
    """

    failed_checks: float = 0.25
    pace: float = 1.0
    same: float = 0.9
    difference: float = 30.0

    def __post_init__(self) -> None:
        for name, highest in (("failed_checks", 1.0), ("pace", 1e3), ("same", 1.0), ("difference", 80.0)):
            if not 0 <= (value := getattr(self, name)) <= highest:
                raise UserError(f"--{name.replace('_', '-')} {value:g} must lie between 0 and {highest:g}.")


def _attention(answers: list[Answer], limits: ScreeningLimits) -> bool:
    """More checks of attention failed than allowed."""
    failed = [one.rating != one.trial.choose for one in answers if one.trial.choose is not None]
    return bool(failed) and mean(failed) > limits.failed_checks


def _anchors(answers: list[Answer], limits: ScreeningLimits) -> bool:
    """The true sounds rated below the low anchor, in a question."""
    ratings = defaultdict(list)
    for one in answers:
        ratings[one.trial.question, one.trial.system].append(one.rating)
    pairs = [(ratings[question, REFERENCE], ratings[question, LOW_ANCHOR]) for question in QUESTIONS]
    return any(mean(true) < mean(low) for true, low in pairs if true and low)


def _too_fast(answers: list[Answer], limits: ScreeningLimits) -> bool:
    """Half of the answers came in less time than their sounds last."""
    return median(one.seconds / one.trial.seconds for one in answers) < limits.pace


def _straight_lining(answers: list[Answer], limits: ScreeningLimits) -> bool:
    """Nearly all sounds of a question have one rating."""
    counts = defaultdict(Counter)
    for one in answers:
        if one.trial.choose is None:
            counts[one.trial.question][one.rating] += 1
    enough = [count for count in counts.values() if count.total() >= _FEWEST_ANSWERS]
    return any(max(count.values()) > limits.same * count.total() for count in enough)


def _inconsistent(answers: list[Answer], limits: ScreeningLimits) -> bool:
    """Sounds that were heard twice have ratings far apart."""
    ratings = {one.trial.token: one.rating for one in answers}
    apart = [abs(one.rating - ratings[one.trial.repeats]) for one in answers if one.trial.repeats in ratings]
    return bool(apart) and mean(apart) > limits.difference


def _loudspeakers(answers: list[Answer], limits: ScreeningLimits) -> bool:
    """Listened with loudspeakers."""
    return any(one.device == "loudspeakers" for one in answers)


RULES: dict[str, Callable[[list[Answer], ScreeningLimits], bool]] = {
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
        UserError: a word is no rule.
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


def screen(answers: Sequence[Answer], rules: Sequence[str], limits: ScreeningLimits) -> Screening:
    """Look at every rater by the rules that are switched on."""
    by_rater = defaultdict(list)
    for answer in answers:
        by_rater[answer.rater].append(answer)
    broken = {
        rater: tuple(name for name in rules if RULES[name](given, limits))
        for rater, given in sorted(by_rater.items())
    }
    used = tuple(rater for rater, names in broken.items() if not names)
    screened = {rater: names for rater, names in broken.items() if names}
    counts = {name: sum(name in found for found in screened.values()) for name in rules}
    return Screening(used, screened, counts)
