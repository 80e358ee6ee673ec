"""``python -m experiments status [FOLDER ...]``: how the jobs of a sweep are, during it and after."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from audiolcm.environment.terminal import complain, say
from audiolcm.errors import UserError
from audiolcm.jobs.slurm_queue import ended, queued
from audiolcm.storage.run_folder import RESULT
from audiolcm.sweeps.summary import MULTIRUN, TRAINING_FIGURES, row_of, summary_of, write_summary
from audiolcm.text_tables import aligned, frame
from experiments.running.jobs import RECORD, SweepJob, jobs_of, read_records

RUNS = Path("runs")
_SWEEP_FILES = (MULTIRUN, RECORD)
_MOST_FIGURES = 3
_DETAIL_WIDTH = 160


def show_sweeps(folders: Sequence[Path], every: bool, as_json: bool) -> int:
    """Show the jobs of the sweeps; of all or the newest one below ``runs`` where none is named.

    Returns:
        1 when a job failed, was cancelled or stopped without a result; else 0.

    Raises:
        UserError: there is no such sweep.
    """
    found = [_checked(folder) for folder in folders] or sweeps_below(RUNS)[: None if every else 1]
    if not found:
        raise UserError(
            f"There is no sweep in {RUNS.absolute()}. `python train.py -m solver.k=5,20` starts one; for another "
            "place give its folder: python -m experiments status FOLDER."
        )
    sweeps = {folder: jobs_of(folder, _slurm_states(folder)) for folder in found}
    if as_json:
        shown = {
            str(folder): [asdict(job) | {"folder": str(job.folder)} for job in jobs]
            for folder, jobs in sweeps.items()
        }
        say(json.dumps(shown, indent=2) + "\n")
    else:
        say("\n".join(_page(folder, jobs) for folder, jobs in sweeps.items()))
    for folder, jobs in sweeps.items():
        _sum_up(folder, jobs)
    return int(any(job.ended_badly for jobs in sweeps.values() for job in jobs))


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give the folder of a sweep, such as runs/sweep.")
    signs = (*_SWEEP_FILES, ".hydra", "*/.hydra", f"*/{RESULT}")
    if not any(path for sign in signs for path in folder.glob(sign)):
        raise UserError(
            f"{folder} is no folder of a sweep (no multirun.yaml). Give one, such as {folder}/sweep."
        )
    return folder


def sweeps_below(root: Path) -> list[Path]:
    """Return the folders of sweeps that were begun below a folder, the newest first."""
    jobs = (path.parents[2] for path in root.glob("**/.hydra/hydra.yaml") if _is_of_a_sweep(path))
    marked = (path.parent for name in _SWEEP_FILES for path in root.glob(f"**/{name}"))
    return sorted(dict.fromkeys((*jobs, *marked)), key=lambda folder: -folder.stat().st_mtime)


def _is_of_a_sweep(hydra_yaml: Path) -> bool:
    """Whether a job was one of several: a search by Optuna leaves no other sign while it goes on."""
    try:
        return hydra_yaml.is_file() and "mode: MULTIRUN" in hydra_yaml.read_text(errors="replace")
    except OSError:
        return False


def _slurm_states(sweep: Path) -> dict[str, str]:
    """Return what SLURM says of the submitted jobs; nothing where it does not answer or there are none."""
    ids = {str(record["job_id"]) for record in read_records(sweep).values()}
    if not ids:
        return {}
    return (ended(ids) or {}) | {job: state for job, state in (queued() or {}).items() if job in ids}


def _page(folder: Path, jobs: Sequence[SweepJob]) -> str:
    rows = [
        (name, job.state, _short(job), _time(job.seconds_left), _figures(job), _near(job.place))
        for name, job in zip(_short_names(jobs), jobs, strict=True)
    ]
    table = frame(["job", "state", "", "left", "figures", "where"], rows)
    lines = ["  ".join(row).rstrip() for row in aligned(table.loc[:, (table != "").any()])]
    states = [job.state for job in jobs]
    count = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no jobs yet"
    lines += ["", f"{folder}: {count}."]
    if "waiting" in states and not {"training", "preparing"} & set(states) and not (folder / RECORD).exists():
        lines.append("No job is at work now. The same command goes on, and skips what is done.")
    return "\n".join(lines) + "\n"


def _short_names(jobs: Sequence[SweepJob]) -> list[str]:
    """Return what tells the jobs apart: their overrides without those that all have in common."""
    overrides = [re.split(r",(?=[\w./+~@]+=)", job.name) for job in jobs]
    shared = set.intersection(*map(set, overrides)) if len(jobs) > 1 else set()
    return [
        ",".join(o for o in own if o not in shared) or job.name
        for own, job in zip(overrides, jobs, strict=True)
    ]


def _near(place: str) -> str:
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place


def _short(job: SweepJob) -> str:
    detail = " ".join(job.detail.split())
    return detail if len(detail) <= _DETAIL_WIDTH else f"{detail[: _DETAIL_WIDTH - 3]}..."


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes // 60} h {minutes % 60:02d} min"


def _figures(job: SweepJob) -> str:
    numbers = [name for name, value in job.figures.items() if isinstance(value, int | float)]
    names = [name for name in TRAINING_FIGURES if name in numbers] or numbers
    return ", ".join(f"{name} {job.figures[name]:.4g}" for name in names[:_MOST_FIGURES])


def _sum_up(folder: Path, jobs: Sequence[SweepJob]) -> None:
    """Write the table of a submitted sweep of which nothing runs any more: no process waited for it to do so."""
    own = [job for job in jobs if not job.is_parent]
    over = all(job.ended_badly or job.state == "done" for job in jobs)
    if not (folder / RECORD).exists() or not own or not over:
        return
    rows = [row_of(job.name, job.folder) for job in own]
    for row, job in zip(rows, own, strict=True):
        if job.state in ("stopped", "cancelled"):  # what lies there is of an earlier call, if anything
            row |= {"status": "failed", "error": f"{job.state}: {job.detail}"}
            row.pop("folder", None)
    name, figures = summary_of(folder)
    complain(f"Summary: {write_summary(folder, name, rows, figures)}\n")
