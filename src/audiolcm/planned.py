"""The jobs that a sweep is going to run, from the ``multirun.yaml`` that Hydra leaves before the first of them."""

from pathlib import Path

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from audiolcm.config import slug
from audiolcm.sweep import TRAINING_FIGURES

MULTIRUN = "multirun.yaml"


def planned_jobs(sweep: Path) -> list[tuple[str, str]]:
    """Return folder and name of each job of the newest sweep in the folder ``sweep``; none of a search by Optuna."""
    cfg = _read(sweep)
    if cfg is None or "BasicSweeper" not in str(OmegaConf.select(cfg, "sweeper._target_")):
        return []
    given = [f"{key}={value}" for key, value in (cfg.sweeper.params or {}).items()]
    parser = OverridesParser.create()
    try:
        overrides = parser.parse_overrides([*given, *cfg.overrides.task])
        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        names = [_name(parser.parse_overrides(job), cfg) for job in jobs]
    except HydraException:  # a kind of sweep that needs the configuration groups at hand
        return []
    return [(slug(name, str(sweep)), name) for name in names]


def summary_of(sweep: Path) -> tuple[str, list[str] | None]:
    """Return name and columns of the table that the newest sweep in the folder ends with, as ``SweepSummary`` has."""
    cfg = _read(sweep)
    if cfg is None:
        return "summary", list(TRAINING_FIGURES)
    figures = OmegaConf.select(cfg, "callbacks.sweep_summary.figures", default=list(TRAINING_FIGURES))
    return f"summary-{slug(','.join(cfg.overrides.task))}", None if figures is None else list(figures)


def _name(overrides: list[Override], cfg: DictConfig) -> str:
    style = cfg.job.config.override_dirname
    return get_overrides_dirname(overrides, list(style.exclude_keys), style.item_sep, style.kv_sep)


def _read(sweep: Path) -> DictConfig | None:
    try:
        return OmegaConf.load(sweep / MULTIRUN).hydra
    except (OSError, YAMLError, OmegaConfBaseException, AttributeError):
        return None
