"""One evaluation put together: the sounds of a system, inspected, scored, timed, and beside them the sanity rows."""

import dataclasses
import datetime
import logging
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from audiolcm.configuration.build import build
from audiolcm.configuration.checking import nearest
from audiolcm.errors import UserError
from audiolcm.storage.files import require_writable
from audiolcm.weights.artifacts import code_version
from evaluation.efficiency import Timed
from evaluation.embedded.stage import embedded_extractor, untrained_extractor
from evaluation.features.store import FeatureStore
from evaluation.inspection import TOLERANCES, inspect, longest_of
from evaluation.marking import marked, marks
from evaluation.protocol import Protocol, TestSet
from evaluation.record import Crosscheck, Record, RecordRow, Score, ScoredClip, Timing
from evaluation.sanity import HALVES, SHUFFLED, applies, halves, shuffled, verdicts
from evaluation.sound import SoundReader
from evaluation.systems.baselines import Reference, Silence, WhiteNoise
from evaluation.systems.model import Model, Reconstruction
from evaluation.systems.system import ForeseesSounds, System, precision_of
from evaluation.trial import EMBEDDED, Extractors, ForeseesScores, Measure, NothingToMeasure, Trial

log = logging.getLogger(__name__)


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
        self.readers = self.protocol.readers or {}
        if odd := sorted(self.readers.keys() - {*cfg["features"], EMBEDDED}):
            raise UserError(f"protocol.readers.{odd[0]} is of no network.{nearest(odd[0], cfg['features'])}")
        store = FeatureStore(self.cache / "features")
        device = str(self.hardware.torch_device())
        self.extractors = Extractors(
            cfg["features"], store, lambda: embedded_extractor(cfg), device, lambda: untrained_extractor(cfg)
        )

    def record(self, folder: Path) -> Record:
        """Return the record; sounds of models are kept in ``<paths.cache>/generated``."""
        began = time.monotonic()
        if len(self.cfg["seeds"]) > 1 and not self.system.is_seeded:
            raise UserError(
                f"seeds={self.cfg['seeds']}, but system={self.system.name} has one sound for each caption: seeds=[0]. "
                "(A folder of several seeds holds folders seed0, seed1, ...)"
            )
        require_writable(self.cache, "paths.cache=FOLDER")
        test_set, notes = self._test_set()
        notes += self._foreseen(test_set)
        self.extractors.load(self._extractors())  # what is left: the embedded one, trained now if need be
        trial = self._trial(self.system, test_set)
        notes += self._inspected(trial.sounds, test_set)
        timings = self._timings(test_set)
        nfe = {"nfe": timings[0].nfe} if timings else {}
        facts = self.system.facts() | nfe | {"seeds": len(trial.sounds)}
        row = RecordRow(self.system.name, facts, self._scores(trial, list(self.measures)))
        sanity = self._sanity(trial, test_set) if self.cfg.get("sanity", False) else ()
        crosschecks, more = self._crosschecks(row, trial) if self.cfg.get("crosscheck", False) else ((), ())
        return Record(
            row=row,
            protocol=self._protocol_facts(test_set),
            clips=_clips(trial, folder),
            timings=timings,
            sanity=sanity,
            verdicts=verdicts(row, sanity),
            notes=(*notes, *more),
            provenance=self._provenance(test_set, time.monotonic() - began),
            crosschecks=crosschecks,
        )

    def _test_set(self) -> tuple[TestSet, list[str]]:
        test_set = self.protocol.test_set(self.cfg["dataset"], self.cache)
        notes = list(test_set.notes)
        needed = any(measure.needs_references for measure in self.measures.values())
        if needed and "missing_references" in self.allowed:
            if missing := sum(not path.is_file() for path in test_set.references):
                notes.append(f"{missing} of {len(test_set.references)} reference sounds are missing.")
            test_set = test_set.with_references()
        test_set = test_set.first(self.cfg["num_clips"])
        if needed:
            test_set.require_references()
        if self.protocol.split == "train" and EMBEDDED in self._extractors():
            surer = "it is surer of them than of others."
            notes.append(f"The embedded evaluator was trained on these references: {surer}")
        notes += [
            f"Not the protocol's figures, {mark}: {what}." for mark, what in self._marks(test_set).items()
        ]
        return test_set, notes

    def _foreseen(self, test_set: TestSet) -> list[str]:
        """Refuse all that can be before anything is fetched, trained or generated, the cheap things first.

        Returns:
            What a reader of the figures must know of the references.
        """
        expected = self._heard(test_set)
        self._foresee_scores(expected)  # numbers of clips
        seeds, system = self._seeds(self.system), self.system
        at_hand = system.foresee(test_set, seeds) if isinstance(system, ForeseesSounds) else []
        if at_hand:
            self._inspected([at_hand], test_set)
        notes = self._inspected_references(test_set)
        self.extractors.load([name for name in self._extractors() if name != EMBEDDED])
        longest = longest_of(at_hand) or test_set.seconds, longest_of(expected.references) or test_set.seconds
        self._foresee_scores(dataclasses.replace(expected, longest=longest))  # and rows of features
        return notes

    def _foresee_scores(self, expected: Trial) -> None:
        for key, measure in self.measures.items():
            if isinstance(measure, ForeseesScores):
                measure.foresee(key, expected, self.extractors)

    def _seeds(self, system: System) -> list[int]:
        return self.cfg["seeds"] if system.is_seeded else self.cfg["seeds"][:1]

    def _trial(self, system: System, test_set: TestSet) -> Trial:
        made = (system.sounds(test_set, seed, self.cache / "generated") for seed in self._seeds(system))
        return self._heard(test_set, tuple(tuple(sounds) for sounds in made))

    def _heard(self, test_set: TestSet, sounds: tuple[tuple[Path, ...], ...] = ()) -> Trial:
        """Return sounds, or none yet, as they are heard beside their references."""

        def fitting(reader: SoundReader) -> SoundReader:
            shortest = max(reader.min_seconds, test_set.padded_to)
            longest = self.protocol.reference_seconds or test_set.padded_to or reader.max_seconds
            return dataclasses.replace(reader, min_seconds=shortest, max_seconds=longest)

        return Trial(
            items=test_set.items,
            sounds=sounds,
            references=tuple(test_set.references),
            reader=fitting(self.protocol.reader),
            allowed=self.allowed,
            readers={name: fitting(reader) for name, reader in self.readers.items()},
        )

    def _inspected(self, sounds: Sequence[Sequence[Path]], test_set: TestSet) -> list[str]:
        generated = [path for seed in sounds for path in seed]
        seconds = None if self.system.name == "reference" else test_set.seconds
        return list(inspect("Sounds to be scored", generated, seconds, self.allowed))

    def _inspected_references(self, test_set: TestSet) -> list[str]:
        if not any(measure.needs_references for measure in self.measures.values()):
            return []
        at_least = 0.0 if test_set.padded_to else test_set.seconds
        return list(inspect("References", test_set.references, None, TOLERANCES, at_least))

    def _timings(self, test_set: TestSet) -> tuple[Timing, ...]:
        if not isinstance(self.system, Timed):
            return ()
        return self.efficiency.measure(self.system, test_set.items, test_set.seconds)

    def _scores(self, trial: Trial, keys: list[str]) -> tuple[Score, ...]:
        scores = []
        for key in keys:
            try:
                scores.append(self.measures[key].score(key, trial, self.extractors))
            except NothingToMeasure as nothing:
                log.warning("%s", nothing)
        return tuple(scores)

    def _sanity(self, trial: Trial, test_set: TestSet) -> tuple[RecordRow, ...]:
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
            rows.append(RecordRow(name, {}, self._scores(lenient, keys)))
        return tuple(row for row in rows if row.scores)

    def _crosschecks(self, row: RecordRow, trial: Trial) -> tuple[tuple[Crosscheck, ...], tuple[str, ...]]:
        from evaluation.crosscheck.run import crosschecked  # brings networks that few evaluations need

        extractors = {key: self.extractors[measure.extractor] for key, measure in self.measures.items()}
        device, nodes = str(self.hardware.torch_device()), self.cfg["features"]
        return crosschecked(row.scores, self.measures, extractors, nodes, trial, self.cache, device)

    def _marks(self, test_set: TestSet) -> dict[str, str]:
        return marks(self.cfg["protocol"], len(test_set.items), len(test_set.all_items))

    def _protocol_facts(self, test_set: TestSet) -> dict[str, Any]:
        settings = {name: value for name, value in self.cfg["protocol"].items() if name != "_target_"}
        if not self.protocol.is_published:
            settings["title"] = f"{self.protocol.title}: {test_set.data}, {self.protocol.split} split"
        facts = {"dataset": test_set.data, "num_clips": len(test_set.items), "seconds": test_set.seconds}
        return marked(settings | facts, self._marks(test_set))

    def _provenance(self, test_set: TestSet, seconds: float) -> dict[str, Any]:
        return {
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "code": code_version(),
            "hardware": self.hardware.describe(),
            **precision_of(self.system),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "captions": test_set.fingerprint,
            "seeds": list(self.cfg["seeds"]),
            "seconds": round(seconds, 1),
        } | (
            {"evaluator": cast(Any, self.extractors[EMBEDDED]).about()}
            if EMBEDDED in self._extractors()
            else {}
        )

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
