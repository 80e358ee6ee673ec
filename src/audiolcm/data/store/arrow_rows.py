"""Tables of any length on disk: written row by row, mapped into memory, read by row or by column.

They are Arrow IPC files: pyarrow, pandas, polars and DuckDB open them, text lies in one heap, and a row is found
without reading what stands before it. (Parquet is smaller but has to be decoded a row group at a time; .npy has no
text.) Nothing of a table is kept as Python objects, so a million rows cost no more memory than ten thousand: the
system maps the pages that are read and takes them back.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from audiolcm.data.store.checked_json import MEND
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path

ROWS_PER_BATCH = 4096
_OPEN_BATCHES = 64


@contextmanager
def writing_rows(path: Path, schema: pyarrow.Schema) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield a function that adds one row to a new table; the table appears under ``path`` when the block ends well.

    Raises:
        UserError: when the disk is full or the folder cannot be written.
    """
    rows: list[Mapping[str, Any]] = []
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        with pyarrow.ipc.new_file(file, schema) as writer:

            def flush() -> None:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(rows, schema))
                rows.clear()

            def add(row: Mapping[str, Any]) -> None:
                rows.append(row)
                # Every batch but the last is full, so that a row is found by division
                if len(rows) == ROWS_PER_BATCH:
                    flush()

            yield add
            flush()


class ArrowRows:
    """Read access to a table: ``len(rows)``, ``rows[i]`` as a dictionary, ``iter(rows)``, whole columns of numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # The file is mapped, and stays open as long as anything that was read from it is in use.
            self._file = pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))
            last = self._file.num_record_batches - 1
            self._num_rows = last * ROWS_PER_BATCH + self._file.get_batch(last).num_rows
        except (OSError, ValueError) as error:  # of pyarrow too: ArrowInvalid is a ValueError
            raise UserError(f"{path} is damaged ({error}): {MEND}") from error
        self._batch = functools.lru_cache(_OPEN_BATCHES)(self._file.get_batch)

    @property
    def names(self) -> list[str]:
        """The columns."""
        return self._file.schema.names

    def __len__(self) -> int:
        return self._num_rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        batch, position = self._place(index)
        return batch.slice(position, 1).to_pylist()[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(self._file.num_record_batches):
            yield from self._file.get_batch(number).to_pylist()

    def value(self, column: str, index: int) -> Any:
        """Return one value, without the rest of its row."""
        batch, position = self._place(index)
        return batch.column(column)[position].as_py()

    def column(self, name: str) -> np.ndarray:
        """Return a whole column of numbers, copied: int64 or float64 (rows,)."""
        batches = (self._file.get_batch(number) for number in range(self._file.num_record_batches))
        # Not to_numpy: it imports pandas, which takes longer and more memory than a million numbers.
        return np.concatenate([np.from_dlpack(batch.column(name)) for batch in batches])

    def _place(self, index: int) -> tuple[pyarrow.RecordBatch, int]:
        if not 0 <= index < self._num_rows:
            raise IndexError(f"row {index} of {self._num_rows} in {self.path}")
        number, position = divmod(int(index), ROWS_PER_BATCH)
        return self._batch(number), position
