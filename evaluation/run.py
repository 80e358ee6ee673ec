"""What ``python evaluate.py`` does with a composed configuration: generate, inspect, score, time, report."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from audiolcm.artifacts import code_version
from audiolcm.build import build
from audiolcm.config import check, to_plain
from audiolcm.errors import UserError
from audiolcm.run import write_result
from evaluation.embedded.stage import embedded_extractor
from evaluation.features.store import FeatureStore
from evaluation.inspection import TOLERANCES, check_tolerances, inspect
from evaluation.protocol import Protocol, TestSet
from evaluation.record import Record, Row, Score, ScoredClip, Timing
from evaluation.report import write_report
from evaluation.sanity import HALVES, SHUFFLED, applies, halves, shuffled, verdicts
from evaluation.score import EMBEDDED, Ears, Measure, NothingToMeasure, Trial
from evaluation.systems.baselines import Reference, Silence, WhiteNoise
from evaluation.systems.model import Model, Reconstruction
from evaluation.systems.system import System
from evaluation.table_formats import markdown, write_tables
from evaluation.tracking import log_record

log = logging.getLogger(__name__)

SECTIONS = {
    "dataset", "protocol", "system", "metrics", "features", "evaluator", "trainer", "efficiency", "hardware", "logger",
    "optimizer", "paths", "seed", "seeds", "checkpoint", "path", "sampler", "num_clips", "num_resamples", "allow",
    "report_clips", "sanity",
}  # fmt: skip


def evaluate(cfg: DictConfig, folder: Path) -> None:
    """Score a system and leave ``metrics.json``, tables, ``report.html`` and a W&B run in ``folder``."""
    plain = checked(to_plain(cfg, SECTIONS))
    record = Evaluation(plain).record(folder)
    record.write(folder / "metrics.json")
    log.info("\n%s", markdown(write_tables([record], folder)))
    for verdict in record.verdicts:
        log.info("%s", verdict)
    report = write_report(record, folder, plain["report_clips"])
    log_record(record, folder, build(plain["logger"], "logger"))
    figures = {score.key: score.value for score in record.row.scores}
    write_result(folder, {"status": "done", "folder": str(folder), "figures": figures})
    log.info("Report: %s", report.resolve())


def checked(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration after a look at its plain values.

    Raises:
        UserError: on a value of the wrong kind or an unknown setting.
    """
    counts = {"num_resamples": 0, "report_clips": 0, "seed": 0} | {
        f"seeds[{i}]": 0 for i in range(len(plain["seeds"]))
    }
    values = plain | {f"seeds[{i}]": seed for i, seed in enumerate(plain["seeds"])}
    for name, least in counts.items():
        if type(values[name]) is not int or values[name] < least:
            raise UserError(f"{name}={values[name]!r} must be a whole number of at least {least}.")
    if not plain["seeds"] or len(set(plain["seeds"])) < len(plain["seeds"]):
        raise UserError(
            f"seeds={plain['seeds']}: give one or several different seeds, such as seeds=[0,1,2]."
        )
    if odd := sorted(set(plain["sampler"]) - {"num_steps", "omega"}):
        raise UserError(f"Unknown setting sampler.{odd[0]}. sampler knows: num_steps, omega.")
    if not isinstance(plain.get("sanity", False), bool):
        raise UserError(f"sanity={plain['sanity']!r} must be true or false.")
    check_tolerances(plain["allow"])
    check(plain)
    return plain


