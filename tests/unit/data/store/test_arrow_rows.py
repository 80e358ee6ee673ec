import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from corpus_in_memory import CorpusInMemory, clip

from audiolcm.data.preparing.plan import Keys
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.arrow_rows import ROWS_PER_BATCH, ArrowRows, writing_rows
from audiolcm.data.store.prepared import PreparedData
from audiolcm.errors import UserError

SCHEMA = pyarrow.schema([("name", pyarrow.string()), ("number", pyarrow.int64())])


def write(path: Path, count: int) -> list[dict]:
    rows = [{"name": f"row {number}", "number": 3 * number} for number in range(count)]
    with writing_rows(path, SCHEMA) as add:
        for row in rows:
            add(row)
    return rows


@pytest.mark.parametrize("count", [0, 1, ROWS_PER_BATCH - 1, ROWS_PER_BATCH, 2 * ROWS_PER_BATCH + 1])
def test_rows_come_back_by_number_by_column_and_in_order(tmp_path: Path, count: int) -> None:
    written = write(tmp_path / "t.arrow", count)
    rows = ArrowRows(tmp_path / "t.arrow")
    assert len(rows) == count
    assert list(rows) == written
    for index in {0, count // 2, count - 1} if count else ():
        assert rows[index] == written[index]
        assert rows.value("name", index) == written[index]["name"]
    np.testing.assert_array_equal(rows.column("number"), 3 * np.arange(count))
    for outside in (-1, count):
        with pytest.raises(IndexError):
            rows[outside]


def test_a_damaged_table_says_how_to_mend_it(tmp_path: Path) -> None:
    write(tmp_path / "t.arrow", 10)
    (tmp_path / "t.arrow").write_bytes((tmp_path / "t.arrow").read_bytes()[:-40])
    with pytest.raises(UserError, match=r"t\.arrow is damaged.*--mend"):
        ArrowRows(tmp_path / "t.arrow")


def test_a_table_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def stopped() -> None:
        with writing_rows(tmp_path / "t.arrow", SCHEMA) as add:
            add({"name": "a", "number": 1})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not list(tmp_path.iterdir())


def test_keys_are_equal_where_texts_are() -> None:
    keys = Keys()
    for texts in [("a", "b"), ("ab", ""), ("a", "b"), ("", "ab"), ("ab", ""), ("",)]:
        keys.add(*texts)
    assert keys.first().tolist() == [0, 1, 0, 3, 1, 5]
    assert Keys().first().tolist() == []


def opened_bytes(folder: Path) -> int:
    """Memory that an opened split takes, numpy's arrays included, after clips at both ends were read."""
    PreparedData.open(folder).split("train")  # imports and caches of the first call
    tracemalloc.start()
    split = PreparedData.open(folder).split("train")
    assert split.clips[0].name == "clip0"
    assert split.clips[len(split) - 1].name == f"clip{len(split) - 1}"
    assert len(split.waveform(len(split) - 1)) == 16000
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken


def test_an_opened_split_takes_as_much_memory_for_many_clips_as_for_few(tmp_path: Path) -> None:
    taken = {}
    for count in (100, 10_000):
        one = replace(clip("first"), audio_path=tmp_path / "shared.wav")
        clips = [replace(one, name=f"clip{number}", caption=f"Sound {number}") for number in range(count)]
        prepared = prepare(CorpusInMemory({"train": clips}), tmp_path / str(count), progress=False)
        taken[count] = opened_bytes(prepared.folder)
    assert taken[10_000] < taken[100] + 20_000  # 2 bytes a clip; a list of numbers alone would take 80,000
