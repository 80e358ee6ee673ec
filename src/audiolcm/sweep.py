"""What Hydra calls before and after jobs: a check of the run folder, and the table that ends a sweep."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from audiolcm import text_tables
from audiolcm.config import slug
from audiolcm.errors import UserError
from audiolcm.files import atomic_path, require_writable
from audiolcm.result import read_result
from audiolcm.text_tables import frame

if TYPE_CHECKING:
    import pandas as pd

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
        _require_writable(config.hydra.run.dir)

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
        _require_writable(config.hydra.sweep.dir)


def _require_writable(folder: str) -> None:
    try:
        require_writable(Path(folder), "paths.runs=FOLDER")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


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
        assert job_return.hydra_cfg is not None  # Hydra sets it before it runs the job
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
    given = {name: value for name, _, value in (word.partition("=") for word in overrides)}
    return given.get("row", otherwise)


def row_of(job: str, folder: Path) -> Row:
    """Return the table's row of a job, from what it left in its folder."""
    result = read_result(folder) or {"status": "failed", "error": "no result"}
    return {"job": job, "run": str(folder)} | result


def write_summary(
    folder: Path, name: str, rows: list[Row], figures: Sequence[str] | None = TRAINING_FIGURES
) -> Path:
    """Write ``<name>.md`` and ``<name>.csv`` of the rows into ``folder``, show the table, and return the former."""
    shown = markdown(rows, figures)
    path = folder / f"{name}.md"
    with atomic_path(path) as temporary:
        temporary.write_text(shown, encoding="utf-8")
    with atomic_path(folder / f"{name}.csv") as temporary:  # missing is empty there, what diverged is nan
        table(rows, figures).to_csv(temporary, index=False, lineterminator="\r\n", na_rep="nan")
    log.info("\n%s\nWritten to %s", shown, path)
    return path


def table(rows: list[Row], figures: Sequence[str] | None = TRAINING_FIGURES) -> "pd.DataFrame":
    """Return a line for each row; what a job did not leave is ""."""
    found = dict.fromkeys(name for row in rows for name in row.get("figures", {}))
    columns = ["job", "status", *(found if figures is None else figures), "folder", "error"]
    return frame(columns, [dict.fromkeys(columns, "") | row | row.get("figures", {}) for row in rows])


def markdown(rows: list[Row], figures: Sequence[str] | None = TRAINING_FIGURES) -> str:
    """Return the rows as a Markdown table; a failed job shows its message instead of figures."""
    found = table(rows, figures)
    found["job"] = found["job"].replace("", "(defaults)")
    found["result"] = found["folder"].where(found["folder"] != "", "failed: " + found["error"])
    shown = found.drop(columns=["status", "folder", "error"]).map(_shown)
    return text_tables.markdown(shown, ["---"] * shown.shape[1]) + "\n"


def _shown(cell: str | int | float) -> str:
    """Return a figure with four digits, and a text without the signs that would end its cell."""
    return cell.replace("\n", " ").replace("|", "/") if isinstance(cell, str) else f"{cell:#.4g}"
