"""What ``python evaluate.py`` does with a composed configuration: generate, inspect, score, time, report."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from audiolcm.configuration.build import build
from audiolcm.configuration.checking import check
from audiolcm.configuration.fingerprint import DECIDING, code_of
from audiolcm.configuration.schema import to_plain
from audiolcm.configuration.sections import PATHS, check_classes, check_paths, check_place, check_there
from audiolcm.configuration.words import options_of
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.jobs.finished import inputs_of
from audiolcm.jobs.run import made_by
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.run_folder import RESULT, read_result, write_result
from audiolcm.training.tracking import check_tracker
from evaluation.efficiency import Efficiency
from evaluation.evaluation import Evaluation
from evaluation.inspection import check_tolerances
from evaluation.report import write_report
from evaluation.report.wandb_tables import log_record
from evaluation.tables.formats import console, write_tables

log = logging.getLogger(__name__)

OUTPUTS = ("metrics.json", "metrics.md", "metrics.csv", "metrics.tex", "report.html")
SECTIONS = {
    "dataset", "protocol", "system", "metrics", "features", "evaluator", "trainer", "efficiency", "hardware", "logger",
    "optimizer", "paths", "seed", "seeds", "checkpoint", "path", "sampler", "num_clips", "num_resamples", "allow",
    "report_clips", "sanity", "crosscheck", "row", "scale", "plugins",
}  # fmt: skip
ADDED = {"sanity", "crosscheck"}
"""Sections that no default has, which are typed with a +."""
_SAMPLER = ("num_steps", "omega", "interval", "kind", "spacing", "eta")
_KEYS = tuple(f"sampler.{name}" for name in _SAMPLER)
_CLASSES = (
    "dataset", "protocol", "protocol.reader", "system", "efficiency", "hardware", "logger", "optimizer",
    "evaluator.model", "evaluator.objective", "trainer.evaluator",
)  # fmt: skip
"""Sections of which each configures a class."""


def evaluate(cfg: DictConfig, folder: Path) -> None:
    """Score a system and leave ``metrics.json``, tables, ``report.html`` and a W&B run in ``folder``."""
    if processes.count() > 1:
        raise UserError("evaluate.py uses one process: type python evaluate.py ..., without torchrun.")
    if cfg.get("row") is None:
        _clear(folder)
    plain = checked(to_plain(cfg, SECTIONS))
    inputs = None if plain["row"] is None else _inputs(plain)
    if inputs and _was_done(folder, inputs):
        log.info("All of it was done before. %s", (folder / "metrics.json").resolve())
        (folder / RESULT).touch()
        return
    _clear(folder)
    tracker = build(plain["logger"], "logger")
    check_tracker(tracker)
    record = Evaluation(plain).record(folder)
    record.write(folder / "metrics.json")
    log.info("\n%s", console(write_tables([record], folder), shutil.get_terminal_size((120, 24)).columns))
    report = write_report(record, folder, plain["report_clips"])
    log_record(record, folder, tracker)
    figures = {score.key: score.value for score in record.row.scores}
    result = {"status": "done", "folder": str(folder), "figures": figures, "inputs": inputs}
    write_result(folder, result | made_by(plain, idle=() if record.timings else (Efficiency.__module__,)))
    log.info("Report: %s", report.resolve())


def _clear(folder: Path) -> None:
    """Remove what an earlier call left: a figure never stands beside a later failure."""
    for name in OUTPUTS:
        (folder / name).unlink(missing_ok=True)


def _inputs(plain: dict[str, Any]) -> str:
    """Return a hash of all that a row of a table comes from, the code that measures it too."""
    settings = {name: value for name, value in plain.items() if name not in ("row", "scale")}
    return content_hash([inputs_of(settings), code_of(DECIDING)])


def _was_done(folder: Path, inputs: str) -> bool:
    result = read_result(folder)
    done = result.get("status") == "done" and result.get("inputs") == inputs
    return done and all((folder / name).is_file() for name in OUTPUTS)


def checked(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration after a look at its plain values.

    Raises:
        UserError: on a value of the wrong kind or an unknown setting.
    """
    _check_sections(plain)
    for name in ("seeds", "allow"):
        if not isinstance(plain[name], list):
            raise UserError(f"{name}={plain[name]} must be a list: {name}=[{plain[name]}].")
    if plain["num_clips"] is not None and type(plain["num_clips"]) is not int:
        raise UserError(f"num_clips={plain['num_clips']!r} must be a whole number, or null for all.")
    counts = {name: plain[name] for name in ("num_resamples", "report_clips", "seed")}
    counts |= {f"seeds[{i}]": seed for i, seed in enumerate(plain["seeds"])}
    for name, value in counts.items():
        if type(value) is not int or value < 0:
            raise UserError(f"{name}={value!r} must be a whole number of at least 0.")
    if not plain["seeds"] or len(set(plain["seeds"])) < len(plain["seeds"]):
        told = "give one or several different seeds, such as seeds=[0,1,2]."
        raise UserError(f"seeds={plain['seeds']}: {told}")
    if odd := sorted(set(plain["sampler"]) - {*_SAMPLER}):
        raise UserError(f"Unknown setting sampler.{odd[0]}. sampler knows: {', '.join(_SAMPLER)}.")
    _check_sampler_is_read(plain)
    for name in ("sanity", "crosscheck"):
        if not isinstance(plain.get(name, False), bool):
            raise UserError(f"{name}={plain[name]!r} must be true or false.")
    check_tolerances(plain["allow"])
    # Of the networks only those that a metric hears with: to look at a class is to import it, and transformers is slow.
    heard = {metric.get("extractor") for metric in plain["metrics"].values()}
    check(plain | {"features": {name: node for name, node in plain["features"].items() if name in heard}})
    return plain


def _check_sampler_is_read(plain: Mapping[str, Any]) -> None:
    """Refuse a setting of the sampler of which the system has one of its own, and so would not see it."""
    for name, value in plain["sampler"].items():
        own = plain["system"].get(name, value)
        if value is not None and own != value:
            raise UserError(
                f"sampler.{name}={value} is not what this system is sampled with, which is system.{name}={own}: type "
                f"system.{name}={value}."
            )


def _check_sections(plain: Mapping[str, Any]) -> None:
    """Check what is there and of which kind, before values are looked at."""
    if not plain.get("metrics"):
        told = "name a set or metrics of conf/metrics, such as metrics=[fad_vggish]."
        raise UserError(f"metrics is empty: {told}")
    check_there(plain, [*sorted(SECTIONS - ADDED), *_KEYS, *(f"paths.{name}" for name in PATHS)])
    for section in ("metrics", "features"):
        if not isinstance(plain[section], Mapping):
            raise UserError(f"{section}={plain[section]} chooses no option of conf/{section}.")
    nodes = [f"{name}.{key}" for name in ("metrics", "features") for key in plain[name]]
    nodes += [f"protocol.readers.{network}" for network in plain["protocol"].get("readers") or ()]
    check_classes(plain, [*_CLASSES, *nodes])
    check_paths(plain["paths"])
    for name in ("checkpoint", "path"):
        if plain[name] is not None:
            check_place(name, plain[name])
    if plain["scale"] not in (scales := options_of("profile")):
        raise UserError(f"scale={plain['scale']} (or profile): choose {', '.join(scales)}.")
