"""What the paper claims of two rows, judged by the paired difference over training seeds that both have.

Published weights have no training seeds: there the draws of a bootstrap are the pairs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from evaluation.metrics.bootstrap import paired_interval
from experiments.judging.cells import difference, student_interval
from experiments.judging.sources import Reading, Source
from experiments.records.records import ItemResults, Result

HOLDS, FAILS, UNKNOWN = "holds at this scale", "does not hold", "cannot be told"
UNMEASURED = "not measured"
MIN_SEEDS = 3
"""A 95% interval of fewer paired differences is too wide to tell anything (t(0.975, 1) = 12.7)."""
DEAF = "withdrawn: judged by the embedded evaluator"


class Side(Protocol):
    """One side of a comparison."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def row(self, results: ItemResults) -> str | None:
        """Return the row of the records that it means; None when there is none, or more than one."""
        ...


@dataclass(frozen=True)
class Row:
    """The row with a name.

    Args:
        key: of the row in the records.
        name: for people.
    """

    key: str
    name: str

    def row(self, results: ItemResults) -> str | None:
        """Return the row when it has results."""
        return self.key if results.of(self.key) else None


@dataclass(frozen=True)
class Point:
    """The row whose facts have given values.

    Args:
        name: for people.
        facts: names and values.
        first: how the row's name begins, up to its first dash; "" for any.
    """

    name: str
    facts: Mapping[str, float] = field(default_factory=dict)
    first: str = ""

    def matches(self, result: Result) -> bool:
        """Whether a result is such a point."""
        named = not self.first or result.row.partition("-")[0] == self.first
        return named and all(result.facts.get(key) == value for key, value in self.facts.items())

    def row(self, results: ItemResults) -> str | None:
        """Return the only such row."""
        return _only(result.row for result in results.usable if self.matches(result))


@dataclass(frozen=True)
class Moment(Point):
    """The point of a line at a part of its training: the last snapshot that is not after it.

    Args:
        step: where the step of a result is.
        part: of the last step; 1 for the end.
    """

    step: Source | None = None
    part: float = 1.0

    def row(self, results: ItemResults) -> str | None:
        """Return the row of the snapshot."""
        rows = dict.fromkeys(result.row for result in results.usable if self.matches(result))
        found = {row: self.step.readings(results, row) for row in rows} if self.step else {}
        steps = {
            row: min(r.value or 0.0 for r in readings.values()) for row, readings in found.items() if readings
        }
        end = max(steps.values(), default=0.0)
        reached = {row: step for row, step in steps.items() if step <= self.part * end}
        latest = max(reached.values(), default=None)
        return _only(row for row, step in reached.items() if step == latest)


def _only(rows: Iterable[str]) -> str | None:
    found = set(rows)
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Better:
    """``first`` scores better than ``second``: the interval of their difference lies on that side of zero."""

    words = "better"

    def verdict(self, low: float, high: float, level: float) -> str:
        """Judge the interval of how much worse the second side is."""
        return HOLDS if low > 0 else f"{FAILS} (the opposite)" if high < 0 else UNKNOWN


@dataclass(frozen=True)
class NoWorse:
    """``first`` is at most ``margin`` of the second's level worse than it."""

    margin: float

    @property
    def words(self) -> str:
        """What is compared, for people."""
        return f"at most {self.margin:.0%} worse"

    def verdict(self, low: float, high: float, level: float) -> str:
        """Judge by the interval's side of minus the margin."""
        bound = -self.margin * abs(level)
        return HOLDS if low > bound else FAILS if high < bound else UNKNOWN


@dataclass(frozen=True)
class Close:
    """Both differ by less than ``margin`` of the second's level, either way."""

    margin: float

    @property
    def words(self) -> str:
        """What is compared, for people."""
        return f"within {self.margin:.0%}"

    def verdict(self, low: float, high: float, level: float) -> str:
        """Judge by whether the interval lies within or without the margin on both sides."""
        bound = self.margin * abs(level)
        if -bound < low and high < bound:
            return HOLDS
        return FAILS if low > bound or high < -bound else UNKNOWN


Test = Better | NoWorse | Close
BETTER = Better()


@dataclass(frozen=True)
class Claim:
    """One statement of the paper and the comparison that it comes down to.

    Attributes:
        sentence: of the paper.
        first, second: what is compared; ``test``: what is claimed of the first against the second.
        title, better, sources: of the column that decides, as in ``Column``.
    """

    sentence: str
    first: Side
    second: Side
    title: str
    better: str
    sources: Mapping[str, Source]
    test: Test = BETTER


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
        return f"{claim.first.name} {claim.test.words} {_LINK[type(claim.test)]} {claim.second.name} by {claim.title}"


_LINK: Mapping[type, str] = {Better: "than", NoWorse: "than", Close: "of"}


def judge(claim: Claim, results: ItemResults) -> Judgment:
    """Judge a claim by the records of an item."""
    source = claim.sources.get(results.scale)
    rows = [side.row(results) for side in (claim.first, claim.second)]
    if source is None or None in rows:
        absent = [s.name for s, row in zip((claim.first, claim.second), rows, strict=True) if row is None]
        return Judgment(claim, UNMEASURED, reason=", ".join(absent) or claim.title)
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
    odd = _unlike(first, second, seeds)
    if odd:
        return Judgment(claim, UNKNOWN, seeds=seeds, reason=f"not measured alike ({odd})")
    pairs = [(first[seed].value, second[seed].value) for seed in seeds]
    sign = -1.0 if claim.better == "higher" else 1.0
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
    verdict = claim.test.verdict(*interval, level)
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


def _unlike(first: Mapping[int, Reading], second: Mapping[int, Reading], seeds: Sequence[int]) -> str:
    """Return in what the first pair that was not measured alike differs; "" when all were."""
    for seed in seeds:
        odd = difference(first[seed].condition, second[seed].condition)
        if odd:
            return odd
    return ""
