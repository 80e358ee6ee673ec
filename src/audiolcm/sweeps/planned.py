"""The jobs that a sweep is going to run, from the ``multirun.yaml`` that Hydra leaves before the first of them."""

import logging
import os
from pathlib import Path

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from audiolcm.configuration.resolvers import slug
from audiolcm.storage.plain_data import read_yaml
from audiolcm.sweeps.summary import TRAINING_FIGURES

log = logging.getLogger(__name__)

MULTIRUN = "multirun.yaml"
_DAMAGED = (OmegaConfBaseException, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What comes of a file that Hydra did not write so."""


def planned_jobs(sweep: Path) -> list[tuple[str, str]]:
    """Return folder and name of each job of the newest sweep in the folder ``sweep``; none of a search by Optuna."""
    cfg = _read(sweep)
    if cfg is None:
        return []
    parser = OverridesParser.create()
    try:
        if "BasicSweeper" not in str(OmegaConf.select(cfg, "sweeper._target_")):
            return []
        given = [f"{key}={value}" for key, value in (cfg.sweeper.params or {}).items()]
        overrides = parser.parse_overrides([*given, *cfg.overrides.task])
        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        names = [_name(parser.parse_overrides(job), cfg) for job in jobs]
    except HydraException:  # a kind of sweep that needs the configuration groups at hand
        return []
    except _DAMAGED as error:
        _tell(sweep, error)
        return []
    return [(slug(name, str(sweep)), name) for name in names]


def summary_of(sweep: Path) -> tuple[str, list[str] | None]:
    """Return name and columns of the table that the newest sweep in the folder ends with, as ``SweepSummary`` has."""
    cfg = _read(sweep)
    if cfg is None:
        return "summary", list(TRAINING_FIGURES)
    try:
        figures = OmegaConf.select(cfg, "callbacks.sweep_summary.figures", default=list(TRAINING_FIGURES))
        name = f"summary-{slug(','.join(cfg.overrides.task))}"
        return name, None if figures is None else [str(figure) for figure in figures]
    except _DAMAGED as error:
        _tell(sweep, error)
        return "summary", list(TRAINING_FIGURES)


def _name(overrides: list[Override], cfg: DictConfig) -> str:
    style = cfg.job.config.override_dirname
    return get_overrides_dirname(overrides, list(style.exclude_keys), style.item_sep, style.kv_sep)


def _read(sweep: Path) -> DictConfig | None:
    """Return what Hydra noted; None where there is nothing, or a damaged file, which is told."""
    if not os.path.lexists(sweep / MULTIRUN):
        return None
    try:
        return OmegaConf.create({"hydra": read_yaml(sweep / MULTIRUN)["hydra"]}).hydra
    except (OSError, *_DAMAGED) as error:
        _tell(sweep, error)
        return None


def _tell(sweep: Path, error: Exception) -> None:
    log.warning("%s is damaged (%s): jobs that have not begun are not known.", sweep / MULTIRUN, error)
