"""Events by hand: where they begin, how often, in which order."""

import numpy as np
import pytest

from evaluation.metrics.events import counts_right, onsets, order_right, recall


def of(*classes: str) -> np.ndarray:
    """Probabilities (frames, classes) from a string for each class: a digit is tenths, # is 1, . is 0."""
    return (
        np.array([[{"#": 10, ".": 0}.get(c) or int(c.strip("#.") or 0) for c in row] for row in classes]).T
        / 10.0
    )


@pytest.mark.parametrize(
    ("drawn", "begins"),
    [
        ("......", []),
        ("######", [0]),
        ("..##..", [2]),
        (".##.##", [1, 4]),
        (".#.#.#", [1, 3, 5]),
        ("..28..", [3]),  # below 0.3 nothing begins
        (".9293.", [1]),  # a dip to 0.2 is still the same event
        (".9193.", [1, 3]),  # a dip to 0.1 is not
        (".3222.", [1]),
    ],
)
def test_onsets(drawn, begins):
    assert onsets(of(drawn)[:, 0]) == begins


def test_recall_is_the_share_of_the_wanted_classes():
    heard = of("..#...", "......", "....3.", "....2.")
    assert recall(heard, [0, 2]) == 1.0
    assert recall(heard, [0, 1]) == 0.5
    assert recall(heard, [1, 3]) == 0.0


def test_counts():
    heard = of("#.#.#.", ".##...")
    assert counts_right(heard, {0: 3}) == 1.0
    assert counts_right(heard, {0: 3, 1: 1}) == 1.0
    assert counts_right(heard, {0: 2, 1: 1}) == 0.5
    assert counts_right(heard, {1: 2}) == 0.0


def test_order_is_that_of_the_first_onsets():
    heard = of(".#...#", "..##..", "......", ".#....")
    assert order_right(heard, [0, 1])
    assert not order_right(heard, [1, 0])
    assert not order_right(heard, [0, 2]), "what is not heard has no place"
    assert not order_right(heard, [0, 3]), "at once is not one after the other"
