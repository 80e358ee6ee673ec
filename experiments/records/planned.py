"""The jobs that an item of the paper consists of, from its file in conf/experiment, and where their runs lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import SCALE_WORD, SCALES, RowJob, read_plans

CONF = Path(__file__).resolve().parents[2] / "conf/experiment"


@dataclass(frozen=True)
class PlannedJob(RowJob):
    """One row with one training seed, of an item of the paper.

    Attributes:
        scale: replica, esc10 or paper.  entry: train or evaluate, the script that runs it.
    """

    item: str
    scale: str
    entry: str

    @property
    def command(self) -> str:
        """What runs this job alone; where data lie comes behind it."""
        scale = "" if self.scale == SCALES[0] else f" {SCALE_WORD[self.entry]}={self.scale}"
        return f"python {self.entry}.py +experiment={self.item} row={self.name}{scale}"

    def folder(self, runs: Path) -> Path:
        """Return its run folder."""
        return runs / self.scale / self.item / self.entry / self.name


def planned(stem: str, scale: str) -> list[PlannedJob]:
    """Return the jobs of an item at a scale, those that train first.

    Raises:
        UserError: conf/experiment has no such file.
    """
    return [job for job in _jobs(stem) if job.scale == scale]


def shown(jobs: Sequence[PlannedJob]) -> Sequence[PlannedJob]:
    """Return the jobs whose figures are shown: evaluations where there are any, else what train.py counts."""
    return [job for job in jobs if job.entry == "evaluate"] or jobs


@cache
def _jobs(stem: str) -> tuple[PlannedJob, ...]:
    path = CONF / f"{stem}.yaml"
    if not path.is_file():
        raise UserError(f"There is no experiment {stem}: python -m experiments list names them.")
    return tuple(
        PlannedJob(job.row, job.seed, job.overrides, stem, scale, entry)
        for (entry, scale), jobs in read_plans(path).items()
        for job in jobs
    )
