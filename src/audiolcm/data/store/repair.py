"""Finding what is damaged in prepared data, and having just that made again."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from audiolcm.data.store.arrow_rows import ArrowRows
from audiolcm.data.store.checked_json import MEND, file_fault, read_json
from audiolcm.data.store.prepared import DATA_FILE, REPORT, SPLIT_FILE
from audiolcm.data.store.shards import FILES_TABLE, INDEX, ITEMS_TABLE, record_path
from audiolcm.errors import UserError
from audiolcm.storage.files import explained

_CHANGED = "it is not as it was written"


def verify(folder: Path) -> int:
    """Read every byte of all splits and features below a prepared folder; return the number of stores.

    Raises:
        UserError: naming each damaged file and the command that repairs it.
    """
    stores = _stores(folder)
    faults = [f"  {folder / DATA_FILE}: {_CHANGED}"] if _is_damaged(folder / DATA_FILE) else []
    faults += [
        f"  {store / name}: {fault}"
        for store in stores
        for _, name, fault in (*damaged_files(store), *_damaged_tables(store))
    ]
    if faults:
        raise UserError("\n".join([f"{len(faults)} files are damaged:", *faults, f"To repair them {MEND}"]))
    return len(stores)


def discard(folder: Path) -> list[Path]:
    """Make prepared data unfinished where it is damaged; preparing (or training, for features) completes it again.

    Returns:
        The damaged files.
    """
    found: list[Path] = []
    if _is_damaged(folder / DATA_FILE):
        _remove(folder / REPORT)  # first: without it the data is not finished
        _remove(folder / DATA_FILE)
        found.append(folder / DATA_FILE)
    for store in _stores(folder):
        damaged = [*damaged_files(store), *_damaged_tables(store)]
        if damaged:
            _remove(store / SPLIT_FILE)  # first: what is not finished is never taken for good
            found += [store / name for name in _discard_shards(store, damaged)]
    return found


def _stores(folder: Path) -> list[Path]:
    return sorted({path.parent for name in (INDEX, SPLIT_FILE) for path in folder.rglob(name)})


def _is_damaged(path: Path) -> bool:
    if not os.path.lexists(path):
        return False
    try:
        read_json(path)
    except UserError:
        return True
    return False


def _damaged_tables(store: Path) -> Iterator[tuple[None, str, str]]:
    if os.path.lexists(store / SPLIT_FILE):
        yield from _damaged_of(store, SPLIT_FILE)


def _damaged_of(store: Path, name: str) -> Iterator[tuple[None, str, str]]:
    """Yield a JSON file that is not as it was written, or else the damaged ones of the tables that it tells of."""
    try:
        tables = read_json(store / name)["tables"]
    except (UserError, LookupError):
        yield None, name, _CHANGED
        return
    for table, facts in tables.items():
        if fault := file_fault(store / table, facts, content=True):
            yield None, table, fault


def damaged_files(folder: Path) -> Iterator[tuple[int | None, str, str]]:
    """Read a whole finished store and yield (shard, file, what is wrong); what belongs to no shard has None."""
    broken = list(_damaged_of(folder, INDEX))
    yield from broken
    for row in () if broken else ArrowRows(folder / FILES_TABLE):
        if fault := file_fault(folder / row["name"], row, content=True):
            yield row["shard"], row["name"], fault


def _discard_shards(store: Path, damaged: Sequence[tuple[int | None, str, str]]) -> list[str]:
    """Drop the records of damaged shards, and the index when anything that it rests on is damaged; name the files.

    With an index that cannot be trusted the shards are held against their own records.
    """
    names = [name for _, name, _ in damaged]
    numbers = {number for number, _, _ in damaged if number is not None}
    if {INDEX, ITEMS_TABLE, FILES_TABLE}.intersection(names):
        for path in sorted(store.glob("[0-9]*.json")):
            files = {} if _is_damaged(path) else read_json(path)["files"]  # a damaged record counts as none
            for name, facts in files.items():
                if file_fault(store / name, facts, content=True):
                    numbers.add(int(path.stem))
                    names.append(name)
    elif not numbers:
        return names
    for number in numbers:
        _remove(record_path(store, number))
    _remove(store / INDEX)
    return names


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # a folder has its place
        raise explained(error, path) or error from error
