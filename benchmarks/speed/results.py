"""Results on disk: ``benchmarks/results/DATE-HARDWARE/CONTEST.json``, and what else is written beside them."""

import datetime
import json
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import code_version
from benchmarks.speed.summary import Measured
from benchmarks.speed.versions import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Result:
    """One contest as it was measured.

    Args:
        name, title, axis: of the contest.
        date, machine, command: when, on what and how it was measured.
        measured: its cases, in their order.
        against: what this checkout is beside, as it was typed; "" for the contest alone.
    """

    name: str
    title: str
    axis: str
    measured: list[Measured]
    against: str = ""
    command: str = field(default_factory=lambda: " ".join(["python -m benchmarks", *sys.argv[1:]]))
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: dict[str, Any] = field(default_factory=lambda: machine())

    @property
    def machine_name(self) -> str:
        """The processor, and the best of its abilities."""
        return " ".join([self.machine["hardware"], *self.machine["abilities"][:1]])

    @property
    def file_stem(self) -> str:
        """The name of its file."""
        words = re.sub(r"[^\w.=-]+", "_", self.against)
        return f"{self.name}-against-{words}" if words else self.name

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return vars(self) | {"measured": [one.plain() for one in self.measured]}


def machine() -> dict[str, Any]:
    """Return what a result tells of the machine and of the software."""
    hardware = Hardware()
    device = hardware.torch_device().type
    name = hardware.describe().split(",")[0]
    abilities = {
        "AMX": torch.cpu._is_amx_tile_supported(),
        "AVX512-BF16": torch.cpu._is_avx512_bf16_supported(),
        "VNNI": torch.cpu._is_vnni_supported(),
    }
    return {
        "hardware": name,
        "device": device,
        "abilities": [word for word, there in abilities.items() if there and device == "cpu"],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": code_version(),
    }


def folder_of(result: Result, results: Path) -> Path:
    """Return where a result lies."""
    name = re.sub(r"\((R|TM)\)|Processor|CPU", "", result.machine_name)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return results / f"{result.date}-{slug}"


def write(result: Result, results: Path) -> Path:
    """Write a result, and return its file."""
    path = folder_of(result, results) / f"{result.file_stem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(result.plain(), indent=1) + "\n")
    return path


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: Path) -> Result:
    """Return a result that was written.

    Raises:
        UserError: the file is none.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Result(**told | {"measured": [Measured(**one) for one in told["measured"]]})
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UserError(f"{path} is no result of `python -m benchmarks` ({error}): remove it.") from error


def read_all(results: Path) -> list[tuple[Path, Result]]:
    """Return all results with their files, the oldest first."""
    return [(path, read(path)) for path in sorted(results.glob("*/*.json"))]


def newest(found: Sequence[Result]) -> dict[tuple[str, str], Result]:
    """Return the newest of each file on each machine, by both names; ``found`` begins with the oldest."""
    return {(result.machine_name, result.file_stem): result for result in found}
