"""A record as a Weights & Biases run: a table of its metrics, and one of a sample of its clips to look at and hear."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.pages.media import mel_levels, palette
from audiolcm.training.tracking import NoTracker, Tracker
from audiolcm.training.wandb_service import WandbTracker, picture, sound, table
from evaluation.record import Record
from evaluation.report.sample import choose_clips, read_excerpt
from evaluation.tables.table import cell, column, timings

log = logging.getLogger(__name__)

DEFAULT_CLIPS = 16


def log_record(record: Record, folder: Path, tracker: Tracker, max_clips: int = DEFAULT_CLIPS) -> None:
    """Send a record to the tracker: ``logger=jsonl`` sends nothing, ``wandb_offline`` writes below ``folder/wandb``.

    The tables lie in the files of the run. Their sounds and pictures of an offline run wait for ``wandb sync`` in the
    data folder of wandb (``$WANDB_DATA_DIR``, by default below ``~/.local/share/wandb``).

    Args:
        record: the evaluation; its protocol and provenance become the configuration of the run.
        folder: where the record lies and the files of its clips are looked for.
        tracker: what conf/logger builds.
        max_clips: how many clips go along, chosen as for the report.

    Raises:
        UserError: when a sound is missing or damaged. A fault of W&B is a warning: the record is on disk.
    """
    if not isinstance(tracker, WandbTracker):
        if not isinstance(tracker, NoTracker):
            log.info("The logger holds no tables and sounds of an evaluation: its report has them.")
        return
    facts = {"row": record.row.facts, "protocol": record.protocol, "provenance": record.provenance}
    tracker.start(folder, f"evaluation/{record.row.system}", _identity(record), dict(facts))
    try:
        tables = {"metrics": _metrics(record), "clips": _clips(record, folder, max_clips)}
        tracker.send(tables | ({"crosscheck": _crosschecks(record)} if record.crosschecks else {}))
    finally:
        tracker.finish()


def _identity(record: Record) -> str:
    """Return an id that the same record has again and no other one."""
    return hashlib.sha256(json.dumps(record.content(), sort_keys=True).encode()).hexdigest()[:10]


def _metrics(record: Record) -> Any:
    """Return a table of one line for each figure, those of the sanity rows too."""
    names = [
        "system", "kind", "metric", "better", "value", "low", "high", "generated", "reference", "embedded", "notes",
    ]  # fmt: skip
    lines: list[tuple[object, ...]] = []
    for row in (record.row, *record.sanity):
        kind = "system" if row is record.row else "sanity"
        for score in row.scores:
            shown = cell(score)
            low, high = shown.interval or (None, None)
            lines.append((
                row.system, kind, column(score).name, score.better, shown.value, low, high, shown.num_generated,
                shown.num_reference, score.is_embedded, "; ".join(score.notes),
            ))  # fmt: skip
    for found, timed in timings(record):
        lines.append((
            record.row.system, "system", found.name, found.better, timed.value, None, None, timed.num_generated,
            timed.num_reference, False, "",
        ))  # fmt: skip
    return table(names, lines)


def _crosschecks(record: Record) -> Any:
    """Return a table of one line for each figure that another package was asked for."""
    names = ["metric", "package", "theirs", "ours", "difference", "problem", "notes"]
    return table(names, [
        (one.key, one.package, one.theirs, one.ours, one.difference, one.problem, "; ".join(one.notes))
        for one in record.crosschecks
    ])  # fmt: skip


def _clips(record: Record, folder: Path, max_clips: int) -> Any:
    """Return a table of one line for each clip of the sample: caption, sounds, spectrograms, scores."""
    scores = [score for score in record.row.scores if score.per_clip]
    names = ["name", "caption", "generated", "mel", "reference", "reference mel"]
    lines: list[tuple[object, ...]] = []
    for clip in choose_clips(record, max_clips):
        media: list[object] = []
        for file in (clip.audio, clip.reference):
            media += [None, None] if file is None else _media(folder / file)
        lines.append((clip.name, clip.caption, *media, *(score.per_clip.get(clip.name) for score in scores)))
    return table([*names, *(column(score).name for score in scores)], lines)


def _media(path: Path) -> list[Any]:
    waveform = read_excerpt(path)
    return [sound(waveform, SAMPLE_RATE), picture(palette()[mel_levels(waveform)])]
