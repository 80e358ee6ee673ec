"""The command line of ``render``; what it needs is imported when it is called, so that other commands stay quick."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import remove_leftovers
from audiolcm.storage.leases import exclusive
from audiolcm.sweeps.row_sweeper import SCALES


def add_render(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``render`` to the commands."""
    shown = commands.add_parser("render", help="write every table and figure, measured beside printed")
    shown.add_argument("names", nargs="*", help="items such as table6_backbone; none: all")
    shown.add_argument("--scale", choices=SCALES, help="none: those that have records")
    shown.add_argument(
        "--results",
        type=Path,
        help="folder of results (experiments/results; else README and docs stay as they are)",
    )
    shown.add_argument(
        "--runs", type=Path, help="folder of runs, whose records are taken in (runs, if it is there)"
    )
    shown.add_argument(
        "--wandb", nargs="?", const="offline", choices=("offline", "online"), help="also as W&B tables"
    )


def run_render(given: argparse.Namespace) -> int:
    """Render what the command line asks for.

    Raises:
        UserError: a folder that is needed does not exist, or what ``render`` raises.
    """
    from audiolcm.training.tracking import check_tracker
    from audiolcm.training.wandb_service import WandbTracker
    from experiments.items.catalog import STEMS
    from experiments.records.records import RECORDS
    from experiments.rendering.readme import pages_of
    from experiments.rendering.render import RESULTS, Plan, render
    from experiments.running.collect import collect
    from experiments.running.freshness import Freshness
    from experiments.running.planned import planned

    _check_folders(given.results, given.runs, RESULTS)
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


def _remove_leftovers(results: Path, pages: Sequence[Path]) -> None:
    """Remove the hidden files of a call that was cut off."""
    for folder in (results, *(path for path in results.rglob("*") if path.is_dir())):
        remove_leftovers(folder)
    for page in pages:
        remove_leftovers(page.parent, page.name)


def _check_folders(results: Path | None, runs: Path | None, usual: Path) -> None:
    """Refuse to begin results at the usual place, which is in the project, and runs that are not there.

    Raises:
        UserError: it says what to type.
    """
    if results is None and not usual.is_dir():
        raise UserError(
            f"There is no folder {usual} in {Path.cwd()}. Type this in the project's root, or give the folders: "
            "--results FOLDER --runs FOLDER."
        )
    if runs is not None and not runs.is_dir():
        raise UserError(f"There is no folder {runs}. Give the folder that holds the runs: --runs FOLDER.")
