"""Where the figures of a run go: one JSONL file always, Weights & Biases or TensorBoard when configured."""

import json
import logging
from pathlib import Path
from typing import Protocol, runtime_checkable

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.plain_data import parse_json
from audiolcm.training.wandb_service import WandbTracker

log = logging.getLogger(__name__)

METRICS = "metrics.jsonl"


@runtime_checkable
class Tracker(Protocol):
    """A place outside the run folder that figures are sent to."""

    def start(self, folder: Path, name: str, identity: str, config: dict[str, object]) -> None:
        """Open the run; the same identity continues the same run."""
        ...

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Send the figures of one step."""
        ...

    def finish(self) -> None:
        """Close the run."""
        ...


class NoTracker:
    """Only the JSONL file on disk."""

    def start(self, folder: Path, name: str, identity: str, config: dict[str, object]) -> None:
        """Do nothing."""

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


def check_tracker(tracker: Tracker) -> None:
    """Refuse at once what the user has to repair, where the tracker can tell; see ``WandbTracker.check``."""
    if check := getattr(tracker, "check", None):
        check()


def tracking_facts(tracker: Tracker) -> dict[str, object]:
    """Return what a card says of the tracker: nothing where there is none."""
    return {"wandb": tracker.facts()} if isinstance(tracker, WandbTracker) else {}


class MetricLog:
    """``metrics.jsonl``: one JSON object a line, each with its ``step``; forwards to a tracker.

    Lines after ``start_step`` are dropped when a run resumes, since those steps are taken again, and so are damaged
    ones: it is a log, and no resume depends on it.
    """

    def __init__(self, path: Path, tracker: Tracker, start_step: int) -> None:
        self.path = path
        self.tracker = tracker
        kept = [row for row in read_metrics(path) if row["step"] <= start_step]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Append the figures of one step."""
        with self.path.open("a") as handle:
            handle.write(json.dumps({"step": step} | figures) + "\n")
        self.tracker.record(step, figures)


def read_metrics(path: Path) -> list[dict[str, float | int]]:
    """Return the rows of a metrics file; damaged lines, such as one cut short by a kill, are told and left out.

    Raises:
        UserError: it cannot be read at all.
    """
    rows: list[dict[str, float | int]] = []
    if not path.exists():
        return rows
    again = "Move it away, and type the same command again: only the log of the steps before is lost."
    if not path.is_file():
        raise UserError(f"{path} is no file. {again}")
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {again}") from error
    for number, line in enumerate(lines, start=1):
        if row := metrics_row(line):
            rows.append(row)
        else:
            log.warning("%s: line %d is damaged and left out: %.60r", path, number, line)
    return rows


def metrics_row(line: bytes) -> dict[str, float | int]:
    """Return the row in a line of a metrics file; nothing where it is damaged."""
    try:
        row = parse_json(line)
    except ValueError:
        return {}
    is_row = isinstance(row, dict) and type(row.get("step")) is int
    return row if is_row and all(type(value) in (int, float) for value in row.values()) else {}
