"""What a preparation found, for people and as tables."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Mapping

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.prepared import MISSING_FILE, MISSING_REPORT, NEEDED_SPLITS, PreparedData
from audiolcm.data.rows import Rows
from audiolcm.data.tables import write_table
from audiolcm.terminal import printable
from audiolcm.text_tables import inert

_NUM_SHOWN = 5
_logger = logging.getLogger(__name__)


def write_report(prepared: PreparedData) -> None:
    """Write the table of bad rows (split, row, name, reason) and that of missing files (split, row, name, file)."""
    missing = (
        {"split": row["split"], "row": row["row"], "name": row["name"], "file": row["reason"]}
        for name in prepared.splits
        for row in Rows(prepared.folder / name / MISSING_FILE)
    )
    write_table(prepared.folder / MISSING_REPORT, ("split", "row", "name", "file"), map(_to_read, missing))
    bad = map(dataclasses.asdict, prepared.iterate_bad_rows())
    write_table(prepared.report_path, ("split", "row", "name", "reason"), map(_to_read, bad))
    if count := prepared.num_bad_rows:
        _logger.warning("%s: %d bad rows were left out, see %s", prepared.name, count, prepared.report_path)


def _to_read(row: Mapping[str, object]) -> dict[str, str]:
    """Return a row for people: names of strangers' files mean nothing to a spreadsheet or a terminal."""
    return {column: inert(printable(str(value))) for column, value in row.items()}


def prepare_report(prepared: PreparedData) -> str:
    """A few lines for people: clips and hours of every split, the first bad rows and why, and the folder."""
    lines = [f"{prepared.name}: {prepared.folder}"]
    for name in prepared.splits:
        facts = prepared.open_split(name).facts
        hours = facts["samples"] / SAMPLE_RATE / 3600
        lines.append(
            f"  {name}: {facts['clips']} clips of {facts['sounds']} sounds, {hours:.2f} h; {facts['bad']} bad rows"
        )
        if facts["missing"]:
            lines.append(
                f"  {facts['missing']} of {facts['planned_sounds']} sound files of {name} are missing: see "
                f"{prepared.folder / MISSING_REPORT}"
            )
        if facts["clips"] == 0 and name in NEEDED_SPLITS:
            lines.append(f"  Split {name} is empty: this data can be listened to and scored, not trained on.")
    lines += [
        f"  bad row {row.row} ({row.split or 'no split'}, {row.name or 'no name'}): {row.reason}"
        for row in itertools.islice(prepared.iterate_bad_rows(), _NUM_SHOWN)
    ]
    if count := prepared.num_bad_rows:
        lines.append(f"  {count} bad rows were left out; all of them: {prepared.report_path}")
    return "\n".join(lines)
