"""The figures of a run as TensorBoard shows them."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from audiolcm.errors import UserError
from audiolcm.training.tracking import METRICS, read_metrics

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

EVENTS = "tensorboard"
"""The folder of the events, in that of the artifact."""
_FLUSH_SECONDS = 10


class TensorBoardTracker:
    """Scalars under their steps, for ``tensorboard --logdir artifacts``.

    The events are an image of ``metrics.jsonl``: a stage that goes on writes them again from there, so that no step is
    there twice and none is missing that a kill kept from the disk.
    """

    def __init__(self) -> None:
        self._folder = Path()
        self._writer: SummaryWriter | None = None

    def check(self) -> None:
        """Refuse before anything is trained where TensorBoard is not installed."""
        if find_spec("tensorboard") is None:
            raise UserError(
                "logger=tensorboard needs the package tensorboard. Type: pip install -c constraints.txt -e "
                "'.[tensorboard]', or logger=jsonl for figures in metrics.jsonl alone."
            )

    def start(self, folder: Path, name: str, identity: str, config: dict[str, object]) -> None:
        """Note the folder; the events are opened with the first figures, when the log was cut to where it goes on."""
        self._folder, self._writer = folder, None

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Write the figures of one step."""
        if self._writer is None:
            self._writer = self._open({"step": step} | figures)
        self._write(self._writer, step, figures)

    def _open(self, newest: dict[str, float | int]) -> "SummaryWriter":
        """Return a writer that has what the log holds before its newest row."""
        from torch.utils.tensorboard import SummaryWriter  # half a second that runs without it should not pay

        place = self._folder / EVENTS
        for old in place.glob("events.out.tfevents.*"):
            old.unlink()
        writer = SummaryWriter(str(place), flush_secs=_FLUSH_SECONDS)
        rows = read_metrics(self._folder / METRICS)
        for row in rows[:-1] if rows and rows[-1] == newest else rows:
            self._write(writer, int(row["step"]), {key: value for key, value in row.items() if key != "step"})
        return writer

    @staticmethod
    def _write(writer: "SummaryWriter", step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    def finish(self) -> None:
        """Flush and close."""
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        log.info("To look at it: tensorboard --logdir %s", self._folder / EVENTS)
