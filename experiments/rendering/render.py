"""``python -m experiments render [NAME ...]``: every table and figure from the records, measured beside printed."""

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiolcm.environment.terminal import say
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path, remove_leftovers
from audiolcm.storage.leases import exclusive
from audiolcm.sweeps.row_sweeper import SCALES
from audiolcm.training.tracking import check_tracker
from audiolcm.training.wandb_service import WandbTracker
from experiments.items.catalog import STEMS, item_of
from experiments.items.item import Item
from experiments.records.planned import PlannedJob, planned
from experiments.records.records import LISTENING, RECORDS, read_results
from experiments.rendering.figures import draw
from experiments.rendering.formats import csv_text, latex, markdown
from experiments.rendering.page import page
from experiments.rendering.readme import EVALUATED, check, pages_of, rewritten
from experiments.rendering.shown import ShownTable, show
from experiments.rendering.wandb_tables import log_tables
from experiments.running.collect import collect
from experiments.running.freshness import Freshness

RESULTS = Path("experiments/results")
INDEX = "index.html"
FORMATS: Mapping[str, Callable[[ShownTable], str]] = {"md": markdown, "tex": latex, "csv": csv_text}


def run_render(given: Namespace) -> int:
    """Take in the runs' records, and render what the command line asks for.

    Raises:
        UserError: a folder that is needed does not exist, or what ``render`` raises.
    """
    _check_folders(given.results, given.runs)
    tracker = WandbTracker(mode=given.wandb, group="results") if given.wandb else None
    if tracker:
        check_tracker(tracker)
    results = given.results or RESULTS
    root = Path() if given.results is None and Path("README.md").exists() else None
    with exclusive(results):
        _remove_leftovers(results, pages_of(root) if root else [])
        for stem in STEMS:
            collect(stem, given.runs or Path("runs"), results / RECORDS)
        plan = Plan(planned, Freshness(results / RECORDS))
        return render(given.names, given.scale, results, plan, root, tracker)


@dataclass(frozen=True)
class Plan:
    """What records are set against.

    Args:
        jobs: returns the planned jobs of an item (its stem) at a scale.
        changes: tells what changed since a record of such a job; empty for a fresh one.
    """

    jobs: Callable[[str, str], Sequence[PlannedJob]]
    changes: Callable[[Mapping[str, Any], Any], Sequence[str]] | None = None


def render(
    names: Sequence[str],
    scale: str | None,
    results: Path = RESULTS,
    plan: Plan | None = None,
    root: Path | None = None,
    tracker: WandbTracker | None = None,
) -> int:
    """Write the files of the items, the page of all items and the tables of README and docs; return the exit code.

    Args:
        names: stems; none: all.
        scale: replica, esc10 or paper; None: replica, and the others where they have records.
        results: the folder that has the records and gets ``<scale>/<stem>.*`` and ``index.html``.
        plan: without it nothing is called missing or stale.
        root: the project, of which README and docs get their tables; None: none.
        tracker: gets a W&B run of the rendered items; None: none.

    Raises:
        UserError: an item or a scale that does not exist, a table that has no place in README and docs, a folder that
            cannot be written.
    """
    if scale is not None and scale not in SCALES:
        raise UserError(f"There is no scale {scale}: choose {' or '.join(SCALES)}.")
    chosen = [item_of(name).stem for name in names] or list(STEMS)
    measured = [known for known in SCALES if _has_records(results, known)]
    scales = [scale] if scale else ["replica", *measured]
    if root is not None:
        check(root)
    everything = [
        shown(item_of(stem), known, results, plan)
        for known in SCALES
        if known in scales or known in measured
        for stem in STEMS
    ]
    asked = [table for table in everything if table.scale in scales and table.item.stem in chosen]
    for table in asked:
        _write(table, results)
    pictures = {
        (table.scale, table.item.stem): path
        for table in everything
        if (path := _picture(table, results)).exists()
    }
    _write_text(results / INDEX, page(everything, pictures, results))
    if root is not None:
        for path, text in pages(root, everything, results, plan).items():
            _write_text(path, text)
    if tracker is not None:
        found = {stem: path for (known, stem), path in pictures.items() if known in scales and stem in chosen}
        log_tables(asked, found, results, tracker)
    say(_summary(asked, results))
    return 0


def shown(item: Item, scale: str, results: Path, plan: Plan | None) -> ShownTable:
    """Return an item at a scale, from the records."""
    jobs = plan.jobs(item.stem, scale) if plan else None
    return show(item, read_results(results, item.stem, scale, jobs, plan.changes if plan else None))


def pages(root: Path, tables: Sequence[ShownTable], results: Path, plan: Plan | None) -> dict[Path, str]:
    """Return the texts of README and docs with their tables: those of the items, and the others from the records."""
    others = {name: shown(item, scale, results, plan) for name, (scale, item) in EVALUATED.items()}
    return rewritten(root, tables, others)


def _has_records(results: Path, scale: str) -> bool:
    """Whether anything was measured at a scale."""
    return any(any((results / kind / scale).glob("**/*.json")) for kind in (RECORDS, LISTENING))


def _picture(table: ShownTable, results: Path) -> Path:
    return results / table.scale / f"{table.item.stem}.png"


def _write(table: ShownTable, results: Path) -> None:
    for suffix, made in FORMATS.items():
        _write_text(results / table.scale / f"{table.item.stem}.{suffix}", made(table))
    picture = _picture(table, results)
    for path in (picture, picture.with_suffix(".pdf")):  # of records that are no longer there
        path.unlink(missing_ok=True)
    draw(table, picture)


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _summary(tables: Sequence[ShownTable], results: Path) -> str:
    """Return one line for each item and where to look."""
    lines = []
    for table in tables:
        measured = sum(row.is_measured for row in table.rows)
        stale = sum("stale" in row.marks for row in table.rows)
        refused = sum(bool(cell.refusal) for row in table.rows for cell in row.cells)
        words = [f"{measured} of {len(table.rows)} rows measured"]
        words += [f"{stale} stale"] * bool(stale) + [f"{refused} figures refused"] * bool(refused)
        lines.append(f"{table.item.stem} ({table.scale}): {', '.join(words)}")
    return "\n".join([*lines, f"Open {results / INDEX}"]) + "\n"


def _remove_leftovers(results: Path, pages: Sequence[Path]) -> None:
    """Remove the hidden files of a call that was cut off."""
    for folder in (results, *(path for path in results.rglob("*") if path.is_dir())):
        remove_leftovers(folder)
    for path in pages:
        remove_leftovers(path.parent, path.name)


def _check_folders(results: Path | None, runs: Path | None) -> None:
    """Refuse to begin results at the usual place, which is in the project, and runs that are not there.

    Raises:
        UserError: it says what to type.
    """
    if results is None and not RESULTS.is_dir():
        raise UserError(
            f"There is no folder {RESULTS} in {Path.cwd()}. Type this in the project's root, or give the folders: "
            "--results FOLDER --runs FOLDER."
        )
    if runs is not None and not runs.is_dir():
        raise UserError(f"There is no folder {runs}. Give the folder that holds the runs: --runs FOLDER.")
