"""Each rule catches what it names, and nothing else."""

import dataclasses

import pytest
from answering import make_key, rows_of, sensible

from audiolcm.errors import UserError
from evaluation.listening.answers import AnswerRow, page_answers
from evaluation.listening.key import ListeningTrial
from evaluation.listening.screening import (
    DEFAULT_RULES,
    RULES,
    Screening,
    ScreeningLimits,
    chosen_rules,
    screen,
)

KEY = make_key()
STANDARD = ScreeningLimits()


def screened(
    rates=sensible, seconds=4.0, device="headphones", rules=tuple(RULES), limits=STANDARD
) -> Screening:
    rows = rows_of(KEY, "ann", rates, seconds, device)
    answered = [AnswerRow(row, f"ann.csv, row {number}") for number, row in enumerate(rows, 2)]
    return screen(page_answers("ann.csv", answered, KEY), rules, limits)


def inattentive(trial: ListeningTrial) -> int:
    return 60 if trial.choose and trial.token.endswith("c0") else sensible(trial)


def upside_down(trial: ListeningTrial) -> int:
    if trial.question == "faithfulness" and trial.system in ("reference", "low_anchor"):
        return 120 - sensible(trial)
    return sensible(trial)


def straight(trial: ListeningTrial) -> int:
    return trial.choose or 60


def wavering(trial: ListeningTrial) -> int:
    return 20 if trial.repeats else sensible(trial)


BREAKERS = {
    "attention": {"rates": inattentive},
    "anchors": {"rates": upside_down},
    "too_fast": {"seconds": 1.9},
    "straight_lining": {"rates": straight},
    "inconsistent": {"rates": wavering},
    "loudspeakers": {"device": "loudspeakers"},
}


def test_every_rule_has_a_breaker() -> None:
    assert BREAKERS.keys() == RULES.keys()


def test_a_sensible_rater_breaks_none() -> None:
    found = screened()
    assert found.used == ("ann",) and found.screened == {}
    assert found.counts == dict.fromkeys(RULES, 0)


@pytest.mark.parametrize("rule", RULES)
def test_rule_catches_its_breaker_alone_and_can_be_switched_off(rule: str) -> None:
    found = screened(**BREAKERS[rule])
    assert found.used == () and found.screened == {"ann": (rule,)}
    assert found.counts == {name: int(name == rule) for name in RULES}
    others = tuple(name for name in RULES if name != rule)
    assert screened(**BREAKERS[rule], rules=others).used == ("ann",)


@pytest.mark.parametrize(
    ("rule", "limits"),
    [
        ("attention", {"failed_checks": 0.5}),
        ("too_fast", {"pace": 0.9}),
        ("straight_lining", {"same": 1.0}),
        ("inconsistent", {"difference": 60.0}),
    ],
)
def test_limits_move_the_rules(rule: str, limits: dict[str, float]) -> None:
    assert screened(**BREAKERS[rule], limits=dataclasses.replace(STANDARD, **limits)).used == ("ann",)


def test_one_failed_check_of_four_is_forgiven() -> None:
    found = screened(lambda trial: 20 if trial.token == "quc0" else sensible(trial))
    assert found.used == ("ann",)


def test_rules_are_chosen_by_name() -> None:
    assert chosen_rules("attention, anchors") == ("attention", "anchors")
    assert chosen_rules("none") == ()
    assert "loudspeakers" not in DEFAULT_RULES
    with pytest.raises(UserError, match="'mood' is no rule. Choose of attention, "):
        chosen_rules("mood")


def test_limits_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="--failed-checks 25 must lie between 0 and 1"):
        ScreeningLimits(failed_checks=25)
    with pytest.raises(UserError, match="--pace -1"):
        ScreeningLimits(pace=-1)
