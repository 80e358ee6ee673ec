"""Whether a judge puts sounds into the order in which YAMNet puts them, and so may judge a claim.

YAMNet learned two million clips that nobody here has seen, and no choice here was made by it: where another judge ranks
sounds otherwise, it is the other that is doubted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from evaluation.soundness.judges import Column

AUTHORITIES = ("fad_yamnet", "hits_yamnet")
LEAST = 0.8
"""The least rank correlation with each authority, over all cases, of a column that may judge claims."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation of a column with YAMNet's, 1 where both put the cases into the same order.

    overall: over all cases, by YAMNet's column.  within: with YAMNet's distance, over the levels of each way of
    spoiling; None where all are equal.
    """

    overall: dict[str, float | None]
    within: dict[str, float | None]

    @property
    def may_judge(self) -> bool:
        """Whether it agrees with both of YAMNet's columns well enough."""
        return all(found is not None and found >= LEAST for found in self.overall.values())

    def as_json(self) -> dict[str, object]:
        """Return it with its verdict."""
        return dataclasses.asdict(self) | {"may_judge": self.may_judge}


def agreements(
    columns: Mapping[str, Column], groups: Mapping[str, Sequence[Mapping[str, float]]]
) -> dict[str, Agreement]:
    """Return the agreement of each column with YAMNet's; of none where YAMNet was not asked.

    Args:
        columns: of all judges.
        groups: the figures of each level of each way of spoiling, by column.
    """
    asked = [name for name in AUTHORITIES if name in columns]
    cases = [figures for levels in groups.values() for figures in levels]

    def correlation(key: str, authority: str, among: Sequence[Mapping[str, float]]) -> float | None:
        pair = [[columns[name].badness(figures[name]) for figures in among] for name in (key, authority)]
        return rank_correlation(*pair)

    return {
        key: Agreement(
            {name: correlation(key, name, cases) for name in asked},
            {way: correlation(key, asked[0], levels) for way, levels in groups.items()},
        )
        for key in columns
        if asked and key not in asked
    }


def rank_correlation(values: Sequence[float], others: Sequence[float]) -> float | None:
    """Return Spearman's; None where it is not defined, because a side has one value only."""
    if min(len(set(values)), len(set(others))) < 2:
        return None
    return float(np.asarray(spearmanr(values, others))[0])
