"""What Hydra calls before and after jobs: a check of the run folder, and the table that ends a sweep.

Also which jobs a sweep is going to run, from the ``multirun.yaml`` that Hydra leaves before the first of them.
"""

import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, OmegaConfBaseException

from audiolcm import text_tables
from audiolcm.configuration.resolvers import slug
from audiolcm.configuration.sections import check_paths, check_place
from audiolcm.configuration.words import in_shell, quoted
from audiolcm.environment.terminal import complain, printable
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path, require_writable
from audiolcm.storage.plain_data import read_yaml
from audiolcm.storage.run_folder import RESULT, has_damaged_result, read_result, written
from audiolcm.text_tables import frame

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

TRAINING_FIGURES = ("train/student", "validation/loss", "validation/distance_to_teacher")
JobRow = dict[str, Any]
T = TypeVar("T")
MULTIRUN = "multirun.yaml"
_DAMAGED = (OmegaConfBaseException, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What comes of a file that Hydra did not write so."""


@runtime_checkable
class Picture(Protocol):
    """Something to draw of a finished sweep."""

    def draw(self, folder: Path, rows: list[JobRow]) -> Path:
        """Draw into ``folder`` and return the file."""
        ...


class WritableRunFolder(Callback):
    """Refuses a folder of runs that cannot be written, in one message, before Hydra fails in it; and to leave here."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Write and remove a file as large as all that Hydra writes itself."""
        _require_good_place(config, "hydra.run.dir")

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
        _require_good_place(config, "hydra.sweep.dir", "hydra.sweep.subdir")


def _require_good_place(config: DictConfig, *names: str) -> None:
    """Refuse places that are none: the first is the folder of all, others are named below it."""
    if config.hydra.job.chdir:
        sys.exit(
            "hydra.job.chdir=true is refused: artifacts, cache and data would be looked for, and made again, in the "
            "folder of each run. Leave it out; hydra.run.dir=FOLDER chooses where a run's own files go."
        )
    try:
        check_paths(config.paths)
        for name in names:
            check_place(name, _place(config, name))
        if "/" in str(config.hydra.job.name):
            raise UserError(
                f"hydra.job.name={config.hydra.job.name} names the log file: leave out what has a /."
            )
        require_writable(Path(_place(config, names[0])), "paths.runs=FOLDER")
    except UserError as error:
        complain(f"{error}\n")
        sys.exit(1)


def _place(config: DictConfig, name: str) -> Any:
    try:
        return OmegaConf.select(config, name)
    except InterpolationKeyError as error:
        raise UserError(f"{name}: {str(error).splitlines()[0]}.") from error
    except InterpolationResolutionError:
        # Named by the words of the command line, which are not known yet
        return config.paths.runs


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
        self.rows: list[JobRow] = []
        self._before: dict[Path, int | None] = {}

    def on_job_start(self, config: DictConfig, **_: object) -> None:
        """Remember the result that an earlier call left, which is not this one's."""
        folder = Path(config.hydra.runtime.output_dir)
        self._before[folder] = written(folder)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: object) -> None:
        """Take in one job's result."""
        assert job_return.hydra_cfg is not None  # Hydra sets it before it runs the job
        hydra_cfg = job_return.hydra_cfg.hydra
        name = job_name(hydra_cfg.overrides.task, hydra_cfg.job.override_dirname)
        folder = Path(hydra_cfg.runtime.output_dir)
        if job_return.status == JobStatus.FAILED:  # its return value would be raised
            error = str(job_return._return_value)
        elif folder in self._before and written(folder) == self._before[folder]:
            if config.get("plan"):  # told, and nothing made
                return
            error = "it could not leave a result: see above"
        else:
            self.rows.append(row_of(name, folder))
            return
        self.rows.append({"job": name, "run": str(folder), "status": "failed", "error": error})

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Write the table, draw the pictures, and fail if a job failed."""
        if not self.rows:
            return
        folder = Path(config.hydra.sweep.dir)
        name = f"summary-{slug(','.join(config.hydra.overrides.task))}"
        failed = [row["job"] for row in self.rows if row["status"] != "done"]
        is_well = not failed
        try:
            write_summary(folder, name, self.rows, self.figures)
            for picture in self.pictures:
                log.info("Picture: %s", picture.draw(folder, self.rows))
        except UserError as error:
            is_well = False
            log.error("%s", error)
        finally:
            if failed:
                log.error("%d of %d jobs failed: %s", len(failed), len(self.rows), "; ".join(failed))
            if not is_well:
                sys.exit(1)
        if following := next_of(self.rows, config.hydra.runtime.choices.get("experiment")):
            log.info("%s", following)


def job_name(overrides: Sequence[str], otherwise: str) -> str:
    """Return the name of a job for people: that of its row, where it has one."""
    given = {name: value for name, _, value in (word.partition("=") for word in overrides)}
    return given.get("row", otherwise)


def next_of(rows: Sequence[JobRow], experiment: str | None) -> str:
    """Return what to type after a sweep that trained students, as a single run's summary does; else ""."""
    students = [row["folder"] for row in rows if row.get("student")]
    if not students:
        return ""
    checkpoints = ",".join(map(quoted, students))
    scored = (
        f"python -m experiments status {experiment}"
        if experiment
        else "python evaluate.py -m " + in_shell(f"checkpoint={checkpoints}")
    )
    words = ["audiolcm", "generate", "A dog is barking", "--checkpoint", students[0], "-o", "sound.wav"]
    return f"Next:\n  {scored}\n  {shlex.join(words)}"


