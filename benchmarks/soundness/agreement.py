"""Whether a judge puts sounds into the order in which YAMNet puts them, and so may judge a claim.

YAMNet learned two million clips that nobody here has seen: where another judge ranks sounds otherwise, it is the other
that is doubted.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from benchmarks.soundness.judges import Column

AUTHORITIES = ("fad_yamnet", "hits_yamnet")
LEAST = 0.8
"""The least rank correlation with each authority of a column that may judge claims; see ``Agreement.may_judge``."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation of a column with YAMNet's, 1 where both put the cases into the same order.

    overall, through_mel: over all cases, and over those that autoencoders and vocoders make, with each of YAMNet's
    columns.  within: with YAMNet's distance, over the levels of each way of spoiling.  None where all are equal.
    """

    overall: dict[str, float | None]
    through_mel: dict[str, float | None]
    within: dict[str, float | None]

    @property
    def may_judge(self) -> bool:
        """Whether it agrees with both of YAMNet's columns, over all cases and over those through the mel."""
        found = [*self.overall.values(), *self.through_mel.values()]
        return all(one is not None and one >= LEAST for one in found)

    def as_json(self) -> dict[str, object]:
        """Return it with its verdict."""
        return dataclasses.asdict(self) | {"may_judge": self.may_judge}


def agreements(
    columns: Mapping[str, Column],
    groups: Mapping[str, Sequence[Mapping[str, float]]],
    through_mel: Collection[str],
) -> dict[str, Agreement]:
    """Return the agreement of each column with YAMNet's; of none where YAMNet was not asked.

    Args:
        columns: of all judges.
        groups: the figures of each level of each way of spoiling, by column.
        through_mel: the ways that go through the mel.
    """
    asked = [name for name in AUTHORITIES if name in columns]
    every = [figures for levels in groups.values() for figures in levels]
    mel = [figures for way, levels in groups.items() if way in through_mel for figures in levels]

    def correlation(key: str, authority: str, among: Sequence[Mapping[str, float]]) -> float | None:
        pair = [[columns[name].badness(figures[name]) for figures in among] for name in (key, authority)]
        return rank_correlation(*pair)

    return {
        key: Agreement(
            {name: correlation(key, name, every) for name in asked},
            {name: correlation(key, name, mel) for name in asked},
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
