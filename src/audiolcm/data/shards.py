"""Arrays of unequal length in memory-mapped shards: written once, resumable, read by slice.

A store holds items, each a set of named arrays whose first axis may have any length (the other axes and the
dtype are the same for all items). Items lie one after another in `.npy` files of a bounded number of items. A
shard counts only when its record file exists, which is written after its arrays; the index of the store is
written last.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from audiolcm.errors import UserError
from audiolcm.files import atomic_path

INDEX = "index.json"
_OPEN_FILES = 64  # below the usual limit of 1024 open files, however many shards there are


@dataclass(frozen=True)
class Rejected:
    """An item that could not be made, and why."""

    reason: str


Item = Mapping[str, np.ndarray] | Rejected
Record = dict[str, dict[str, list[int]] | dict[str, str] | dict[str, int] | int]


def build_shards(
    folder: Path,
    num_items: int,
    produce: Callable[[range], Iterable[Item]],
    items_per_shard: int,
    finished: Callable[[int], object] = lambda count: None,
) -> None:
    """Write a store of `num_items`; `produce(range)` gives the items of one shard in order.

    Shards that are already whole are kept, so a killed call goes on where it stopped. `finished(count)` is
    told about items as they get done. The result depends on nothing but the items. Raises UserError when the
    disk is full.
    """
    if (folder / INDEX).is_file():
        finished(num_items)
        return
    records = []
    for number, start in enumerate(range(0, num_items, items_per_shard)):
        items = range(start, min(start + items_per_shard, num_items))
        record = _finished_record(folder, number, len(items))
        if record is None:
            record = _write_shard(folder, number, list(_counted(produce(items), finished)))
        else:
            finished(len(items))
        records.append(record)
    write_json(folder / INDEX, {"items_per_shard": items_per_shard, "shards": records})


class ShardReader:
    """Read access to a finished store: `len`, `reasons` (item -> why it was rejected), `length`, `read`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = read_json(folder / INDEX)
        self._items_per_shard: int = index["items_per_shard"]
        self._num_items = sum(record["num_items"] for record in index["shards"])
        for number, record in enumerate(index["shards"]):
            if not _is_whole(folder, number, record):
                raise UserError(
                    f"A file of shard {number:05d} in {folder} is missing or was cut off: delete the folder {folder} "
                    "and run again."
                )
        self._lengths = [record["lengths"] for record in index["shards"]]
        self._offsets = [
            {
                name: np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
                for name, lengths in record.items()
            }
            for record in self._lengths
        ]
        self.reasons = {
            number * self._items_per_shard + int(position): reason
            for number, record in enumerate(index["shards"])
            for position, reason in record["reasons"].items()
        }
        self._open = functools.lru_cache(_OPEN_FILES)(
            functools.partial(np.load, mmap_mode="r", allow_pickle=False)
        )

    def __len__(self) -> int:
        return self._num_items

    def length(self, name: str, item: int) -> int:
        """Length of the first axis of one array of an item."""
        shard, position = divmod(item, self._items_per_shard)
        return self._lengths[shard][name][position]

    def read(self, name: str, item: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows `start:stop` of one array of an item: a read-only view of the file."""
        shard, position = divmod(item, self._items_per_shard)
        begin, end = self._offsets[shard][name][position : position + 2]
        stop = end if stop is None else min(begin + stop, end)
        return self._open(_array_path(self.folder, shard, name))[begin + start : stop]


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON file of ours; raises UserError saying which folder to delete when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({error}): delete the folder {path.parent} and run again."
        ) from error


def _counted(items: Iterable[Item], finished: Callable[[int], object]) -> Iterator[Item]:
    for item in items:
        yield item
        finished(1)


def _array_path(folder: Path, number: int, name: str) -> Path:
    return folder / f"{number:05d}.{name}.npy"


def _record_path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.json"


def _finished_record(folder: Path, number: int, num_items: int) -> Record | None:
    """The record of a shard that is whole on disk, else None."""
    path = _record_path(folder, number)
    if not path.is_file():
        return None
    record = read_json(path)
    return record if _is_whole(folder, number, record) and record["num_items"] == num_items else None


def _is_whole(folder: Path, number: int, record: Record) -> bool:
    files = {_array_path(folder, number, name): size for name, size in record["bytes"].items()}
    return all(file.is_file() and file.stat().st_size == size for file, size in files.items())


def _write_shard(folder: Path, number: int, items: Sequence[Item]) -> Record:
    good = [item for item in items if not isinstance(item, Rejected)]
    names = list(good[0]) if good else []
    sizes = {}
    for name in names:
        path = _array_path(folder, number, name)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            _write_array(file, [item[name] for item in good])
        sizes[name] = path.stat().st_size
    record: Record = {
        "num_items": len(items),
        "lengths": {n: [0 if isinstance(item, Rejected) else len(item[n]) for item in items] for n in names},
        "reasons": {str(i): item.reason for i, item in enumerate(items) if isinstance(item, Rejected)},
        "bytes": sizes,
    }
    write_json(_record_path(folder, number), record)
    return record


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
