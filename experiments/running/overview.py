"""Where each item of the paper stands: its jobs done, stale, running, failed or missing, and what the rest costs."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiolcm.environment.terminal import say
from audiolcm.storage.run_folder import read_result
from audiolcm.sweeps.row_sweeper import SCALES
from experiments.items.catalog import STEMS, item_of
from experiments.records.safe_json import read_json
from experiments.running.freshness import Freshness, can_be_compared
from experiments.running.jobs import jobs_of
from experiments.running.planned import PlannedJob, planned, shown

_AT_WORK = ("preparing", "training")
_MOST_SECONDS = 1e9


@dataclass(frozen=True)
class Standing:
    """How one job stands: done, stale, running, failed or missing; why; the seconds that it took, if it is known."""

    job: PlannedJob
    state: str
    detail: str = ""
    seconds: float | None = None


def overview(runs: Path, records: Path, names: Sequence[str] = ()) -> int:
    """Show all items, or each row of the named ones; return 1 when a job failed."""
    failed, look = False, Standings(runs, records)
    for stem in [item_of(name).stem for name in names] or STEMS:
        for scale in SCALES:
            found = [look(job) for job in planned(stem, scale)]
            if not found:
                continue
            failed |= any(one.state == "failed" for one in found)
            lines = [f"{stem} ({scale}): {_counts(found)}{_cost(found)}"]
            for one in found if names else ():
                detail = f", {one.detail}" if one.detail else ""
                lines.append(f"  {one.job.entry} {one.job.name}: {one.state}{detail}")
            say("\n".join(lines) + "\n")
    return int(failed)


class Standings:
    """Tells how jobs stand, from their records and from what their runs left."""

    def __init__(self, runs: Path, records: Path) -> None:
        self.runs, self.records = runs, records
        self.changes = Freshness(records)
        self._trainings: dict[tuple[str, str, str], tuple[list[str], float | None]] = {}
        for path in sorted(records.glob("*/*/*.json")):
            self._take_in(path)

    def __call__(self, job: PlannedJob) -> Standing:
        """Return how a job stands."""
        folder = job.folder(self.runs)
        if folder.is_dir() and (live := jobs_of(folder)):
            if live[0].state in _AT_WORK:
                return Standing(job, "running", live[0].detail)
            if live[0].ended_badly:
                return Standing(job, "failed", live[0].detail)
        if job not in shown(planned(job.item, job.scale)):
            return self._trained(job)
        path = self.records / job.scale / job.item / f"{job.name}.json"
        record = _read(path)
        if not record:
            damaged = f"{path} is damaged" if path.exists() else ""
            run = self._run(job, read_result(folder), "not rendered yet")
            return run or Standing(job, "missing", damaged)
        return self._standing(job, self.changes(record, job), _seconds(record["provenance"]))

    def _trained(self, job: PlannedJob) -> Standing:
        """Return how a training stands that is only seen in what evaluated it."""
        if found := self._run(job, read_result(job.folder(self.runs)), ""):
            return found
        known = self._trainings.get((job.item, job.scale, job.name))
        return self._standing(job, *known) if known else Standing(job, "missing")

    def _run(self, job: PlannedJob, result: dict[str, Any], detail: str) -> Standing | None:
        """Return how a job stands of which only a run tells; None when that did not end well."""
        if result.get("status") != "done":
            return None
        since, seconds = self.changes.of_run(result, job), _seconds(result)
        return self._standing(job, since, seconds) if since else Standing(job, "done", detail, seconds)

    def _standing(self, job: PlannedJob, since: Sequence[str], seconds: float | None) -> Standing:
        return Standing(job, "stale" if since else "done", "; ".join(since), seconds)

    def _take_in(self, path: Path) -> None:
        """Note what a record says of the training of its model; of several what the freshest says.

        Records of other items may name a training as it was before. Not every record knows the seconds.
        """
        if training := _read(path).get("training"):
            key = (training["item"], training["scale"], training["name"])
            found = (self.changes.of_training(training), _seconds(training))
            (since, seconds), other = sorted((self._trainings.get(key, found), found), key=_is_stale)
            self._trainings[key] = (since, seconds or other[1])


def _is_stale(known: tuple[Sequence[str], float | None]) -> bool:
    return bool(known[0])


def _read(path: Path) -> dict[str, Any]:
    """Return a record; nothing where there is none, or a damaged one, of which ``render`` says so."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and can_be_compared(content) else {}


def _seconds(content: Mapping[str, Any]) -> float | None:
    """Return how long a job took; None where that is not known, or no number that could be it."""
    found = content.get("seconds")
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and 0 < found < _MOST_SECONDS else None


def _counts(standings: Sequence[Standing]) -> str:
    parts = []
    for entry in ("train", "evaluate"):
        states = Counter(found.state for found in standings if found.job.entry == entry)
        if states:
            parts.append(f"{entry}: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    return "; ".join(parts)


def _cost(standings: Sequence[Standing]) -> str:
    """Return what the jobs that are not done would take, by those of the same script that are.

    Evaluations count as the median one, trainings as the longest: the others found the teacher trained.
    """
    words = []
    for entry, one in (("train", max), ("evaluate", statistics.median)):
        own = [found for found in standings if found.job.entry == entry]
        left = sum(found.state in ("missing", "failed", "stale") for found in own)
        known = [found.seconds for found in own if found.seconds]
        if left:
            most = "up to " * (entry == "train")
            minutes = f"{most}{left * one(known) / 60:.0f} min" if known else "unknown time"
            words.append(f"{minutes} to {entry} {left}")
    return f"; left: {', '.join(words)}" if words else ""
