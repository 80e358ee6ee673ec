"""What ``python train.py`` does with a composed configuration: train, generate a preview, sum up; and jobs at large."""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from audiolcm.configuration.build import build
from audiolcm.configuration.fingerprint import code_of_plugins, method_fingerprint, settings_made
from audiolcm.configuration.plugins import allowing
from audiolcm.configuration.schema import check_local, resolve
from audiolcm.configuration.sections import DESCRIBE
from audiolcm.configuration.words import options_of
from audiolcm.data.preparing.census import census
from audiolcm.distributed import processes
from audiolcm.distributed.hardware import missing_on_mps
from audiolcm.environment.failures import explain
from audiolcm.environment.interrupts import Interrupted, raise_on_signal, stop_on_signal
from audiolcm.errors import UserError
from audiolcm.jobs.finished import found_finished, inputs_of, objective_of
from audiolcm.jobs.slurm_queue import requeue
from audiolcm.storage.files import DISK_TROUBLE, explained, name_too_long
from audiolcm.storage.hashing import code_version
from audiolcm.storage.run_folder import RESULT, at_stage, begin, read_result, write_result
from audiolcm.training.tracking import check_tracker, read_metrics
from audiolcm.weights.artifacts import Artifact
from audiolcm.weights.place import is_embedded

if TYPE_CHECKING:
    from audiolcm.stages.recipe import Recipe

log = logging.getLogger(__name__)

PREVIEW_SECTIONS = ("preview", "sampler", "teacher_sampler")


def run_training(cfg: DictConfig) -> float | None:
    """Run one job of ``train.py``; see ``run_job``.

    Returns:
        In a sweep the figure ``objective_metric``, for sweepers that search; of a failed job the worst there is, so
        that the search goes on.
    """
    run_job(cfg, _train)
    hydra_cfg = HydraConfig.get()
    if hydra_cfg.mode != RunMode.MULTIRUN or cfg.stage != "student":
        return None
    direction = str(hydra_cfg.sweeper.get("direction", "minimize"))
    try:
        return objective_of(Path(hydra_cfg.runtime.output_dir), cfg.objective_metric, direction)
    except UserError as error:  # of the sweep, not of this job
        log.error(str(error))
        sys.exit(1)


def run_job(cfg: DictConfig, job: Callable[[DictConfig, Path], None]) -> None:
    """Run one job in its run folder. A user's mistake ends it with one message and exit code 1.

    In a sweep a failed job is recorded in its ``result.json`` and the next job goes on; the sweep's summary lists
    it and gives the exit code. ``HYDRA_FULL_ERROR=1`` shows the stack trace. A SLURM job that is asked to stop
    requeues itself.
    """
    # What went wrong is told to its end: torchrun stops this process when another one died
    with stop_on_signal():
        _run_and_tell(cfg, job)


def _run_and_tell(cfg: DictConfig, job: Callable[[DictConfig, Path], None]) -> None:
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    try:
        with raise_on_signal():
            processes.join()
            begin(folder)
            for source in hydra_cfg.runtime.config_sources:
                if source.provider == "main":
                    check_local(Path(source.path))
            with allowing(cast("dict[str, Any]", OmegaConf.to_container(cfg)).get("plugins")):
                job(cfg, folder)
    except (Interrupted, KeyboardInterrupt) as stop:  # the latter: a second Ctrl-C while a step is finished
        if processes.is_first() and not getattr(stop, "is_told", False):
            failure = stop.__context__  # on its way here when the signal came
            lost = isinstance(failure, Exception) and processes.lost_another(failure)
            stopped = "Stopped. The same command goes on where this one stopped."
            log.error(_explain(failure)[0] if lost else stopped)
        if isinstance(stop, Interrupted):
            _back_into_the_queue(stop, cfg, folder)
        raise stop if isinstance(stop, Interrupted) else Interrupted(signal.SIGINT) from stop
    except Exception as error:
        reason, expected = _explain(error)
        if not processes.failed(reason):  # another process did, and says why
            sys.exit(1)
        with contextlib.suppress(OSError, UserError):  # the disk may be what failed
            write_result(folder, {"status": "failed", "error": reason})
        sweeping = hydra_cfg.mode == RunMode.MULTIRUN
        if not expected and not sweeping:
            raise
        log.error(reason, exc_info=not expected or "HYDRA_FULL_ERROR" in os.environ)
        if not sweeping:
            sys.exit(1)


def _back_into_the_queue(stop: Interrupted, cfg: DictConfig, folder: Path) -> None:
    trouble = requeue(stop.number, folder, [Path(cfg.paths.artifacts), Path(cfg.paths.cache)])
    if trouble:
        log.error(trouble)
        write_result(folder, {"status": "failed", "error": trouble})


def _explain(error: Exception) -> tuple[str, bool]:
    """Return what to tell the user, and whether that says it all (a defect of ours needs its stack trace)."""
    if isinstance(error, UserError):
        return str(error), True
    if told := missing_on_mps(error):
        return str(told), True
    if processes.lost_another(error):
        line = str(error).splitlines()[0]  # of NCCL it may tell of more than a lost process
        told = (
            f"Another process of this run died ({line}). The same command goes on from the last checkpoint."
        )
        return told, True
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        of_disk = explained(error, Path(error.filename or "a file"))
        return f"{of_disk} The folders are paths.artifacts, paths.cache and paths.runs.", True
    if sentence := name_too_long(error) or explain(error):
        return str(sentence), True
    return f"{type(error).__name__}: {error}", False


