"""Corpora with one table for each split, published or released."""

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.corpora.released import has_released_columns, read_released
from audiolcm.data.manifest import Clip
from audiolcm.data.tables import Row, read_table
from audiolcm.errors import UserError

_logger = logging.getLogger(__name__)


class TableCorpus(FolderCorpus):
    """One table a split, under the root; each may be the published one or one of the AudioLCM release.

    A split whose table is absent is empty (with a warning); at least one table must be there. Sound files may
    lie anywhere below the root: they are found by name.
    """

    def __init__(
        self,
        name: str,
        root: str | None,
        duration: float,
        max_duration: float,
        tables: Mapping[str, str],
        exclude: str | Sequence[str] | None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude)
        self.tables = dict(tables)

    @abstractmethod
    def _published(self, rows: Sequence[Row], table: Path, split: str) -> list[Clip]:
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
        if rows and has_released_columns(rows[0]):
            return read_released(table, split, self._locate_released)
        return self._published(rows, table, split)

    def _locate_released(self, audio_path: str) -> Path:
        """Return the file that a released table names, as its authors stored it: at that path, else of that name."""
        return self._find_anywhere(self.root / audio_path)


def require_columns(rows: Sequence[Row], table: Path, columns: Sequence[str]) -> None:
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
