"""Everything that ``audiolcm doctor`` looks at, as one plain report, and the report for people."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.doctor import packages
from audiolcm.environment.guard import OLDEST_PYTHON, python_too_old
from audiolcm.environment.installed import checkout
from audiolcm.training.wandb_service import has_key

_VARIABLES = (
    "AUDIOLCM_DATA", "AUDIOLCM_WEIGHTS", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "WANDB_MODE", "WANDB_BASE_URL",
    "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
_LITTLE_SPACE = 5.0  # GB
_OF_CHECKOUT = ("conf", "train.py", "evaluate.py")
_WIDTH = 13
_UNKNOWN = "not known, see below"


def examine(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the report: a section for each thing that is looked at, then ``problems`` and ``notes``, as sentences.

    Args:
        overrides: words of train.py for the run that is meant.
    """
    modules = [m for name, _ in packages.listed() for m in packages.modules_of(name)]
    probed = packages.probe(modules, overrides)
    found = packages.rows(probed)
    report: dict[str, Any] = {
        "python": _python(),
        "checkout": _checkout(),
        "packages": found,
        "hardware": probed.facts.get("hardware"),
        "formats": probed.facts.get("formats"),
        "weights": probed.facts.get("weights"),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "slurm": _slurm(),
    }
    report |= _of_configuration(probed.facts.get("configuration"))
    # Why the configuration or the hardware is not known, where no package is to blame for it
    unknown = [] if probed.failed else dict.fromkeys(probed.unknown.values())
    report["problems"] = [*_problems(report), *packages.problems(found), *unknown]
    report["notes"] = _notes(report)
    return report


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": f"{platform.system()} {platform.machine()}",
        "supported": sys.version_info[:2] >= OLDEST_PYTHON,
    }


def _checkout() -> dict[str, Any]:
    root = checkout()
    missing = [] if root is None else [name for name in _OF_CHECKOUT if not (root / name).exists()]
    local = None if root is None else root / "conf" / "local.yaml"
    return {
        "folder": None if root is None else str(root),
        "missing": missing,
        "local": str(local) if local and local.is_file() else None,
    }


