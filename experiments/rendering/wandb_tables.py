"""The rendered tables and figures as one Weights & Biases run: a W&B Table for each item of the paper."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.training.wandb_service import WandbTracker, picture, table
from experiments.rendering.formats import csv_text
from experiments.rendering.shown import ShownRow, ShownTable


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
        for shown in tables:
            tracker.send({shown.item.stem: measured_beside_printed(shown)})
            if shown.judgments:
                tracker.send({f"{shown.item.stem}_claims": _claims(shown)})
        for stem, file in pictures.items():
            tracker.send({f"{stem}_picture": picture(file)})
    finally:
        tracker.finish()


def measured_beside_printed(shown: ShownTable) -> Any:
    """Return a line for each row: for each column the measured value, its interval and N, and the printed text."""
    names = [shown.first_column, "seeds"]
    for column in shown.columns:
        names += [f"{column.title} {half}" for half in ("measured", "low", "high", "N", "note")]
        names += [f"{column.title} paper"] if column.has_printed else []
    return table(names, [(row.label, row.state, *_entries(shown, row)) for row in shown.rows])


def _entries(shown: ShownTable, row: ShownRow) -> list[Any]:
    found: list[Any] = []
    for column, cell, printed in zip(shown.columns, row.cells, row.printed, strict=True):
        low, high = cell.interval or (None, None)
        words = cell.refusal or cell.text or cell.caveat or None
        found += [cell.value, low, high, cell.count or None, words]
        found += [printed] if column.has_printed else []
    return found


def _claims(shown: ShownTable) -> Any:
    lines: list[tuple[object, ...]] = []
    for judgment in shown.judgments:
        low, high = judgment.interval or (None, None)
        lines.append((
            judgment.claim.sentence, judgment.comparison, judgment.change, low, high, len(judgment.seeds),
            judgment.verdict, judgment.reason or judgment.method,
        ))  # fmt: skip
    return table(
        ["the paper says", "compared", "difference", "low", "high", "seeds", "verdict", "why"], lines
    )
