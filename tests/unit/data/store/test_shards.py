import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audiolcm.data.store.shards import INDEX, Rejected, ShardItem, ShardReader, build_shards
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path, remove_leftovers
from audiolcm.storage.leases import exclusive


def item(number: int) -> ShardItem:
    if number % 5 == 3:
        return Rejected(f"bad {number}")
    rng = np.random.default_rng(number)
    length = int(rng.integers(0, 6))
    return {
        "a": rng.integers(-9, 9, length).astype(np.int16),
        "b": rng.normal(size=(2 * length, 3)).astype(np.float16),
    }


def items(numbers: range) -> Iterator[ShardItem]:
    return (item(number) for number in numbers)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.parametrize(("num_items", "per_shard"), [(23, 4), (8, 4), (1, 10), (0, 4)])
def test_everything_comes_back(tmp_path: Path, num_items: int, per_shard: int) -> None:
    build_shards(tmp_path, num_items, items, per_shard)
    reader = ShardReader(tmp_path)
    assert len(reader) == num_items
    reasons = {number: reader.reason(number) for number in range(num_items) if reader.reason(number)}
    assert reasons == {number: f"bad {number}" for number in range(3, num_items, 5)}
    for number in set(range(num_items)) - set(reasons):
        for name, expected in item(number).items():
            assert reader.length(name, number) == len(expected)
            assert reader.read(name, number).dtype == expected.dtype
            np.testing.assert_array_equal(reader.read(name, number), expected)
            np.testing.assert_array_equal(reader.read(name, number, 1, 3), expected[1:3])
            np.testing.assert_array_equal(reader.read(name, number, 2), expected[2:])


def test_an_interrupted_build_goes_on_and_equals_an_undisturbed_one(tmp_path: Path) -> None:
    def stops(numbers: range) -> Iterator[ShardItem]:
        for number in numbers:
            if number == 13:
                raise KeyboardInterrupt
            yield item(number)

    made: list[int] = []

    def counted(numbers: range) -> Iterator[ShardItem]:
        made.extend(numbers)
        return items(numbers)

    build_shards(tmp_path / "whole", 23, items, 4)
    with pytest.raises(KeyboardInterrupt):
        build_shards(tmp_path / "stopped", 23, stops, 4)
    assert not (tmp_path / "stopped" / INDEX).exists()
    truncated = tmp_path / "stopped" / "00001.a.npy"
    truncated.write_bytes(truncated.read_bytes()[:-1])
    build_shards(tmp_path / "stopped", 23, counted, 4)
    assert made == [*range(4, 8), *range(12, 23)]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    build_shards(tmp_path / "stopped", 23, stops, 4)  # finished: nothing is produced


def test_progress_counts_every_item_once(tmp_path: Path) -> None:
    counts: list[int] = []
    build_shards(tmp_path, 23, items, 4, counts.append)
    build_shards(tmp_path, 23, items, 4, counts.append)
    assert (sum(counts[:-1]), counts[-1]) == (23, 23)


def test_a_full_disk_is_a_message_and_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left") as caught:
        build_shards(tmp_path / "cache", 8, items, 4)
    assert str(tmp_path / "cache") in str(caught.value)
    assert not written(tmp_path / "cache")


def test_a_write_protected_folder_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def protected(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", protected)
    with pytest.raises(UserError, match="No permission"):
        build_shards(tmp_path / "cache", 8, items, 4)
    with pytest.raises(UserError, match="No permission"), exclusive(tmp_path / "cache"):
        pass


def test_a_damaged_index_is_named_and_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text('{"items_per_shard": 4, "sha')
    with pytest.raises(UserError, match="--mend") as caught:
        ShardReader(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_ragged_arrays_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="agree"):
        build_shards(tmp_path, 2, lambda numbers: [{"a": np.zeros((2, n + 1))} for n in numbers], 4)
    assert not written(tmp_path)


def test_atomic_path_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("file.json", "old")]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({}))
    assert path.read_text() == "{}"


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        (tmp_path / "train").mkdir()
        (tmp_path / "train" / ".00000.a.npy.123.partial").write_text("half")
        (tmp_path / "train" / "00000.a.npy").write_text("whole")
        remove_leftovers(tmp_path)
        assert len(list((tmp_path / "train").iterdir())) == 2  # another folder may be another process's work
        remove_leftovers(tmp_path / "train")
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["00000.a.npy"]
