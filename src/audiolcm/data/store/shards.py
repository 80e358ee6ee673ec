"""Arrays of unequal length in memory-mapped shards: written once, resumable, read by slice.

A store holds items, each a set of named arrays whose first axis may have any length (the other axes and the dtype are
the same for all items). Items lie one after another in ``.npy`` files of a bounded number of items: ``numpy.load`` maps
them as they are, and a slice of an item is read without the rest. (A safetensors file would add a second header to
map; a tar or Parquet file cannot be mapped.) A shard counts only when its record file exists, which is written after
its arrays and holds their sizes and checksums; the index of the store is written last.

``index.arrow`` has one row an item (length and place of each array, why it was rejected), ``shards.arrow`` one row a
file (bytes, CRC-32), ``index.json`` the counts and the checksums of these two.
"""

import functools
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow

from audiolcm.data.store.arrow_rows import ArrowRows, writing_rows
from audiolcm.data.store.checked_json import (
    MEND,
    file_facts,
    file_fault,
    read_json,
    refuse_damaged,
    write_json,
)
from audiolcm.errors import UserError
from audiolcm.storage.files import TEMPORARY_SUFFIX, atomic_path
from audiolcm.storage.leases import exclusive

INDEX = "index.json"
ITEMS_TABLE = "index.arrow"
FILES_TABLE = "shards.arrow"
CLAIMS = "claims"
_OPEN_FILES = 64  # below the usual limit of 1024 open files, however many shards there are
_FILES_SCHEMA = pyarrow.schema(
    [("shard", "int64"), ("name", "string"), ("bytes", "int64"), ("crc32", "int64")]
)


@dataclass(frozen=True)
class Rejected:
    """An item that could not be made, and why."""

    reason: str


ShardItem = Mapping[str, np.ndarray] | Rejected
Record = dict[str, Any]
Produce = Callable[[range], Iterable[ShardItem]]


