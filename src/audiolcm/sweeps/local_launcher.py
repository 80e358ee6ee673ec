"""The Hydra launcher behind every sweep on this machine: its jobs one after the other, each with its turn.

Hydra's own raises where it cannot write its files of one job, such as ``.hydra/config.yaml`` on a full disk, and the
jobs behind that one are never begun.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, run_job, setup_globals
from omegaconf import DictConfig, OmegaConf, open_dict

from audiolcm.errors import UserError
from audiolcm.storage.files import DISK_TROUBLE, explained

log = logging.getLogger(__name__)


class OneByOne(BasicLauncher):
    """Runs the jobs of a sweep; one whose own folder cannot be written has failed, and the next is begun."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return what Hydra asks of each."""
        assert self.config is not None and self.hydra_context is not None and self.task_function is not None
        setup_globals()
        self._log_as_sweep()
        log.info("Launching %d jobs locally", len(job_overrides))
        done = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = number
            try:
                folders = ("hydra.sweep.dir", "hydra.sweep.subdir")
                job = run_job(self.task_function, config, *folders, self.hydra_context)
            except Exception as error:  # noqa: BLE001 (raised again where no disk is behind it)
                self._log_as_sweep()
                job = self._failed(config, overrides, error)
            done.append(job)
            self._log_as_sweep()
        return done

    def _log_as_sweep(self) -> None:
        """Log as Hydra does between jobs, each of which has a log of its own."""
        assert self.config is not None
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)

    def _failed(self, config: DictConfig, overrides: Sequence[str], error: Exception) -> JobReturn:
        """Tell the callbacks of a job that could not begin, and let Hydra go on; what no disk is behind is raised."""
        assert self.hydra_context is not None
        trouble = _of_disk(error, Path(config.hydra.runtime.output_dir))
        if trouble is None:
            raise error
        log.error("%s", trouble)
        hydra = OmegaConf.masked_copy(config, ["hydra"])
        job = JobReturn(list(overrides), config, hydra, str(Path.cwd()), config.hydra.job.name)
        job.status, job.return_value = JobStatus.FAILED, trouble
        self.hydra_context.callbacks.on_job_end(config=config, job_return=job)
        job.status, job.return_value = JobStatus.COMPLETED, None  # at a failed one Hydra would end the sweep
        return job


def _of_disk(error: BaseException | None, folder: Path) -> UserError | None:
    """Return what to tell where a disk is behind an error, or behind what it was raised from; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
            return explained(error, Path(error.filename or folder / "its files"))
        error = error.__cause__ or error.__context__
    return None
