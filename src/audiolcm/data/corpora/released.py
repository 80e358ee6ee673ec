"""The caption tables of the AudioLCM release: name, dataset, ori_cap, mel_path, caption, audio_path."""

from collections.abc import Callable
from pathlib import Path

from audiolcm.data.corpora.folder import unique_names
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.tables import Row, read_table, seconds

RELEASED_COLUMNS = ("name", "ori_cap", "caption", "audio_path")


def read_released(table: Path, split: str, locate: Callable[[str], Path]) -> list[Clip]:
    """Return clips of a released table; ``locate(audio_path)`` says where a file is (or should be).

    In these tables ``ori_cap`` is the plain and ``caption`` the structured caption. Rows that share a sound get
    numbered names.
    """
    rows = read_table(table, RELEASED_COLUMNS)
    names = unique_names(
        Path(row["name"]).stem if row["name"].endswith(".wav") else row["name"] for row in rows
    )
    return [
        Clip(
            name=name,
            audio_path=locate(row.exact("audio_path")),
            caption=row["ori_cap"],
            structured_caption=row["caption"] or fallback_structure(row["ori_cap"]),
            duration=seconds(row.get("duration", "")),
            split=split,
            labels=(),
            row=row.line,
            problem=row.problem,
        )
        for name, row in zip(names, rows, strict=True)
    ]


def has_released_columns(columns: Row) -> bool:
    """Return whether a row has the columns of a released table."""
    return set(RELEASED_COLUMNS) <= set(columns)
