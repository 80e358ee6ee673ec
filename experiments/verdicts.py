"""Judged claims in words."""

from evaluation.tables import DASH
from evaluation.tables import Cell as Figure
from experiments.claims import Judgment


def change_text(judgment: Judgment) -> str:
    """Return how much worse the second side is, its interval and the seeds."""
    if judgment.change is None:
        return DASH
    figures = " ".join(filter(None, Figure(judgment.change, judgment.interval).figures))
    return f"{figures}, {len(judgment.seeds)} seed{'s' * (len(judgment.seeds) != 1)}"


def verdict_text(judgment: Judgment) -> str:
    """Return the verdict, why it cannot be told, and whether a record behind it is stale."""
    reason = f" ({judgment.reason})" if judgment.reason else ""
    return f"{judgment.verdict}{reason}{'; from stale records' if judgment.is_stale else ''}"


def summed_up(judgments: list[Judgment]) -> str:
    """Return how many claims hold, do not hold and cannot be told."""
    words = [judgment.verdict for judgment in judgments]
    holds = sum(word.startswith("holds") for word in words)
    fails = sum(word.startswith("does not") for word in words)
    return f"{holds} hold at this scale, {fails} do not, {len(words) - holds - fails} cannot be told."