def row_of(job: str, folder: Path) -> JobRow:
    """Return the table's row of a job, from what it left in its folder."""
    found = f"{RESULT} is damaged" if has_damaged_result(folder) else "no result"
    result = read_result(folder) or {"status": "failed", "error": found}
    return {"job": job, "run": str(folder)} | result


def write_summary(
    folder: Path, name: str, rows: list[JobRow], figures: Sequence[str] | None = TRAINING_FIGURES
) -> Path:
    """Write ``<name>.md`` and ``<name>.csv`` of the rows into ``folder``, show the table, and return the former."""
    shown = markdown(rows, figures)
    path = folder / f"{name}.md"
    log.info("\n%s", shown)  # first: the disk may be full
    with atomic_path(path) as temporary:
        temporary.write_text(shown, encoding="utf-8")
    with atomic_path(folder / f"{name}.csv") as temporary:  # missing is empty there, what diverged is nan
        temporary.write_text(text_tables.csv_text(table(rows, figures)), encoding="utf-8", newline="")
    log.info("Written to %s", path)
    return path


def table(rows: list[JobRow], figures: Sequence[str] | None = TRAINING_FIGURES) -> "pd.DataFrame":
    """Return a line for each row; what a job did not leave is ""."""
    found = dict.fromkeys(name for row in rows for name in row.get("figures", {}))
    columns = ["job", "status", *(found if figures is None else figures), "folder", "error"]
    lines = [dict.fromkeys(columns, "") | row | row.get("figures", {}) for row in rows]
    told = [{n: printable(v) if isinstance(v, str) else v for n, v in line.items()} for line in lines]
    return frame(columns, told)


def markdown(rows: list[JobRow], figures: Sequence[str] | None = TRAINING_FIGURES) -> str:
    """Return the rows as a Markdown table; a failed job shows its message instead of figures."""
    found = table(rows, figures)
    found["job"] = found["job"].replace("", "(defaults)")
    found["result"] = found["folder"].where(found["folder"] != "", "failed: " + found["error"])
    shown = found.drop(columns=["status", "folder", "error"]).map(_shown)
    return text_tables.markdown(shown, ["---"] * shown.shape[1]) + "\n"


def _shown(cell: object) -> str:
    """Return a figure with four digits, and all else as a text without the signs that would end its cell."""
    return f"{cell:#.4g}" if isinstance(cell, int | float) else " ".join(str(cell).split()).replace("|", "/")


def planned_jobs(sweep: Path) -> list[tuple[str, str]]:
    """Return folder and name of each job of the newest sweep in the folder ``sweep``; none of a search by Optuna."""
    return [(slug(name, str(sweep)), name) for name in _of_newest(sweep, _job_names, [])]


def summary_of(sweep: Path) -> tuple[str, list[str] | None]:
    """Return name and columns of the table that the newest sweep in the folder ends with, as ``SweepSummary`` has."""
    return _of_newest(sweep, _name_and_columns, ("summary", list(TRAINING_FIGURES)))


def _of_newest(sweep: Path, tell: Callable[[DictConfig], T], otherwise: T) -> T:
    """Return what Hydra's note of a sweep tells; ``otherwise`` without one, or of a damaged one, which is said."""
    if not os.path.lexists(sweep / MULTIRUN):
        return otherwise
    try:
        return tell(OmegaConf.create({"hydra": read_yaml(sweep / MULTIRUN)["hydra"]}).hydra)
    except (OSError, *_DAMAGED) as error:
        log.warning("%s is damaged (%s): jobs that have not begun are not known.", sweep / MULTIRUN, error)
        return otherwise


def _job_names(cfg: DictConfig) -> list[str]:
    if "BasicSweeper" not in str(OmegaConf.select(cfg, "sweeper._target_")):
        return []
    parser, style = OverridesParser.create(), cfg.job.config.override_dirname
    given = [f"{key}={value}" for key, value in (cfg.sweeper.params or {}).items()]
    try:
        (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*given, *cfg.overrides.task]), None)
        return [
            get_overrides_dirname(
                parser.parse_overrides(job), list(style.exclude_keys), style.item_sep, style.kv_sep
            )
            for job in jobs
        ]
    except HydraException:  # a kind of sweep that needs the configuration groups at hand
        return []


def _name_and_columns(cfg: DictConfig) -> tuple[str, list[str] | None]:
    figures = OmegaConf.select(cfg, "callbacks.sweep_summary.figures", default=list(TRAINING_FIGURES))
    name = f"summary-{slug(','.join(cfg.overrides.task))}"
    return name, None if figures is None else [str(figure) for figure in figures]
