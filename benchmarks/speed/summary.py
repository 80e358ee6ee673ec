"""What rounds of work come to: medians, the floor and the distance to it, ratios with their spread."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.speed.case import Case, read_case
from benchmarks.speed.versions import Version


@dataclass(frozen=True)
class Measured:
    """One case, measured.

    Args:
        name: of the case.
        version: that was measured: ``here``, a commit, or overrides.
        commit: of the code.
        hardware, device, precision, threads, torch: what it ran on.
        units: number of timed units.
        median, p95, least: seconds of a unit.
        rounds: median seconds of a unit in each round.
        stages: median seconds of each stage, where the work has stages.
        flops: operations of a unit; 0 where they are not known.
        rate: operations a second of one large matrix product, median over the rounds.
        sound: seconds of sound of a unit; 0 where there is none.
        peak_bytes: most memory of its process, on a GPU of its tensors.
        imported_bytes: most memory of the process when its imports were done.
    """

    name: str
    version: str
    commit: str
    hardware: str
    device: str
    precision: str
    threads: int
    torch: str
    units: int
    median: float
    p95: float
    least: float
    rounds: list[float]
    stages: dict[str, float]
    flops: float
    rate: float
    sound: float
    peak_bytes: int
    imported_bytes: int

    @property
    def case(self) -> Case:
        """What was measured."""
        return read_case(self.name)

    @property
    def floor(self) -> float | None:
        """Seconds that the arithmetic of a unit takes at the rate of the product; None where it is not known."""
        return self.flops / self.rate if self.flops else None

    @property
    def distance(self) -> float | None:
        """How many times as long as its floor a unit takes."""
        return self.median / self.floor if self.floor else None

    @property
    def utilization(self) -> float | None:
        """The share of the product's rate that is reached: MFU."""
        return 1 / self.distance if self.distance else None

    @property
    def real_time_factor(self) -> float | None:
        """Seconds for a second of sound."""
        return self.median / self.sound if self.sound else None

    @property
    def memory(self) -> int:
        """Bytes of the work itself: without the imports, on a GPU of the tensors."""
        return self.peak_bytes - (self.imported_bytes if self.device == "cpu" else 0)

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def summarized(
    case: Case, version: Version, told: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]]
) -> Measured:
    """Return what a worker told, in numbers."""
    seconds = sorted(value for one in rounds for value in one["seconds"])
    stages = [stage for one in rounds for stage in one["stages"]]
    return Measured(
        name=case.name,
        version=version.name,
        units=len(seconds),
        median=statistics.median(seconds),
        p95=seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        least=seconds[0],
        rounds=[statistics.median(one["seconds"]) for one in rounds],
        stages={name: statistics.median(stage[name] for stage in stages) for name in stages[0]},
        rate=statistics.median(one["rate"] for one in rounds),
        **told,
    )


@dataclass(frozen=True)
class Ratio:
    """How many times as long one takes as another, measured by turns: median, least and most over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(slower: Measured, faster: Measured) -> Ratio:
    """Return how many times as long ``slower`` takes, round by round."""
    ratios = [a / b for a, b in zip(slower.rounds, faster.rounds, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