def _of_configuration(cfg: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the sections that rest on the configuration; nothing known where it could not be composed."""
    if cfg is None:
        return {"data": None, "wandb": None, "folders": [_folder("artifacts", "artifacts")]}
    paths, dataset, logger = cfg["paths"], cfg["dataset"], cfg["logger"]
    corpora, root = Path(paths["corpora"]), dataset.get("root")
    data = {
        "dataset": str(dataset["_target_"]).rpartition(".")[2],
        "has_root": "root" in dataset,
        "root": root,
        "root_exists": root is not None and Path(root).is_dir(),
        "corpora": str(corpora.absolute()),
        "of_corpora": sorted(p.name for p in corpora.iterdir() if p.is_dir()) if corpora.is_dir() else [],
    }
    wandb = {"mode": logger.get("mode", "none"), "has_key": has_key()}
    folders = [_folder(name, paths[name]) for name in ("artifacts", "cache", "runs")]
    return {"data": data, "wandb": wandb, "folders": folders}


def _folder(name: str, place: str) -> dict[str, Any]:
    """Return whether a folder can be written and how much space is left there; it may not have been made yet."""
    path = Path(place).absolute()
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    writable, free = there.is_dir() and os.access(there, os.W_OK | os.X_OK), shutil.disk_usage(there).free
    return {"name": name, "path": str(path), "writable": writable, "free_gb": free / 1e9}


def _slurm() -> dict[str, Any]:
    if shutil.which("sbatch") is None:
        return {"sbatch": False, "cluster": None}
    try:
        told = subprocess.run(
            ["scontrol", "show", "config"], capture_output=True, text=True, timeout=10
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        told = ""
    names = [line.partition("=")[2].strip() for line in told.splitlines() if line.startswith("ClusterName")]
    return {"sbatch": True, "cluster": names[0] if names else None}


def _problems(report: Mapping[str, Any]) -> list[str]:
    """Return what is wrong outside of the packages, each with what to type."""
    told = [] if report["python"]["supported"] else [f"{python_too_old()}"]
    if report["checkout"]["missing"]:
        lost = ", ".join(report["checkout"]["missing"])
        told.append(
            f"The checkout {report['checkout']['folder']} lacks {lost}. Type there: `git checkout -- .`"
        )
    told += [
        f"{folder['path']} cannot be written. Choose another folder: paths.{folder['name']}=FOLDER."
        for folder in report["folders"]
        if not folder["writable"]
    ]
    data, wandb = report["data"], report["wandb"]
    if data and data["root"] is not None and not data["root_exists"]:
        told.append(f"There is no folder {data['root']}. Give that of the sounds: dataset.root=FOLDER.")
    if wandb and wandb["mode"] == "online" and not wandb["has_key"]:
        told.append(
            "Weights & Biases is to be used online without a key. Type `wandb login`, or logger=wandb_offline."
        )
    return told


def _notes(report: Mapping[str, Any]) -> list[str]:
    """Return what is worth knowing and not wrong."""
    told = []
    others = [row["package"] for row in report["packages"] if row["state"] == "other"]
    if others:
        told.append(
            f"Not the locked version, but in range: {', '.join(others)}. The tested set: "
            "`pip install -c constraints.txt -e .`"
        )
    if report["checkout"]["folder"] is None:
        told.append(
            "This is no checkout with a lock: train.py, evaluate.py and their configuration are in one."
        )
    hardware = report["hardware"]
    if hardware and not hardware["cuda"] and shutil.which("nvidia-smi"):
        told.append(
            f"nvidia-smi is here, but torch (for CUDA {hardware['cuda_of_torch']}) sees no GPU: its driver may be too "
            "old, or torch is one for CPUs."
        )
    data = report["data"]
    if data and data["has_root"] and data["root"] is None:
        told.append(
            f"{data['dataset']} needs dataset.root=FOLDER; or name the folder of all corpora once and for all, by "
            "AUDIOLCM_DATA or in conf/local.yaml (docs/data.md)."
        )
    told += [
        f"Only {folder['free_gb']:.1f} GB are free for {folder['path']}."
        for folder in report["folders"]
        if folder["free_gb"] < _LITTLE_SPACE
    ]
    return told


def as_text(report: Mapping[str, Any]) -> str:
    """Return the report as lines: what was found, notes, and at the end what is wrong."""
    lines = [f"{name:<{_WIDTH}}{value}" for name, value in _lines(report)]
    lines += ["", *_table(report["packages"])]
    for title, told in (("Notes", report["notes"]), ("Wrong", report["problems"])):
        lines += ["", f"{title}:", *(f"- {sentence}" for sentence in told)] if told else []
    lines += [] if report["problems"] else ["", "Nothing is wrong."]
    return "\n".join(lines) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    python, checkout = report["python"], report["checkout"]
    yield "Python", f"{python['version']} ({python['executable']}) on {python['platform']}"
    yield "Checkout", checkout["folder"] or "none"
    if checkout["folder"]:
        yield "Own settings", checkout["local"] or "no conf/local.yaml"
    yield from _hardware(report["hardware"])
    formats, slurm = report["formats"], report["slurm"]
    names = f"{', '.join(formats['names'])} (libsndfile {formats['library']})" if formats else _UNKNOWN
    yield "Sound files", names
    yield from _places(report)
    cluster = slurm["cluster"] or "does not answer"
    yield "Slurm", f"sbatch is here, cluster {cluster}" if slurm["sbatch"] else "none"
    if report["variables"]:
        yield "Environment", " ".join(f"{name}={value}" for name, value in report["variables"].items())


def _hardware(facts: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if facts is None:
        yield "Device", _UNKNOWN
        return
    yield "Device", f"{facts['device']}: {facts['device_because']} ({facts['described']})"
    yield "Precision", f"{facts['precision']}: {facts['precision_because']}"
    yield "Threads", f"{facts['threads']} of {facts['cores']} cores"
    yield "CPU", f"AMX {_yes(facts['amx'])}, AVX512-BF16 {_yes(facts['avx512_bf16'])}"
    cuda, of_torch = ", ".join(facts["cuda"]) or "none", facts["cuda_of_torch"] or "none"
    yield "GPU", f"CUDA {cuda} (torch is for CUDA {of_torch}), MPS {_yes(facts['mps'])}"


def _places(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    weights, data, wandb = report["weights"], report["data"], report["wandb"]
    if weights is None:
        yield "Weights", _UNKNOWN
    else:
        found, known = ", ".join(weights["found"]) or "none", len(weights["found"]) + len(weights["absent"])
        yield "Weights", f"{weights['folder']}: {found} (of {known} known files)"
    if data is None or wandb is None:
        yield "Data", _UNKNOWN
    else:
        root = (data["root"] or "dataset.root is not given") if data["has_root"] else "makes its own sounds"
        corpora = ", ".join(data["of_corpora"]) or "no corpora"
        yield "Data", f"{data['dataset']}: {root}; {data['corpora']}: {corpora}"
        yield "W&B", f"{wandb['mode']}, {'a key is here' if wandb['has_key'] else 'no key'}"
    for folder in report["folders"]:
        state = "" if folder["writable"] else ", cannot be written"
        yield folder["name"].capitalize(), f"{folder['path']}: {folder['free_gb']:.0f} GB free{state}"


def _table(rows: list[Mapping[str, Any]]) -> list[str]:
    cells = [("package", "installed", "locked", "")]
    cells += [(r["package"], r["installed"] or "-", r["locked"] or "-", r["state"]) for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