class Evaluation:
    """One system under one protocol, from a checked configuration."""

    def __init__(self, cfg: Mapping[str, Any]) -> None:
        self.cfg = cfg
        self.cache = Path(cfg["paths"]["cache"])
        self.hardware = build(cfg["hardware"], "hardware")
        self.protocol: Protocol = build(cfg["protocol"], "protocol")
        self.efficiency = build(cfg["efficiency"], "efficiency")
        self.measures: dict[str, Measure] = {
            key: build(node, f"metrics.{key}", num_resamples=cfg["num_resamples"], seed=cfg["seed"])
            for key, node in cfg["metrics"].items()
        }
        self.system: System = build(cfg["system"], "system")
        self.allowed = frozenset(cfg["allow"])
        store = FeatureStore(self.cache / "features")
        device = str(self.hardware.torch_device())
        self.ears = Ears(cfg["features"], store, lambda: embedded_extractor(cfg), device)

    def record(self, folder: Path) -> Record:
        """Return the record; sounds of models are kept in ``<paths.cache>/generated``."""
        began = time.monotonic()
        test_set, notes = self._test_set()
        self.ears.load(
            [measure.extractor for measure in self.measures.values()]
        )  # before hours of generation
        trial = self._trial(self.system, test_set)
        notes += self._inspected(trial, test_set)
        timings = self._timings(test_set)
        facts = (
            self.system.facts() | ({"nfe": timings[0].nfe} if timings else {}) | {"seeds": len(trial.sounds)}
        )
        row = Row(self.system.name, facts, self._scores(trial, list(self.measures)))
        sanity = self._sanity(trial, test_set) if self.cfg.get("sanity", False) else ()
        return Record(
            row=row,
            protocol=self._protocol_facts(test_set),
            clips=_clips(trial, folder),
            timings=timings,
            sanity=sanity,
            verdicts=verdicts(row, sanity),
            notes=tuple(notes),
            provenance=self._provenance(test_set, time.monotonic() - began),
        )

    def _test_set(self) -> tuple[TestSet, list[str]]:
        test_set, notes = self.protocol.test_set(self.cfg["dataset"], self.cache), []
        whole = len(test_set.items)
        needed = any(measure.needs_references for measure in self.measures.values())
        if needed and "missing_references" in self.allowed:
            test_set = test_set.with_references()
        test_set = test_set.first(self.cfg["num_clips"])
        if needed:
            test_set.require_references()
        if self.protocol.split == "train" and EMBEDDED in self._extractors():
            notes.append(
                "The embedded evaluator was trained on these references: it is surer of them than of others."
            )
        if len(test_set.items) < whole:
            notes.append(f"Only {len(test_set.items)} of the protocol's {whole} captions: not its figures.")
        return test_set, notes

    def _trial(self, system: System, test_set: TestSet) -> Trial:
        seeds = self.cfg["seeds"] if system.is_seeded else self.cfg["seeds"][:1]
        sounds = tuple(tuple(system.sounds(test_set, seed, self.cache / "generated")) for seed in seeds)
        reader = self.protocol.reader
        fits = dataclasses.replace(reader, min_seconds=max(reader.min_seconds, test_set.padded_to))
        return Trial(
            items=test_set.items,
            sounds=sounds,
            references=tuple(test_set.references),
            reader=fits,
            reference_reader=fits.lasting(self.protocol.reference_seconds or test_set.padded_to or None),
            allowed=self.allowed,
        )

    def _inspected(self, trial: Trial, test_set: TestSet) -> list[str]:
        generated = [path for seed in trial.sounds for path in seed]
        seconds = None if self.system.name == "reference" else test_set.seconds
        notes = inspect("Sounds to be scored", generated, seconds, self.allowed)
        if any(measure.needs_references for measure in self.measures.values()):
            notes += inspect("References", trial.references, None, TOLERANCES)
        return list(notes)

    def _timings(self, test_set: TestSet) -> tuple[Timing, ...]:
        if not isinstance(self.system, Model):
            return ()
        return self.efficiency.measure(self.system.pipeline, test_set.items, test_set.seconds)

    def _scores(self, trial: Trial, keys: list[str]) -> tuple[Score, ...]:
        scores = []
        for key in keys:
            try:
                scores.append(self.measures[key].score(key, trial, self.ears))
            except NothingToMeasure as nothing:
                log.warning("%s", nothing)
        return tuple(scores)

    def _sanity(self, trial: Trial, test_set: TestSet) -> tuple[Row, ...]:
        """Return the sanity rows; few clips are no error there."""
        seed, has_references = self.cfg["seed"], all(path.is_file() for path in trial.references)
        systems: list[System] = [Silence(), WhiteNoise()]
        if has_references:
            systems += [Reconstruction(self.system)] if isinstance(self.system, Model) else []
            systems += [Reference()]
        trials = {SHUFFLED: shuffled(trial, seed)}
        trials |= {system.name: self._trial(system, test_set) for system in systems}
        trials |= {HALVES: halves(trial, seed)} if has_references and len(trial.references) > 3 else {}
        rows = []
        for name, other in trials.items():
            lenient = dataclasses.replace(other, allowed=self.allowed | {"few_clips"})
            keys = [key for key, measure in self.measures.items() if applies(measure, name)]
            rows.append(Row(name, {}, self._scores(lenient, keys)))
        return tuple(rows)

    def _protocol_facts(self, test_set: TestSet) -> dict[str, Any]:
        settings = {name: value for name, value in self.cfg["protocol"].items() if name != "_target_"}
        return settings | {
            "dataset": self.cfg["dataset"]["_target_"].rpartition(".")[2],
            "num_clips": len(test_set.items),
            "seconds": test_set.seconds,
            "is_subset": self.cfg["num_clips"] is not None or "missing_references" in self.allowed,
        }

    def _provenance(self, test_set: TestSet, seconds: float) -> dict[str, Any]:
        return {
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "code": code_version(),
            "hardware": self.hardware.describe(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "captions": test_set.fingerprint,
            "seeds": list(self.cfg["seeds"]),
            "seconds": round(seconds, 1),
        } | ({"evaluator": self.ears[EMBEDDED].about()} if EMBEDDED in self._extractors() else {})

    def _extractors(self) -> list[str]:
        return [measure.extractor for measure in self.measures.values()]


def _clips(trial: Trial, folder: Path) -> tuple[ScoredClip, ...]:
    """Return the sounds of the first seed, files relative to ``folder``."""
    return tuple(
        ScoredClip(
            name=item.name,
            caption=item.clip.caption,
            audio=os.path.relpath(path, folder),
            reference=os.path.relpath(item.reference, folder) if item.reference.is_file() else None,
        )
        for item, path in zip(trial.items, trial.sounds[0], strict=True)
    )
