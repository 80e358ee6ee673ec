"""Asks the packages for their figures, one process a metric, and puts them beside ours."""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.errors import UserError
from evaluation.crosscheck import worker
from evaluation.crosscheck.checks import Check, checks
from evaluation.features.extractor import Extractor
from evaluation.record import Crosscheck, Score
from evaluation.trial import Measure, Trial

log = logging.getLogger(__name__)

_LEFT_OUT_FROM = (3, 13)  # by the markers of pyproject.toml
_LAST_LINES = 3  # of what a process said that ended without an answer
_NOTHING = (
    "Crosscheck: no class of laion-clap or frechet-audio-distance computes any of these metrics. They compute FAD with "
    "VGGish, PANNs and LAION's CLAP and the CLAP score, such as metrics=[fad_vggish,clap_630k_audioset_best]."
)


def crosschecked(
    scores: Sequence[Score],
    measures: Mapping[str, Measure],
    extractors: Mapping[str, Extractor],
    nodes: Mapping[str, Any],
    trial: Trial,
    cache: Path,
    device: str = "cpu",
) -> tuple[tuple[Crosscheck, ...], tuple[str, ...]]:
    """Return one crosscheck for each score that a package computes too, and notes for the record.

    Whatever keeps a package from its figure is told in the crosscheck, and ends nothing.

    Args:
        scores: ours.
        measures: by key.
        extractors: by name.
        nodes: the section ``features`` of the configuration.
        trial: the sounds that were scored.
        cache: below it files are made for the packages, and removed again.
        device: of torch.
    """
    ours = {score.key: score for score in scores}
    found = [check for check in checks(measures, extractors, nodes) if check.key in ours]
    if not found:
        log.warning("%s", _NOTHING)
        return (), (_NOTHING,)
    answers = [_asked(check, trial, cache, device) for check in found]
    asked = list(zip(found, answers, strict=True))
    done = tuple(_compared(ours[check.key], check, trial, answer) for check, answer in asked)
    for one in done:
        log.info("Crosscheck: %s", one.sentence())
    broken = {check.package for check, answer in asked if answer.get("is_import", False)}
    notes = (_how_to_install(sorted(broken)),) if broken else ()
    for note in notes:
        log.warning("%s", note)
    return done, notes


def _asked(check: Check, trial: Trial, cache: Path, device: str) -> dict[str, Any]:
    """Return the answer of the worker: ``values``, one a seed, or a ``problem``."""
    if missing := [name for name in check.modules if importlib.util.find_spec(name) is None]:
        return {"problem": f"{' and '.join(missing)} not installed", "is_import": True}
    log.info("Crosscheck of %s by %s ...", check.key, check.package)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="crosscheck-", dir=cache) as name:
            folder = Path(name).absolute()
            return _run(folder, check.request(folder, trial, device), device)
    except (UserError, OSError, RuntimeError) as error:
        # Such as a full disk: hours of scoring are not lost for it.
        return {"problem": f"its files cannot be made: {error}"}


def _run(folder: Path, request: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return what a process of its own answers."""
    asked, answer = folder / "request.json", folder / "answer.json"
    asked.write_text(json.dumps(request))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # the worker finds what we find
        "HF_HOME": str(folder / "models/huggingface"),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    environment |= {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}  # theirs takes a GPU that it sees
    for other in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"):
        environment.pop(other, None)
    # -P: the folder of the worker is no place to look for packages.
    command = [sys.executable, "-P", "-W", "ignore", worker.__file__, str(asked), str(answer)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.is_file():
        return json.loads(answer.read_text())
    said = " ".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
    return {"problem": f"its process ended with {done.returncode}: {said}"}


def _compared(score: Score, check: Check, trial: Trial, answer: Mapping[str, Any]) -> Crosscheck:
    theirs = float(np.mean(answer["values"])) if "values" in answer else None
    if theirs is not None and not np.isfinite(theirs):
        theirs, answer = None, {"problem": f"its figure is {theirs}"}
    return Crosscheck(
        key=score.key,
        title=score.title,
        package=check.package,
        ours=score.value,
        theirs=theirs,
        difference=None if theirs is None else score.value - theirs,
        problem=str(answer.get("problem", "")),
        notes=check.notes(trial),
    )


def _how_to_install(packages: Sequence[str]) -> str:
    told = f"Crosscheck: {' and '.join(packages)} cannot be imported."
    if sys.version_info < _LEFT_OUT_FROM:
        return f"{told} Type: pip install -c constraints.txt -e ."
    return (
        f"{told} laion-clap asks for NumPy 1, so neither is installed along with us on Python "
        f"3.{sys.version_info[1]}: score the same sounds with Python 3.11 or 3.12 (system=folder path=FOLDER), or see "
        "docs/evaluation.md."
    )
