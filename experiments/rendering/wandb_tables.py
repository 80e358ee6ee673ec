"""The rendered tables and figures as one Weights & Biases run: a W&B Table for each item of the paper."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiolcm.training.tracking import WandbTracker
from experiments.rendering.formats import csv_text
from experiments.rendering.shown import ShownRow, ShownTable

if TYPE_CHECKING:
    import wandb


def log_tables(
    tables: Sequence[ShownTable], pictures: Mapping[str, Path], folder: Path, tracker: WandbTracker
) -> None:
    """Send tables, their judged claims and the figures to the tracker; an offline run lies below ``folder/wandb``.

    Args:
        tables: all of one scale.
        pictures: PNG files by the stem of their figure.
        folder: where the run is written.
        tracker: a fault of W&B is a warning: the files are on disk.
    """
    content = "".join(csv_text(table) for table in tables)
    identity = hashlib.sha256(content.encode()).hexdigest()[:10]
    scales = sorted({table.scale for table in tables})
    tracker.start(
        folder, f"results/{'-'.join(scales)}", identity, {"items": [table.item.stem for table in tables]}
    )
    try:
        for table in tables:
            tracker.send({table.item.stem: measured_beside_printed(table)})
            if table.judgments:
                tracker.send({f"{table.item.stem}_claims": _claims(table)})
        for stem, picture in pictures.items():
            tracker.send({f"{stem}_picture": _image(picture)})
    finally:
        tracker.finish()


def measured_beside_printed(table: ShownTable) -> wandb.Table:
    """Return one line for each row: for each column the measured value, its interval and N, and the printed text."""
    import wandb

    names: list[str | int] = [table.item.first_column, "seeds"]
    for column in table.columns:
        names += [f"{column.title} {half}" for half in ("measured", "low", "high", "N", "note")]
        names += [f"{column.title} paper"] if column.has_printed else []
    made = wandb.Table(columns=names)
    for row in table.rows:
        made.add_data(row.label, row.state, *_entries(table, row))
    return made


def _entries(table: ShownTable, row: ShownRow) -> list[Any]:
    found: list[Any] = []
    for column, cell, printed in zip(table.columns, row.cells, row.printed, strict=True):
        low, high = cell.interval or (None, None)
        words = cell.refusal or cell.text or cell.caveat or None
        found += [cell.value, low, high, cell.count or None, words]
        found += [printed] if column.has_printed else []
    return found


def _claims(table: ShownTable) -> wandb.Table:
    import wandb

    made = wandb.Table(
        columns=["the paper says", "compared", "difference", "low", "high", "seeds", "verdict", "why"]
    )
    for judgment in table.judgments:
        low, high = judgment.interval or (None, None)
        made.add_data(
            judgment.claim.sentence, judgment.comparison, judgment.change, low, high, len(judgment.seeds),
            judgment.verdict, judgment.reason or judgment.method,
        )  # fmt: skip
    return made


def _image(path: Path) -> wandb.Image:
    import wandb

    return wandb.Image(str(path))
