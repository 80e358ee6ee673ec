"""Finding what is damaged in prepared data, and having just that made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from audiolcm.data.prepared import SPLIT_FILE
from audiolcm.data.records import MEND, file_fault, read_json
from audiolcm.data.rows import Rows
from audiolcm.data.shards import FILES_TABLE, INDEX, record_path
from audiolcm.errors import UserError


def verify(folder: Path) -> int:
    """Read every byte of all splits and features below a prepared folder; returns the number of stores.

    Raises UserError naming each damaged file and the command that mends it.
    """
    stores = _stores(folder)
    faults = [
        f"  {store / name}: {fault}"
        for store in stores
        for _, name, fault in (*damaged_files(store), *_damaged_tables(store))
    ]
    if faults:
        raise UserError("\n".join([f"{len(faults)} files are damaged:", *faults, f"To mend them {MEND}"]))
    return len(stores)


def discard(folder: Path) -> list[Path]:
    """Make prepared data unfinished where it is damaged; preparing (or training, for features) completes it again.

    Returns the damaged files.
    """
    found: list[Path] = []
    for store in _stores(folder):
        broken = discard_damaged(store)
        broken += [name for _, name, _ in _damaged_tables(store)]
        if broken:
            (store / SPLIT_FILE).unlink(missing_ok=True)
            found += [store / name for name in broken]
    return found


def _stores(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob(INDEX))


def _damaged_tables(store: Path) -> Iterator[tuple[None, str, str]]:
    if (store / SPLIT_FILE).is_file():
        for name, facts in read_json(store / SPLIT_FILE)["tables"].items():
            if fault := file_fault(store / name, facts, content=True):
                yield None, name, fault


def damaged_files(folder: Path) -> Iterator[tuple[int | None, str, str]]:
    """Read a whole finished store and yield (shard, file, what is wrong); a table of the index has no shard: None."""
    index = read_json(folder / INDEX)
    broken = False
    for name, facts in index["tables"].items():
        if fault := file_fault(folder / name, facts, content=True):
            broken = True
            yield None, name, fault
    for row in () if broken else Rows(folder / FILES_TABLE):
        if fault := file_fault(folder / row["name"], row, content=True):
            yield row["shard"], row["name"], fault


def discard_damaged(folder: Path) -> list[str]:
    """Make a store unfinished where it is damaged, so that the next build makes those shards anew; names the files.

    With an index that can not be trusted the shards are held against their own records.
    """
    found = list(damaged_files(folder))
    if not found:
        return []
    (folder / INDEX).unlink()
    numbers = {number for number, _, _ in found if number is not None}
    names = [name for _, name, _ in found]
    if any(number is None for number, _, _ in found):
        for path in sorted(folder.glob("[0-9]*.json")):
            for name, facts in read_json(path)["files"].items():
                if file_fault(folder / name, facts, content=True):
                    numbers.add(int(path.stem))
                    names.append(name)
    for number in numbers:
        record_path(folder, number).unlink(missing_ok=True)
    return names
