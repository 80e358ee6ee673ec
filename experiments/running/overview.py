"""Where each item of the paper stands: its jobs done, stale, running, failed or missing, and what the rest costs."""

import statistics
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiolcm.configuration.checking import nearest
from audiolcm.environment.terminal import say
from audiolcm.errors import UserError
from audiolcm.storage.run_folder import read_result
from audiolcm.sweeps.row_sweeper import SCALES
from experiments.items.catalog import STEMS, item_of
from experiments.records.planned import PlannedJob, planned, shown
from experiments.records.records import read_json
from experiments.running.freshness import Freshness
from experiments.running.jobs import jobs_of
from experiments.running.sweep_status import RUNS, show_sweeps, sweeps_below

RECORDS = Path("experiments/results/records")
_AT_WORK = ("preparing", "training")
_MOST_SECONDS = 1e9
Made = tuple[list[str], float | None]
"""What changed since a job was done, and the seconds that it took, if they are known."""


@dataclass(frozen=True)
class Standing:
    """How one job stands: done, stale, running, failed or missing; why; the seconds that it took, if it is known."""

    job: PlannedJob
    state: str
    detail: str = ""
    seconds: float | None = None


def status(given: Namespace) -> int:
    """Show the items, then the sweeps, that the command line names; return 1 when a job failed.

    Raises:
        UserError: a name is neither of an item nor of a folder, or there is nothing to tell of.
    """
    items = [name for name in given.names if name in STEMS]
    folders = [Path(name) for name in given.names if name not in STEMS]
    if odd := [folder for folder in folders if not folder.is_dir()]:
        raise UserError(
            f"There is no table, figure or folder {odd[0]}.{nearest(str(odd[0]), STEMS)} Choose from "
            f"{', '.join(STEMS)}, or give the folder of a sweep, such as runs/sweep."
        )
    if given.json or given.all:
        if items:
            raise UserError(f"--json and --all are for sweeps. Type: python -m experiments status {items[0]}")
        return show_sweeps(folders, given.all, given.json)
    codes = []
    if items or not folders:
        if not RUNS.is_dir() and not RECORDS.parent.is_dir():
            raise UserError(
                f"There is neither a folder {RECORDS.parent} nor {RUNS} in {Path.cwd()}. Type this in the project's "
                "root."
            )
        codes.append(overview(RUNS, RECORDS, items))
    if folders or (not items and sweeps_below(RUNS)):
        say("\n" if codes else "")
        codes.append(show_sweeps(folders, False, False))
    return max(codes)


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
        self._trainings: dict[tuple[str, str, str], Made] = {}
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
        detail = damaged = ""
        if job in shown(planned(job.item, job.scale)):
            path = self.records / job.scale / job.item / f"{job.name}.json"
            if record := _read(path):
                known = (self.changes(record, job), _seconds(record["provenance"]))
            else:
                known, detail = self._of_run(job), "not rendered yet"
                damaged = f"{path} is damaged" if path.exists() else ""
        else:  # a training, which is only seen in what evaluated it
            known = self._of_run(job) or self._trainings.get((job.item, job.scale, job.name))
        if known is None:
            return Standing(job, "missing", damaged)
        since, seconds = known
        return Standing(job, "stale" if since else "done", "; ".join(since) or detail, seconds)

    def _of_run(self, job: PlannedJob) -> Made | None:
        """Return what the run of a job tells; None when there is none that ended well."""
        result = read_result(job.folder(self.runs))
        if result.get("status") != "done":
            return None
        return self.changes({"method": {}} | result, job), _seconds(result)

    def _take_in(self, path: Path) -> None:
        """Note what a record says of the training of its model; of several what the freshest says.

        Records of other items may name a training as it was before. Not every record knows the seconds.
        """
        if training := _read(path).get("training"):
            key = (training["item"], training["scale"], training["name"])
            found = (self.changes.of_training(training), _seconds(training))
            (since, seconds), other = sorted(
                (self._trainings.get(key, found), found), key=lambda one: bool(one[0])
            )
            self._trainings[key] = (since, seconds or other[1])


def _read(path: Path) -> dict[str, Any]:
    """Return a record; nothing where there is none, or a damaged one, of which ``render`` says so."""
    try:
        content = read_json(path)
        training = content.get("training") or {}
        texts = [content[name] for name in ("settings", "method")]
        texts += [training[name] for name in ("item", "scale", "name", "settings", "method") if training]
        is_whole = isinstance(content["provenance"], dict) and all(isinstance(text, str) for text in texts)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}
    return content if is_whole else {}


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
