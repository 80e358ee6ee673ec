"""The Hydra launcher behind ``hydra/launcher=submitit_slurm``: a sweep's jobs go to SLURM, each as a command.

It stands in for the launcher of hydra-submitit-launcher, whose jobs carry a pickle of the driver's state: that one
raises at the first failed job, refuses to requeue at a time limit, and runs the code as it is when the job starts.
"""

import copy
import inspect
import logging
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from audiolcm.configuration.checking import nearest
from audiolcm.configuration.plugins import imported
from audiolcm.configuration.resolvers import slug
from audiolcm.environment.guard import explained
from audiolcm.errors import UserError
from audiolcm.sweeps.slurm.shared_parents import Planned, made_from, plan
from audiolcm.sweeps.slurm.snapshot import take_snapshot
from audiolcm.sweeps.summary import job_name

if TYPE_CHECKING:
    from audiolcm.sweeps.slurm.submission import Order, Submitted

log = logging.getLogger(__name__)

T = TypeVar("T")

# What the launcher decides for its jobs; every other override of Hydra's own settings reaches them.
_OURS = ("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweep", "hydra.mode", "hydra.run")
_WORDS = ("name", "partition", "account", "qos", "constraint", "gres", "mail_user", "mail_type")
_NUMBERS = {  # with the least that makes sense
    "timeout_min": 1, "signal_delay_s": 0, "nodes": 1, "tasks_per_node": 1, "gpus_per_node": 0, "cpus_per_task": 1,
    "mem_gb": 1, "max_parallel": 1,
}  # fmt: skip
_NEEDED = ("name", "timeout_min", "signal_delay_s", "nodes", "tasks_per_node")
_OTHERS = {
    "wait": bool, "requeue": bool, "setup": list, "additional_parameters": dict, "parents": str, "group": str,
}  # fmt: skip
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class SweepLauncher(Launcher):
    """Submits a sweep to SLURM, and waits for it; conf/hydra/launcher/submitit_slurm.yaml tells of its settings."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives before the launch."""
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs and, unless ``wait`` is off, return when all have ended, well or not.

        What became of each is in its ``result.json``, of which the callbacks make the sweep's table; so every
        ``JobReturn`` says COMPLETED, and Hydra raises at none of them.
        """
        before = HydraConfig.instance().cfg
        try:
            settings = checked(self.settings)
            rows = [self._compose(list(row), initial_job_idx + i) for i, row in enumerate(job_overrides)]
            with explained():  # that is where submitit is imported
                jobs = self._submit(rows, settings)
            if settings["wait"]:
                self._wait(rows, jobs)
            return rows
        except UserError as error:
            log.error(str(error))
            sys.exit(1)
        finally:
            HydraConfig.instance().cfg = before

    @property
    def sweep(self) -> Path:
        """The sweep's folder."""
        return Path(self.config.hydra.sweep.dir).absolute()

    def _submit(self, rows: Sequence[JobReturn], settings: Mapping[str, Any]) -> "list[Submitted]":
        # Here: Hydra's start should not wait for submitit
        from audiolcm.sweeps.slurm.submission import submit

        configs = [_plain(_given(row.cfg)) for row in rows]
        planned = plan(configs if settings["parents"] == "dependent" else [{} for _ in configs])
        script = Path(inspect.getfile(self.task_function)).resolve()
        plugins = dict.fromkeys(name for cfg in configs for name in imported(cfg.get("plugins")))
        snapshot = take_snapshot(script.parent, self.sweep / ".code", plugins)
        orders = [self._order(job, rows, configs, snapshot / script.name) for job in planned]
        jobs = submit(orders, planned, self.sweep, snapshot, settings)
        for job in jobs:
            log.info("job %s%s: %s", job.job_id, f" after {job.needs}" if job.needs else "", job.job)
        numbers = ",".join(dict.fromkeys(job.array or job.job_id for job in jobs))
        log.info(
            "%d jobs submitted. How they are: python -m experiments status %s, or squeue --jobs=%s. "
            "To end them: scancel %s",
            len(jobs), self.sweep, numbers, numbers.replace(",", " "),
        )  # fmt: skip
        return jobs

    def _wait(self, rows: Sequence[JobReturn], jobs: "Sequence[Submitted]") -> None:
        from audiolcm.sweeps.slurm.waiting import Results, wait

        try:
            wait(jobs, Results(jobs))
        except KeyboardInterrupt:
            log.warning(
                "No longer waiting. The jobs go on: see above how to look at them and how to end them."
            )
            sys.exit(130)
        for row in rows:
            config = _given(row.hydra_cfg)
            HydraConfig.instance().cfg = cast(Any, config)  # as Hydra itself does
            self.context.callbacks.on_job_end(config=config, job_return=row)

    def _compose(self, overrides: list[str], number: int) -> JobReturn:
        """Return a job of the sweep as if it had been run: its configuration and its folder."""
        cfg = self.context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(cfg.hydra.job):
            cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
        HydraConfig.instance().set_config(cfg)
        with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
            cfg.hydra.runtime.output_dir = str(self.sweep / cfg.hydra.sweep.subdir)
        task = copy.deepcopy(cfg)
        with read_write(task), open_dict(task):
            del task["hydra"]
        hydra_cfg = OmegaConf.masked_copy(cfg, ["hydra"])
        return JobReturn(
            overrides, task, hydra_cfg, str(Path.cwd()), cfg.hydra.job.name, JobStatus.COMPLETED, None
        )

    def _order(
        self, planned: Planned, rows: Sequence[JobReturn], configs: Sequence[Mapping[str, Any]], script: Path
    ) -> "Order":
        from audiolcm.sweeps.slurm.submission import Order

        row = rows[planned.rows[0]]
        hydra, words = _given(row.hydra_cfg).hydra, _given(row.overrides)
        name = job_name(words, hydra.job.override_dirname) or "(defaults)"
        if planned.stage is None:
            folder, overrides = Path(hydra.runtime.output_dir), list(words)
        else:
            overrides = [*self._shared(planned, rows, configs), f"stage={planned.stage}"]
            name = f"stage={planned.stage} for {len(planned.rows)} jobs from #{hydra.job.num} on"
            folder = self.sweep / "parents" / slug(",".join(overrides))
        kept = [o for o in self.config.hydra.overrides.hydra if not o.lstrip("+~").startswith(_OURS)]
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        arguments = [str(script), *overrides, *kept, "hydra.mode=RUN", f"hydra.run.dir='{quoted}'"]
        return Order(name, folder, tuple(arguments), tuple(overrides))

    def _shared(
        self, planned: Planned, rows: Sequence[JobReturn], configs: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """Return overrides for the parent of several jobs: what they have in common.

        What tells the jobs apart does not change their parent; without it a bad value in one of them cannot fail
        the parent of all.
        """
        stage = _given(planned.stage)
        first, *others = (list(_given(rows[index].overrides)) for index in planned.rows)
        common = [override for override in first if all(override in other for other in others)]
        try:
            found = made_from(_plain(_given(self._compose(common, -1).cfg)), stage)
        except (HydraException, OmegaConfBaseException):
            return first
        return common if found == made_from(configs[planned.rows[0]], stage) else first


def _given(part: T | None) -> T:
    """Return a part of a job, which Hydra's class allows to be missing; ``_compose`` leaves none out."""
    assert part is not None
    return part


def _plain(cfg: DictConfig) -> dict[str, Any]:
    """Return a configuration without interpolations; nothing for one that lacks a value, which then shares nothing."""
    try:
        return cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True))
    except OmegaConfBaseException:
        return {}


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as plain values.

    Raises:
        UserError: on an unknown setting, a bad value, one that would not stay on its line of the batch script, or
            where there is no SLURM.
    """
    plain: dict[str, Any] = {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in settings.items()
    }
    known = [*_WORDS, *_NUMBERS, *_OTHERS]
    for name, value in plain.items():
        if name not in known:
            raise UserError(
                f"Unknown setting hydra.launcher.{name}.{nearest(name, known)} Other options of sbatch go into "
                f"hydra.launcher.additional_parameters, such as +hydra.launcher.additional_parameters.{name}=..."
            )
        if name in _OTHERS and not isinstance(value, _OTHERS[name]):
            raise UserError(f"hydra.launcher.{name}={value!r} must be a {_OTHERS[name].__name__}.")
        least = _NUMBERS.get(name)
        empty = value is None and name not in _NEEDED
        if least is not None and not empty and (type(value) is not int or value < least):
            raise UserError(f"hydra.launcher.{name}={value!r} must be a whole number of at least {least}.")
    for name, value in _written(plain):
        if not str(value).isprintable():
            raise UserError(f"hydra.launcher.{name}={value!r} must be one line without control signs.")
    if odd := [name for name in plain["additional_parameters"] if not _OPTION.fullmatch(str(name))]:
        raise UserError(
            f"hydra.launcher.additional_parameters: {odd[0]!r} is no name of an option of sbatch."
        )
    if plain["parents"] not in ("dependent", "wait"):
        raise UserError(f"hydra.launcher.parents={plain['parents']}: choose dependent or wait.")
    if shutil.which("sbatch") is None:
        raise UserError(
            "There is no SLURM here: sbatch is not found. Type the command on a login node of the cluster, or leave "
            "out hydra/launcher=... to run the jobs one after the other on this machine."
        )
    return plain


def _written(plain: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield what stands in the batch script as text; the lines of ``setup`` are the user's own."""
    yield from ((name, plain[name]) for name in (*_WORDS, "group"))
    yield from ((f"additional_parameters.{name}", v) for name, v in plain["additional_parameters"].items())
