"""The packages that this project wants: what is installed of them, what is locked, what imports."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audiolcm.environment.failures import advice, explain_module
from audiolcm.environment.installed import (
    MODULES,
    Unmet,
    extras,
    locked,
    satisfies,
    unmet_requirements,
    version,
    wanted,
)

_USED_BY_OTHERS = ("torchaudio", "torchvision")
"""transformers imports them where they are installed: a broken one breaks it."""
_PATIENCE = 300.0  # seconds for all imports, on a cold disk


@dataclass(frozen=True)
class Probed:
    """What ``probe`` said: why modules do not import, what it knows, and why it does not know the rest."""

    failed: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


def probe(modules: Sequence[str], overrides: Sequence[str]) -> Probed:
    """Import the modules and ask for facts in another process; one that crashes it is taken for the fault."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "WANDB_SILENT": "true"}
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.jsonl"
        words = [sys.executable, "-m", "audiolcm.doctor.probe", str(answers), ",".join(modules), *overrides]
        try:
            done = subprocess.run(
                words, env=os.environ | offline, capture_output=True, text=True, timeout=_PATIENCE
            )
            code, told = done.returncode, done.stderr[-300:]
            end = f"ends Python with code {code}. {told}" if code else ""
        except subprocess.TimeoutExpired:
            end = f"takes more than {_PATIENCE:.0f} s"
        lines = answers.read_text(encoding="utf-8").splitlines() if answers.exists() else []
    return _read([json.loads(line) for line in lines], end.strip())


def _read(lines: Sequence[Mapping[str, Any]], end: str) -> Probed:
    failed = {line["failed"]: line["why"] for line in lines if "failed" in line}
    facts = {line["fact"]: line["value"] for line in lines if "value" in line}
    unknown = {line["fact"]: line["why"] for line in lines if "fact" in line and "why" in line}
    last = lines[-1] if lines else {}
    if end and "importing" in last:
        failed[last["importing"]] = explain_module(last["importing"], end)
    elif end:
        unknown[last.get("asking", "all")] = f"Looking at this machine {end}"
    return Probed(failed, facts, unknown)


def modules_of(package: str) -> tuple[str, ...]:
    """Return what to import of a package."""
    return MODULES.get(package, (package.replace("-", "_"),))


def listed() -> list[tuple[str, Requirement | None]]:
    """Return the packages to look at, with what is required of them; None: of what others import where it is there."""
    direct = {canonicalize_name(need.name): need for need in wanted()}
    beside = [name for name in _USED_BY_OTHERS if name not in direct and version(name)]
    return [*direct.items(), *((name, None) for name in beside)]


def rows(probed: Probed) -> list[dict[str, Any]]:
    """Return one row for each package: ``installed``, ``locked``, ``state``, ``required`` and why it does not import.

    ``state`` is ok, other (than locked, but in range), missing, out of range, or does not import.
    """
    pins = locked()
    made = []
    for package, need in listed():
        here, pin = version(package), pins.get(package)
        why = next((probed.failed[m] for m in modules_of(package) if m in probed.failed), None)
        row = {"package": package, "installed": here, "locked": pin, "state": _state(here, pin, need, why)}
        made.append(row | {"required": None if need is None else str(need.specifier), "why": why})
    return made


def _state(here: str | None, pin: str | None, need: Requirement | None, why: str | None) -> str:
    if here is None:
        return "missing"
    if why is not None:
        return "does not import"
    if need is not None and not satisfies(need, here):
        return "out of range"
    return "ok" if pin is None or satisfies(Requirement(f"x=={pin}"), here) else "other"


def problems(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is wrong with the packages, each with what to type."""
    told = []
    missing = [row["package"] for row in found if row["state"] == "missing"]
    if missing:
        told.append(f"Not installed: {', '.join(missing)}. {advice(missing[0], [])}")
    for row in found:
        name = row["package"]
        if row["state"] == "does not import":
            told.append(row["why"])
        if row["state"] == "out of range":
            told.append(f"{name} {row['installed']} is not {row['required']}. {advice(name, [])}")
    return list(dict.fromkeys(told)) + _unmet(besides=" ".join(told))


def _unmet(besides: str) -> list[str]:
    """Return what installed packages lack, of those that this project and its extras bring, a sentence a package.

    What another message says already is left out.
    """
    roots = [*wanted(), *(need for extra in extras() for need in wanted(extra))]
    roots += [Requirement(package) for package, need in listed() if need is None]
    by_package: dict[str, list[Unmet]] = {}
    for fault in unmet_requirements(roots):
        if str(fault) not in besides:
            by_package.setdefault(fault.package, []).append(fault)
    return [f"{'; '.join(map(str, faults))}. {advice(name, faults)}" for name, faults in by_package.items()]
