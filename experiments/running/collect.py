"""Records made from finished runs: what each leaves, without its sounds and without the places of this computer."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.run_folder import RESULT, has_damaged_result, read_result
from audiolcm.sweeps.row_sweeper import SCALES, settings_now
from evaluation.record import read_record
from experiments.records.planned import PlannedJob, planned, shown
from experiments.records.records import FORMAT_VERSION, read_json
from experiments.running.freshness import METHODS

log = logging.getLogger(__name__)

_DAMAGED = (UserError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a run's files raises when these are not as they were written."""
_PLACE = re.compile(r"(?<![\w.:/~])[/~][^\s/]*/(?:[^\s/]+/)*(?=[^\s/])")
"""The folders of an absolute path within a text; neither those of an address nor a stroke between words."""
_TRAINING = re.compile(rf"/({'|'.join(SCALES)})/([\w-]+)/train/([\w.-]+?)(?:@\d+)?$")


def collect(stem: str, runs: Path, records: Path) -> list[Path]:
    """Write a record for each finished job of an item below ``runs``, unless a newer one is there; return the files.

    A damaged run is not taken in; a warning names it.
    """
    written = []
    for scale in SCALES:
        for job in shown(planned(stem, scale)):
            try:
                made = _made(job, runs)
            except _DAMAGED as error:
                words = str(error) if isinstance(error, UserError) else f"{type(error).__name__}, {error}."
                log.warning(
                    "%s (%s): %s is not taken in, its run is damaged: %s Remove %s, then type: %s",
                    stem, scale, job.name, words, job.folder(runs), job.command,
                )  # fmt: skip
                continue
            path = records / scale / stem / f"{job.name}.json"
            if made and _takes_place_of(path, made, job):
                for part in filter(None, (made, made.get("training"))):
                    part["method"] = keep_method(part["method"], records)
                _write(made, path)
                written.append(path)
    return written


def _made(job: PlannedJob, runs: Path) -> dict[str, Any]:
    """Return the record of a finished job, its hashes of code in it; nothing for a job that is not finished.

    Raises:
        UserError, ValueError, TypeError, LookupError, AttributeError, RecursionError: what the run left is damaged.
    """
    result = _result_in(job.folder(runs))
    if result.get("status") != "done" or "settings" not in result:
        return {}
    made: dict[str, Any] = {
        "format_version": FORMAT_VERSION, "item": job.item, "scale": job.scale, "row": job.row, "seed": job.seed,
        "settings": result["settings"], "sections": result.get("sections", {}), "scores": [], "figures": {},
        "timings": [], "facts": {}, "protocol": {}, "notes": [], "provenance": {}, "report": None,
    }  # fmt: skip
    made |= _evaluated(job, runs) if job.entry == "evaluate" else _trained(job, runs, result)
    made["method"] = dict(result["method"])
    if not isinstance(made["provenance"]["date"], str):
        raise ValueError("it does not say when it ran")
    json.dumps(made, allow_nan=False)
    return made


def keep_method(method: Mapping[str, str], records: Path) -> str:
    """Keep hashes of code beside the records and return the name of the file."""
    name = content_hash(dict(method))
    path = records / METHODS / f"{name}.json"
    if not path.exists():
        _write(dict(method), path)
    return name


def _trained(job: PlannedJob, runs: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    date = datetime.fromtimestamp((job.folder(runs) / RESULT).stat().st_mtime, UTC).isoformat(
        timespec="seconds"
    )
    provenance = {"command": job.command, "code": result.get("code", ""), "date": date}
    return {"figures": result.get("figures", {}), "provenance": provenance | _seconds(result)}


def _evaluated(job: PlannedJob, runs: Path) -> dict[str, Any]:
    folder = job.folder(runs)
    content = _without_places(asdict(read_record(folder / "metrics.json")))
    training = _training(job, runs)
    for score in content["row"]["scores"]:
        del score["per_clip"], score["details"]
        if training:  # it is judged by its seeds, never by its clips
            del score["draws"], score["drawn"]
    made = {name: content["row"][name] for name in ("scores", "facts")}
    made |= {name: content[name] for name in ("timings", "protocol", "notes")}
    made["provenance"] = content["provenance"] | {"command": job.command}
    made["report"] = None if folder.is_absolute() else str(folder / "report.html")
    return made | ({"training": training} if training else {})


def _training(job: PlannedJob, runs: Path) -> dict[str, Any]:
    """Return what made the model that a job evaluated, where the experiments trained it."""
    found = [match for word in job.overrides if (match := _TRAINING.search(word))]
    if not found:
        return {}
    scale, item, name = found[0].groups()
    result = _result_in(runs / scale / item / "train" / name)
    if "settings" not in result:
        return {}
    made = {"item": item, "scale": scale, "name": name, "code": result.get("code", "")} | _seconds(result)
    made |= {"settings": result["settings"], "sections": result.get("sections", {})}
    return made | {"method": dict(result["method"])}


def _result_in(folder: Path) -> dict[str, Any]:
    """Return what a job left; nothing where there is none. UserError on a damaged one."""
    if has_damaged_result(folder):
        raise UserError(f"{folder / RESULT} is damaged.")
    return read_result(folder)


def _seconds(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return how long train.py took; nothing for results from before it told."""
    return {"seconds": result["seconds"]} if "seconds" in result else {}


def _without_places(node: Any) -> Any:
    """Return JSON in which an absolute path has only its last part: where things lay says nothing elsewhere."""
    if isinstance(node, Mapping):
        return {name: _without_places(value) for name, value in node.items() if name != "clips"}
    if isinstance(node, list | tuple):
        return [_without_places(value) for value in node]
    if isinstance(node, str) and node.startswith(("/", "~")):
        return Path(node).name
    return _PLACE.sub("", node) if isinstance(node, str) else node


def _takes_place_of(path: Path, made: Mapping[str, Any], job: PlannedJob) -> bool:
    """Return whether a record is newer than the one that is there, and is of no trial where that is as planned."""
    try:
        kept = read_json(path)
        date, settings = str(kept["provenance"]["date"]), kept["settings"]
    except (OSError, ValueError, LookupError, TypeError):  # there is none, or a damaged one
        return True
    if date >= made["provenance"]["date"]:
        return False
    if settings == made["settings"] or settings != settings_now(
        job.entry, job.scale, job.item, job.overrides
    ):
        return True
    log.warning("%s is kept: the newer run was made with other settings than %s plans.", path, job.item)
    return False


def _write(content: Mapping[str, Any], path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