def _train(cfg: DictConfig, folder: Path) -> None:
    began = time.monotonic()
    plain = resolve(cfg)
    if plain.get("plan") is not None and plain["plan"] is not False:  # 0 is a mistake, and not "no plan"
        from audiolcm.sizing.plan import plan_table

        log.info("\n%s", plan_table(plain))
        return
    if plain["stage"] == DESCRIBE:  # of the configuration alone: the data need not be there
        _describe(plain, folder, began)
        return
    inputs = processes.first_decides(lambda: inputs_of(plain))
    if processes.first_decides(lambda: found_finished(folder, inputs, Path(plain["paths"]["artifacts"]))):
        log.info("All of it was done before. %s", (folder / "summary.md").resolve())
        (folder / RESULT).touch()  # a sweep that waits for this job asks whether it left a result
        return
    # Here: a finished run needs no models, which take seconds to import.
    from audiolcm.jobs.preview import write_preview

    _tell_choices(plain)
    recipe = _recipe(plain)
    recipe.runner.announce = partial(at_stage, folder)
    if plain["stage"] != "student":
        _only(plain["stage"], recipe, folder, began)
        return
    student = recipe.student
    if not processes.is_first():  # one listens for all
        recipe.vocoder  # noqa: B018 (the others may have to help to make it)
        return
    facts = {"student": student.hash, "vocoder": recipe.vocoder.hash}
    facts |= {section: plain[section] for section in PREVIEW_SECTIONS}
    if _finished(folder) == facts:
        log.info("All of it was done before. %s", (folder / "summary.md").resolve())
        write_result(folder, read_result(folder) | {"inputs": inputs})
        return
    hydra_cfg = HydraConfig.get()
    words = None if hydra_cfg.mode == RunMode.MULTIRUN else list(hydra_cfg.overrides.task)
    write_preview(folder, recipe, student, time.monotonic() - began, words)
    write_result(folder, _result_of(student, began) | facts | {"inputs": inputs} | made_by(plain))


def _tell_choices(plain: Mapping[str, Any]) -> None:
    """Tell what was chosen without a word of the user's: a teacher of the package, a recipe."""
    if is_embedded(teacher := plain["parents"]["teacher"]):
        log.info("teacher: %s, which is in the package; teacher=scratch trains one.", teacher)
    if is_embedded(start := plain["teacher"]["initial"]):
        log.info(
            "teacher: trained on from %s, with its autoencoder; teacher=scratch starts from nothing.", start
        )
    chosen = HydraConfig.get().runtime.choices.get("recipe") if HydraConfig.initialized() else None
    if chosen in options_of("recipe"):
        log.info("recipe=%s goes with these choices; ~recipe leaves it out.", chosen)


def _recipe(plain: Mapping[str, Any]) -> "Recipe":
    """Return the recipe, once nothing speaks against any of its stages."""
    from audiolcm.jobs.foresight import foresee
    from audiolcm.stages.recipe import Recipe

    if processes.is_first():
        check_tracker(build(plain["logger"], "logger"))
    recipe = Recipe(plain)
    if processes.is_first() and plain["stage"] != "data":
        foresee(recipe)
    return recipe


def _describe(cfg: Mapping[str, Any], folder: Path, began: float) -> None:
    """Tell the sizes of every part, which are built without content."""
    from audiolcm.sizing.describe import describe

    figures = describe(cfg)
    log.info("The parts of this configuration:\n%s", _listed(figures))
    if processes.is_first():
        write_result(folder, _done(folder, figures, began) | made_by(cfg))


def _only(stage: str, recipe: "Recipe", folder: Path, began: float) -> None:
    """Make one of the student's parents, and what that needs, and leave the rest."""
    made = getattr(recipe, stage)
    log.info("%s: done, in %s", stage, made.folder)
    if stage != "data":
        log.info("parents.%s=%s takes it.", stage, made.folder)
    if processes.is_first() and stage != "data":
        from audiolcm.pages.run import write_page

        write_result(folder, _result_of(made, began))
        log.info("Look: %s", write_page(folder, [made]).resolve())
    elif processes.is_first():
        figures = census(made, recipe.corpus)
        log.info("It holds:\n%s", _listed(figures))
        write_result(folder, _done(made.folder, figures, began) | made_by(recipe.cfg))


def _done(folder: Path, figures: Mapping[str, Any], began: float) -> dict[str, Any]:
    """Return the result of a job that is done, with the wall seconds of this call.

    By them ``experiments status`` tells what others take. What an earlier call did is not in them: of a job that goes
    on after a kill they count its last part only.
    """
    seconds = round(time.monotonic() - began, 3)
    return {"status": "done", "folder": str(folder), "figures": figures, "seconds": seconds}


def _listed(figures: Mapping[str, Any]) -> str:
    return "\n".join(f"  {name}: {value}" for name, value in figures.items())


def _result_of(artifact: Artifact, began: float) -> dict[str, Any]:
    last = read_metrics(artifact.folder / "metrics.jsonl")
    return _done(artifact.folder, {name: value for row in last for name, value in row.items()}, began)


def made_by(plain: Mapping[str, Any], idle: Sequence[str] = ()) -> dict[str, object]:
    """Return what a result records to tell later whether it would come out the same: see ``fingerprint``.

    Args:
        plain: the configuration.
        idle: modules that are loaded and decided nothing of it.
    """
    method = {name: code for name, code in method_fingerprint().items() if name not in idle}
    method |= code_of_plugins(plain)
    return settings_made(plain) | {"method": method, "code": code_version()}


def _finished(folder: Path) -> dict[str, object] | None:
    if not (folder / "summary.md").exists():
        return None
    result = read_result(folder)
    return {name: result.get(name) for name in ("student", "vocoder", *PREVIEW_SECTIONS)}
