"""Figures of several seeds as one cell, where they may be: their mean and its 95% interval."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scipy.special import stdtrit

from evaluation.tables.table import DASH, Estimate, within
from experiments.judging.sources import Reading

Condition = tuple[tuple[str, str], ...]
DAGGER = "†"
"""Marks a figure with a caveat, which the notes tell."""


@dataclass(frozen=True)
class Cell:
    """One measured cell; ``EMPTY`` where nothing was measured.

    Attributes:
        value: the mean over the seeds; None for words, for nothing and for what was refused.
        interval: 95%; ``method`` says how it was made.
        per_seed: the figure of each seed.
        refusal: why figures that exist are not shown; "" when they are.
        caveat: of its readings, see ``Reading``.
        is_cut: whether its interval, or what rounding leaves of its value, was cut where such figures end.
    """

    value: float | None = None
    text: str = ""
    interval: tuple[float, float] | None = None
    method: str = ""
    num_generated: int = 0
    num_reference: int = 0
    per_seed: Mapping[int, float] = field(default_factory=dict)
    refusal: str = ""
    caveat: str = ""
    is_cut: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured."""
        return self == EMPTY

    @property
    def figures(self) -> str:
        """Value and interval with honest digits, or what stands for them."""
        if self.refusal:
            return "refused"
        if self.text or self.value is None:
            return self.text or DASH
        dagger = DAGGER if self.caveat else ""
        return " ".join(filter(None, (*Estimate(self.value, self.interval).figures, dagger)))

    @property
    def count(self) -> str:
        """Such as N=301/301; "" when nothing was counted."""
        return Estimate(0.0, None, self.num_generated, self.num_reference).count


EMPTY = Cell()


def student_interval(values: Iterable[float]) -> tuple[float, tuple[float, float] | None]:
    """Return the mean of independent values and its 95% interval by Student's t; None for fewer than two.

    Source: mean ± t(0.975, n - 1) s / sqrt(n), s with n - 1 in its denominator.
    """
    numbers = list(values)
    mean = math.fsum(numbers) / len(numbers)
    if len(numbers) < 2:
        return mean, None
    variance = math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)
    half = float(stdtrit(len(numbers) - 1, 0.975)) * math.sqrt(variance / len(numbers))
    return mean, (mean - half, mean + half)


def summarize(readings: Mapping[int, Reading]) -> Cell:
    """Return the cell of one row: the mean over seeds measured alike, or the only reading with its own interval."""
    if not readings:
        return EMPTY
    first = next(iter(readings.values()))
    if refusal := _refusal(readings):
        return Cell(refusal=refusal)
    if first.is_exact or first.value is None:
        return Cell(first.value, first.text, per_seed=_values(readings), caveat=first.caveat)
    value, interval, method = first.value, first.interval, first.method
    if len(readings) > 1:
        value, interval = student_interval(_values(readings).values())
        method = f"Student's t over {len(readings)} training seeds"
    shown = within(value, first.ends)
    cut = interval and (within(interval[0], first.ends), within(interval[1], first.ends))
    return Cell(
        shown, first.text, cut, method, first.num_generated, first.num_reference, _values(readings),
        caveat=first.caveat, is_cut=(shown, cut) != (value, interval),
    )  # fmt: skip


def _values(readings: Mapping[int, Reading]) -> dict[int, float]:
    return {seed: r.value for seed, r in sorted(readings.items()) if r.is_seeded and r.value is not None}


def _refusal(readings: Mapping[int, Reading]) -> str:
    (first_seed, first), *others = sorted(readings.items())
    for seed, other in others:
        if first.is_exact and (first.value, first.text) != (other.value, other.text):
            return f"seed {first_seed} has {first.text}, seed {seed} {other.text}"
        if odd := difference(first.condition, other.condition):
            return f"seeds {first_seed} and {seed} were not measured alike ({odd})"
    return ""


def difference(one: Condition, other: Condition) -> str:
    """Return in what two conditions differ, for people; "" when they are the same."""
    left, right = dict(one), dict(other)
    keys = [key for key in {**left, **right} if left.get(key) != right.get(key)]
    return ", ".join(f"{key}: {left.get(key, 'none')} / {right.get(key, 'none')}" for key in keys)


def column_refusals(column: Sequence[Mapping[int, Reading]]) -> dict[int, str]:
    """Return which rows, by their place, may not stand in a column with the others, and why.

    Most rows decide how the column is measured; where no condition has most, no row may stand in it. Rows whose own
    seeds differ say nothing of the others: ``summarize`` refuses them.
    """
    alike = {place: found for place, found in enumerate(column) if found and not _refusal(found)}
    conditions = {place: next(iter(found.values())).condition for place, found in alike.items()}
    common = Counter(conditions.values()).most_common(2)
    if len(common) < 2:
        return {}
    (usual, most), (second, count) = common
    if most == count:
        reason = f"the rows were not measured alike and none is the rule ({difference(usual, second)})"
        return dict.fromkeys(conditions, reason)
    odd = {place: difference(usual, found) for place, found in conditions.items() if found != usual}
    return {place: f"not measured as the other rows ({words})" for place, words in odd.items()}
