"""What the paper claims of two rows, judged by the paired difference over training seeds that both have.

Published weights have no training seeds: there the draws of a bootstrap are the pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from evaluation.metrics.bootstrap import paired_interval
from evaluation.tables.table import DASH, Estimate
from experiments.judging.cells import difference, student_interval
from experiments.judging.sources import PaperColumn, Reading, ReadingSource
from experiments.records.records import ItemResults, Result

HOLDS, FAILS, UNKNOWN = "holds at this scale", "does not hold", "cannot be told"
UNMEASURED = "not measured"
MIN_SEEDS = 3
"""A 95% interval of fewer paired differences is too wide to tell anything (t(0.975, 1) = 12.7)."""
DEAF = "withdrawn: judged by the embedded evaluator"


@dataclass(frozen=True)
class NamedRow:
    """A side of a comparison: the row with a name.

    Args:
        key: of the row in the records.
        name: for people.
    """

    key: str
    name: str

    def row(self, results: ItemResults) -> str | None:
        """Return the row of the records; None when it has no results."""
        return self.key if results.of(self.key) else None


@dataclass(frozen=True)
class FigurePoint:
    """A side of a comparison: the row whose facts have given values, or the last of them at a part of a course.

    Args:
        name: for people.
        facts: names and values.
        first: how the row's name begins, up to its first dash; "" for any.
        step: where the step of a result is, for rows that are snapshots of one course; None: they are not.
        part: of the last step: the last row that is not after it is meant; 1 for the end.
    """

    name: str
    facts: Mapping[str, float] = field(default_factory=dict)
    first: str = ""
    step: ReadingSource | None = None
    part: float = 1.0

    def row(self, results: ItemResults) -> str | None:
        """Return the row of the records; None when there is none, or more than one."""
        rows = {result.row for result in results.usable if self._matches(result)}
        if self.step is not None:
            found = {row: self.step.readings(results, row).values() for row in rows}
            steps = {
                row: min(r.value or 0.0 for r in readings) for row, readings in found.items() if readings
            }
            end = self.part * max(steps.values(), default=0.0)
            latest = max((step for step in steps.values() if step <= end), default=None)
            rows = {row for row, step in steps.items() if step == latest}
        return rows.pop() if len(rows) == 1 else None

    def _matches(self, result: Result) -> bool:
        named = not self.first or result.row.partition("-")[0] == self.first
        return named and all(result.facts.get(key) == value for key, value in self.facts.items())


Side = NamedRow | FigurePoint


@dataclass(frozen=True)
class Comparison:
    """What is claimed of the first side against the second: by default that it is better.

    Args:
        words: between both sides' names.
        margin: of the second's level, by which the first may be worse.
        is_two_sided: whether it may be better by no more than that, either.
    """

    words: str = "better than"
    margin: float = 0.0
    is_two_sided: bool = False

    def verdict(self, low: float, high: float, level: float) -> str:
        """Judge the interval of how much worse the second side is, by where it lies beside the margin."""
        bound = self.margin * abs(level)
        if high < -bound or (self.is_two_sided and low > bound):
            return FAILS if self.margin else f"{FAILS} (the opposite)"
        return HOLDS if low > -bound and (high < bound or not self.is_two_sided) else UNKNOWN


BETTER = Comparison()


def no_worse(margin: float) -> Comparison:
    """Return that a side is at most ``margin`` of the other's level worse than it."""
    return Comparison(f"at most {margin:.0%} worse than", margin)


def close(margin: float) -> Comparison:
    """Return that both sides differ by less than ``margin`` of the second's level, either way."""
    return Comparison(f"within {margin:.0%} of", margin, is_two_sided=True)


@dataclass(frozen=True)
class Claim:
    """One statement of the paper and the comparison that it comes down to.

    Attributes:
        sentence: of the paper.
        first, second: what is compared; ``comparison``: what is claimed of the first against the second.
        column: of the figures that decide.
    """

    sentence: str
    first: Side
    second: Side
    column: PaperColumn
    comparison: Comparison = BETTER


@dataclass(frozen=True)
class Judgment:
    """What the records say of a claim.

    Attributes:
        change: mean over the common seeds of how much the second side is worse than the first; None without any.
        interval: its 95% interval: by Student's t over the seeds, or as ``method`` says.
        method: how, where there are no training seeds; "" for Student's t.
        reason: why it cannot be told, where that is not the interval.
    """

    claim: Claim
    verdict: str
    change: float | None = None
    interval: tuple[float, float] | None = None
    seeds: tuple[int, ...] = ()
    reason: str = ""
    is_stale: bool = False
    method: str = ""
    caveat: str = ""

    @property
    def comparison(self) -> str:
        """What was compared, for people."""
        claim = self.claim
        return f"{claim.first.name} {claim.comparison.words} {claim.second.name} by {claim.column.title}"

    @property
    def change_text(self) -> str:
        """How much worse the second side is, its interval, and the seeds or the bootstrap that it comes from."""
        if self.change is None:
            return DASH
        figures = " ".join(filter(None, Estimate(self.change, self.interval).figures))
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"
        return f"{figures}, {self.method or seeds}"

    @property
    def verdict_text(self) -> str:
        """The verdict, why it cannot be told, and what speaks against the records behind it."""
        reason = f" ({self.reason})" if self.reason else ""
        doubts = ["from stale records"] * self.is_stale + [self.caveat] * bool(self.caveat)
        return "; ".join([f"{self.verdict}{reason}", *doubts])