@dataclass(frozen=True)
class Store:
    """A store that is being made: which items belong to which shard, and which shards are still to be made."""

    folder: Path
    num_items: int
    items_per_shard: int

    def __len__(self) -> int:
        return -(-self.num_items // self.items_per_shard)

    def items(self, number: int) -> range:
        """Return the items of a shard."""
        start = number * self.items_per_shard
        return range(start, min(start + self.items_per_shard, self.num_items))

    def record(self, number: int) -> Record | None:
        """Return the record of a shard that is whole on disk, else None."""
        path = record_path(self.folder, number)
        if not path.is_file():
            return None
        try:
            record = read_json(path)
            whole = all(
                file_fault(self.folder / name, facts) is None for name, facts in record["files"].items()
            )
        except (UserError, LookupError, TypeError, AttributeError):
            return None  # a damaged record is as good as none: the shard is made again
        return record if whole and record.get("num_items") == len(self.items(number)) else None

    def unfinished(self) -> list[int]:
        """Return the numbers of the shards that are not whole on disk."""
        return [number for number in range(len(self)) if self.record(number) is None]

    def make(self, number: int, produce: Produce, finished: Callable[[int], object]) -> None:
        """Make a shard unless it is whole; whoever comes while another process makes it waits for that one.

        ``finished(count)`` is told about items as they get done.
        """
        with exclusive(self.folder / CLAIMS / f"{number:05d}"):
            if self.record(number) is not None:
                finished(len(self.items(number)))
                return
            for leftover in self.folder.glob(f".{number:05d}.*{TEMPORARY_SUFFIX}"):
                leftover.unlink(missing_ok=True)
            _write_shard(self.folder, number, list(_counted(produce(self.items(number)), finished)))

    def seal(self) -> None:
        """Write the index; every shard must be whole, and the caller holds the lock of the folder."""
        records = [record_path(self.folder, number) for number in range(len(self))]
        names = sorted({name for path in records for name in read_json(path)["lengths"]})
        columns = [(f"{what}.{name}", "int64") for name in names for what in ("length", "offset")]
        schema = pyarrow.schema([("reason", "string"), *columns])
        with (
            writing_rows(self.folder / ITEMS_TABLE, schema) as add_item,
            writing_rows(self.folder / FILES_TABLE, _FILES_SCHEMA) as add_file,
        ):
            for number, path in enumerate(records):
                record = read_json(path)
                for name, facts in record["files"].items():
                    add_file({"shard": number, "name": name, **facts})
                for row in _item_rows(record, names):
                    add_item(row)
        tables = {name: file_facts(self.folder / name) for name in (ITEMS_TABLE, FILES_TABLE)}
        counts = {"num_items": self.num_items, "items_per_shard": self.items_per_shard}
        write_json(self.folder / INDEX, counts | {"tables": tables})
        shutil.rmtree(self.folder / CLAIMS, ignore_errors=True)


def build_shards(
    folder: Path,
    num_items: int,
    produce: Produce,
    items_per_shard: int,
    finished: Callable[[int], object] = lambda count: None,
) -> None:
    """Write a store of ``num_items``; ``produce(range)`` gives the items of one shard in order.

    Shards that are already whole are kept, so a killed call goes on where it stopped. ``finished(count)`` is
    told about items as they get done. The result depends on nothing but the items.

    Raises:
        UserError: when the disk is full.
    """
    if (folder / INDEX).is_file():
        finished(num_items)
        return
    store = Store(folder, num_items, items_per_shard)
    for number in range(len(store)):
        store.make(number, produce, finished)
    store.seal()


def _counted(items: Iterable[ShardItem], finished: Callable[[int], object]) -> Iterator[ShardItem]:
    for item in items:
        yield item
        finished(1)


def array_name(number: int, name: str) -> str:
    """Return the file of one array of a shard."""
    return f"{number:05d}.{name}.npy"


def record_path(folder: Path, number: int) -> Path:
    """Return the file that says that a shard is whole, and what is in it."""
    return folder / f"{number:05d}.json"


def _item_rows(record: Record, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    offsets = dict.fromkeys(names, 0)
    for position in range(record["num_items"]):
        row: dict[str, Any] = {"reason": record["reasons"].get(str(position))}
        for name in names:
            length = record["lengths"][name][position] if name in record["lengths"] else 0
            row |= {f"length.{name}": length, f"offset.{name}": offsets[name]}
            offsets[name] += length
        yield row


def _write_shard(folder: Path, number: int, items: Sequence[ShardItem]) -> None:
    good = [item for item in items if not isinstance(item, Rejected)]
    names = list(good[0]) if good else []
    files = {}
    for name in names:
        path = folder / array_name(number, name)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            _write_array(file, [item[name] for item in good])
        files[path.name] = file_facts(path)
    record: Record = {
        "num_items": len(items),
        "lengths": {n: [0 if isinstance(item, Rejected) else len(item[n]) for item in items] for n in names},
        "reasons": {str(i): item.reason for i, item in enumerate(items) if isinstance(item, Rejected)},
        "files": files,
    }
    write_json(record_path(folder, number), record)


def _write_array(file: BinaryIO, parts: Sequence[np.ndarray]) -> None:
    """Concatenate along the first axis into .npy (numpy's own writer hides why a disk refused)."""
    first = parts[0]
    if any(part.shape[1:] != first.shape[1:] or part.dtype != first.dtype for part in parts):
        raise ValueError("arrays of one shard must agree in dtype and in all axes but the first")
    shape = (sum(len(part) for part in parts), *first.shape[1:])
    header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for part in parts:
        file.write(np.ascontiguousarray(part).data)


class ShardReader:
    """Read access to a finished store: ``len``, ``reason``, ``length``, ``lengths``, ``read``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = read_json(folder / INDEX)
        self._items_per_shard: int = index["items_per_shard"]
        self._num_items: int = index["num_items"]
        for name, facts in index["tables"].items():
            refuse_damaged(folder / name, facts)
        self._files = {row["name"]: row for row in ArrowRows(folder / FILES_TABLE)}
        for name, facts in self._files.items():
            refuse_damaged(folder / name, facts, content=False)  # which is looked at when it is first needed
        self._items = ArrowRows(folder / ITEMS_TABLE)
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
