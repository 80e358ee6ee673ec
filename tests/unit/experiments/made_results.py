"""Records as the contract of results has them, made up, for the tests of everything that is rendered from them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.record import Score
from experiments.records.planned import planned
from experiments.rendering.readme import EVALUATED
from experiments.rendering.readme import RESULTS as BLOCK
from experiments.rendering.render import Plan
from experiments.running.freshness import Freshness

ROOT = Path(__file__).parents[3]

HOSTILE = "</td><script>alert(1)</script> | =1+1 & 100% {of} $_^~#\\"
PROTOCOL = {
    "name": "replica",
    "title": "replica: esc10, test split",
    "num_clips": 80,
    "is_subset": False,
    "dataset": "esc10",
}


@dataclass(frozen=True)
class Job:
    """What is asked of a planned job."""

    row: str
    seed: int
    entry: str = "evaluate"


def jobs(*rows: str, seeds: int = 3) -> list[Job]:
    return [Job(row, seed) for row in rows for seed in range(seeds)]


def plan_of_project() -> Plan:
    """What conf/experiment plans, and what changed since the committed records."""
    return Plan(planned, Freshness(ROOT / "experiments/results/records"))


def fad(value: float, **changes: Any) -> Score:
    fields = {
        "key": "fad_yamnet", "title": "FAD (yamnet)", "value": value, "better": "lower",
        "interval": (value - 1.0, value + 1.0), "interval_method": "bootstrap over clips", "num_generated": 80,
        "num_reference": 80, "extractor": {"name": "yamnet", "identity": "ab12"}, "is_embedded": False,
    }  # fmt: skip
    return Score(**fields | changes)


def timing(rtf: float) -> dict[str, Any]:
    spread = {"median": rtf * 5, "p95": rtf * 6}
    return {
        "batch_size": 1, "num_runs": 50, "num_warmup": 5, "audio_seconds": 5.0, "nfe": 2, "stages": {"text": spread},
        "total": spread, "sampler": spread, "rtf_total": rtf, "rtf_sampler": rtf / 2,
    }  # fmt: skip


def record(
    stem: str, row: str, seed: int, *scores: Score, scale: str = "replica", **changes: Any
) -> dict[str, Any]:
    return {
        "format_version": 1, "item": stem, "scale": scale, "row": row, "seed": seed,
        "scores": [_plain(score) for score in scores], "figures": {}, "timings": [], "facts": {}, "protocol": PROTOCOL,
        "notes": [], "settings": "aa11", "method": {"audiolcm/diffusion": "cc33"}, "report": None,
        "provenance": {"command": "evaluate.py +experiment=x", "code": "abc1234", "hardware": {"device": "cpu"},
                       "date": "2026-01-02T03:04:05+00:00"},
    } | changes  # fmt: skip


def _plain(score: Score) -> dict[str, Any]:
    return {key: value for key, value in asdict(score).items() if key not in ("per_clip", "details")}


def write(folder: Path, content: dict[str, Any], name: str | None = None) -> Path:
    place = folder / "records" / content["scale"] / content["item"]
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{name or '{row}-seed{seed}'.format(**content)}.json"
    path.write_text(json.dumps(content))
    return path


def write_listening(folder: Path, stem: str, systems: dict[str, float], scale: str = "replica") -> None:
    place = folder / "listening" / scale
    place.mkdir(parents=True, exist_ok=True)
    scores = {
        row: [
            _plain(fad(v, key=key, title=key, better="higher", num_generated=20))
            for key in ("mos_q", "mos_f")
        ]
        for row, v in systems.items()
    }
    content = {
        "format_version": 1, "test": "t", "date": "2026-01-01", "raters": {"used": 18, "screened": 2},
        "agreement": {"alpha": 0.6}, "notes": [], "systems": scores,
    }  # fmt: skip
    (place / f"{stem}.json").write_text(json.dumps(content))


FADS = {
    "full": (10.0, 11.0, 12.0), "without_rope": (14.0, 14.5, 15.6), "without_rmsnorm": (10.5, 10.0, 13.0),
    "without_swiglu": (8.0, 8.6, 10.1),
}  # fmt: skip


def write_table6(folder: Path, scale: str = "replica") -> None:
    """Four rows of three seeds; FADS has their FAD."""
    for row, values in FADS.items():
        for seed, value in enumerate(values):
            kl = fad(value / 10, key="kl_yamnet", title="KL (yamnet)")
            write(folder, record("table6_backbone", row, seed, fad(value), kl, scale=scale))


def write_fig2a(
    folder: Path, ks: tuple[int, ...] = (1, 20, 50), seeds: int = 3, scale: str = "replica"
) -> None:
    """FAD falls with the iterations, from 40 by a tenth of k each 400 steps; the end has no step."""
    for k in ks:
        for index, step in enumerate((400, 800, None)):
            row = f"k{k}-step{step}" if step else f"k{k}"
            facts = {"k": k, "step": step, "train_steps": 1200, "num_steps": 2, "omega": 4.0}
            for seed in range(seeds):
                value = 40 - 0.1 * k * (index + 1) + 0.2 * seed + 0.01 * seed * seed * index
                write(folder, record("fig2a_solver_k", row, seed, fad(value), facts=facts, scale=scale))


def write_fig3(folder: Path) -> None:
    for system, steps in (("audiolcm", (1, 2, 4)), ("teacher", (10, 25, 50))):
        for count in steps:
            facts = {"num_steps": count, "nfe": count, "omega": 4.0}
            for seed in range(3):
                score, time = fad(30 / count + seed), timing(0.01 * count + 0.001 * seed)
                write(
                    folder,
                    record("fig3_speed", f"{system}-steps{count}", seed, score, facts=facts, timings=[time]),
                )


NAMES = (BLOCK, *EVALUATED)


def place(*names: str, text: str = "by hand") -> str:
    """Return lines with a block for each name."""
    return "".join(f"## {name}\n<!-- {name}:begin -->\n{text}\n<!-- {name}:end -->\n" for name in names)


def project(folder: Path, readme: str = "# Title\n", page: str = place(*NAMES)) -> Path:
    """Write a README and one page of docs; return the page."""
    (folder / "docs").mkdir()
    (folder / "README.md").write_text(readme)
    (folder / "docs/page.md").write_text(page)
    return folder / "docs/page.md"
