import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from corpus_in_memory import corpus_of
from test_prepare import files

from audiolcm.data.preparing.plan import Part, parse_part
from audiolcm.data.preparing.prepare import prepare, prepare_part
from audiolcm.data.store.prepared import PreparedData
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError

ROOT = Path(__file__).parents[4]
SCRIPT = """
import sys
from audiolcm.data.preparing.plan import parse_part
from audiolcm.data.preparing.prepare import prepare_part
from corpus_in_memory import corpus_of
prepare_part(corpus_of(60, float(sys.argv[3])), sys.argv[1], parse_part(sys.argv[2]), progress=False)
"""


def start(folder: Path, part: str, seconds_per_sound: float = 0.0) -> subprocess.Popen:
    path = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parents[1])])
    command = [sys.executable, "-c", SCRIPT, str(folder), part, str(seconds_per_sound)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, cwd=ROOT)


def without_digests(folder: Path) -> dict[str, bytes]:
    (prepared,) = folder.glob("memory-*")
    return files(prepared)


def test_parts_together_make_what_one_call_makes(tmp_path: Path) -> None:
    whole = prepare(corpus_of(60), tmp_path / "whole", progress=False)
    decoded = []
    for number in (3, 1, 2):
        corpus = corpus_of(60)
        found = prepare_part(corpus, tmp_path / "parts", Part(number, 3), progress=False)
        decoded.append(corpus.num_decoded)
        assert (found is None) == (number != 2)  # the last one seals
    assert sum(decoded) == 64
    assert min(decoded) > 0
    assert files(found.folder) == files(whole.folder)
    assert [row["name"] for row in read_table(found.report_path)] == ["unreadable"]
    corpus = corpus_of(60)
    assert prepare_part(corpus, tmp_path / "parts", Part(1, 3), progress=False) == found
    assert corpus.num_decoded == 0


def test_a_call_without_part_completes_what_parts_left(tmp_path: Path) -> None:
    whole = prepare(corpus_of(60), tmp_path / "whole", progress=False)
    assert prepare_part(corpus_of(60), tmp_path / "parts", Part(2, 4), progress=False) is None
    (folder,) = (tmp_path / "parts").glob("memory-*")
    with pytest.raises(UserError, match="not finished"):
        PreparedData.open(folder)
    corpus = corpus_of(60)
    assert files(prepare(corpus, tmp_path / "parts", progress=False).folder) == files(whole.folder)
    assert 0 < corpus.num_decoded < 64


def test_parts_at_once_and_one_of_them_killed(tmp_path: Path) -> None:
    whole = prepare(corpus_of(60), tmp_path / "whole", progress=False)
    slow = start(tmp_path / "parts", "1/2", 0.1)
    deadline = time.monotonic() + 90
    while not list((tmp_path / "parts").glob("memory-*/train/0*.json")):
        assert slow.poll() is None, "the part ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    slow.send_signal(signal.SIGKILL)
    slow.wait()
    others = [start(tmp_path / "parts", part) for part in ("1/2", "2/2", "1/2")]  # one part twice: no clash
    assert [process.wait() for process in others] == [0, 0, 0]
    corpus = corpus_of(60)
    prepared = prepare(corpus, tmp_path / "parts", progress=False)
    assert corpus.num_decoded == 0, "the parts did not make everything"
    assert files(prepared.folder) == files(whole.folder)


def test_what_a_part_may_be_called() -> None:
    assert parse_part("3/64") == Part(3, 64)
    assert [shard for shard in range(10) if Part(2, 4).has(shard)] == [1, 5, 9]
    for wrong in ("0/4", "5/4", "3", "a/b", "1/", "-1/4", ""):
        with pytest.raises(UserError, match="3/64"):
            parse_part(wrong)


def array(task: int, first: int, last: int, count: int) -> dict[str, str]:
    names = ("TASK_ID", "TASK_MIN", "TASK_MAX", "TASK_COUNT")
    return {f"SLURM_ARRAY_{n}": str(v) for n, v in zip(names, (task, first, last, count), strict=True)}


def test_parts_of_a_slurm_array() -> None:
    assert parse_part("auto", array(0, 0, 63, 64)) == Part(1, 64)
    assert parse_part("auto", array(64, 1, 64, 64)) == Part(64, 64)
    assert parse_part("auto", array(8, 0, 12, 4)) == Part(3, 4)  # --array=0-12:4
    assert parse_part("auto", array(7, 7, 7, 1)) == Part(1, 1)
    with pytest.raises(UserError, match="gaps"):
        parse_part("auto", array(2, 1, 9, 3))  # --array=1,2,9
    with pytest.raises(UserError, match="SLURM array job"):
        parse_part("auto", {})
