"""Where the figures of a run go: one JSONL file always, Weights & Biases when configured."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from audiolcm.errors import UserError
from audiolcm.files import atomic_path

log = logging.getLogger(__name__)


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


@dataclass
class WandbTracker:
    """Weights & Biases. ``mode``: offline (no network, no key; ``wandb sync`` later) or online."""

    project: str = "audiolcm"
    mode: str = "offline"

    def start(self, folder: Path, name: str, identity: str, config: dict[str, object]) -> None:
        """Open the run whose id is the identity, so that a resumed stage goes on in the same run."""
        import wandb  # a second of import that runs without it should not pay

        try:
            self._run = wandb.init(
                project=self.project,
                mode=self.mode,
                id=identity,
                name=name,
                dir=str(folder),
                resume="allow",
                config=config,
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"Weights & Biases did not start ({error}). Type logger=wandb_offline or logger=jsonl, or log in "
                "with `wandb login`."
            ) from error

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Log the figures under their step."""
        self._run.log(figures, step=step)

    def finish(self) -> None:
        """Flush and close."""
        self._run.finish()


class MetricLog:
    """``metrics.jsonl``: one JSON object a line, each with its ``step``; forwards to a tracker.

    Lines after ``start_step`` are dropped when a run resumes, since those steps are taken again.
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
    """Return the rows of a metrics file; a last line cut short by a kill is left out."""
    rows: list[dict[str, float | int]] = []
    if not path.exists():
        return rows
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            log.warning("%s: skipped a line cut short: %.40s", path, line)
    return rows
