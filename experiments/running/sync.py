"""``python -m experiments sync [FOLDER ...]``: upload the offline W&B runs below folders. Imports no torch."""

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from audiolcm.environment.terminal import say
from audiolcm.errors import UserError
from audiolcm.training.wandb_service import NOT_UPLOADED, NoAnswer, check_server, upload

DEFAULT_FOLDERS = (Path("artifacts"), Path("runs"))
QUIET_SECONDS = 600.0
"""A run of an unfinished training that changed since may still be written."""
_ENDED = ("card.json", "metrics.json")


def sync(given: Namespace) -> int:
    """Upload every run that is not up yet; those that are stay marked, and nothing is removed.

    Returns:
        1 when a run did not go up; else 0.

    Raises:
        UserError: a folder is missing, there is no valid key, or the server does not answer.
    """
    runs = [run for folder in _checked(given.folders) for run in _waiting(folder)]
    taken = [run for run in runs if given.unfinished or not _being_written(run)]
    if len(taken) < len(runs):
        say(f"{len(runs) - len(taken)} runs are still being written: left for later, or add --unfinished.\n")
    if not taken:
        say("There is nothing to upload.\n")
        return 0
    try:
        check_server()
    except NoAnswer as error:
        raise UserError(f"{error}. Nothing is lost: type the same command again later.") from error
    failures = 0
    for run in taken:
        trouble = upload(run)
        failures += bool(trouble)
        say(f"NOT UP  {run}: {trouble}\n" if trouble else f"up  {run}\n")
    say(f"{len(taken) - failures} of {len(taken)} runs went up.\n")
    return int(failures > 0)


def _checked(folders: Sequence[Path]) -> list[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}. Give folders that hold runs, such as artifacts.")
    return list(folders) or [folder for folder in DEFAULT_FOLDERS if folder.is_dir()]


def _waiting(folder: Path) -> list[Path]:
    """Return the folders of runs that are not up, in order of their start, so that a resumed run goes on as it did."""
    offline = folder.glob("**/offline-run-*/run-*.wandb")
    broken_off = (
        log for mark in folder.glob(f"**/run-*/{NOT_UPLOADED}") for log in mark.parent.glob("*.wandb")
    )
    found = {
        log.parent.absolute()
        for log in (*offline, *broken_off)
        if not log.with_name(f"{log.name}.synced").exists()
    }
    return sorted(found, key=lambda run: run.name.removeprefix("offline-"))


def _being_written(run: Path) -> bool:
    if any((run.parents[1] / name).exists() for name in _ENDED):
        return False
    return time.time() - max(log.lstat().st_mtime for log in run.glob("*.wandb")) < QUIET_SECONDS
