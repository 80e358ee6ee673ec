"""What Hydra calls before and after jobs: a check of the run folder, and the table that ends a sweep."""

import csv
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from audiolcm.config import slug
from audiolcm.errors import UserError
from audiolcm.files import atomic_path
from audiolcm.result import read_result

log = logging.getLogger(__name__)

TRAINING_FIGURES = ("train/student", "validation/loss", "validation/distance_to_teacher")
Row = dict[str, Any]


@runtime_checkable
class Picture(Protocol):
    """Something to draw of a finished sweep."""

    def draw(self, folder: Path, rows: list[Row]) -> Path:
        """Draw into ``folder`` and return the file."""
        ...


class WritableRunFolder(Callback):
    """Refuses a folder of runs that can not be written, in one message, before Hydra fails in it."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Write and remove a small file."""
        probe = Path(config.paths.runs) / ".writable"
        try:
            with atomic_path(probe) as temporary:
                temporary.write_bytes(bytes(4096))
            probe.unlink(missing_ok=True)  # another job's may be the same
        except UserError as error:
            sys.stderr.write(f"{error} The folder of runs is paths.runs=FOLDER.\n")
            sys.exit(1)

    def on_multirun_start(self, config: DictConfig, **more: object) -> None:
        """Refuse a sweep that torchrun started; else as of a run.

        Each process would walk through the sweep by itself: one that is ahead takes the job that another is still
        writing for a failed one, ends, and torchrun then ends that job.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            sys.stderr.write(
                "A sweep (-m) does not run in several processes. Type torchrun once for each job, without -m, or let "
                "SLURM give each job its processes: python train.py -m hydra/launcher=slurm_node ...\n"
            )
            sys.exit(1)
        self.on_run_start(config, **more)


class SweepSummary(Callback):
    """Collects ``result.json`` of every job and writes a table of the sweep, named by what it swept.

    That is ``summary-<overrides>.md`` and ``.csv`` in the sweep's folder. A sweep with a failed job ends with exit
    code 1 after all its jobs had their turn.

    Args:
        pictures: what is drawn of it besides.
        figures: names of the columns; None for every figure that a job left.
    """

    def __init__(
        self, pictures: Sequence[Picture] = (), figures: Sequence[str] | None = TRAINING_FIGURES
    ) -> None:
        self.pictures, self.figures = pictures, figures
        self.rows: list[Row] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: object) -> None:
        """Take in one job's result."""
        hydra_cfg = job_return.hydra_cfg.hydra
        name = job_name(hydra_cfg.overrides.task, hydra_cfg.job.override_dirname)
        self.rows.append(row_of(name, Path(hydra_cfg.runtime.output_dir)))

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Write the table, draw the pictures, and fail if a job failed."""
        if not self.rows:
            return
        folder = Path(config.hydra.sweep.dir)
        name = f"summary-{slug(','.join(config.hydra.overrides.task))}"
        write_summary(folder, name, self.rows, self.figures)
        failed = [row["job"] for row in self.rows if row["status"] != "done"]
        if failed:
            log.error("%d of %d jobs failed: %s", len(failed), len(self.rows), "; ".join(failed))
        try:
            for picture in self.pictures:
                log.info("Picture: %s", picture.draw(folder, self.rows))
        finally:
            if failed:
                sys.exit(1)


def job_name(overrides: Sequence[str], otherwise: str) -> str:
    """Return the name of a job for people: that of its row, where it has one."""
    given = dict(word.partition("=")[::2] for word in overrides)
    return given.get("row", otherwise)


def row_of(job: str, folder: Path) -> Row:
    """Return the table's row of a job, from what it left in its folder."""
    result = read_result(folder) or {"status": "failed", "error": "no result"}
    return {"job": job, "run": str(folder)} | result


def write_summary(
    folder: Path, name: str, rows: list[Row], figures: Sequence[str] | None = TRAINING_FIGURES
) -> Path:
    """Write ``<name>.md`` and ``<name>.csv`` of the rows into ``folder``, show the table, and return the former."""
    table = markdown(rows, figures)
    path = folder / f"{name}.md"
    with atomic_path(path) as temporary:
        temporary.write_text(table)
    _write_csv(folder / f"{name}.csv", rows, figures)
    log.info("\n%s\nWritten to %s", table, path)
    return path


def markdown(rows: list[Row], figures: Sequence[str] | None = TRAINING_FIGURES) -> str:
    """Return the rows as a Markdown table; a failed job shows its message instead of figures."""
    names = _columns(rows, figures)
    lines = ["| " + " | ".join(["job", *names, "result"]) + " |", "|" + "---|" * (len(names) + 2)]
    for row in rows:
        found = row.get("figures", {})
        cells = [f"{found[name]:#.4g}" if name in found else "" for name in names]
        result = row.get("folder") or f"failed: {row.get('error', '')}".replace("\n", " ").replace("|", "/")
        lines.append("| " + " | ".join([row["job"] or "(defaults)", *cells, result]) + " |")
    return "\n".join(lines) + "\n"


def _write_csv(path: Path, rows: list[Row], figures: Sequence[str] | None) -> None:
    names = _columns(rows, figures)
    with atomic_path(path) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["job", "status", *names, "folder", "error"])
        for row in rows:
            cells = [row.get("figures", {}).get(name, "") for name in names]
            writer.writerow([row["job"], row["status"], *cells, row.get("folder", ""), row.get("error", "")])


def _columns(rows: list[Row], figures: Sequence[str] | None) -> list[str]:
    if figures is not None:
        return list(figures)
    return list(dict.fromkeys(name for row in rows for name in row.get("figures", {})))
