"""Judged claims in words."""

from collections.abc import Sequence

from evaluation.tables.table import DASH, Estimate
from experiments.judging.claims import FAILS, HOLDS, UNKNOWN, UNMEASURED, Judgment


def change_text(judgment: Judgment) -> str:
    """Return how much worse the second side is, its interval, and the seeds or the bootstrap that it comes from."""
    if judgment.change is None:
        return DASH
    figures = " ".join(filter(None, Estimate(judgment.change, judgment.interval).figures))
    seeds = f"{len(judgment.seeds)} seed{'s' * (len(judgment.seeds) != 1)}"
    return f"{figures}, {judgment.method or seeds}"


def verdict_text(judgment: Judgment) -> str:
    """Return the verdict, why it cannot be told, and what speaks against the records behind it."""
    reason = f" ({judgment.reason})" if judgment.reason else ""
    doubts = ["from stale records"] * judgment.is_stale + [judgment.caveat] * bool(judgment.caveat)
    return "; ".join([f"{judgment.verdict}{reason}", *doubts])


def summed_up(judgments: Sequence[Judgment]) -> str:
    """Return how many claims hold, do not hold, cannot be told and were not measured."""
    kinds = (
        (HOLDS, "hold at this scale"),
        (FAILS, "do not"),
        (UNKNOWN, UNKNOWN),
        (UNMEASURED, "are not measured"),
    )
    counts = [(sum(j.verdict.startswith(kind) for j in judgments), words) for kind, words in kinds]
    return f"{', '.join(f'{count} {words}' for count, words in counts)}."
