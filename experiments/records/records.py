"""The records of an item: read, checked, and set against what its experiment plans.

A record that cannot be used is no error of the page: it is left out, and the page says which and why.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiolcm.storage import plain_data
from evaluation.record import Score, Timing, timing_of
from experiments.records.planned import PlannedJob, shown

SUMMED_UP = "esc10"
"""The scale whose claims are summed up: the one with several seeds."""
FORMAT_VERSION = 1
RECORDS, LISTENING = "records", "listening"
_LISTENED = {"reference": "ground_truth"}
"""What a listening test calls a row otherwise: its hidden reference is the true sound."""
_DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError)
_LARGEST = 1e100
"""Squares and sums of larger numbers would be no numbers any more; nothing that is measured comes near."""
_ROW = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Result:
    """One finished job: docs/results.md says what each field of its record means.

    Attributes:
        scores: by their key.  figures: plain numbers, lists of numbers, or words.
        changes: what is no longer as it was when the job ran; empty for a fresh one.
        training: what the record tells of the training of its model; empty where none of ours made it.
        report: the page of its run, relative to where runs were started; None when it has none.
    """

    row: str
    seed: int
    scores: Mapping[str, Score]
    figures: Mapping[str, Any]
    timings: tuple[Timing, ...]
    facts: Mapping[str, Any]
    protocol: Mapping[str, Any]
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]
    settings: str
    report: str | None
    changes: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_of_a_training(self) -> bool:
        """Whether a training of ours, which has a seed, made the model; published weights and files have none."""
        return bool(self.training) or self.facts.get("train_steps") is not None

    @property
    def name(self) -> str:
        """Row and seed, as its file is named."""
        return f"{self.row}-seed{self.seed}"


@dataclass(frozen=True)
class ItemResults:
    """Everything that is known of an item at one scale.

    Attributes:
        results: all usable records, fresh and stale, by row and seed.
        planned: the seeds of every planned row; empty when no plan is known.
        faults: why which files were left out, for people.
        listening: scores of a listening test by row and key.  raters: what its file says of the raters.
    """

    stem: str
    scale: str
    results: tuple[Result, ...] = ()
    planned: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    listening: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    raters: str = ""

    @property
    def rows(self) -> tuple[str, ...]:
        """All rows that are planned or have results, planned ones first."""
        return tuple(dict.fromkeys([*self.planned, *(result.row for result in self.results)]))

    @property
    def usable(self) -> tuple[Result, ...]:
        """The results of all rows, as ``of`` gives them."""
        return tuple(result for row in self.rows for result in self.of(row))

    def of(self, row: str) -> tuple[Result, ...]:
        """Return the fresh results of a row; the stale ones only where it has no fresh ones: both are never mixed."""
        found = [result for result in self.results if result.row == row]
        return tuple([result for result in found if not result.changes] or found)

    def left_out(self, row: str) -> tuple[Result, ...]:
        """Return the stale results of a row that has fresh ones."""
        kept = self.of(row)
        return tuple(result for result in self.results if result.row == row and result not in kept)


def read_results(
    folder: Path,
    stem: str,
    scale: str,
    planned: Sequence[PlannedJob] | None = None,
    changes: Callable[[Mapping[str, Any], Any], Sequence[str]] | None = None,
) -> ItemResults:
    """Return the results of an item.

    Args:
        folder: the folder of results, such as ``experiments/results``.
        stem: the name of the item.
        scale: at which they were made.
        planned: the jobs of its experiment; None when they are not known: nothing is then called missing or stale.
        changes: tells what changed since a record (its JSON) of a planned job; None: not asked.
    """
    jobs = {(job.row, job.seed): job for job in shown(planned or ())}
    trained = {(job.row, job.seed) for job in planned or ()} - jobs.keys()  # what the others evaluate
    results, faults = [], []
    for path in sorted((folder / RECORDS / scale / stem).glob("*.json")):
        try:
            content = _checked(_read(path), path, stem, scale)
            key = content["row"], content["seed"]
            since = changes(content, jobs[key]) if changes and key in jobs else ()
            if planned is not None and key not in jobs:
                since = ("the experiment does not plan this job",)
            if key not in trained:
                results.append(_result(content, tuple(since)))
        except _DAMAGED as error:
            faults.append(f"{path.name} is left out: {_reason(error)}")
    listening, raters, trouble = _listening(folder / LISTENING / scale / f"{stem}.json")
    seeds: dict[str, tuple[int, ...]] = {}
    for row, seed in jobs:
        seeds[row] = (*seeds.get(row, ()), seed)
    results.sort(key=lambda result: (result.row, result.seed))
    return ItemResults(stem, scale, tuple(results), seeds, (*faults, *trouble), listening, raters)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of results or records, whose numbers can be shown.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no whole JSON, is nested too deeply, or has a number or a text that cannot be shown.
    """
    content = plain_data.read_json(path)
    _check_numbers(content)
    return content


