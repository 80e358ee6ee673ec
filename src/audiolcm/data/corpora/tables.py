"""Corpora with one table for each split, published or released."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.corpora.naming import unique_names
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.manifest_tables import MEL_COLUMN, SOUND_COLUMN
from audiolcm.data.tables import TableRow, read_table, seconds
from audiolcm.errors import UserError

_RELEASED_COLUMNS = {"name", "ori_cap", "caption"}
_logger = logging.getLogger(__name__)


class TableCorpus(FolderCorpus):
    """One table a split, under the root; each may be the published one or one of the AudioLCM release.

    A split whose table is absent is empty (with a warning); at least one table must be there. Sound files may
    lie anywhere below the root: they are found by name.
    """

    tables: dict[str, str]
    """The table of each split; set by the constructor."""

    @abstractmethod
    def _published(self, rows: Sequence[TableRow], table: Path, split: str) -> list[Clip]:
        """Return the clips of the published table's rows."""

    def _read_clips(self) -> list[Clip]:
        found = {
            split: self.root / table for split, table in self.tables.items() if (self.root / table).is_file()
        }
        if not found:
            raise UserError(
                f"None of {', '.join(self.tables.values())} found in {self.root}: put the caption tables of "
                f"{self.name} there or name them, for example dataset.test=FILE."
            )
        for split in self.tables.keys() - found.keys():
            _logger.warning(
                "%s: no table %s, split %s is empty", self.name, self.root / self.tables[split], split
            )
        return [clip for split, table in found.items() for clip in self._read_split(table, split)]

    def _read_split(self, table: Path, split: str) -> list[Clip]:
        rows = read_table(table)
        column = MEL_COLUMN if self.mels else SOUND_COLUMN
        if rows and set(rows[0]) >= {*_RELEASED_COLUMNS, column}:
            return self._released(rows, split, column)
        if self.mels:
            raise UserError(
                f"Table {table} is no released one with a column {MEL_COLUMN}: leave out dataset.mels, or name one "
                f"that has it, for example dataset.{split}=FILE."
            )
        return self._published(rows, table, split)

    def _released(self, rows: Sequence[TableRow], split: str, column: str) -> list[Clip]:
        """Return the clips of a released table, where ``ori_cap`` is the plain and ``caption`` the structured caption.

        Files are where the authors had them, else anywhere. Rows that share a sound get numbered names.
        """
        find = self._find_mel if self.mels else self._find_anywhere
        names = unique_names(
            Path(row["name"]).stem if row["name"].endswith(".wav") else row["name"] for row in rows
        )
        return [
            Clip(
                name=name,
                audio_path=find(self.root / row.exact(column)),
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


def require_columns(rows: Sequence[TableRow], table: Path, columns: Sequence[str]) -> None:
    """Refuse a table with rows that lacks a column.

    Raises:
        UserError: naming the columns.
    """
    missing = [column for column in columns if rows and column not in rows[0]]
    if missing:
        raise UserError(
            f"Table {table} has no column {', '.join(missing)}; it has: {', '.join(rows[0])}. "
            "Give the published table or the released one (name, ori_cap, caption, audio_path)."
        )
