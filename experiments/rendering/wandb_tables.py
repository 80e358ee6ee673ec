"""The rendered tables and figures as one Weights & Biases run: a W&B Table for each item of the paper."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.training.wandb_service import WandbTracker, picture, table
from experiments.rendering.formats import csv_text
from experiments.rendering.shown import ShownTable


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
    content = "".join(csv_text(shown) for shown in tables)
    identity = hashlib.sha256(content.encode()).hexdigest()[:10]
    scales = sorted({shown.scale for shown in tables})
    tracker.start(
        folder, f"results/{'-'.join(scales)}", identity, {"items": [shown.item.stem for shown in tables]}
    )
    try:
        for shown in tables:
            tracker.send({shown.item.stem: table(*_measured_beside_printed(shown))})
            if shown.judgments:
                tracker.send({f"{shown.item.stem}_claims": table(*_claims(shown))})
        for stem, file in pictures.items():
            tracker.send({f"{stem}_picture": picture(file)})
    finally:
        tracker.finish()


def _measured_beside_printed(table: ShownTable) -> tuple[list[Any], list[Any]]:
    """Return names and rows: for each column the measured value, its interval and N, and the printed text."""
    names: list[Any] = [table.item.first_column, "seeds"]
    for column in table.columns:
        names += [f"{column.title} {half}" for half in ("measured", "low", "high", "N", "note")]
        names += [f"{column.title} paper"] if column.has_printed else []
    rows: list[Any] = []
    for row in table.rows:
        rows.append([row.label, row.state])
        for column, cell, printed in zip(table.columns, row.cells, row.printed, strict=True):
            words = cell.refusal or cell.text or cell.caveat or None
            rows[-1] += [cell.value, *(cell.interval or (None, None)), cell.count or None, words]
            rows[-1] += [printed] if column.has_printed else []
    return names, rows


def _claims(table: ShownTable) -> tuple[list[Any], list[Any]]:
    names: list[Any] = ["the paper says", "compared", "difference", "low", "high", "seeds", "verdict", "why"]
    rows: list[Any] = []
    for judgment in table.judgments:
        found = [judgment.change, *(judgment.interval or (None, None)), len(judgment.seeds)]
        why = judgment.reason or judgment.method
        rows.append([judgment.claim.sentence, judgment.comparison, *found, judgment.verdict, why])
    return names, rows