def summed_up(judgments: Sequence[Judgment]) -> str:
    """Return how many claims hold, do not hold, cannot be told and were not measured."""
    kinds = {HOLDS: "hold at this scale", FAILS: "do not", UNKNOWN: UNKNOWN, UNMEASURED: "are not measured"}
    counts = [
        f"{sum(judgment.verdict.startswith(kind) for judgment in judgments)} {words}"
        for kind, words in kinds.items()
    ]
    return f"{', '.join(counts)}."


def judge(claim: Claim, results: ItemResults) -> Judgment:
    """Judge a claim by the records of an item."""
    source = claim.column.sources.get(results.scale)
    rows = [side.row(results) for side in (claim.first, claim.second)]
    if source is None or None in rows:
        absent = [s.name for s, row in zip((claim.first, claim.second), rows, strict=True) if row is None]
        return Judgment(claim, UNMEASURED, reason=", ".join(absent) or claim.column.title)
    first, second = (source.readings(results, str(row)) for row in rows)
    seedless = [_is_seedless(str(row), results) for row in rows]
    if seedless == [True, False] and first:  # it stands against each training of the other
        first = dict.fromkeys(second, next(iter(first.values())))
    elif seedless == [False, True] and second:
        second = dict.fromkeys(first, next(iter(second.values())))
    found = _judged(claim, first, second, by_draws=all(seedless))
    caveats = [r.caveat for side in (first, second) for r in side.values() if r.caveat]
    stale = any(result.changes for row in rows for result in results.of(str(row)))
    return replace(found, is_stale=stale, caveat=caveats[0] if caveats else "")


def _is_seedless(row: str, results: ItemResults) -> bool:
    """Return whether a row is of no training of ours: it has one record, and is planned to have no other."""
    found = results.of(row)
    is_one = len(found) == 1 and len(results.planned.get(row, ())) <= 1
    return is_one and not found[0].is_of_a_training


def _judged(
    claim: Claim, first: Mapping[int, Reading], second: Mapping[int, Reading], by_draws: bool
) -> Judgment:
    """Judge by the pairs that both sides have, one a training seed, or by the draws of the only pair."""
    seeds = tuple(sorted(first.keys() & second.keys()))
    unlike = (difference(first[seed].condition, second[seed].condition) for seed in seeds)
    if odd := next(filter(None, unlike), ""):
        return Judgment(claim, UNKNOWN, seeds=seeds, reason=f"not measured alike ({odd})")
    pairs = [(first[seed].value, second[seed].value) for seed in seeds]
    sign = -1.0 if claim.column.better == "higher" else 1.0
    changes = [sign * (b - a) for a, b in pairs if a is not None and b is not None]
    if not changes:
        return Judgment(claim, UNKNOWN, reason="no seed has both")
    mean, interval = student_interval(changes)
    method, reason = "", f"{len(changes)} common training seeds, {MIN_SEEDS} are needed"
    if by_draws:
        interval, method, reason = _drawn_interval(first[seeds[0]], second[seeds[0]], mean, sign)
    if interval is None or not (by_draws or len(changes) >= MIN_SEEDS):
        return Judgment(claim, UNKNOWN, mean, interval, seeds, reason)
    if any(side[seed].is_embedded for side in (first, second) for seed in seeds):
        return Judgment(claim, UNKNOWN, mean, interval, seeds, DEAF)
    level = sum(b for _, b in pairs if b is not None) / len(pairs)
    verdict = claim.comparison.verdict(*interval, level)
    return Judgment(claim, verdict, mean, interval, seeds, method=method)


def _drawn_interval(
    first: Reading, second: Reading, change: float, sign: float
) -> tuple[tuple[float, float] | None, str, str]:
    """Return the interval of a difference by the paired bootstrap, its name, and why there is none."""
    if not first.draws or not second.draws:
        return None, "", "without training seeds the draws of a bootstrap are needed, which a record lacks"
    before, after = (sign * np.array(side.draws).T for side in (first, second))
    if first.drawn != second.drawn or before.shape != after.shape:
        return None, "", "not resampled alike: other clips, draws or numbers of generation seeds"
    number = len(first.draws)
    more = f" and {number} generation seeds" if number > 1 else ""
    return paired_interval(change, before, after), f"paired bootstrap over {first.drawn[0]}{more}", ""
