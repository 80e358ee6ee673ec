"""Dividing a preparation among machines: which part this process makes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from audiolcm.errors import UserError


@dataclass(frozen=True)
class Part:
    """Part ``number`` (from 1) of ``count``: every count-th shard."""

    number: int
    count: int

    def has(self, shard: int) -> bool:
        """Return whether a shard, numbered through all splits, belongs to this part."""
        return shard % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_part(text: str, environment: Mapping[str, str] = os.environ) -> Part:
    """Read "3/64", or "auto": the task of the SLURM array that this process runs in.

    Tasks may be numbered from any number in any step, ``--array=0-63`` or ``--array=1-64``.

    Raises:
        UserError: when it is neither, or when there is no array.
    """
    if text == "auto":
        return _of_array(environment)
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UserError(
            f"--part {text}: write 3/64 for the third of 64 parts, or auto inside a SLURM array job."
        )
    return Part(int(number), int(count))


def _of_array(environment: Mapping[str, str]) -> Part:
    names = ("TASK_ID", "TASK_MIN", "TASK_MAX", "TASK_COUNT")
    found = {name: environment.get(f"SLURM_ARRAY_{name}", "") for name in names}
    if not all(value.isdecimal() for value in found.values()):
        raise UserError(
            "--part auto needs a SLURM array job, sbatch --array=1-64 ...; elsewhere type --part 3/64."
        )
    task, first, last, count = (int(found[name]) for name in names)
    step = max(1, (last - first) // max(1, count - 1))
    if first + step * (count - 1) != last or (task - first) % step:
        raise UserError(
            f"--part auto: task {task} of {count} between {first} and {last} leaves gaps. Submit the tasks in one row, "
            "such as --array=1-64, or type --part 3/64."
        )
    return Part((task - first) // step + 1, count)