def _check_numbers(node: Any) -> None:
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            _check_numbers(inner)
    elif isinstance(node, int | float) and not abs(node) <= _LARGEST:  # nor is one that is no number
        raise ValueError(f"it has a number that no figure can be: {str(node)[:20]}")


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if content["format_version"] > FORMAT_VERSION:
        raise ValueError(f"it has format {content['format_version']}, newer than this program")
    return content


def _checked(content: dict[str, Any], path: Path, stem: str, scale: str) -> dict[str, Any]:
    """Return the content of a record.

    Raises:
        ValueError: it is of another item, scale, row or seed than its place says; names two files would be one job.
    """
    for name, expected in (("item", stem), ("scale", scale)):
        if content[name] != expected:
            raise ValueError(f"it is of {name} {content[name]}, but lies with {expected}")
    if not _ROW.fullmatch(content["row"]) or type(content["seed"]) is not int:
        raise ValueError(f"its row {content['row']!r} or seed {content['seed']!r} is no name or number")
    if path.stem != f"{content['row']}-seed{content['seed']}":
        raise ValueError(f"it is of {content['row']}-seed{content['seed']}, whose place is another file")
    return content


def _result(content: dict[str, Any], changes: tuple[str, ...]) -> Result:
    scores = [score_of(score) for score in content["scores"]]
    if len({score.key for score in scores}) < len(scores):
        raise ValueError("it has a score twice")
    for name in ("figures", "facts", "protocol", "provenance", "training"):
        if not isinstance(content.get(name, {}), dict):
            raise ValueError(f"its {name} are no mapping")
    timings = tuple(map(timing_of, content["timings"]))
    for timing in timings:
        _positive(timing.rtf_total, "real-time factor")
        _positive(timing.audio_seconds, "length of sound")
        for found in timing.calls if timing.rtf_warm is None else (*timing.calls, timing.rtf_warm):
            _positive(found, "time of a call")
    if _number(content["provenance"].get("seconds") or 0) < 0:
        raise ValueError("its job took less than no time")
    return Result(
        **{name: content[name] for name in ("row", "seed", "figures", "facts", "protocol", "provenance")},
        scores={score.key: score for score in scores},
        timings=timings,
        notes=tuple(map(str, content["notes"])),
        settings=str(content["settings"]),
        report=_safe_report(content.get("report")),
        changes=changes,
        training=content.get("training", {}),
    )


def score_of(content: Mapping[str, Any]) -> Score:
    """Return a score from its JSON.

    Raises:
        TypeError, ValueError: it is none, or its value is no number.
    """
    interval = content.get("interval")
    kinds = {"extractor": dict, "interval_method": str}
    if not all(isinstance(content.get(name, kind()), kind) for name, kind in kinds.items()):
        raise ValueError("a score does not say how it was measured")
    changed: dict[str, Any] = {
        "value": _number(content["value"]),
        "interval": None if interval is None else (_number(interval[0]), _number(interval[1])),
        "per_seed": tuple(content.get("per_seed", ())),
        "notes": tuple(content.get("notes", ())),
        "draws": tuple(tuple(map(_number, seed)) for seed in content.get("draws", ())),
    }
    return Score(**{**content, **changed})


def _number(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"{found!r} is no number")
    return float(found)


def _positive(found: Any, name: str) -> None:
    if _number(found) <= 0:
        raise ValueError(f"its {name} is {found}, which is not above 0")


def _safe_report(report: Any) -> str | None:
    """Return the page's path; None for what is no relative path: a record may come from anywhere."""
    if not isinstance(report, str) or not re.fullmatch(r"[\w.,=+@()\[\] -][\w./,=+@()\[\] -]*", report):
        return None
    return None if ".." in Path(report).parts else report


def _listening(path: Path) -> tuple[dict[str, dict[str, Score]], str, tuple[str, ...]]:
    """Return the scores of a listening test, its raters in words, and troubles."""
    if not path.exists():
        return {}, "", ()
    try:
        content = _read(path)
        systems = {
            _LISTENED.get(row, str(row)): {score.key: score for score in map(score_of, scores)}
            for row, scores in content["systems"].items()
        }
        raters = content["raters"]
        words = f"Listening test: {raters['used']} raters, {raters['screened']} more screened out."
        notes = " ".join(map(str, content.get("notes", ())))
        return systems, f"{words} {notes}".strip(), ()
    except _DAMAGED as error:
        return {}, "", (f"{path.name} of the listening test is left out: {_reason(error)}",)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no whole JSON ({error})"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error)
