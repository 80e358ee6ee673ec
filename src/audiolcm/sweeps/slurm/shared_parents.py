"""Which jobs of a sweep share which parents, so that each parent is one job and its users wait for it in the queue.

Without this the first job to come trains the parent while the others, already running, wait for its lock and pay for
it with their time limits.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiolcm.configuration.sections import STAGES

Config = Mapping[str, Any]
RowNumbers = Sequence[int]

# What each stage adds to what the ones before it are made from. A setting missing here costs time, never a wrong
# result: jobs then wait for a parent that some of them cannot use, and train their own.
_MADE_FROM = {
    "data": ("dataset", "paths.artifacts", "paths.cache", "plugins"),
    "autoencoder": (
        "parents", "teacher", "autoencoder", "trainer.autoencoder", "optimizer", "hardware.precision", "seed",
    ),
    "vocoder": ("vocoder", "trainer.vocoder"),
    "teacher": ("model", "backbone", "text_encoder", "schedule", "objective.diffusion", "trainer.teacher"),
}  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """A job to submit.

    Args:
        rows: the jobs of the sweep that it serves; a single one when it is that job itself.
        stage: which parent it makes; None for a job of the sweep itself.
        needs: index, in the plan, of the job that must have ended well before it starts.
    """

    rows: tuple[int, ...]
    stage: str | None
    needs: int | None


def plan(configs: Sequence[Config]) -> list[Planned]:
    """Return the jobs to submit for the composed configurations of a sweep, parents before what needs them.

    Jobs that agree on a stage and all before it get one job for the last stage that they share. Configurations
    without a stage that is made (those of ``evaluate.py``, ``stage=describe``) share nothing.
    """
    planned: list[Planned] = []
    if len(configs) < 2 or any(cfg.get("stage") not in STAGES for cfg in configs):
        return [Planned((row,), None, None) for row in range(len(configs))]
    levels = STAGES[: min(STAGES.index(cfg["stage"]) for cfg in configs)]
    if any(cfg["parents"].get("teacher") for cfg in configs):
        levels = levels[:1]  # the stages before a given teacher are given too

    def add(rows: RowNumbers, stage: str | None, needs: int | None) -> int:
        planned.append(Planned(tuple(rows), stage, needs))
        return len(planned) - 1

    def split(rows: RowNumbers, level: int, shared: str | None, needs: int | None) -> None:
        """Plan rows that agree on all before ``level``; ``shared`` is what of that has no job yet."""
        ends = level == len(levels)
        groups = [rows] if ends else _grouped(rows, lambda row: made_from(configs[row], levels[level]))
        if len(groups) == 1 and len(rows) > 1 and not ends:
            split(rows, level + 1, levels[level], needs)
            return
        if shared and len(rows) > 1:
            needs = add(rows, shared, needs)
        for group in groups:
            if ends or len(group) == 1:
                for row in group:
                    add([row], None, needs)
            else:
                split(group, level + 1, levels[level], needs)

    split(range(len(configs)), 0, None, None)
    return planned


def made_from(cfg: Config, stage: str) -> str:
    """Return, as text to compare, what of a configuration decides the artifact of ``stage``."""
    known = STAGES[: STAGES.index(stage) + 1]
    paths = [path for name in known for path in _MADE_FROM[name]]
    return json.dumps({path: _at(cfg, path) for path in paths}, sort_keys=True, default=str)


def _at(cfg: Config, path: str) -> object:
    found: Any = cfg
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _grouped(rows: RowNumbers, key: Callable[[int], str]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())
