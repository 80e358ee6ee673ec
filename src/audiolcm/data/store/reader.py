"""Reading a store of shards: any slice of any item, whatever the number of items."""

import functools
from pathlib import Path

import numpy as np

from audiolcm.data.store.arrow_rows import Rows
from audiolcm.data.store.checked_json import MEND, read_json, refuse_damaged
from audiolcm.data.store.shards import FILES_TABLE, INDEX, ITEMS_TABLE, array_name
from audiolcm.errors import UserError

_OPEN_FILES = 64  # below the usual limit of 1024 open files, however many shards there are


class ShardReader:
    """Read access to a finished store: ``len``, ``reason``, ``length``, ``lengths``, ``read``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = read_json(folder / INDEX)
        self._items_per_shard: int = index["items_per_shard"]
        self._num_items: int = index["num_items"]
        for name, facts in index["tables"].items():
            refuse_damaged(folder / name, facts)
        self._files = {row["name"]: row for row in Rows(folder / FILES_TABLE)}
        for name, facts in self._files.items():
            refuse_damaged(folder / name, facts, content=False)  # which is looked at when it is first needed
        self._items = Rows(folder / ITEMS_TABLE)
        self._open = functools.lru_cache(_OPEN_FILES)(self._map)

    def __len__(self) -> int:
        return self._num_items

    def reason(self, item: int) -> str | None:
        """Return why an item was rejected; None when it was not."""
        return self._items.value("reason", item)

    def length(self, name: str, item: int) -> int:
        """Return the length of the first axis of one array of an item; 0 for a rejected one."""
        return self._items.value(f"length.{name}", item)

    def lengths(self, name: str) -> np.ndarray:
        """Return the ``length`` of all items: int64 (items,). Zeros when no item of the store has that array."""
        if f"length.{name}" not in self._items.names:
            return np.zeros(self._num_items, np.int64)
        return self._items.column(f"length.{name}")

    def read(self, name: str, item: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return rows ``start:stop`` of one array of an item: a read-only view of the file."""
        begin = self._items.value(f"offset.{name}", item)
        end = begin + self.length(name, item)
        stop = end if stop is None else min(begin + stop, end)
        return self._open(array_name(item // self._items_per_shard, name))[begin + start : stop]

    def _map(self, name: str) -> np.ndarray:
        refuse_damaged(self.folder / name, self._files[name])
        try:
            return np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{name} in {self.folder} is damaged ({error}): {MEND}") from error
