"""Where the figures of a run go: one JSONL file always, Weights & Biases or TensorBoard when configured."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.plain_data import parse_json
from audiolcm.training.wandb_service import Background, NoAnswer, check_server, end_service

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0  # what a killed process may lose of an offline run; W&B's own default is 15
METRICS = "metrics.jsonl"
NOT_UPLOADED = "not-uploaded.txt"
"""In the folder of an online run: W&B failed in it, ``python -m experiments sync`` uploads what is on disk."""


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
    """Weights & Biases. No fault of the service or of the network ends a training or makes it wait.

    Args:
        mode: offline (no network, no key; ``python -m experiments sync`` uploads later) or online.
        group: what the runs of one sweep share; None for a run on its own.
        tags: words to find runs by.
        seconds: how long W&B may take to start, and to upload the rest at the end.
    """

    project: str = "audiolcm"
    mode: str = "offline"
    group: str | None = None
    tags: Sequence[str] = ()
    seconds: float = 30.0
    trouble: str | None = field(default=None, init=False)
    _run: Any = field(default=None, init=False)

    def check(self) -> None:
        """Refuse before anything is trained what the user has to mend: a mode, a missing or wrong key.

        A server that does not answer is no reason: ``start`` then goes on offline. Variables of W&B's that would ask
        for something else than the configuration does are named: it decides, so that a run's card tells the truth.
        """
        for name, setting in (("WANDB_MODE", "mode"), ("WANDB_PROJECT", "project")):
            asked, used = os.environ.get(name), getattr(self, setting)
            if asked and asked != used:
                log.warning(
                    "%s=%s of the environment is not followed: logger.%s=%s is.", name, asked, setting, used
                )
        if self.mode not in ("offline", "online"):
            raise UserError(f"logger.mode={self.mode}: choose offline or online, or logger=jsonl for no W&B.")
        if self.mode == "online":
            with suppress(NoAnswer):
                check_server()

    def start(self, folder: Path, name: str, identity: str, config: dict[str, object]) -> None:
        """Open the run whose id is the identity, so that a resumed stage goes on in the same run.

        ``name`` is ``<stage>/<rest>``; the stage is the kind of the run.
        """
        self._folder, self.trouble, self._used = folder, None, self.mode
        self._background = Background()
        if self.mode == "online":
            try:
                check_server()
                self._run = self._open("online", name, identity, config)
                return
            except Exception as error:  # noqa: BLE001 (whatever is wrong there now: the training must not die of it)
                self._complain(f"{error or type(error).__name__}")
                self._used = "offline"
                end_service()
        try:
            self._run = self._open("offline", name, identity, config)
        except Exception as error:  # noqa: BLE001
            self._run, self._used = None, "none"
            self._complain(f"{type(error).__name__}: {error}")

    def _open(
        self, mode: Literal["online", "offline"], name: str, identity: str, config: dict[str, object]
    ) -> Any:
        import wandb  # a second of import that runs without it should not pay

        settings = wandb.Settings(
            silent=True,
            console="off",
            init_timeout=self.seconds,
            finish_timeout=self.seconds,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=FLUSH_SECONDS,
        )
        return wandb.init(
            project=self.project,
            mode=mode,
            id=identity,
            name=name,
            group=self.group,
            job_type=name.partition("/")[0],
            tags=list(self.tags),
            dir=str(self._folder),
            resume="allow",
            config=config,
            settings=settings,
        )

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Log the figures under their step."""
        self.send(figures, step)

    def send(self, content: Mapping[str, object], step: int | None = None) -> None:
        """Log figures or tables; a trouble is told once, and what follows it is left out."""
        if self._run is None:
            return
        run = self._run
        self._background.send(lambda: run.log(dict(content), step=step))
        self._notice()

    def finish(self) -> None:
        """Flush and close, within ``seconds``."""
        if self._run is None:
            return
        self._background.send(self._run.finish)
        self._background.close(self.seconds + 5)
        self._notice()
        if self.trouble and self._used == "online":
            with suppress(OSError):
                (Path(self._run.dir).parent / NOT_UPLOADED).write_text(self.trouble)
        if self._background.trouble:
            end_service()
        self._run = None

    def _notice(self) -> None:
        if self._background.trouble and self.trouble is None:
            self._complain(self._background.trouble)

    def _complain(self, trouble: str) -> None:
        self.trouble = trouble
        log.warning(
            "Weights & Biases: %s. The run goes on without it. metrics.jsonl in %s holds all figures; what W&B kept "
            "on disk is uploaded by `python -m experiments sync %s`.",
            trouble.rstrip(". "), self._folder, self._folder,
        )  # fmt: skip

    def facts(self) -> dict[str, object]:
        """Return how the last run was logged, for a card: ``mode``, and ``trouble`` if there was one."""
        trouble = {"trouble": self.trouble} if self.trouble else {}
        return {"project": self.project, "group": self.group, "mode": self._used, **trouble}


@runtime_checkable
class CheckedTracker(Protocol):
    """A tracker that can tell beforehand what the user has to mend."""

    def check(self) -> None:
        """Raise a ``UserError`` that says what to type."""
        ...


def check_tracker(tracker: Tracker) -> None:
    """Refuse at once what the user has to mend; see ``WandbTracker.check``."""
    if isinstance(tracker, CheckedTracker):
        tracker.check()


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
