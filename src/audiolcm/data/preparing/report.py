"""What a preparation found, for people and as tables."""

import dataclasses
import itertools
import logging
from collections.abc import Mapping

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.store.arrow_rows import ArrowRows
from audiolcm.data.store.prepared import MISSING_FILE, MISSING_REPORT, NEEDED_SPLITS, PreparedData
from audiolcm.data.tables import write_table
from audiolcm.environment.terminal import printable
from audiolcm.text_tables import inert

_NUM_SHOWN = 5
_logger = logging.getLogger(__name__)


def write_report(prepared: PreparedData) -> None:
    """Write the table of bad rows (split, row, name, reason) and that of missing files (split, row, name, file)."""
    missing = (
        {"split": row["split"], "row": row["row"], "name": row["name"], "file": row["reason"]}
        for name in prepared.splits
        for row in ArrowRows(prepared.folder / name / MISSING_FILE)
    )
    write_table(prepared.folder / MISSING_REPORT, ("split", "row", "name", "file"), map(_to_read, missing))
    bad = map(dataclasses.asdict, prepared.iterate_bad_rows())
    write_table(prepared.report_path, ("split", "row", "name", "reason"), map(_to_read, bad))
    for what, count in _counts(prepared).items():
        _logger.warning("%s: %d %s, see %s", prepared.name, count, what, prepared.report_path)


def _to_read(row: Mapping[str, object]) -> dict[str, str]:
    """Return a row for people: names of strangers' files mean nothing to a spreadsheet or a terminal."""
    return {column: inert(printable(str(value))) for column, value in row.items()}


def prepare_report(prepared: PreparedData) -> str:
    """Return a few lines for people: clips and hours of every split, the first bad rows and why, and the folder."""
    lines = [f"{prepared.name}: {prepared.folder}"]
    for name in prepared.splits:
        split = prepared.open_split(name)
        facts = split.facts
        hours = facts["samples"] / SAMPLE_RATE / 3600
        num_bad = facts["bad"] - split.num_left_out
        left_out = f", {split.num_left_out} left out" if split.num_left_out else ""
        clips = f"{facts['clips']} clips of {facts['sounds']} sounds"
        lines.append(f"  {name}: {clips}, {hours:.2f} h; {num_bad} bad rows{left_out}")
        if facts["missing"]:
            lines.append(
                f"  {facts['missing']} of {facts['planned_sounds']} sound files of {name} are missing: see "
                f"{prepared.folder / MISSING_REPORT}"
            )
        if facts["clips"] == 0 and name in NEEDED_SPLITS:
            lines.append(f"  Split {name} is empty: this data can be listened to and scored, not trained on.")
    lines += [
        f"  {'row' if row.is_left_out else 'bad row'} {row.row} ({row.split or 'no split'}, {row.name or 'no name'}): "
        f"{row.reason}"
        for row in itertools.islice(prepared.iterate_bad_rows(), _NUM_SHOWN)
    ]
    lines += [
        f"  {count} {what}; all of them: {prepared.report_path}" for what, count in _counts(prepared).items()
    ]
    if count := prepared.num_shared:
        lines.append(
            f"  {count} clips of train have a sound that validation has too: its figures are of sounds trained on."
        )
    return "\n".join(lines)


def _counts(prepared: PreparedData) -> dict[str, int]:
    """Return how many rows are no clips, by why that is."""
    counts = {
        "bad rows were left out": prepared.num_bad_rows - prepared.num_left_out,
        "clips were left out that are tested on, or that a list names": prepared.num_left_out,
    }
    return {what: count for what, count in counts.items() if count}
